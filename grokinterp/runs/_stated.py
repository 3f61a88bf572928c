"""What an imported file says of how its network was trained; what it does not say is unknown."""

from typing import ClassVar, Literal

from pydantic import Field

from grokinterp.config import Config


class StatedTraining(Config):
    """The training of a network that was trained elsewhere, as far as its files say; None where they do not.

    It stands where a run that was trained here has its `TrainingConfig`, from which it differs by `kind`. Nothing in it
    is a default: the recipe of a paper is not known to be that of a file in the paper's layout.

    **Arguments:**

    - `steps`: the optimizer calls that the last checkpoint has had; None if its step is unknown.
    - `optimizer`: its name, such as `AdamW`.
    - `learning_rate`, `weight_decay`, `beta1`, `beta2`, `epsilon`: of the optimizer.
    - `warmup_steps`: over how many steps the rate grew.
    - `evaluate_every`, `checkpoint_every`: steps between test losses, and between checkpoints.
    - `seed`: one that the file gives without a word of what it was for.

    >>> StatedTraining(learning_rate=5e-4).weight_decay is None
    True
    """

    section: ClassVar[str] = "training"
    kind: Literal["stated"] = "stated"
    steps: int | None = Field(default=None, ge=0, le=10**9)
    optimizer: str | None = Field(default=None, max_length=80)
    learning_rate: float | None = Field(default=None, ge=0)
    weight_decay: float | None = Field(default=None, ge=0)
    beta1: float | None = Field(default=None, ge=0, le=1)
    beta2: float | None = Field(default=None, ge=0, le=1)
    epsilon: float | None = Field(default=None, ge=0)
    warmup_steps: int | None = Field(default=None, ge=0, lt=2**63)
    evaluate_every: int | None = Field(default=None, ge=1, lt=2**63)
    checkpoint_every: int | None = Field(default=None, ge=1, lt=2**63)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
