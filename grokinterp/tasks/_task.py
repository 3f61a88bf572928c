"""A task: an operation, how a network sees its inputs, and which of them it is trained on."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field, field_validator

from grokinterp.config import Config

from ._operation import OPERATIONS, Operation, operation_table
from ._split import Split, make_split

if TYPE_CHECKING:
    import torch


class TaskConfig(Config):
    """What is computed and on which pairs the network is trained.

    **Arguments:**

    - `operation`: `add` for (a + b) mod p, `subtract` for (a − b) mod p.
    - `p`: the modulus, ≥ 2.
    - `train_fraction`: the share of the p² pairs used for training, between 0 and 1.
    - `split_scheme`, `split_seed`: how they are drawn, see `make_split`.

    >>> TaskConfig(p=1)
    Traceback (most recent call last):
    grokinterp.errors.GrokinterpError: task.p = 1: needs ≥ 2
    """

    section: ClassVar[str] = "task"
    operation: str = "add"
    # Above 2,000 the table of all pairs alone outgrows a laptop's patience.
    p: int = Field(default=113, ge=2, le=2000)
    train_fraction: float = Field(default=0.3, gt=0, lt=1)
    split_scheme: Literal["nanda", "torch"] = "nanda"
    split_seed: int = Field(default=0, ge=0, lt=2**63)

    @field_validator("operation")
    @classmethod
    def _is_known(cls, operation: str) -> str:
        if operation not in OPERATIONS:
            raise ValueError(f"task.operation = {operation!r}: unknown; choose one of {', '.join(OPERATIONS)}")
        return operation


@dataclass(frozen=True)
class Task:
    """All p² inputs of an operation, row a·p + b, with their answers and split.

    A network reads the three tokens [a, b, =], `=` being token p, and answers at the last position.

    >>> task = Task(TaskConfig(p=5))
    >>> task.tokens[7], task.answers[7]
    (tensor([1, 2, 5]), np.int64(3))
    """

    config: TaskConfig

    @property
    def p(self) -> int:
        return self.config.p

    @property
    def n_pairs(self) -> int:
        return self.p**2

    @property
    def n_tokens(self) -> int:
        """Input vocabulary: the residues and `=`."""
        return self.p + 1

    @property
    def equals_token(self) -> int:
        return self.p

    @property
    def name(self) -> str:
        """How a reader writes the task, such as `(a + b) mod 113`."""
        return f"(a {self.operation.sign} b) mod {self.p}"

    @property
    def operation(self) -> Operation:
        return OPERATIONS[self.config.operation]

    @cached_property
    def table(self) -> Int[np.ndarray, "p p"]:
        return operation_table(self.config.operation, self.p)

    @cached_property
    def answers(self) -> Int[np.ndarray, " pair"]:
        return self.table.reshape(-1)

    @cached_property
    def pairs(self) -> Int[np.ndarray, "pair 2"]:
        return np.ascontiguousarray(np.indices((self.p, self.p)).reshape(2, -1).T)

    @cached_property
    def tokens(self) -> "Int[torch.Tensor, 'pair pos']":
        import torch

        equals = np.full((self.n_pairs, 1), self.equals_token)
        return torch.from_numpy(np.concatenate([self.pairs, equals], axis=1))

    @cached_property
    def split(self) -> Split:
        config = self.config
        return make_split(config.split_scheme, self.n_pairs, config.train_fraction, config.split_seed)
