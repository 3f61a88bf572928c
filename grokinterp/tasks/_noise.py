"""Wrong labels: what a network can only memorise."""

import numpy as np
from jaxtyping import Int

from grokinterp.errors import GrokinterpError

from ._split import Split


def noisy_labels(
    answers: Int[np.ndarray, " pair"], n_answers: int, split: Split, noise: int, seed: int
) -> Int[np.ndarray, " pair"]:
    """The answers, those of `noise` train pairs replaced by wrong ones, drawn uniformly among all other answers.

    openai/grok (`…_noisy_K`, Power et al. 2022) spoils train pairs alike, but draws their answers from other pairs, so
    that some turn out right.
    """
    if noise > len(split.train):
        raise GrokinterpError(f"task.noise = {noise}: needs at most the {len(split.train)} train pairs; lower it")
    if noise and n_answers < 2:
        raise GrokinterpError(f"task.noise = {noise}: the task has one answer only, so that none can be wrong; set 0")
    random = np.random.default_rng(seed)
    spoiled = random.choice(split.train, size=noise, replace=False)
    labels = answers.copy()
    labels[spoiled] = (labels[spoiled] + random.integers(1, max(n_answers, 2), size=noise)) % n_answers
    return labels
