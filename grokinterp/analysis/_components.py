"""The parts of the logits that depend on the answer alone, as p×p tables.

Projecting the p² logit rows on cos(w_k(a+b)) and sin(w_k(a+b)) gives the same row for all p pairs with the same
sum. So the projection is found from the mean row per sum, M[s, c] = mean over a+b=s of L[ab, c], by keeping frequency
k along s: P_k L[ab, c] = keep_k(M)[a+b, c]. A table stands for [p², p] logits at a p-th of their size, no p³ cube is
built, and a task other than addition only changes which pairs share an answer.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from grokinterp.fourier import FourierBasis
from grokinterp.tasks import Task

Table = Float[np.ndarray, "p p"]


def pairs_by_answer(task: Task) -> Int[np.ndarray, "p nth"]:
    """Row s: the p pairs whose answer is s; a ValueError if the answers do not each occur p times."""
    if not (np.bincount(task.answers, minlength=task.p) == task.p).all():
        raise ValueError(f"{task.name}: its answers do not each occur p = {task.p} times")
    return np.argsort(task.answers, kind="stable").reshape(task.p, task.p)


def mean_by_answer(values: Float[np.ndarray, "pair column"], task: Task) -> Float[np.ndarray, "p column"]:
    """M[s] = mean of the rows whose pair has the answer s, in float64."""
    means = np.zeros((task.p, values.shape[1]))
    for nth_pairs in pairs_by_answer(task).T:  # Adding p slices keeps the working set small.
        means += values[nth_pairs]
    return means / task.p


def answer_component(means: Float[np.ndarray, "p column"], frequencies: Iterable[int]) -> Float[np.ndarray, "p column"]:
    """Σ_k P_k, the projection on cos and sin of w_k·answer, summed over `frequencies` (Nanda et al. 2023, §5.1)."""
    return FourierBasis(len(means)).project(means, tuple(frequencies), axis=0)


def cosine_component(means: Table, frequencies: Iterable[int]) -> Table:
    """Σ_k v_k C_k with C_k = cos(w_k(answer − c)) as unit vector over the p³ cube and v_k = ⟨C_k, L⟩."""
    p = len(means)
    basis = FourierBasis(p)
    by_difference = mean_by_difference(means)
    coefficients = basis.transform(by_difference)
    cosines = np.zeros_like(coefficients)
    for frequency in frequencies:
        row = basis.rows(frequency)[0]
        cosines[row] = coefficients[row]
    s, c = np.indices((p, p))
    return basis.inverse(cosines)[(s - c) % p]


def cosine_coefficients(means: Table) -> Float[np.ndarray, " freq"]:
    """v_k = ⟨C_k, L⟩ for k = 0 … ⌊p/2⌋, from the mean rows: v_k = p · (coefficient k of the mean over answer − c)."""
    p = len(means)
    basis = FourierBasis(p)
    coefficients = p * basis.transform(mean_by_difference(means))
    return np.array([coefficients[basis.rows(k)[0]] for k in range(p // 2 + 1)])


def mean_by_difference(means: Table) -> Float[np.ndarray, " p"]:
    """D[d] = mean over s of M[s, s − d]."""
    s, d = np.indices(means.shape)
    return means[s, (s - d) % len(means)].mean(axis=0)
