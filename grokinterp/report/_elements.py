"""The elements of a task's group in figures: what a reader calls them, and functions of pairs as grids."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from grokinterp.analysis import Places, Report
from grokinterp.tasks import Structure, Task

from ._series import GRID_SIDE, crop_note, cropped, every_so_many
from ._style import label

Order = Int[np.ndarray, " n"]


def element_labels(task: Task, structure: Structure) -> list[str]:
    """What stands at each element of the task's group: a residue, or the label of a group's element.

    >>> from grokinterp.tasks import TaskConfig
    >>> task = Task(TaskConfig(operation="compose", group="S3"))
    >>> element_labels(task, task.structure)[:3]
    ['012', '021', '102']
    """
    if task.config.group is None:
        return [str(token) for token in structure.inputs_a]
    elements = task.config.finite_group().elements
    return [label(_written(elements[token])) for token in structure.inputs_a]


def _written(element: Any) -> str:
    """A permutation by its images: `10423`."""
    if isinstance(element, tuple) and all(isinstance(image, int | np.integer) for image in element):
        return ("" if max(element) < 10 else " ").join(map(str, element))
    return str(element)


def powers_note(task: Task, structure: Structure) -> str:
    """What to say where elements of a cyclic group stand in the order of a generator's powers."""
    if not structure.is_cyclic or structure.symbol == "{x}" or structure.n < 2:
        return ""
    first = element_labels(task, structure)[:4]
    named = ", ".join(first) + (", …" if structure.n > len(first) else ".")
    return f"a and b are in the order of the powers of {first[1]}: {named}"


@dataclass(frozen=True, eq=False)
class PairGrid:
    """Functions of the pairs (a, b) as grids, a down and b across.

    - `pairs`: the number of each cell's pair, −1 where there is none.
    - `a`, `b`: the labels of rows and columns; empty where the row's number says which a it is.
    - `note`: what a reader must know of the order, or of what is left out.
    - `thins`: whether a grid too large to draw is thinned; waves are cropped, since thinning would alias them.
    """

    pairs: Int[np.ndarray, "a b"]
    a: list[str] = field(default_factory=list)
    b: list[str] = field(default_factory=list)
    note: str = ""
    thins: bool = False

    @classmethod
    def of(cls, report: Report) -> "PairGrid":
        """Both inputs in the order of the group's elements; of the table's rows and columns where no group is known."""
        task, structure = report.run.task, report.run.task.structure
        if structure is None:
            number = np.full(task.table.shape, -1)
            number[tuple(task.pairs.T)] = np.arange(task.n_pairs)
            return cls(number, note=crop_note(max(number.shape), "a and b"))
        # b as it is written, also where it counts by its inverse.
        columns = structure.group.inverses if structure.inverts_b else np.arange(structure.n)
        pairs = Places.of(task).grid[:, columns]
        if structure.is_cyclic and structure.symbol == "{x}":
            return cls(pairs, note=crop_note(structure.n, "a and b"))
        labels = element_labels(task, structure)
        if structure.is_cyclic:
            notes = [powers_note(task, structure), crop_note(structure.n, "a and b")]
            return cls(pairs, labels, labels, " ".join(filter(None, notes)))
        few = f"Of {structure.n} values of a and b, {GRID_SIDE} are drawn." if structure.n > GRID_SIDE else ""
        return cls(pairs, labels, labels, few, thins=True)

    def ordered(self, a: Order, b: Order) -> "PairGrid":
        """The same with rows and columns in another order."""
        return replace(self, pairs=self.pairs[np.ix_(a, b)], a=[self.a[i] for i in a], b=[self.b[i] for i in b])

    def heatmap(self, values: Float[np.ndarray, " pair"]) -> dict[str, Any]:
        """What a heat map of a function of the pairs is drawn from, small enough to draw."""
        kept = [every_so_many(n, GRID_SIDE if self.thins else n) for n in self.pairs.shape]
        pairs = self.pairs[np.ix_(*kept)]
        grid = cropped(np.where(pairs < 0, np.nan, values[pairs]))
        drawn: dict[str, Any] = {"z": grid}
        if self.a:
            drawn |= {
                "x": [self.b[i] for i in kept[1]][: grid.shape[1]],
                "y": [self.a[i] for i in kept[0]][: grid.shape[0]],
            }
        return drawn

    @property
    def narrow_columns(self) -> int:
        """How many grids stand side by side on a narrow screen: elements of groups have names that need room."""
        return 1 if self.thins else 2

    @property
    def narrow_height(self) -> int:
        return 220 if self.thins else 140

    def axis(self, title: str) -> dict[str, Any]:
        """The layout of either axis."""
        square = {"constrain": "domain", "showgrid": False, "nticks": 5, "title": {"text": title, "standoff": 2}}
        return square | {"type": "category", "tickangle": 0, "nticks": 4} if self.a else square
