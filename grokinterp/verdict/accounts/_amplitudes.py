"""How the logits' cosines hang on the distance between the inputs, which is where clocks and pizzas differ.

At frequency k the centred logits of the pair (a, b), elements i and j of Z_n with answer s = i + j, hold

    f_k(d) cos(w_k(s − c)),   d = i − j,  w_k = 2πk/n,

f_k(d) being the mean over the pairs at the same distance. A clock multiplies, so its amplitude is the same everywhere;
a pizza adds two points of a circle and reads their midpoint, whose length is |cos(w_k d/2)| (Zhong et al. 2023, The
Clock and the Pizza, arXiv 2306.17844, §3 and appendix). A second circle of twice the frequency can fill the pizza's
holes with −cos(w_k d) ("accompanying pizza"), after which the logits of the whole look like a clock's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.analysis import Places, remembered
from grokinterp.runs import Snapshot

Logits = Float[np.ndarray, "pair answer"]
Pattern = Float[np.ndarray, " n"]


def amplitude_by_distance(logits: Logits, places: Places, freq: int) -> Pattern:
    """f_k(d), index d = i − j mod n: what the logits hold of cos(w_k(s − c)) on average at each distance.

    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task = Task(TaskConfig(p=5))
    >>> a, b = task.pairs.T[:, :, None]
    >>> pizza = 3 * np.abs(np.cos(np.pi * (a - b) / 5)) * np.cos(2 * np.pi * (a + b - np.arange(5)) / 5)
    >>> amplitude_by_distance(pizza, Places.of(task), 1).round(3).tolist()
    [3.0, 2.427, 0.927, 0.927, 2.427]
    """
    return _amplitudes(logits, places, [freq])[freq]


def _amplitudes(logits: Logits, places: Places, freqs: Iterable[int]) -> dict[int, Pattern]:
    """`amplitude_by_distance` of several frequencies, for which the logits are gone through once."""
    structure, freqs = places.structure, list(freqs)
    angles = 2 * np.pi / structure.n * np.outer(np.arange(structure.n), freqs)
    # In real numbers, of which the logits are: half the work. Answers outside the group have no part in it.
    waves = np.zeros((logits.shape[1], 2 * len(freqs)))
    waves[structure.outputs] = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(structure.n, -1)
    of_pair = (logits @ waves).reshape(len(logits), len(freqs), 2)
    return {freq: amplitude_of_waves(of_pair[places.grid, place], freq) for place, freq in enumerate(freqs)}


def amplitude_of_waves(of_pair: Float[np.ndarray, "n n 2"], freq: int) -> Pattern:
    """f_k(d) from Σ_c L_c cos w_k c and Σ_c L_c sin w_k c of every pair of elements."""
    n = len(of_pair)
    angles = 2 * np.pi * freq / n * np.arange(n)
    i, j = np.ogrid[:n, :n]
    answer = (i + j) % n
    turned = of_pair[..., 0] * np.cos(angles)[answer] + of_pair[..., 1] * np.sin(angles)[answer]
    # Row d holds the pairs (j + d, j).
    return turned[(i + j) % n, j].sum(axis=1) / n / _norm(n, freq)


def amplitude_in_network(snapshot: Snapshot, freq: int) -> Pattern:
    """`amplitude_by_distance` of a network's own logits, once for each frequency."""
    return _in_network(snapshot, [freq])[freq]


def _in_network(snapshot: Snapshot, freqs: Iterable[int]) -> dict[int, Pattern]:
    known = _known(snapshot)
    missing = [freq for freq in freqs if freq not in known]
    if missing:
        known.update(_amplitudes(snapshot.logits, Places.of(snapshot.task), missing))
    return {freq: known[freq] for freq in freqs}


@remembered
def _known(snapshot: Snapshot) -> dict[int, Pattern]:  # noqa: ARG001 (of every snapshot its own)
    return {}


def _norm(n: int, freq: int) -> float:
    """Σ_c cos²(w(s − c)): n/2, or n for the Nyquist frequency, whose sine vanishes."""
    return float(n if 2 * freq == n else n / 2)


def clock_pattern(n: int, freq: int) -> Pattern:  # noqa: ARG001 (a pattern is a function of both)
    """1: the same amplitude at every distance."""
    return np.ones(n)


def pizza_pattern(n: int, freq: int) -> Pattern:
    """|cos(w_k d/2)|."""
    return np.abs(np.cos(np.pi * freq * np.arange(n) / n))


def accompanying_pattern(n: int, freq: int) -> Pattern:
    """−cos(w_k d), the pizza of a circle of frequency 2k."""
    return -np.cos(2 * np.pi * freq * np.arange(n) / n)


PATTERNS = {
    "clock": (clock_pattern,),
    "pizza": (pizza_pattern, accompanying_pattern),
    "mixed": (clock_pattern, pizza_pattern, accompanying_pattern),
}


@dataclass(frozen=True, eq=False)
class PatternFit:
    """Logits replaced by Σ_k g_k(i − j) cos(w_k(s − c)), g_k the least-squares sum of some patterns.

    - `explained`: the fraction of the variance of the centred logits, over the pairs in the group.
    - `by_freq`: the same by key frequency.
    - `table`: the replacement by distance and by s − c, which is all that it depends on.
    - `parameters`: how many amplitudes were fitted.
    """

    explained: float
    by_freq: dict[int, float]
    parameters: int
    table: Float[np.ndarray, "n n"]

    @property
    def logits(self) -> Float[np.ndarray, "n n n"]:
        """The replacement over the pairs of the group in the order of `Places.grid`, and its elements."""
        n = len(self.table)
        i, j, c = np.ogrid[:n, :n, :n]
        return self.table[(i - j) % n, (i + j - c) % n]


def fit_pattern(logits: Logits, places: Places, keys: Iterable[int], kind: str) -> PatternFit:
    """Fit `clock`, `pizza` or `mixed` (both at once) patterns to the logits at the key frequencies.

    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task = Task(TaskConfig(p=7))
    >>> clock = np.cos(2 * np.pi * (task.pairs.sum(1)[:, None] - np.arange(7)) / 7)
    >>> places = Places.of(task)
    >>> [round(fit_pattern(clock, places, [1], kind).explained, 3) for kind in ("clock", "mixed")]
    [1.0, 1.0]
    """
    total = _centred_variance(logits, places)
    return _fit(_amplitudes(logits, places, keys), total, kind, places.structure.n)


def fit_patterns(snapshot: Snapshot, keys: Iterable[int]) -> dict[str, PatternFit]:
    """`fit_pattern` of every kind, of a network's own logits."""
    measured, n = _in_network(snapshot, tuple(keys)), Places.of(snapshot.task).structure.n
    return {kind: _fit(measured, _variance_in_network(snapshot), kind, n) for kind in PATTERNS}


def pattern_shares(snapshot: Snapshot, keys: Iterable[int], kind: str) -> dict[int, float]:
    """`PatternFit.by_freq` alone, of a network's own logits.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
    >>> snapshot = Snapshot(0, task, config, initial_weights(config, task))
    >>> shares = fit_pattern(snapshot.logits, Places.of(task), [1, 2], "mixed").by_freq
    >>> bool(np.allclose(list(pattern_shares(snapshot, [1, 2], "mixed").values()), list(shares.values())))
    True
    """
    measured, n = _in_network(snapshot, tuple(keys)), Places.of(snapshot.task).structure.n
    return _fit(measured, _variance_in_network(snapshot), kind, n).by_freq


def _fit(measured: Mapping[int, Pattern], total: float, kind: str, n: int) -> PatternFit:
    """A kind of pattern fitted to the amplitudes `measured` over n distances; `total`: the variance of the logits."""
    fitted = {freq: _fitted(amplitude, kind, freq) for freq, amplitude in measured.items()}
    by_freq = {freq: _share(g, freq, total) for freq, g in fitted.items()}
    waves = np.array([np.cos(2 * np.pi * freq / n * np.arange(n)) for freq in fitted]).reshape(-1, n)
    table = np.array(list(fitted.values())).reshape(-1, n).T @ waves
    # Rounding may carry a whole beyond 1.
    explained, parameters = min(1.0, sum(by_freq.values())), len(PATTERNS[kind]) * len(by_freq)
    return PatternFit(explained, by_freq, parameters, table)


def _fitted(amplitude: Pattern, kind: str, freq: int) -> Pattern:
    """The least-squares sum of the patterns of a kind."""
    columns = np.stack([pattern(len(amplitude), freq) for pattern in PATTERNS[kind]], axis=1)
    return columns @ np.linalg.lstsq(columns, amplitude, rcond=1e-9)[0]


def _share(fitted: Pattern, freq: int, total: float) -> float:
    n = len(fitted)
    return float(n * _norm(n, freq) * (fitted @ fitted) / total) if total > 0 else 0.0


@remembered
def _variance_in_network(snapshot: Snapshot) -> float:
    return _centred_variance(snapshot.logits, Places.of(snapshot.task))


def _centred_variance(logits: Logits, places: Places) -> float:
    """‖L̃‖² over the pairs and answers in the group, L̃ = L − mean over c."""
    kept = logits[places.grid.reshape(-1)][:, places.structure.outputs].astype(np.float64)
    kept -= kept.mean(axis=1, keepdims=True)
    return float((kept**2).sum())
