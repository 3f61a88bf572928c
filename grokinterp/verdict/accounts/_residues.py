"""Residues: in Z_n of composite n, logits that depend on the answer and on c modulo divisors of n alone.

A table M[s, c] that is Σ_m g_m(s mod m, c mod m) over proper divisors m has its two-dimensional Fourier transform where
both frequencies are multiples of some n/m. The coefficients (k, l) with gcd(k, l, n) = n/m are what depends on residues
modulo m and on no smaller modulus; they are the subgroups' cosets of Stander et al. 2024 (arXiv 2312.06581) in a cyclic
group. For a prime n there is none.
"""

import math
from dataclasses import dataclass

import numpy as np

from ._read_out import ENOUGH_OF_THE_SUM
from ._scored import InGroup, Scores, Table


@dataclass(frozen=True, eq=False)
class Residues:
    """Logits replaced by Σ_m g_m(s mod m, c mod m).

    - `scores`: what it gives as an account; `table`: the logits, by the answer; `parameters`: how many numbers it has.
    - `moduli`: the m that were taken: of each, all its coefficients.
    - `parts`: "mod m" → the share of the variance of the logits that depends on residues mod m and on no smaller
      modulus; of every divisor, n itself included.
    """

    table: Table
    scores: Scores
    moduli: tuple[int, ...]
    parameters: int
    parts: dict[str, float]


def residues(group: InGroup) -> Residues | None:
    """The strongest moduli, as many as give 99.9 % of what the proper divisors give together; at most n²/2 numbers.

    None for a group of prime order.

    >>> from grokinterp.analysis import Places
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task = Task(TaskConfig(p=15))
    >>> by_three = 5.0 * (task.answers[:, None] % 3 == np.arange(15) % 3)
    >>> found = residues(InGroup(by_three, Places.of(task)))
    >>> found.moduli, found.parameters, found.scores.explained
    ((3,), 6, 1.0)
    """
    n = group.n
    # Of a centred table the column l = 0 is empty.
    which = n // np.gcd(np.gcd.outer(np.arange(n), np.arange(n)), n)
    squares = np.abs(np.fft.fft2(group.by_answer)) ** 2 / n / (group.total or 1.0)
    columns = np.arange(n) > 0
    power = {m: float(squares[which == m].sum()) for m in range(2, n + 1) if n % m == 0}
    proper = sorted((m for m in power if m < n), key=lambda m: -power[m])
    if not proper:
        return None
    chosen, parameters, enough = [], 0, ENOUGH_OF_THE_SUM * sum(power[m] for m in proper)
    for m in proper:
        more = int((which[:, columns] == m).sum())
        if sum(power[one] for one in chosen) >= enough or parameters + more > n**2 / 2:
            break
        chosen.append(m)
        parameters += more
    kept = np.isin(which, chosen)
    table = np.fft.ifft2(np.where(kept, np.fft.fft2(group.by_answer), 0)).real
    return Residues(
        table, group.of_table(table), tuple(sorted(chosen)), parameters, {f"mod {m}": power[m] for m in sorted(power)}
    )


def is_prime(n: int) -> bool:
    """Whether a cyclic group of that order has no subgroups to look at."""
    return all(n % divisor for divisor in range(2, math.isqrt(n) + 1))
