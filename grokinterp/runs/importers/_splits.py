"""Which pairs an imported network was trained on: recreated from a seed, and held against the losses in the file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from grokinterp.models import ModelConfig
from grokinterp.runs._folder import Tensors
from grokinterp.runs._snapshot import Snapshot
from grokinterp.tasks import Task, TaskConfig

TOLERANCE = 0.02
# Standard errors between the losses of train pairs and others. Of 100 wrong splits the largest has about 3; that of a
# network that has grokked has 20 or more, and of one that has memorised, hundreds.
_APART = 6.0


@dataclass(frozen=True)
class StoredLosses:
    """The losses that a file says its network has.

    They are those before the last step, so they differ a little from the weights' own; near a spike by more.
    """

    train: float
    test: float

    def __str__(self) -> str:
        return f"train loss {self.train:.5g} and test loss {self.test:.5g}"

    def fits(self, found: "StoredLosses", of_all: float) -> bool:
        """Whether `found` are these losses: within 2 %, or within half as much again where chance gives another.

        A wrong split has about the loss of all pairs on its train pairs. Where that is more than three times the stored
        one, or less than a third, a loss near the stored one is no chance.
        """
        if not all(math.isfinite(x) and x > 0 for x in (self.train, self.test, found.train, found.test, of_all)):
            return False
        off = max(abs(math.log(found.train / self.train)), abs(math.log(found.test / self.test)))
        telling = abs(math.log(of_all / self.train)) > math.log(3)
        return off <= TOLERANCE or (telling and off <= math.log(1.5))


def recognised(
    config: TaskConfig,
    model: ModelConfig,
    weights: Tensors,
    stored: StoredLosses | None,
    *,
    fractions: Sequence[float],
    seeds: Sequence[int],
    asked_seed: int | None = None,
) -> tuple[TaskConfig, str]:
    """The task with the split whose losses are the stored ones, and a sentence that says how well they fit.

    Fractions and seeds are tried in their order, with the configuration's scheme. If none fits, or the file has no
    losses, it is the split whose train pairs the network answers far better than the others: the difference of the mean
    log-losses in standard errors, t = (mean ln ℒ_test − mean ln ℒ_train) / se, of which a wrong split has about 0. If
    there is none such either, the split is unknown.
    """
    losses = loss_of_pairs(config, model, weights)
    logs = np.log(np.maximum(losses, np.finfo(float).tiny))
    tried, apart = [], []
    for fraction in dict.fromkeys(fractions):
        for seed in dict.fromkeys(seeds):
            candidate = config.model_copy(update={"split_seed": seed, "train_fraction": fraction})
            split = Task(candidate).split
            found = StoredLosses(float(losses[split.train].mean()), float(losses[split.test].mean()))
            if stored is not None and stored.fits(found, float(losses.mean())):
                wrong = asked_seed is not None and seed != asked_seed
                return candidate, (
                    f"{f'Seed {asked_seed}, as asked, does not fit. ' if wrong else ''}"
                    f"The split is that of seed {seed} at {fraction}: {found}; in the file, {stored}."
                )
            tried.append(f"seed {seed} at {fraction}: {found}")
            apart.append((_standard_errors_apart(logs[split.train], logs[split.test]), candidate, found))
    most, candidate, found = max(apart, key=lambda entry: entry[0])
    if most >= _APART:
        of_file = "the file has no losses" if stored is None else f"in the file, {stored}"
        return candidate, (
            f"The split is that of seed {candidate.split_seed} at {candidate.train_fraction}, whose train pairs the "
            f"network answers better than the others by {most:.0f} standard errors: {found}; {of_file}."
        )
    if stored is None:
        return config.without_split(), "The split is unknown: the file has no losses to recognise it by."
    return config.without_split(), (
        f"The split is unknown: in the file, {stored}, and no split tried has these losses ({tried[0]}; "
        f"{len(tried) - 1} more). Name another with --set task.split_seed=N."
    )


def _standard_errors_apart(train: Float[np.ndarray, " train"], test: Float[np.ndarray, " test"]) -> float:
    """How far the second mean lies above the first."""
    error = math.sqrt(train.var() / len(train) + test.var() / len(test))
    return float(test.mean() - train.mean()) / error if error else 0.0


def loss_of_pairs(config: TaskConfig, model: ModelConfig, weights: Tensors) -> Float[np.ndarray, " pair"]:
    """Cross-entropy of every pair over all of the network's outputs, as in training."""
    task = Task(config.without_split())
    logits = Snapshot(0, task, model, weights).fast().logits
    log_p = torch.log_softmax(logits.double(), dim=-1)
    return -log_p[torch.arange(task.n_pairs), torch.from_numpy(task.answers)].numpy()
