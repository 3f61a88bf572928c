"""Every kind of network that TransformerLens' settings make, against its formulas in NumPy's float64."""

import itertools
import math

import numpy as np
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import (
    ACTIVATIONS,
    FastForward,
    ModelConfig,
    hooked_transformer,
    initial_weights,
    misfit,
    not_covered_by_fast_forward,
    weight_shapes,
)
from grokinterp.runs import RunConfig, Snapshot
from grokinterp.tasks import Task, TaskConfig

TASK = Task(TaskConfig(p=5))
SIZES = {"n_heads": 2, "d_head": 3, "d_model": 8, "d_mlp": 11}
KINDS = {
    "normalization": ("none", "LN", "LNPre", "RMS", "RMSPre"),
    "act_fn": tuple(ACTIVATIONS),
    "attn_scale": (None, 1.0, 2.5),
    "parallel_attn_mlp": (False, True),
    "attention": ("causal", "bidirectional"),
    "n_layers": (1, 2),
}
EVERY_KIND = [dict(zip(KINDS, values, strict=True)) for values in itertools.product(*KINDS.values())]


def random_weights(config: ModelConfig, task: Task = TASK) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return {name: 0.4 * torch.randn(shape, generator=generator) for name, shape in weight_shapes(config, task).items()}


def activated(x: np.ndarray, name: str) -> np.ndarray:
    tanh_of = 0.7978845608028654 * (x + 0.044715 * x**3)
    return {
        "relu": lambda: np.maximum(x, 0),
        "gelu": lambda: 0.5 * x * (1 + np.vectorize(math.erf)(x / 2**0.5)),
        "gelu_new": lambda: 0.5 * x * (1 + np.tanh(tanh_of)),
        "silu": lambda: x / (1 + np.exp(-x)),
        "tanh": lambda: np.tanh(x),
    }[name]()


def written_out(config: ModelConfig, weights: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Logits, and the last layer's pattern and neurons, one pair, head and position after another."""
    w = {name: value.double().numpy() for name, value in weights.items()}
    scale = config.d_head**0.5 if config.attn_scale is None else config.attn_scale
    found: dict[str, list[np.ndarray]] = {"logits": [], "pattern": [], "neurons": []}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        if config.normalization == "none":
            return x
        if config.normalization.startswith("LN"):
            x = x - x.mean()
        x = x / np.sqrt((x**2).mean() + config.eps)
        return x * w.get(f"{name}.w", 1) + w.get(f"{name}.b", 0)

    def mlp(x: np.ndarray, block: str) -> tuple[np.ndarray, np.ndarray]:
        pre = norm(x, f"{block}.ln2") @ w[f"{block}.mlp.W_in"] + w[f"{block}.mlp.b_in"]
        post = activated(pre, config.act_fn)
        return post, post @ w[f"{block}.mlp.W_out"] + w[f"{block}.mlp.b_out"]

    for tokens in TASK.tokens.tolist():
        x = [w["embed.W_E"][token] + w["pos_embed.W_pos"][at] for at, token in enumerate(tokens)]
        for layer in range(config.n_layers):
            block, after, patterns, neurons = f"blocks.{layer}", [], [], []
            read = [norm(row, f"{block}.ln1") for row in x]
            for at in range(len(x)):
                seen = range(len(x) if config.attention == "bidirectional" else at + 1)
                attended = w[f"{block}.attn.b_O"].copy()
                for head in range(config.n_heads):
                    q, k, v = (
                        [row @ w[f"{block}.attn.W_{z}"][head] + w[f"{block}.attn.b_{z}"][head] for row in read]
                        for z in "QKV"
                    )
                    scores = np.array([q[at] @ k[other] / scale for other in seen])
                    pattern = np.exp(scores) / np.exp(scores).sum()
                    patterns.append(pattern)
                    mixed = sum(share * v[other] for share, other in zip(pattern, seen, strict=True))
                    attended += mixed @ w[f"{block}.attn.W_O"][head]
                post, out = mlp(x[at] if config.parallel_attn_mlp else x[at] + attended, block)
                neurons.append(post)
                after.append(x[at] + attended + out)
            x = after
        found["logits"].append(norm(x[-1], "ln_final") @ w["unembed.W_U"] + w["unembed.b_U"])
        found["pattern"].append(np.stack(patterns[-config.n_heads :]))
        found["neurons"].append(neurons[-1])
    return {name: np.stack(rows) for name, rows in found.items()}


def same(kind: dict) -> None:
    config = ModelConfig(**SIZES, **kind, biases="all", eps=0.01)
    weights, snapshot = random_weights(config), None
    expected, snapshot = written_out(config, weights), Snapshot(0, TASK, config, weights)
    bound = 1e-5 * np.abs(expected["logits"]).max()
    for name, found in (
        ("logits", hooked_transformer(config, TASK, weights)(TASK.tokens)[:, -1].detach().numpy()),
        ("pattern", snapshot.pattern),
        ("neurons", snapshot.neurons),
    ):
        np.testing.assert_allclose(found, expected[name], atol=bound, rtol=0, err_msg=f"{name} of {kind}")
    if not_covered_by_fast_forward(config, TASK) is None:
        fast = FastForward(config, weights)
        found = fast(fast.batch(*TASK.inputs))
        np.testing.assert_allclose(found, expected["logits"], atol=bound, rtol=0, err_msg=f"fast {kind}")


@pytest.mark.parametrize("number", range(0, len(EVERY_KIND), 17))
def test_a_network_of_any_kind_is_its_formula(number):
    same(EVERY_KIND[number])


@pytest.mark.long
def test_a_network_of_every_kind_is_its_formula():
    for kind in EVERY_KIND:
        same(kind)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_activation_is_steeper_than_is_said(name):
    x = torch.linspace(-30, 30, 600_001, dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(ACTIVATIONS[name].of(x).sum(), x)
    assert 0.99 * ACTIVATIONS[name].steepest <= slopes.abs().max() <= ACTIVATIONS[name].steepest


def test_the_fast_forward_covers_what_it_computes_alone():
    assert not_covered_by_fast_forward(ModelConfig(act_fn="silu", attn_scale=1.0)) is None
    parallel = ModelConfig(parallel_attn_mlp=True)
    assert not_covered_by_fast_forward(parallel) == "attention and MLP in parallel (it covers one after the other)"
    assert not_covered_by_fast_forward(ModelConfig(normalization="RMSPre")) == "normalization RMSPre (it covers none)"


@pytest.mark.parametrize(
    ("normalization", "parts"), [("none", []), ("LN", ["w", "b"]), ("RMS", ["w"]), ("LNPre", []), ("RMSPre", [])]
)
def test_what_a_normalization_has_is_drawn_and_trained(normalization, parts):
    config = ModelConfig(**SIZES, normalization=normalization, biases="none")
    weights = initial_weights(config, TASK)
    assert [name for name in weights if "ln" in name.rsplit(".", 2)[-2]] == [
        f"{ln}.{part}" for ln in ("blocks.0.ln1", "blocks.0.ln2", "ln_final") for part in parts
    ]
    assert all((weights[f"ln_final.{part}"] == (part == "w")).all() for part in parts)
    plain = initial_weights(ModelConfig(**SIZES, biases="none"), TASK)
    assert all(torch.equal(weights[name], value) for name, value in plain.items())


def test_sizes_that_are_set_together_need_not_fill_the_model():
    assert RunConfig().with_settings(["model.d_head=8", "model.n_heads=2", "model.d_model=24"]).model.d_head == 8
    with pytest.raises(GrokinterpError, match=r"4 × 32 = 128, but model\.d_model = 64: set all three, together; where"):
        RunConfig().with_settings(["model.d_model=64"])


DEEPER = ModelConfig(**SIZES, n_layers=2)


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (
            ModelConfig(**SIZES),
            {},
            r"missing none, unexpected \['blocks\.1\.attn\.W_K', .*; give the configuration they",
        ),
        (ModelConfig(**SIZES, n_layers=3), {}, r"missing \['blocks\.2\.attn\.W_K', .*\], unexpected none;"),
        (DEEPER, {"unembed.W_U": torch.ones(8, 9)}, r"mod 5: unembed\.W_U has shape \(8, 9\), needs \(8, 6\); give"),
        (DEEPER, {"embed.W_E": torch.ones(6)}, r"embed\.W_E has shape \(6,\), needs \(6, 8\); give"),
        (
            DEEPER,
            {"blocks.0.attn.mask": torch.ones(3, 3)},
            r"attn\.mask'\]; give .*dict\(model\.named_parameters\(\)\)",
        ),
        (ModelConfig(**SIZES, n_layers=2, normalization="RMS"), {}, r"missing \['blocks\.0\.ln1\.w', "),
    ],
)
def test_a_snapshot_takes_only_the_weights_of_its_configuration(config, change, message):
    weights = random_weights(DEEPER) | change
    with pytest.raises(GrokinterpError, match=f"^the weights of step 4 are not those of the configuration .*{message}"):
        Snapshot(4, TASK, config, weights)
    assert misfit(random_weights(DEEPER), DEEPER, TASK) is None
