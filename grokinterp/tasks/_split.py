"""Which pairs a network is trained on: named, seeded schemes that other people's runs can be checked against."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from grokinterp.errors import GrokinterpError


@dataclass(frozen=True, eq=False)
class Split:
    """A division of the `n_pairs` inputs into train and test, both in the order in which they were drawn.

    **Arguments:**

    - `train`, `test`: indices into the pairs, pair (a, b) being row a·p + b.
    """

    train: Int[np.ndarray, " train"]
    test: Int[np.ndarray, " test"]

    @cached_property
    def train_mask(self) -> Bool[np.ndarray, " pair"]:
        mask = np.zeros(len(self.train) + len(self.test), dtype=bool)
        mask[self.train] = True
        return mask

    @cached_property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the packed train mask over a·p + b.

        >>> make_split("nanda", n_pairs=113 * 113, train_fraction=0.3, seed=0).hash
        '41c3ede59359edee'
        """
        return hashlib.sha256(np.packbits(self.train_mask).tobytes()).hexdigest()[:16]


def make_split(scheme: str, n_pairs: int, train_fraction: float, seed: int) -> Split:
    """Draw a split: all pairs are shuffled once, the first ⌊train_fraction · n_pairs⌋ are for training.

    `nanda` shuffles with Python's `random` (the released code of Nanda et al. 2023); `torch` takes
    `torch.randperm` under `torch.manual_seed` on the CPU (TransformerLens' demo, seed 598; Chughtai et al. 2023).
    Neither touches the caller's random state.

    >>> split = make_split("nanda", n_pairs=113 * 113, train_fraction=0.3, seed=0)
    >>> [divmod(int(pair), 113) for pair in split.train[:3]]
    [(18, 34), (10, 83), (55, 28)]
    """
    n_train = int(train_fraction * n_pairs)
    if not 0 < n_train < n_pairs:
        raise GrokinterpError(
            f"task.train_fraction = {train_fraction} of {n_pairs} pairs leaves {n_train} for training and "
            f"{n_pairs - n_train} for testing: both need at least one pair; change train_fraction or take a larger task"
        )
    order = _SCHEMES[scheme](n_pairs, seed)
    return Split(train=order[:n_train], test=order[n_train:])


def listed_split(train: Sequence[int], n_pairs: int) -> Split:
    """The split whose train pairs are listed, in their order; the others are the test pairs.

    >>> listed_split([3, 1], n_pairs=4).test
    array([0, 2])
    """
    listed = np.array(train, dtype=np.int64)
    wrong = [pair for pair in train if not 0 <= pair < n_pairs]
    if wrong or len(np.unique(listed)) != len(listed) or not 0 < len(listed) < n_pairs:
        fault = f"holds {wrong[0]}" if wrong else f"holds {len(listed)} entries, {len(np.unique(listed))} different"
        raise GrokinterpError(
            f"task.train_pairs {fault}: needs at least one and fewer than {n_pairs} different numbers of pairs, "
            f"from 0 to {n_pairs - 1}"
        )
    return Split(listed, np.setdiff1d(np.arange(n_pairs), listed))


def _python_shuffle(n_pairs: int, seed: int) -> Int[np.ndarray, " pair"]:
    pairs = list(range(n_pairs))
    random.Random(seed).shuffle(pairs)
    return np.array(pairs)


def _torch_randperm(n_pairs: int, seed: int) -> Int[np.ndarray, " pair"]:
    import torch

    return torch.randperm(n_pairs, generator=torch.Generator().manual_seed(seed)).numpy()


_SCHEMES = {"nanda": _python_shuffle, "torch": _torch_randperm}
