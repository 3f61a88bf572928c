"""The Fourier basis spelled out number by number, to hold against the FFT; and what the tests draw."""

import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

modest = settings(derandomize=True, deadline=None, max_examples=15)
orders = st.integers(1, 24)
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def slow_row(n, kind, k, x):
    """The value at x of one basis function."""
    if k == 0:
        return 1 / math.sqrt(n)
    if 2 * k == n:
        return math.cos(math.pi * x) / math.sqrt(n)
    return math.sqrt(2 / n) * (math.cos if kind == "cos" else math.sin)(2 * math.pi * k * x / n)


def slow_matrix(n):
    labels = [("cos", 0)]
    for k in range(1, n):
        if 2 * k < n:
            labels += [("cos", k), ("sin", k)]
        elif 2 * k == n:
            labels += [("cos", k)]
    return np.array([[slow_row(n, kind, k, x) for x in range(n)] for kind, k in labels])


def slow_fold(x, sign):
    """Σ over a + sign·b = s of x[a, b], over √n, pair by pair."""
    n = len(x)
    folded = np.zeros(n)
    for a in range(n):
        for b in range(n):
            folded[(a + sign * b) % n] += x[a, b] / math.sqrt(n)
    return folded


def slow_unfold(y, sign):
    """The function of a + sign·b over the grid whose fold is y."""
    n = len(y)
    return np.array([[y[(a + sign * b) % n] / math.sqrt(n) for b in range(n)] for a in range(n)])
