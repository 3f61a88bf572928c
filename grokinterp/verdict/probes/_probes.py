"""Sparse linear probes: how many features of a place it takes to read cos and sin of w_k·a, w_k·b and w_k·(a + b).

An L1-regularised linear probe on k features at a time, after Gurnee et al. 2023, "Finding Neurons in a Haystack: Case
Studies with Sparse Probing" (arXiv 2305.01610). In a network that adds by angles (Nanda et al. 2023) the angle of a + b
can be read from the neurons, for the key frequencies, and not from the embeddings; from the attention's output in part,
for the frequencies at which its heads look, as pattern times value is already a product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from grokinterp.analysis import Places, find_keys
from grokinterp.errors import GrokinterpError, NotApplicable
from grokinterp.fourier import FourierBasis
from grokinterp.runs import Snapshot
from grokinterp.tasks import Structure
from grokinterp.verdict.causal import LastLayer

from ._probe_path import Moments, ProbePath

HeldOut: TypeAlias = Literal["values", "pairs"]
# Of what is held out, until all targets vary on both sides: in groups of few elements the first may not do.
_DRAWS = 100


@dataclass(frozen=True, eq=False)
class SparseProbes:
    """Sparse probes from every place of a network to every target at some frequencies.

    - `frequencies`: k, of the task's cyclic group of order n, with w_k = 2πk/n.
    - `paths`: by (place, target, frequency). Places: `embedding a`, `embedding b`, `attention` (its output, where there
      is attention) and `neurons`, the last two of the last layer at the last position. Targets: the cos and sin of w_k
      times the element of `a`, of `b` or of `a+b`.
    - `shuffled`: the control, the same with each target's labels permuted among its n values.
    """

    frequencies: tuple[int, ...]
    paths: dict[tuple[str, str, int], ProbePath]
    shuffled: dict[tuple[str, str, int], ProbePath]

    @property
    def table(self) -> pd.DataFrame:
        """A row per point: place, target, freq, shuffled, n_features, r2, r2_fitted."""
        columns = ("n_features", "r2", "r2_fitted")
        tables = [
            pd.DataFrame(self._named(key, shuffled) | {column: getattr(path, column) for column in columns})
            for key, path, shuffled in self._all()
        ]
        return pd.concat(tables, ignore_index=True)

    @property
    def best_r2(self) -> pd.DataFrame:
        """A row per probe: place, target, freq, shuffled and r2, the greatest held-out R² along its path."""
        return pd.DataFrame([self._named(key, shuffled) | {"r2": path.best_r2} for key, path, shuffled in self._all()])

    def features_needed(self, r2: float = 0.9) -> pd.DataFrame:
        """A row per probe: place, target, freq, shuffled and n_features, the fewest that reach `r2` (NA if none do)."""
        rows = [
            self._named(key, shuffled) | {"n_features": path.features_needed(r2)} for key, path, shuffled in self._all()
        ]
        return pd.DataFrame(rows).astype({"n_features": "Int64"})

    def _all(self) -> list[tuple[tuple[str, str, int], ProbePath, bool]]:
        kinds = ((self.paths, False), (self.shuffled, True))
        return [(key, path, shuffled) for paths, shuffled in kinds for key, path in paths.items()]

    @staticmethod
    def _named(key: tuple[str, str, int], shuffled: bool) -> dict:
        return dict(zip(("place", "target", "freq", "shuffled"), (*key, shuffled), strict=True))


def sparse_probes(
    snapshot: Snapshot,
    frequencies: Sequence[int] | None = None,
    *,
    held_out: HeldOut = "values",
    share: float = 0.3,
    max_features: int = 32,
    seed: int = 0,
) -> SparseProbes:
    """Probe the embeddings, the attention's output and the neurons for the angles of a, b and a + b.

    a and b stand for the elements g and h of the pair in the task's group (`task.structure`), so that a + b is the
    answer's: in a subtraction b's element is −b, in a product they are logarithms. The pairs are all (g, h).

    What is held out decides what an R² means. With `values`, the default, a share of the n values of the *target's*
    element is: a probe for a is tested on pairs whose a it has never seen, one for a + b on unseen answers. With
    `pairs` a share of the pairs is, and then every value is also seen in fitting: n embeddings in d_model ≥ n
    directions say anything about a by being told apart, whatever they are. The control shows that, as a control task
    of Hewitt and Liang 2019 (arXiv 1909.03368) does: its labels are permuted among the values, so that they still are
    a function of a, b or a + b, but no angle. Under `values` an embedding of a alone has R² 0 for a + b exactly, as
    each a meets the same answers.

    Args:
        snapshot: of a task whose answer is the product in a cyclic group.
        frequencies: 1 … n//2; the key frequencies by default. One that is no key is a control.
        held_out: `values` or `pairs`.
        share: of them that is held out.
        max_features: of the sparse part of the paths; with 32, five frequencies take seconds.
        seed: of what is held out and of the permuted labels.

    Raises:
        NotApplicable: the task is no such product, or the group has fewer than 4 elements, two for each side.
        GrokinterpError: a frequency is out of range, there is no key frequency, or the share leaves fewer than two
            values on a side, or values at which a target does not vary.

    >>> import torch
    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=13)), ModelConfig(n_heads=1, d_head=4, d_model=4, d_mlp=8)
    >>> weights, angle = initial_weights(config, task), 2 * torch.pi * 3 * torch.arange(13) / 13
    >>> weights["embed.W_E"][:13, :2] = torch.stack([angle.cos(), angle.sin()], dim=1)
    >>> probes = sparse_probes(Snapshot(0, task, config, weights), [3])
    >>> probes.paths["embedding a", "a", 3].features_needed(0.999)
    2
    """
    structure = _cyclic_product(snapshot)
    if frequencies is None:
        frequencies = find_keys(snapshot).chosen
        if not frequencies:
            raise GrokinterpError(
                f"step {snapshot.step} has no key frequency to probe for; needs one at least: give frequencies, "
                f"from 1 to {structure.n // 2}"
            )
    frequencies = _checked(frequencies, structure)
    if max_features < 1:
        raise GrokinterpError(f"max_features = {max_features}: needs at least 1, the longest sparse probe")
    if held_out not in ("values", "pairs"):
        raise GrokinterpError(f"held_out = {held_out!r}: unknown; choose one of values, pairs")
    random, n = np.random.default_rng(seed), structure.n
    a, b = np.indices((n, n)).reshape(2, -1)
    elements = {"a": a, "b": b, "a+b": (a + b) % n}
    # Two functions per frequency; the Nyquist frequency has one and goes by itself.
    alike = [[k for k in frequencies if (2 * k == n) is nyquist] for nyquist in (False, True)]
    count = n if held_out == "values" else n * n
    drawn, relabelled = _draw(count, share, random), random.permutation(n)
    for _ in range(_DRAWS):
        if held_out == "pairs" or _varies(drawn, relabelled, has_nyquist=bool(alike[1])):
            break
        drawn, relabelled = _draw(count, share, random), random.permutation(n)

    paths, shuffled = {}, {}
    for place, features in _places(snapshot).items():
        for target, element in elements.items():
            moments = Moments.of(features, drawn[element] if held_out == "values" else drawn)
            for found, labels in ((paths, element), (shuffled, relabelled[element])):
                for several in filter(None, alike):
                    circles = np.stack([_circle(k, n)[labels] for k in several])
                    of_target = moments.paths(circles, max_features)
                    found.update(((place, target, k), path) for k, path in zip(several, of_target, strict=True))
    return SparseProbes(frequencies, paths, shuffled)


def _cyclic_product(snapshot: Snapshot) -> Structure:
    structure = snapshot.task.structure
    if structure is None or not structure.is_cyclic or not structure.is_product:
        reason = (
            "no group is known in which its answers lie"
            if structure is None
            else f"{structure.group_name} is not cyclic"
            if not structure.is_cyclic
            else f"its answer is no product in {structure.group_name}"
        )
        raise NotApplicable(
            f"{snapshot.task.name}: {reason}, so a, b and the answer have no angles to probe for; needs a product in a "
            "cyclic group; give a network that adds, subtracts, multiplies or divides"
        )
    if structure.n < 4:
        raise NotApplicable(
            f"{snapshot.task.name}: {structure.group_name} has {structure.n} elements; a probe needs at least 4, two "
            "to fit on and two held out; probe a larger group"
        )
    return structure


def _checked(frequencies: Sequence[int], structure: Structure) -> tuple[int, ...]:
    highest = structure.n // 2
    for k in frequencies:
        structure.basis.rows(k)  # Refuses what is no frequency.
        if k == 0:
            raise GrokinterpError(f"frequency = 0: it is constant; needs an integer from 1 to {highest}")
    if not len(frequencies):
        raise GrokinterpError(f"frequencies = (): needs one at least, from 1 to {highest}; leave it out for the keys")
    return tuple(dict.fromkeys(int(k) for k in frequencies))


def _varies(drawn: Bool[np.ndarray, " n"], relabelled: Int[np.ndarray, " n"], *, has_nyquist: bool) -> bool:
    """Whether both sides hold even and odd elements, between which alone the Nyquist frequency tells."""
    parities = [labels[side] % 2 for labels in (np.arange(len(drawn)), relabelled) for side in (drawn, ~drawn)]
    return not has_nyquist or all(parity.any() and not parity.all() for parity in parities)


def _draw(n: int, share: float, random: np.random.Generator) -> Bool[np.ndarray, " n"]:
    held_out = np.zeros(n, dtype=bool)
    count = round(share * n)
    if 0 < share < 1 and n >= 4:
        count = min(max(count, 2), n - 2)
    if not 2 <= count <= n - 2:
        raise GrokinterpError(
            f"share = {share} of {n} holds out {count}: needs at least 2 held out and 2 to fit on; "
            "give a share between 0 and 1 such as 0.3"
        )
    held_out[random.permutation(n)[:count]] = True
    return held_out


def _circle(frequency: int, n: int) -> Float[np.ndarray, "n function"]:
    """cos and sin of w_k x, the cos alone where 2k = n."""
    basis = FourierBasis(n)
    return basis.matrix[list(basis.rows(frequency))].T * np.sqrt(n / 2)


def _places(snapshot: Snapshot) -> dict[str, Float[np.ndarray, "pair feature"]]:
    """What stands at each place, a row per pair of elements (g, h), float64."""
    task, places = snapshot.task, Places.of(snapshot.task)
    grid, n = places.grid.reshape(-1), places.structure.n
    W_E = snapshot.weight("embed.W_E")
    # The embedding of a position is the same for all pairs: with the intercept, adding it changes no probe.
    second = places.structure.inputs_b + (task.n_symbols if task.config.own_tokens_for_b else 0)
    found = {
        "embedding a": np.repeat(W_E[places.structure.inputs_a], n, axis=0),
        "embedding b": np.tile(W_E[second], (n, 1)),
    }
    if snapshot.config.architecture != "mlp":
        found["attention"] = LastLayer.of(snapshot).attn_out.double().numpy()[grid]
    return found | {"neurons": snapshot.neurons[grid].astype(np.float64)}
