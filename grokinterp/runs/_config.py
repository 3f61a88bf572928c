"""What a run is made from: task, model and training, and the named presets."""

import math
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt, field_validator

from grokinterp.config import Config, shortened
from grokinterp.errors import GrokinterpError
from grokinterp.guard import read_json
from grokinterp.models import ModelConfig
from grokinterp.tasks import TaskConfig

from ._stated import StatedTraining


class TrainingConfig(Config):
    """How a network is trained, on the loss over its outputs. Defaults: Nanda et al. 2023, full batch, in float64.

    **Arguments:**

    - `steps`: optimizer calls; step n is the state before call n, so step 0 is the initialisation.
    - `optimizer`: `adamw`, `adam` (weight decay as L2, in the gradient), `sgd`, or one that was registered
      (`grokinterp.training.register_optimizer`); `optimizer_options`: settings that it alone has, such as `momentum`.
    - `objective`: `cross-entropy` or `mse`, the mean of (logit − 1)² at the answer and logit² elsewhere; `loss_dtype`:
      its precision. Analyses and verdict measure the cross-entropy of every network, in float64.
    - `learning_rate`, `weight_decay`, `beta1`, `beta2`, `epsilon`: for the optimizers that have them.
    - `warmup_steps`: call n has the rate `learning_rate`·min(n / warmup_steps, 1): the first call moves nothing.
    - `schedule`: what the rate does after that: `constant`, or `cosine` or `linear`, which reach 0 at the last step.
    - `batch_size`, `batch_seed`: train pairs per call; by default all. Each time through, they are drawn in another
      order, which seed and number of the time decide alone, so that a stopped run goes on with the same ones.
    - `max_gradient_norm`: gradients whose norm, that of all together, is larger are scaled down to it.
    - `evaluate_every`: steps between test losses and accuracies (the train loss is kept at every step).
    - `checkpoint_every`, `log_checkpoints`, `checkpoint_steps`: a checkpoint every so many steps, at 1, 2, 4, … below
      that, and at further steps by name; the first and the last step always have one.
    - `save_every`: steps between states for `--resume`; a killed run repeats at most so many.
    - `summation`: the order in which the fast forward adds, see `grokinterp.models.FastForward`: `rows` is quicker.
      What a network grows into can hang on rounding (docs/reproduction.md), so the order belongs to the recipe.
    - `threads`: CPU threads (results repeat bit for bit at the same number); None takes torch's default.
    """

    section: ClassVar[str] = "training"
    steps: int = Field(default=20_000, ge=1, le=10**9)
    objective: str = "cross-entropy"
    loss_dtype: Literal["float64", "float32"] = "float64"
    optimizer: str = "adamw"
    optimizer_options: dict[str, float] = Field(default={})
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1.0, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.98, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    warmup_steps: int = Field(default=10, ge=0)
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    max_gradient_norm: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=1)
    batch_seed: int = Field(default=0, ge=0, lt=2**63)
    evaluate_every: int = Field(default=10, ge=1)
    checkpoint_every: int = Field(default=100, ge=1)
    log_checkpoints: bool = True
    checkpoint_steps: tuple[NonNegativeInt, ...] = ()
    save_every: int = Field(default=500, ge=1)
    summation: Literal["rows", "products"] = "rows"
    device: str = "cpu"
    threads: int | None = Field(default=None, ge=1, le=1024)

    @property
    def free_on_resume(self) -> tuple[str, ...]:
        """What may change when a run is continued: nothing here alters the path of the weights."""
        kept = ("evaluate_every", "checkpoint_every", "log_checkpoints", "checkpoint_steps", "save_every")
        # A schedule that ends at the last step has other rates where that is another.
        return ("steps", *kept) if self.schedule == "constant" else kept

    def rate(self, step: int) -> float:
        """The learning rate of optimizer call `step`.

        >>> [TrainingConfig().rate(step) for step in (0, 5, 10, 1000)]
        [0.0, 0.0005, 0.001, 0.001]
        >>> recipe = TrainingConfig(steps=110, learning_rate=1.0, schedule="linear")
        >>> [recipe.rate(step) for step in (5, 10, 60, 110)]
        [0.5, 1.0, 0.5, 0.0]
        """
        rate = self.learning_rate * (min(step / self.warmup_steps, 1.0) if self.warmup_steps else 1.0)
        if self.schedule == "constant":
            return rate
        gone = min(max(step - self.warmup_steps, 0) / max(self.steps - self.warmup_steps, 1), 1.0)
        return rate * ((1 + math.cos(math.pi * gone)) / 2 if self.schedule == "cosine" else 1 - gone)

    def keeps(self, step: int) -> bool:
        """Whether `step` gets a checkpoint.

        >>> [step for step in range(301) if TrainingConfig(steps=250).keeps(step)]
        [0, 1, 2, 4, 8, 16, 32, 64, 100, 200, 250, 300]
        """
        if step in (0, self.steps) or step % self.checkpoint_every == 0 or step in self.checkpoint_steps:
            return True
        return self.log_checkpoints and step < self.checkpoint_every and step & (step - 1) == 0


class Environment(Config):
    """Where a run was made: what its numbers may depend on beyond its configuration.

    - `versions`: package → version; `system`, `cpu_capability`, `device`, `threads`: what rounding may depend on;
    - `dtype`: of weights and losses;
    - `resumed`: the steps from which the run was continued in another environment, with what was different.
    """

    section: ClassVar[str] = "environment"
    versions: dict[str, str] = Field(default={})
    system: str = "unknown"
    cpu_capability: str = "unknown"
    device: str = "unknown"
    threads: int | None = Field(default=None, ge=1, le=1024)
    dtype: dict[str, str] = Field(default={})
    resumed: tuple[dict[str, Any], ...] = ()

    @field_validator("resumed")
    @classmethod
    def _says_where_and_what(cls, resumed: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for entry in resumed:
            if type(entry.get("step")) is not int or not isinstance(entry.get("environment"), dict):
                raise ValueError("environment.resumed: each entry needs a step and an environment")
        return resumed

    def continued(self, step: int, now: "Environment") -> "Environment":
        """This environment, with what differs in `now` noted if the run goes on there from `step`."""
        then, here = self.model_dump(exclude={"resumed"}), now.model_dump(exclude={"resumed"})
        for earlier in self.resumed:
            then |= earlier["environment"]
        changed = {name: value for name, value in here.items() if then[name] != value}
        if not changed:
            return self
        return self.model_copy(update={"resumed": (*self.resumed, {"step": step, "environment": changed})})


class RunConfig(Config):
    """Task, model and training of one run: of an imported one, what its files say of the training.

    >>> RunConfig.preset("nanda-mainline").with_settings(["model.d_mlp=256"]).model.d_mlp
    256
    """

    preset_name: str | None = None
    task: TaskConfig = TaskConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig | StatedTraining = TrainingConfig()

    @field_validator("training", mode="before")
    @classmethod
    def _is_of_its_kind(cls, value: Any) -> Any:
        if isinstance(value, TrainingConfig | StatedTraining):
            return value
        if not isinstance(value, dict):
            raise ValueError(f"training = {type(value).__name__}: needs keys with values")
        return (StatedTraining if "kind" in value else TrainingConfig)(**value)

    @property
    def recipe(self) -> TrainingConfig:
        """The training, where it can be done: not that of an imported run, of which only a part is known, if any."""
        if isinstance(self.training, StatedTraining):
            raise GrokinterpError(
                "the training of an imported run is known in part at most, and nothing can be trained with it; start "
                "from a preset, such as RunConfig.preset('quick')"
            )
        return self.training

    @classmethod
    def preset(cls, name: str) -> "RunConfig":
        """A named recipe: one of `PRESETS`."""
        if name not in PRESETS:
            raise GrokinterpError(f"preset {name!r}: unknown; choose one of {', '.join(PRESETS)}")
        return cls(preset_name=name, **PRESETS[name])

    @classmethod
    def stored(cls, values: dict[str, Any]) -> "RunConfig":
        """The configuration that a run.json holds. It names no file: only its reader's own settings may.

        **Raises** `GrokinterpError` for settings that do not fit.
        """
        task = values.get("task")
        table = task.get("table") if isinstance(task, dict) else None
        if table is not None and not isinstance(table, list):
            raise GrokinterpError(f"task.table = {shortened(table)}: a stored table is its rows, a list")
        return cls(**values)

    def with_settings(self, settings: Iterable[str]) -> "RunConfig":
        """A copy with ``SECTION.KEY=VALUE`` settings applied together; values are JSON, or plain text."""
        sections: dict[str, dict[str, Any]] = {
            # What nobody set is left out: which sizes were given together decides whether they may differ.
            name: getattr(self, name).model_dump(exclude_unset=True)
            for name in ("task", "model", "training")
        }
        for setting in settings:
            name, equals, value = setting.partition("=")
            section, dot, key = name.strip().partition(".")
            if not (equals and dot and key):
                raise GrokinterpError(f"--set {setting}: needs SECTION.KEY=VALUE, such as model.d_mlp=256")
            if section not in sections:
                raise GrokinterpError(
                    f"--set {setting}: unknown section {section}; choose one of {', '.join(sections)}"
                )
            if section == "training":
                _ = self.recipe  # That of an imported run is refused.
            sections[section][key] = parsed(value.strip())
        return type(self)(
            preset_name=self.preset_name,
            task=TaskConfig(**sections["task"]),
            model=ModelConfig(**sections["model"]),
            training=type(self.training)(**sections["training"]),
        )


def parsed(value: str) -> Any:
    """The value of a setting: JSON, or plain text."""
    try:
        return read_json(value, nan=True)
    except ValueError:  # Plain text, or a number or nesting that no setting could take.
        return {"True": True, "False": False}.get(value, value)


def _clock_or_pizza(attention_rate: float) -> dict[str, Any]:
    return {
        "task": TaskConfig(p=59, train_fraction=0.8, equals_token=False),
        "model": ModelConfig(attention="bidirectional", attention_rate=attention_rate, initialisation="pizza"),
        "training": TrainingConfig(steps=20_000, weight_decay=2.0),
    }


PRESETS: dict[str, dict[str, Any]] = {
    # Nanda et al. 2023, the mainline network of the paper; in this order of summation it follows the published curves
    # most closely.
    "nanda-mainline": {"training": TrainingConfig(summation="products")},
    # TransformerLens' Grokking demo: no biases, no warm-up, `=` is no answer.
    "transformer-lens-demo": {
        "task": TaskConfig(split_scheme="torch", split_seed=598),
        "model": ModelConfig(outputs="answers", biases="none", initialisation="transformer-lens", seed=999),
        "training": TrainingConfig(steps=25_000, warmup_steps=0),
    },
    # Composition of permutations (Chughtai et al. 2023: 60 % of the pairs, no biases), with twice their weight decay:
    # it generalises at step 6,400 instead of 15,400.
    "s5-composition": {
        "task": TaskConfig(operation="compose", group="S5", train_fraction=0.6),
        "model": ModelConfig(outputs="answers", biases="none"),
        "training": TrainingConfig(steps=10_000, weight_decay=2.0),
    },
    # Division as in Power et al. 2022, half of all pairs, with the network of Nanda et al. 2023.
    "mod-division-97": {
        "task": TaskConfig(operation="divide", p=97, train_fraction=0.5),
        "training": TrainingConfig(steps=5000),
    },
    "dihedral-59": {
        "task": TaskConfig(operation="compose", group="D59", train_fraction=0.5),
        "model": ModelConfig(outputs="answers", biases="none"),
        "training": TrainingConfig(steps=4000, learning_rate=3e-3, weight_decay=2.0),
    },
    # Models A and B of Zhong et al. 2023 (arXiv 2306.17844): constant attention, and ordinary attention.
    "pizza-alpha0": _clock_or_pizza(0.0),
    "clock-alpha1": _clock_or_pizza(1.0),
    # The mainline in under a minute: a smaller modulus, half of the pairs and twice the weight decay. Seeds 0 to 3
    # know their training pairs from step 110 to 120 on and 99 % of the others from a step between 620 and 920 on.
    "quick": {
        "task": TaskConfig(p=59, train_fraction=0.5),
        "training": TrainingConfig(steps=2000, weight_decay=2.0, checkpoint_every=50),
    },
    "quick-division": {
        "task": TaskConfig(operation="divide", p=59, train_fraction=0.6),
        "training": TrainingConfig(steps=2000, weight_decay=2.0, checkpoint_every=50),
    },
    "quick-s4": {
        "task": TaskConfig(operation="compose", group="S4", train_fraction=0.8),
        "model": ModelConfig(outputs="answers", biases="none"),
        "training": TrainingConfig(steps=1500, learning_rate=3e-3, weight_decay=2.0, checkpoint_every=50),
    },
}
