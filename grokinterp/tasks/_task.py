"""A task: an operation, how a network sees its inputs, and which of them it is trained on."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Int
from pydantic import Field, field_validator, model_validator

from grokinterp.config import Config
from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup, FourierBasis, require_irreps_in_reach

from ._noise import noisy_labels
from ._operation import ABSENT, GROUP, MODULAR, OPERATIONS, TABLE, operation_table
from ._split import Split, listed_split, make_split
from ._structure import Structure, structure_of
from ._table import MAX_SYMBOLS, read_rows, require_group_table, table_rows

if TYPE_CHECKING:
    import torch


class TaskConfig(Config):
    """What is computed and on which pairs the network is trained.

    **Arguments:**

    - `operation`: on residues mod p `add`, `subtract`, `multiply`, `divide`, the other operations of Power et al. 2022
      (`x2+y2` … `add-or-subtract`); on a finite group `compose` (a·b), `conjugate` (a·b·a⁻¹), `aba` (a·b·a); `table`.
    - `p`: the modulus, ≥ 2, of the operations on residues.
    - `group`: the group of those on a group, by name: `S5`, `D59`, `A4`, `Q8`, `U97`, `Z5xZ5`, ….
    - `element_order`: of S_n and A_n: `standard` (lexicographic), or `sympy` (the code of Chughtai et al. 2023).
    - `table`: for `table`, the answers: a path of a CSV file or rows of integers, absent pairs empty; for the
      operations on a group, in place of `group`, its Cayley table.
    - `equals_token`, `operator_token`: whether the network reads `=` after the pair, and an operator between a and b:
      [a, b, =], the default, [a, operator, b, =], or [a, b] (Zhong et al. 2023).
    - `b_first`, `equals_first`: whether b stands before a, and `=` before both: [b, a, =], [=, a, b], [=, b, a]; the
      network answers at the last position in any case.
    - `own_tokens_for_b`: whether b has tokens, and with them embeddings, of its own (their `diff_vocab`).
    - `noise`, `noise_seed`: how many train pairs are given a wrong label, see `noisy_labels`.
    - `train_fraction`: the share of the pairs used for training, between 0 and 1; None where it is unknown, or where
      the pairs are listed.
    - `split_scheme`, `split_seed`: how they are drawn, see `make_split`; `listed` takes `train_pairs`, the numbers of
      the train pairs, and has no seed; with `unknown`, of imported networks, train and test losses are null.

    >>> TaskConfig(p=1)
    Traceback (most recent call last):
    grokinterp.errors.GrokinterpError: task.p = 1: needs ≥ 2
    """

    section: ClassVar[str] = "task"
    operation: str = "add"
    p: int = Field(default=113, ge=2, le=MAX_SYMBOLS)
    group: str | None = None
    element_order: Literal["standard", "sympy"] = "standard"
    table: tuple[str, ...] | None = None
    equals_token: bool = True
    operator_token: bool = False
    b_first: bool = False
    equals_first: bool = False
    own_tokens_for_b: bool = False
    noise: int = Field(default=0, ge=0)
    noise_seed: int = Field(default=0, ge=0, lt=2**63)
    train_fraction: float | None = Field(default=0.3, gt=0, lt=1)
    split_scheme: Literal["nanda", "torch", "listed", "unknown"] = "nanda"
    split_seed: int | None = Field(default=0, ge=0, lt=2**63)
    train_pairs: tuple[int, ...] | None = None

    @field_validator("operation")
    @classmethod
    def _is_known(cls, operation: str) -> str:
        if operation not in OPERATIONS:
            raise ValueError(f"task.operation = {operation!r}: unknown; choose one of {', '.join(OPERATIONS)}")
        return operation

    @field_validator("table", mode="before")
    @classmethod
    def _is_read(cls, table: Any) -> Any:
        return None if table is None else table_rows(table)

    @model_validator(mode="before")
    @classmethod
    def _states_no_more_than_is_known(cls, values: Any) -> Any:
        """Pairs that are listed have no seed and no fraction but their own; of an unknown split, both are unknown."""
        if not isinstance(values, dict) or values.get("split_scheme") not in ("listed", "unknown"):
            return values
        fraction = values.get("train_fraction") if values["split_scheme"] == "unknown" else None
        return {**values, "train_fraction": fraction, "split_seed": None}

    @model_validator(mode="after")
    def _has_a_split(self) -> "TaskConfig":
        drawn = self.split_scheme in ("nanda", "torch")
        for name in ("train_fraction", "split_seed"):
            if drawn and getattr(self, name) is None:
                raise ValueError(
                    f"task.{name} = null: needs a number where task.split_scheme = {self.split_scheme!r}; name it, or "
                    "choose another scheme"
                )
        if (self.train_pairs is not None) != (self.split_scheme == "listed"):
            raise ValueError(
                f"task.split_scheme = {self.split_scheme!r} with{'out' if self.train_pairs is None else ''} "
                "task.train_pairs: 'listed' needs them, the others have none"
            )
        for name in ("operator_token", "equals_first"):
            if getattr(self, name) and not self.equals_token:
                raise ValueError(f"task.{name} = true: needs task.equals_token = true")
        return self

    @model_validator(mode="after")
    def _has_what_the_operation_reads(self) -> "TaskConfig":
        given = [name for name in ("group", "table") if getattr(self, name) is not None]
        if self.operation in MODULAR and given:
            raise ValueError(
                f"task.{given[0]} is given, but task.operation = {self.operation!r} works on residues mod p; "
                f"choose one of {', '.join(GROUP if given[0] == 'group' else (*GROUP, TABLE))}, or leave it out"
            )
        if self.operation == TABLE and given != ["table"]:
            raise ValueError(f"task.operation = {TABLE!r}: needs task.table, a CSV file or an array, and no task.group")
        if self.operation in GROUP and len(given) != 1:
            raise ValueError(
                f"task.operation = {self.operation!r}: needs one of task.group, such as S5, and task.table, a Cayley "
                f"table; {'both are' if given else 'none is'} given"
            )
        # So that what cannot be analysed is refused before anything is trained.
        if self.operation in GROUP:
            self.finite_group()
        elif self.operation in MODULAR and MODULAR[self.operation].structure == "product":
            _require_irreps_in_reach(FiniteGroup.units(self.p), "p")
        return self

    def without_split(self) -> "TaskConfig":
        """The same task with its split unknown; of the fraction, what was said is kept.

        >>> config = TaskConfig(p=5).without_split()
        >>> config.split_scheme, config.train_fraction, config.split_seed
        ('unknown', None, None)
        """
        stated = self.train_fraction if "train_fraction" in self.model_fields_set else None
        update = {"split_scheme": "unknown", "split_seed": None, "train_pairs": None, "train_fraction": stated}
        return self.model_copy(update=update)

    def with_train_pairs(self, train_pairs: tuple[int, ...]) -> "TaskConfig":
        """The same task with its train pairs listed, by their numbers."""
        update = {"split_scheme": "listed", "split_seed": None, "train_pairs": train_pairs, "train_fraction": None}
        return self.model_copy(update=update)

    def finite_group(self) -> FiniteGroup:
        """The group of an operation on a group."""
        return _finite_group(self.group, self.element_order, self.table)


@lru_cache(maxsize=8)
def _finite_group(name: str | None, element_order: str, table: tuple[str, ...] | None) -> FiniteGroup:
    try:
        if name is None:
            entries = read_rows(table or ())
            require_group_table(entries)
            group = FiniteGroup.from_table(entries, name="the group of the table")
        else:
            group = FiniteGroup.named(name, order=element_order)
    except GrokinterpError as error:
        raise ValueError(f"task.{'table' if name is None else 'group'}: {error}") from None
    if group.order > MAX_SYMBOLS:
        raise ValueError(f"task.group = {name!r} has {group.order:,} elements: needs at most {MAX_SYMBOLS:,}")
    _require_irreps_in_reach(group, "table" if name is None else "group")
    return group


def _require_irreps_in_reach(group: FiniteGroup, setting: str) -> None:
    try:
        require_irreps_in_reach(group)
    except GrokinterpError as error:
        raise ValueError(f"task.{setting}: {error}") from None


@dataclass(frozen=True)
class Task:
    """All inputs of an operation with their answers and split.

    A network reads the three tokens [a, b, =], [a, operator, b, =] or [a, b], or these in another order, see
    `positions`, and answers at the last position. Tokens
    0 … n_symbols − 1 stand for inputs and answers, then come b's where it has its own, `=`, and the operator. Pairs
    outside the operation's domain do not occur; the others are in the order of their rows, so that over a full domain
    pair (a, b) is row a·n + b.

    >>> task = Task(TaskConfig(p=5))
    >>> task.tokens[7], task.answers[7]
    (tensor([1, 2, 5]), np.int64(3))
    >>> Task(TaskConfig(operation="compose", group="S3")).name
    'a · b in S_3'
    """

    config: TaskConfig

    @property
    def n_pairs(self) -> int:
        return len(self.pairs)

    @cached_property
    def n_answers(self) -> int:
        """How many different answers the network can give, those of a whole residue system or group included."""
        if self.config.operation == TABLE:
            return int(self.table.max()) + 1
        return len(self.table)

    @cached_property
    def n_symbols(self) -> int:
        """How many tokens stand for inputs or answers."""
        return max(*self.table.shape, self.n_answers)

    @property
    def n_tokens(self) -> int:
        """Input vocabulary: the symbols, once more for b where it has its own, `=` and the operator where read."""
        return self.equals_token + len(self.positions) - 2

    @property
    def equals_token(self) -> int:
        return self.n_symbols * (2 if self.config.own_tokens_for_b else 1)

    @property
    def positions(self) -> tuple[str, ...]:
        """What the network reads, in order.

        >>> Task(TaskConfig(p=5, equals_first=True)).positions
        ('=', 'a', 'b')
        """
        config = self.config
        first, second = ("b", "a") if config.b_first else ("a", "b")
        pair = (first, "operator", second) if config.operator_token else (first, second)
        if not config.equals_token:
            return pair
        return ("=", *pair) if config.equals_first else (*pair, "=")

    @property
    def reads_in_order(self) -> bool:
        """Whether a comes first and what is the same for all pairs comes last."""
        return not (self.config.b_first or self.config.equals_first)

    @property
    def name(self) -> str:
        """How a reader writes the task, such as `(a + b) mod 113`."""
        config = self.config
        if config.operation in MODULAR:
            return MODULAR[config.operation].formula.format(p=config.p)
        if config.operation in GROUP:
            return GROUP[config.operation].formula.format(group=config.finite_group().name)
        return f"the table of {self.n_pairs:,} pairs ({self.table.shape[0]} × {self.table.shape[1]})"

    @property
    def verb(self) -> str:
        """What a network does that answers it: it `adds`."""
        operation = {**MODULAR, **GROUP}.get(self.config.operation)
        return operation.verb if operation else "answers"

    @cached_property
    def table(self) -> Int[np.ndarray, "a b"]:
        """The answer of every pair, row a, column b; −1 where a pair is not in the domain."""
        config = self.config
        if config.operation == TABLE:
            assert config.table is not None
            return read_rows(config.table)
        return operation_table(config.operation, config.finite_group() if config.operation in GROUP else config.p)

    @cached_property
    def pairs(self) -> Int[np.ndarray, "pair 2"]:
        return np.argwhere(self.table != ABSENT)

    @cached_property
    def answers(self) -> Int[np.ndarray, " pair"]:
        return self.table[self.table != ABSENT]

    @cached_property
    def labels(self) -> Int[np.ndarray, " pair"]:
        """What the network is trained on: the answers, and wrong ones where the configuration asks for noise."""
        config = self.config
        if not config.noise:
            return self.answers
        return noisy_labels(self.answers, self.n_answers, self.split, config.noise, config.noise_seed)

    @cached_property
    def tokens(self) -> "Int[torch.Tensor, 'pair pos']":
        import torch

        # Token of each position where it is the same for all pairs.
        columns = {"=": self.equals_token, "operator": self.equals_token + 1}
        sequence = np.empty((self.n_pairs, len(self.positions)), dtype=np.int64)
        for position, name in enumerate(self.positions):
            sequence[:, position] = columns[name] if name in columns else self.pairs[:, "ab".index(name)]
        if self.config.own_tokens_for_b:
            sequence[:, self.positions.index("b")] += self.n_symbols
        return torch.from_numpy(sequence)

    @property
    def inputs(self) -> "tuple[Int[torch.Tensor, ' pair'], Int[torch.Tensor, ' pair']]":
        """The symbols a and b of every pair."""
        import torch

        a, b = torch.from_numpy(self.pairs.T.copy())
        return a, b

    @cached_property
    def structure(self) -> Structure | None:
        """The group in which the answers lie and, if they are products there, the inputs; None if none is known."""
        config = self.config
        if config.operation in GROUP:
            group, operation = config.finite_group(), GROUP[config.operation]
            return structure_of(group, np.arange(group.order), is_product=operation.composes)
        if config.operation == TABLE:
            return self._structure_of_table()
        operation, residues = MODULAR[config.operation], np.arange(config.p)
        if operation.structure == "none" and (self.table == ABSENT).any():
            return None  # Functions on a grid of pairs with holes have no transform.
        if operation.structure == "product":
            units = FiniteGroup.units(config.p)
            if units.order == 1:
                return None
            return structure_of(units, np.array(units.elements), inverse_b=operation.sign < 0)
        inputs_b = residues if operation.sign > 0 else -residues % config.p
        basis = FourierBasis(config.p)
        return Structure(f"Z_{config.p}", basis, residues, inputs_b, residues, operation.structure == "sum")

    def _structure_of_table(self) -> Structure | None:
        try:
            require_group_table(self.table)
            group = FiniteGroup.from_table(self.table, name="the group of the table")
            require_irreps_in_reach(group)
        except GrokinterpError:
            return None
        return structure_of(group, np.arange(group.order))

    @property
    def split_is_known(self) -> bool:
        return self.config.split_scheme != "unknown"

    @property
    def split_record(self) -> dict[str, Any]:
        """What run.json keeps of the split: its hash and how many pairs it has, null where it is unknown."""
        if not self.split_is_known:
            return {"hash": None, "train": None, "test": None}
        return {"hash": self.split.hash, "train": len(self.split.train), "test": len(self.split.test)}

    @cached_property
    def split(self) -> Split:
        config = self.config
        if config.split_scheme == "unknown":
            nobody = np.empty(0, dtype=np.int64)
            return Split(nobody, nobody)
        if config.train_pairs is not None:
            return listed_split(config.train_pairs, self.n_pairs)
        assert config.train_fraction is not None and config.split_seed is not None, "drawn splits have both"
        return make_split(config.split_scheme, self.n_pairs, config.train_fraction, config.split_seed)
