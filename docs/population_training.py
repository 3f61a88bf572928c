"""Small networks of many kinds, trained side by side: the networks that docs/population.py judges.

Networks of one shape are one program: each weight is a tensor with a first axis over the networks, the loss is the sum
of their losses, and AdamW works entry by entry, so that none notices the others. The recipe is that of
`grokinterp.train`, to which `tests/verdict/test_population.py` compares it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.analysis import HOW_FAR_THRESHOLDS
from grokinterp.models import ACTIVATIONS, ModelConfig, initial_weights
from grokinterp.runs import Environment, RunConfig, RunFolder, TrainingConfig, write_whole
from grokinterp.tasks import Task, TaskConfig

Weights = dict[str, Float[torch.Tensor, "network ..."]]
# Steps between looks at the accuracies; at every fifth look it is asked whether a network has converged.
CHECK_EVERY = 50
JUDGE_EVERY = 250
# The share of their variance by which logits change in so many steps, up to which they stand still.
STILL = 5e-4
MEMORISED, LAST = "memorised", "last"


@dataclass(frozen=True)
class Family:
    """Networks of one shape, which differ in seed, split and, where it is drawn, attention rate.

    - `name`: of the folder that holds their runs; `kind`: the row of the table that they are counted in.
    - `networks`: how many there are; `task`, `model`: what is not the default of `small_task` and `small_model`.
    - `drawn_rate`: whether the attention rate is drawn from [0, 1], network by network.
    - `null`: "" where the task is to be learned. `random_labels`: all train pairs have wrong labels, drawn at random;
      `memorises`: they are right, and nothing makes the network more than remember them.
    """

    name: str
    kind: str
    networks: int
    task: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    weight_decay: float = 2.0
    drawn_rate: bool = False
    null: str = ""
    most_steps: int = 6000

    @property
    def learns(self) -> bool:
        return not self.null

    def config(self, number: int) -> RunConfig:
        """The configuration of network `number`, trained to the most steps."""
        task = TaskConfig(**{"p": 31, "train_fraction": 0.8, "equals_token": False, "split_seed": number} | self.task)
        if self.null == "random_labels":
            wrong = int(task.train_fraction * task.p**2)
            task = TaskConfig(**task.model_dump(exclude_unset=True), noise=wrong, noise_seed=number)
        model = {"d_model": 64, "n_heads": 4, "d_head": 16, "d_mlp": 128, "outputs": "answers", "seed": number}
        if self.drawn_rate:
            model["attention_rate"] = round(float(np.random.default_rng([number, task.p]).uniform()), 3)
        training = TrainingConfig(
            steps=self.most_steps, weight_decay=self.weight_decay, evaluate_every=CHECK_EVERY, threads=1
        )
        return RunConfig(task=task, model=ModelConfig(**model | self.model), training=training)


def stacked(configs: Sequence[RunConfig]) -> Weights:
    """Initial weights of networks of one shape."""
    drawn = [initial_weights(config.model, Task(config.task)) for config in configs]
    return {name: torch.stack([weights[name] for weights in drawn]) for name in drawn[0]}


class Batch:
    """Networks of one shape and task but for the split, evaluated on all n² pairs at once.

    At a position that reads only a, only b or neither, what is computed has as many rows as it depends on: arrays are
    [network, a, b, …] with a or b of length 1 where it does not matter.
    """

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self.model, self.task = configs[0].model, Task(configs[0].task)
        if self.task.n_pairs != self.task.n_symbols**2:
            raise ValueError(f"{self.task.name}: needs a task over all pairs")
        self.rates = torch.tensor([config.model.attention_rate for config in configs])
        self.mixes = bool((self.rates != 1).any())

    def logits(self, weights: Weights) -> Float[torch.Tensor, "network pair out"]:
        """Logits at the last position, pair (a, b) in row a·n + b."""
        forward = self._mlp if self.model.architecture == "mlp" else self._transformer
        logits = forward(weights) + weights["unembed.b_U"][:, None, None]
        n = self.task.n_symbols
        return logits.expand(-1, n, n, -1).flatten(1, 2)

    def _rows(self, table: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of a table with a row per token, those of each position."""
        n, last = self.task.n_symbols, self.task.equals_token
        b = table[:, n : 2 * n] if self.task.config.own_tokens_for_b else table[:, :n]
        return {"a": table[:, :n, None], "b": b[:, None], "=": table[:, last : last + 1, None]}

    def _mlp(self, weights: Weights) -> torch.Tensor:
        act = ACTIVATIONS[self.model.act_fn].of
        # W_in is applied to the n embeddings and not to the n² pairs.
        W_in, parts = weights["blocks.0.mlp.W_in"], len(self.task.positions)
        by_position = W_in.chunk(parts, dim=1) if self.model.mlp_inputs == "concatenation" else [W_in] * parts
        x = _bias(weights["blocks.0.mlp.b_in"])
        for position, into in zip(self.task.positions, by_position, strict=True):
            x = x + self._rows(weights["embed.W_E"] @ into)[position]
        x = act(x)
        for layer in range(1, self.model.n_layers):
            x = act(_times(x, weights[f"blocks.{layer}.mlp.W_in"]) + _bias(weights[f"blocks.{layer}.mlp.b_in"]))
        return _times(x, weights["unembed.W_U"])

    def _transformer(self, weights: Weights) -> torch.Tensor:
        embedded = self._rows(weights["embed.W_E"])
        residual = [
            embedded[name] + _bias(weights["pos_embed.W_pos"][:, position])
            for position, name in enumerate(self.task.positions)
        ]
        for layer in range(self.model.n_layers):
            of_layer = {
                name.removeprefix(f"blocks.{layer}."): weight
                for name, weight in weights.items()
                if name.startswith(f"blocks.{layer}.")
            }
            # Of the last layer only the last position is read.
            first = len(residual) - 1 if layer == self.model.n_layers - 1 else 0
            residual = self._layer(of_layer, residual, first)
        return _times(self._normalized(weights, "ln_final", residual[-1]), weights["unembed.W_U"])

    def _layer(self, w: Weights, residual: list[torch.Tensor], first: int) -> list[torch.Tensor]:
        """The residual stream at positions `first` … after attention and MLP."""
        normalized = [self._normalized(w, "ln1", x) for x in residual]
        heads = (self.model.n_heads, self.model.d_head)

        def projected(x: torch.Tensor, name: str) -> torch.Tensor:
            joined = w[f"attn.W_{name}"].transpose(1, 2).flatten(2)
            return _times(x, joined).unflatten(-1, heads) + _bias(w[f"attn.b_{name}"])

        keys, values = ([projected(x, name) for x in normalized] for name in "KV")
        W_O, act = w["attn.W_O"].flatten(1, 2), ACTIVATIONS[self.model.act_fn].of
        rate, out = self.rates[:, None, None, None], []
        for position in range(first, len(residual)):
            seen = len(residual) if self.model.attention == "bidirectional" else position + 1
            query = projected(normalized[position], "Q") / self.model.score_scale
            scores = torch.broadcast_tensors(*((query * key).sum(-1) for key in keys[:seen]))
            # The constant part reaches masked positions, too, which the softmax does not.
            pattern = [rate * share + (1 - rate) for share in torch.stack(scores).softmax(0)]
            pattern += [1 - rate] * (len(values) - seen if self.mixes else 0)
            z = sum(share[..., None] * value for share, value in zip(pattern, values, strict=False))
            x = residual[position] + _times(z.flatten(-2), W_O) + _bias(w["attn.b_O"])
            neurons = act(_times(self._normalized(w, "ln2", x), w["mlp.W_in"]) + _bias(w["mlp.b_in"]))
            out.append(x + _times(neurons, w["mlp.W_out"]) + _bias(w["mlp.b_out"]))
        return out

    def _normalized(self, w: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
        if self.model.normalization == "none":
            return x
        if self.model.normalization != "LN":
            raise ValueError(f"normalization {self.model.normalization!r}: the batched forward has none and LN")
        plain = torch.nn.functional.layer_norm(x, x.shape[-1:], eps=self.model.eps)
        return plain * _bias(w[f"{name}.w"]) + _bias(w[f"{name}.b"])


def _times(x: Float[torch.Tensor, "network a b i"], W: Float[torch.Tensor, "network i o"]) -> torch.Tensor:
    return (x.flatten(1, 2) @ W).unflatten(1, x.shape[1:3])


def _bias(b: Float[torch.Tensor, "network ..."]) -> Float[torch.Tensor, "network 1 1 ..."]:
    return b[:, None, None]


@dataclass
class _Network:
    """What is kept of one network while it trains."""

    number: int
    config: RunConfig
    metrics: list[dict[str, float]] = field(default_factory=list)
    memorised: tuple[int, Weights] | None = None
    before: torch.Tensor | None = None
    still: int = 0

    def memorises(self) -> bool:
        """Whether it knows its train pairs and few others (docs/how-far.md)."""
        now, bounds = self.metrics[-1], HOW_FAR_THRESHOLDS
        knows = bounds["knows_train"].holds(now["train_accuracy"])
        return knows and bounds["few_unseen"].holds(now["test_accuracy"])

    def stands_still(self, logits: Float[torch.Tensor, "pair out"], must_know: str) -> bool:
        """Whether it knows its pairs and its centred logits point twice where they pointed at the look before."""
        centred = (logits - logits.mean(-1, keepdim=True)).flatten()
        same = 0.0 if self.before is None else torch.cosine_similarity(centred, self.before, dim=0).item()
        self.before = centred.clone()
        knows = self.metrics[-1][must_know] >= HOW_FAR_THRESHOLDS["generalises"].bound
        self.still = self.still + 1 if knows and 1 - same**2 < STILL else 0
        return self.still >= 2


def train_family(family: Family, numbers: Sequence[int], out: Path) -> Iterator[tuple[int, int, bool]]:
    """Train the networks `numbers` of a family side by side, each into the run folder `out`/family/number.

    A network leaves when it has converged: when it answers ≥ 99 % of the unseen pairs (of its train pairs, where the
    labels are wrong), and its centred logits have twice in a row kept their direction up to `STILL` of their variance
    from one look to the next. Yields number, last step and whether it had converged by then.
    """
    training = _Training(family, numbers)
    for step in range(family.most_steps + 1):
        logits, losses = training.losses()
        last = step == family.most_steps
        if last or step % CHECK_EVERY == 0:
            training.look(step, logits, losses)
        if last or step % JUDGE_EVERY == 0:
            done = training.finished(step, logits)
            for place in done:
                network = training.networks[place]
                write_run(out, family, network, step, training.weights_of(place))
                yield network.number, step, network.still >= 2
            if len(done) == len(training.networks):
                return
            if done:
                training.leave(done)
                logits, losses = training.losses()
        training.update(step, losses)


class _Training:
    """Networks of a family side by side."""

    def __init__(self, family: Family, numbers: Sequence[int]) -> None:
        self.must_know = "test_accuracy" if family.learns else "train_accuracy"
        self.most_steps = family.most_steps
        configs = [family.config(number) for number in numbers]
        self._take_up([_Network(*pair) for pair in zip(numbers, configs, strict=True)], stacked(configs), {})

    def _take_up(self, networks: list[_Network], weights: Weights, moments: dict[str, dict[str, torch.Tensor]]) -> None:
        self.networks, self.weights = networks, weights
        configs = [network.config for network in networks]
        self.batch, self.recipe = Batch(configs), configs[0].recipe
        tasks = [Task(config.task) for config in configs]
        self.labels = torch.stack([torch.from_numpy(task.labels) for task in tasks])
        self.in_train = torch.stack([torch.from_numpy(task.split.train_mask) for task in tasks])
        self.trained = {name: weight for name, weight in weights.items() if configs[0].model.trains(name)}
        for weight in self.trained.values():
            weight.requires_grad_()
        self.optimizer = torch.optim.AdamW(
            self.trained.values(),
            lr=self.recipe.learning_rate,
            betas=(self.recipe.beta1, self.recipe.beta2),
            eps=self.recipe.epsilon,
            weight_decay=self.recipe.weight_decay,
            fused=True,
        )
        for name, state in moments.items():
            self.optimizer.state[self.trained[name]] = state

    def losses(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits, and the loss of each pair in float64, [network, pair]."""
        logits = self.batch.logits(self.weights)
        rows = torch.nn.functional.cross_entropy(logits.flatten(0, 1).double(), self.labels.flatten(), reduction="none")
        return logits, rows.view(self.labels.shape)

    def update(self, step: int, losses: torch.Tensor) -> None:
        """Optimizer call `step`, with the sum of the networks' train losses."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(step)
        self.optimizer.zero_grad()
        self._mean(losses, self.in_train).sum().backward()
        self.optimizer.step()

    @torch.no_grad()
    def look(self, step: int, logits: torch.Tensor, losses: torch.Tensor) -> None:
        """Note losses and accuracies; keep the weights of networks that have just memorised."""
        right = (logits.argmax(-1) == self.labels).double()
        columns = {
            "train_loss": self._mean(losses, self.in_train),
            "test_loss": self._mean(losses, ~self.in_train),
            "train_accuracy": self._mean(right, self.in_train),
            "test_accuracy": self._mean(right, ~self.in_train),
        }
        for place, network in enumerate(self.networks):
            network.metrics.append({"step": step} | {name: values[place].item() for name, values in columns.items()})
            if network.memorised is None and network.memorises():
                network.memorised = (step, self.weights_of(place))

    @torch.no_grad()
    def finished(self, step: int, logits: torch.Tensor) -> list[int]:
        """The places of the networks that leave at this step."""
        still = [network.stands_still(logits[at], self.must_know) for at, network in enumerate(self.networks)]
        return [at for at, ends in enumerate(still) if ends or step == self.most_steps]

    @torch.no_grad()
    def leave(self, done: list[int]) -> None:
        """Go on without the networks at the places `done`."""
        kept = [place for place in range(len(self.networks)) if place not in done]
        moments = {
            name: {part: value[kept] if value.dim() else value for part, value in self.optimizer.state[weight].items()}
            for name, weight in self.trained.items()
        }
        weights = {name: weight.detach()[kept].clone() for name, weight in self.weights.items()}
        self._take_up([self.networks[place] for place in kept], weights, moments)

    def weights_of(self, place: int) -> Weights:
        return {name: weight[place].detach().clone() for name, weight in self.weights.items()}

    @staticmethod
    def _mean(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Per network, the mean over the pairs that are chosen."""
        return (values * chosen).sum(1) / chosen.sum(1)


def run_path(out: Path, family: Family, number: int) -> Path:
    return out / family.name / f"{number:02d}"


def write_run(out: Path, family: Family, network: _Network, step: int, weights: Weights) -> None:
    """A run folder with the last checkpoint and, if there was one, the memorised one; run.json is written last."""
    folder = RunFolder(run_path(out, family, network.number))
    with folder.held():
        task = Task(network.config.task)
        folder.write_checkpoint(step, weights)
        if network.memorised:
            folder.write_checkpoint(*network.memorised)
        write_whole(folder.metrics_path, "".join(json.dumps(row) + "\n" for row in network.metrics))
        training = network.config.recipe.model_copy(update={"steps": step})
        config = network.config.model_copy(update={"training": training})
        environment = Environment(
            versions={"torch": torch.__version__},
            device="cpu",
            threads=torch.get_num_threads(),
            dtype={"weights": "float32", "loss": "float64"},
        )
        folder.write_record(
            {
                "config": config.model_dump(mode="json"),
                "environment": environment.model_dump(mode="json"),
                "split": task.split_record,
            }
        )
