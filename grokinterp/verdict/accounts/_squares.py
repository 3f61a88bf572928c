"""Tasks whose answer is no product in a group, such as a² + b² or a² + ab + b² mod p: what neurons see of a and b.

Answers are residues, and may be read out as those of a sum (`_read_out`). How the answer is formed is asked of the
neurons, where a and b meet; each account replaces their inputs by their projection on

    even          functions that are the same for x and −x, of a and of b: ((n + 1)/2)² numbers a neuron for odd n
    squares       κ + r cos(w_f a² + φ) + r' cos(w_f b² + φ'), one frequency f a neuron: 6 numbers; simple neurons of
                  the squares, whose votes give a² + b² as simple neurons of a and b give a + b
    products      the products of {1, cos w_f a², sin w_f a²} and the same of b: 10 numbers
    norm          where the form is a² + ab + b² and −3 is a square modulo p: functions of (a − ωb) and of (a − ω²b),
                  ω a cube root of one, of which the answer is the product: the sum of two, 2n − 1 numbers
    characters_of_squares   functions of whether a and b are 0, squares or neither (the Legendre symbol): 9 numbers

Where none gives the network there is no account, and `kept_by_layer` says what each layer keeps of a and of b.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.runs import Snapshot

from ._meeting import Meeting, meetings
from ._scored import InGroup, Scores
from ._simple_form import Place

Grid = Float[np.ndarray, "n n d_mlp"]


@dataclass(frozen=True)
class SquareAccount:
    """An account of the neurons; `scores` as of `GroupAccount`, `numbers` per neuron, `layer` where a and b meet."""

    name: str
    scores: Scores
    numbers: float
    layer: int


def square_accounts(snapshot: Snapshot, group: InGroup) -> tuple[SquareAccount, ...]:
    """All accounts that apply to the task, in the layer where blind neurons cost most of the logits."""
    found = []
    for meeting in meetings(snapshot, group):
        found.append((1 - group.explained_by(meeting.blind_logits()), meeting))
    lost, meeting = max(found, key=lambda one: one[0])
    if not lost > 0:
        return ()
    return tuple(_account(*one, meeting, lost, group) for one in _projections(snapshot, group.n))


def _account(
    name: str, numbers: float, projected: Callable[[Grid], Grid], meeting: Meeting, lost: float, group: InGroup
) -> SquareAccount:
    grids = [projected(_grid(place)) for place in meeting.places]
    scores = group.of_logits(meeting.logits([torch.from_numpy(grid).flatten(0, 1) for grid in grids]))
    return SquareAccount(name, scores.of_what_was(lost), numbers, meeting.layer)


def _grid(place: Place) -> Grid:
    return place.X if place.M is None else place.X @ place.M + place.bias


def _projections(snapshot: Snapshot, n: int) -> Iterable[tuple[str, float, Callable[[Grid], Grid]]]:
    signs = np.minimum(np.arange(n), -np.arange(n) % n)
    yield "even", float(len(set(signs.tolist())) ** 2), lambda grid: _averaged(grid, signs)
    yield "squares", 6.0, lambda grid: _of_squares(grid, products=False)
    yield "products", 10.0, lambda grid: _of_squares(grid, products=True)
    roots = _cube_roots(n) if snapshot.task.config.operation == "x2+xy+y2" else None
    if roots:
        yield "norm", float(2 * n - 1), lambda grid: _of_factors(grid, roots)
    classes = _residue_classes(n)
    yield "characters_of_squares", float(len(set(classes.tolist())) ** 2), lambda grid: _averaged(grid, classes)


def _averaged(grid: Grid, classes: Int[np.ndarray, " n"]) -> Grid:
    """Means over the elements of a, and of b, that are in one class."""
    members = (classes[:, None] == classes).astype(float)
    mean = members / members.sum(axis=1, keepdims=True)
    return np.einsum("ig,ghm,jh->ijm", mean, grid, mean, optimize=True)


def _of_squares(grid: Grid, *, products: bool) -> Grid:
    """The best frequency of the squares for every neuron, by least squares over all pairs."""
    n = len(grid)
    best, found = np.full(grid.shape[2], -np.inf), np.empty_like(grid)
    for freq in range(1, n // 2 + 1):
        rows = _waves_of_squares(n, freq)
        coefficients = np.einsum("ri,sj,ijm->rsm", rows, rows, grid, optimize=True)
        if not products:
            coefficients[1:, 1:] = 0
        power = (coefficients**2).sum(axis=(0, 1))
        better = power > best
        best[better] = power[better]
        found[:, :, better] = np.einsum("ri,sj,rsm->ijm", rows, rows, coefficients[:, :, better], optimize=True)
    return found


def _waves_of_squares(n: int, freq: int) -> Float[np.ndarray, "function n"]:
    """The constant, cos w x² and sin w x², made orthonormal in this order."""
    angle = 2 * np.pi * (freq * np.arange(n) ** 2 % n) / n
    columns = np.stack([np.ones(n), np.cos(angle), np.sin(angle)], axis=1)
    basis, triangle = np.linalg.qr(columns)
    return basis[:, np.abs(np.diag(triangle)) > 1e-9].T


def _cube_roots(n: int) -> tuple[int, int] | None:
    """ω and ω² with 1 + ω + ω² = 0 modulo a prime n; None where −3 is no square."""
    roots = [x for x in range(2, n) if (1 + x + x * x) % n == 0]
    return (roots[0], roots[1]) if len(roots) == 2 else None


def _of_factors(grid: Grid, roots: tuple[int, int]) -> Grid:
    """The sum of the best functions of a − ωb and of a − ω²b: all pairs of factors are one pair of inputs each."""
    n, (i, j) = len(grid), np.indices(grid.shape[:2])
    centred = grid - grid.mean(axis=(0, 1))
    found = np.broadcast_to(grid.mean(axis=(0, 1)), grid.shape).copy()
    for root in roots:
        factor = (i - root * j) % n
        means = np.zeros((n, grid.shape[2]))
        np.add.at(means, factor.ravel(), centred.reshape(n * n, -1))
        found += means[factor] / n
    return found


def _residue_classes(n: int) -> Int[np.ndarray, " n"]:
    """0 of zero, 1 of squares, 2 of other residues."""
    squares = {x * x % n for x in range(1, n)}
    return np.array([0 if x == 0 else 1 if x in squares else 2 for x in range(n)])
