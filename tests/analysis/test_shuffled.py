"""The first entries of a shuffled list, against Python's own shuffle."""

import random

import pytest

from grokinterp.analysis._shuffled import first_shuffled


@pytest.mark.parametrize("n", [1, 2, 3, 5, 63, 64, 65, 1000, 16_385, 200_000])
def test_they_are_those_of_python(n: int) -> None:
    for seed in (0, 42, 2**40):
        numbers = list(range(n))
        random.Random(seed).shuffle(numbers)
        for count in {0, 1, min(7, n), min(1000, n), n}:
            assert first_shuffled(n, seed, count).tolist() == numbers[:count]
