"""Small networks on which float32 goes wrong, their exact logits, and their float32 logits in several orders."""

import mpmath
import numpy as np
import torch
from exact_network import cosine_logits, exact_snapshot

from grokinterp.models import FastForward, ModelConfig, hooked_network, initial_weights, not_covered_by_fast_forward
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig

P = 5
ACTIVATIONS = {
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "tanh": mpmath.tanh,
    "gelu": lambda x: x * mpmath.ncdf(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
}


def stress_network(seed: int) -> Snapshot:
    """Random or ideal, then made hard: offsets, scales from 1e-6 to 1e6, near ties, denormals, large biases."""
    random = np.random.default_rng(seed)
    snapshot = _ideal(random) if random.random() < 0.5 else _random(random)
    weights = {name: value.clone() for name, value in snapshot.weights.items()}
    for harm in random.choice(list(_HARMS), size=random.integers(0, 3), replace=False):
        _HARMS[harm](weights, random)
    return Snapshot(0, snapshot.task, snapshot.config, weights)


def _ideal(random: np.random.Generator) -> Snapshot:
    size = 10.0 ** random.uniform(-2, 2)
    logits = cosine_logits(P, {1: size, 2: size / 2}) + 10.0 ** random.uniform(-6, -1) * size * random.normal(
        size=(25, P)
    )
    return exact_snapshot(P, logits)


def _random(random: np.random.Generator) -> Snapshot:
    kind = random.choice(["transformer", "transformer", "mlp"])
    task = Task(TaskConfig(p=P, equals_token=kind == "transformer" and bool(random.random() < 0.8)))
    config = ModelConfig(
        architecture=str(kind), n_heads=2, d_head=4, d_model=8, d_mlp=12, biases="all",
        act_fn=str(random.choice(list(ACTIVATIONS))),
        attention_rate=1.0 if kind == "mlp" else float(random.choice([1.0, 0.4])),
    )  # fmt: skip
    spread = float(random.choice([0.3, 1.0]))
    return Snapshot(0, task, config, {
        name: value + spread * torch.from_numpy(random.normal(size=value.shape)).float()
        for name, value in initial_weights(config, task).items()
    })  # fmt: skip


def _offset(weights: dict[str, torch.Tensor], random: np.random.Generator) -> None:
    weights["unembed.b_U"] += float(10.0 ** random.uniform(0, 9))


def _offset_by_weights(weights: dict[str, torch.Tensor], random: np.random.Generator) -> None:
    """Every answer reads one direction of the last layer alike."""
    weights["unembed.W_U"] += (
        float(10.0 ** random.uniform(-2, 4))
        * torch.from_numpy(random.normal(size=(len(weights["unembed.W_U"]), 1))).float()
    )


def _scale(weights: dict[str, torch.Tensor], random: np.random.Generator) -> None:
    name = str(random.choice([name for name in weights if ".W_" in name]))
    weights[name] *= float(10.0 ** random.uniform(-6, 6))


def _tie(weights: dict[str, torch.Tensor], random: np.random.Generator) -> None:
    """Two answers that differ by a unit in the last place, or not at all."""
    W_U, b_U = weights["unembed.W_U"], weights["unembed.b_U"]
    W_U[:, 1], b_U[1] = W_U[:, 2], b_U[2]
    if random.random() < 0.7:
        row = random.integers(len(W_U))
        W_U[row, 1] = torch.nextafter(W_U[row, 1], torch.tensor(float(random.choice([-np.inf, np.inf]))))


def _denormal(weights: dict[str, torch.Tensor], random: np.random.Generator) -> None:
    name = str(random.choice([name for name in weights if ".W_" in name]))
    chosen = torch.from_numpy(random.random(weights[name].shape) < random.random())
    weights[name][chosen] *= 1e-40


def _bias(weights: dict[str, torch.Tensor], random: np.random.Generator) -> None:
    names = [name for name in weights if ".b_" in name]
    name = str(random.choice(names))
    noise = torch.from_numpy(random.normal(size=weights[name].shape)).float()
    weights[name] += float(10.0 ** random.uniform(0, 6)) * noise


_HARMS = {function.__name__: function for function in (_offset, _offset_by_weights, _scale, _tie, _denormal, _bias)}


def exact_logits(snapshot: Snapshot) -> np.ndarray:
    """By the definition of the network, pair by pair, in numbers of 200 digits (mpmath)."""
    with mpmath.workdps(200):
        w = {name: _exact(value) for name, value in snapshot.weights.items()}
        of = _logits_of_mlp if snapshot.config.architecture == "mlp" else _logits_of_transformer
        return np.array([of(snapshot, w, tokens) for tokens in snapshot.task.tokens.tolist()])


def _logits_of_mlp(snapshot: Snapshot, w: dict, tokens: list[int]) -> np.ndarray:
    act = np.vectorize(ACTIVATIONS[snapshot.config.act_fn], otypes=[object])
    x = sum(w["embed.W_E"][token] for token in tokens)
    hidden = act(x.dot(w["blocks.0.mlp.W_in"]) + w["blocks.0.mlp.b_in"])
    return (hidden.dot(w["unembed.W_U"]) + w["unembed.b_U"])[: snapshot.task.n_answers]


def _logits_of_transformer(snapshot: Snapshot, w: dict, tokens: list[int]) -> np.ndarray:
    config, b = snapshot.config, "blocks.0."
    act = np.vectorize(ACTIVATIONS[config.act_fn], otypes=[object])
    x = [w["embed.W_E"][token] + w["pos_embed.W_pos"][place] for place, token in enumerate(tokens)]
    residual = x[-1] + w[b + "attn.b_O"]
    for head in range(config.n_heads):
        q, *others = (
            [row.dot(w[f"{b}attn.W_{kind}"][head]) + w[f"{b}attn.b_{kind}"][head] for row in rows]
            for kind, rows in (("Q", x[-1:]), ("K", x), ("V", x))
        )
        keys, values = others
        scores = [q[0].dot(key) / mpmath.sqrt(config.d_head) for key in keys]
        raised = [mpmath.exp(score - max(scores)) for score in scores]
        rate = mpmath.mpf(config.attention_rate)
        pattern = [rate * power / sum(raised) + (1 - rate) for power in raised]
        z = sum(share * value for share, value in zip(pattern, values, strict=True))
        residual = residual + z.dot(w[b + "attn.W_O"][head])
    hidden = act(residual.dot(w[b + "mlp.W_in"]) + w[b + "mlp.b_in"])
    residual = residual + hidden.dot(w[b + "mlp.W_out"]) + w[b + "mlp.b_out"]
    return (residual.dot(w["unembed.W_U"]) + w["unembed.b_U"])[: snapshot.task.n_answers]


def _exact(value: torch.Tensor) -> np.ndarray:
    return np.vectorize(mpmath.mpf, otypes=[object])(value.double().numpy())


@torch.no_grad()
def float32_logits(snapshot: Snapshot, seed: int) -> dict[str, np.ndarray]:
    """Of the same function, in several orders of summation."""
    found = {"as it runs": snapshot.logits}
    shuffled = _shuffled(snapshot, np.random.default_rng(seed))
    for name, of in (("hooked", snapshot), ("hooked, shuffled", shuffled)):
        model = hooked_network(of.config, of.task, of.weights)
        found[name] = model(of.task.tokens)[:, -1, : of.task.n_answers].numpy()
    found["one by one"] = torch.cat([model(row[None])[:, -1] for row in snapshot.task.tokens]).numpy()[:, :P]
    if not_covered_by_fast_forward(snapshot.config, snapshot.task) is None:
        fast = FastForward(snapshot.config, snapshot.weights, summation="rows")
        found["rows"] = fast(fast.batch(*snapshot.task.inputs)).numpy()[:, :P]
    return found


def _shuffled(snapshot: Snapshot, random: np.random.Generator) -> Snapshot:
    """The same network with its neurons and its residual directions in another order."""
    weights = dict(snapshot.weights)
    mlp = snapshot.config.architecture == "mlp"
    sides = {"mlp.W_in": 1, "mlp.b_in": 0, **({"unembed.W_U": 0} if mlp else {"mlp.W_out": 0})}
    order = torch.from_numpy(random.permutation(snapshot.config.d_mlp))
    for name, axis in sides.items():
        full = name if name.startswith("unembed") else f"blocks.0.{name}"
        weights[full] = weights[full].index_select(axis, order)
    return Snapshot(0, snapshot.task, snapshot.config, weights)
