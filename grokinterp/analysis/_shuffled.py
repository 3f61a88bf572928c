"""The first entries of a list that Python's `random` has shuffled, without shuffling all of it in Python.

`random.Random(seed).shuffle` goes from the last place i down to the first and exchanges it with a place j ≤ i, drawn
from as many bits of the Mersenne Twister as i + 1 has, again while the number is too large. The same numbers come from
NumPy's twister at once. Where the first places end up is then followed back: behind them, a place is left only upwards,
and the first exchange that takes it is the next stop.
"""

import random
from functools import lru_cache

import numpy as np
from jaxtyping import Int

# Numbers drawn at a time: the bound that they are held against falls by one with each that is taken.
_DRAWN = 1 << 14


@lru_cache(maxsize=4)  # A network is measured beside its controls.
def first_shuffled(n: int, seed: int, count: int) -> Int[np.ndarray, " count"]:
    """The first `count` of the numbers below n, shuffled by `random.Random(seed)`.

    >>> numbers = list(range(1000))
    >>> random.Random(42).shuffle(numbers)
    >>> first_shuffled(1000, 42, 5).tolist() == numbers[:5]
    True
    """
    partner = _partners(n, seed)
    # Exchanges among the first places are made one by one.
    held = np.arange(count)
    for place in range(1, count):
        other = partner[place]
        held[place], held[other] = held[other], held[place]
    # Of several exchanges that take a place, the one with the lowest place, written last, is the next stop.
    later = np.arange(n - 1, count - 1, -1, dtype=partner.dtype)
    later = later[partner[later] != later]
    stop = np.full(n, -1, dtype=partner.dtype)
    stop[partner[later]] = later
    place = np.arange(count)
    while (is_moved := stop[place] > place).any():
        place = np.where(is_moved, stop[place], place)
    found = np.empty(count, dtype=np.int64)
    found[held] = place
    return found


def _partners(n: int, seed: int) -> Int[np.ndarray, " n"]:
    """The place that each place but the first is exchanged with."""
    *key, position = random.Random(seed).getstate()[1]
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": np.array(key, dtype=np.uint32), "pos": position}}
    partner = np.zeros(n, dtype=np.int32 if n < 2**31 else np.int64)
    rest = np.empty(0, dtype=np.uint64)
    place = n - 1
    while place > 0:
        width = (place + 1).bit_length()
        # Down to this place numbers of so many bits are drawn.
        last = max(1, (1 << (width - 1)) - 1)
        raw = np.concatenate([rest, twister.random_raw(max(0, min(_DRAWN, place) - len(rest)))])
        drawn = (raw >> np.uint64(32 - width)).astype(np.int64)
        taken = np.flatnonzero(_accepted(drawn, place))[: place - last + 1]
        partner[place - np.arange(len(taken))] = drawn[taken]
        is_at_end = len(taken) < place - last + 1
        rest = raw[len(raw) if is_at_end else taken[-1] + 1 :]
        place -= len(taken)
    return partner


def _accepted(drawn: Int[np.ndarray, " drawn"], place: int) -> np.ndarray:
    """Which numbers are no larger than the place they are drawn for, which is one lower for each that was accepted."""
    accepted = drawn <= place
    while True:
        # What stands right before a number decides it, so that each turn settles at least one more.
        settled = drawn <= place - (np.cumsum(accepted) - accepted)
        if (settled == accepted).all():
            return settled
        accepted = settled
