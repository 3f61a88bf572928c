"""All measures over the checkpoints of a run, one checkpoint in memory at a time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from grokinterp.runs import Run, Snapshot
from grokinterp.tasks import Structure, Task

from ._logits import decompose_logits
from ._losses import DataSet, losses_by_row, pairs_of
from ._progress import Kind, ProgressMeasures
from ._spectra import embedding_spectrum, logit_map_spectrum
from ._weights import sums_of_squared_weights

# Chughtai et al. 2023 call an irrep learned from the first checkpoint on whose logit similarity is above this.
LEARNED = 0.05


@dataclass(frozen=True, eq=False)
class Curves:
    """What is measured at every checkpoint.

    - `measures`: a row per checkpoint, `step` first, a column per measure (see `measure`).
    - `embedding_norms`, `logit_map_norms`, `logit_share`: per checkpoint and irrep (frequency 0 … ⌊p/2⌋), the norms of
      W_E and W_L and the logits' fraction of variance in χ_ρ(answer · c⁻¹) (cos(w_k(answer − c))). They have no columns
      where no group is known.
    """

    measures: pd.DataFrame
    embedding_norms: Float[np.ndarray, "step irrep"]
    logit_map_norms: Float[np.ndarray, "step irrep"]
    logit_share: Float[np.ndarray, "step irrep"]

    def learned_at(self, irrep: int) -> int | None:
        """The first checkpoint at which the logits' similarity to the irrep's character is above .05.

        None where there is none, and of a run of one checkpoint, which cannot say since when it is so.
        """
        if len(self.measures) == 1:
            return None
        above = np.flatnonzero(self.logit_share[:, irrep] > LEARNED**2)
        return int(self.measures["step"].iloc[above[0]]) if len(above) else None


def curves(
    run: Run,
    keys: tuple[int, ...],
    *,
    steps: Sequence[int] | None = None,
    on_step: Callable[[int], object] | None = None,
) -> Curves:
    """Measure every checkpoint through the fast forward; memory does not grow with their number but for the results."""
    rows, embedding, logit_map, share = [], [], [], []
    for step in run.steps if steps is None else steps:
        snapshot = run.snapshot(step)
        row, logit_share = measure(snapshot, keys)
        if snapshot.task.structure:
            embedding_norms, map_spectrum = embedding_spectrum(snapshot), logit_map_spectrum(snapshot)
            row |= {"gini_W_E": embedding_norms.gini_components, "gini_W_L": map_spectrum.gini_components}
            embedding.append(embedding_norms.irrep_norms)
            logit_map.append(map_spectrum.irrep_norms)
        rows.append(row)
        share.append(logit_share)
        if on_step:
            on_step(step)
    nothing = np.empty((len(rows), 0))
    return Curves(
        pd.DataFrame(rows),
        np.array(embedding) if embedding else nothing,
        np.array(logit_map) if logit_map else nothing,
        np.array(share),
    )


def measure(snapshot: Snapshot, keys: tuple[int, ...]) -> tuple[dict[str, int | float], Float[np.ndarray, " irrep"]]:
    """One row of measures, and the logits' share of variance per irrep.

    Losses are over the answers (the logit of `=` left out) in float64:

    - `restricted_loss` on all pairs (`…_train`, `…_test` on those), `excluded_loss` on train pairs, both of the key
      frequencies (irreps) together, 2-D; `excluded_loss_all_frequencies` (`…_all_irreps`) removes all but the constant
      (the paper's released figure does that, its text says key frequencies); `excluded_loss_k<frequency>`
      (`excluded_loss_<irrep>`) removes one;
    - `…_3d` by the cube of the character, `…_neurons` at the neurons: see `ProgressMeasures`.

    The restricted and excluded losses are of the pairs whose answer is in the group. Where that leaves pairs out,
    `train_loss_in_group` and `all_loss_in_group` are the network's own losses on those that it keeps.

    Where nobody knows the split, losses on train and test pairs are NaN and excluded losses are on all pairs.

    Where no group is known there are only the losses, accuracies and weights; with label noise there are
    also `noise_learned`, the share of the wrong labels that the network answers, and `train_accuracy_of_labels`, its
    accuracy on what it was trained on: all else is against the right answers.
    """
    task = snapshot.task
    progress = ProgressMeasures.of(snapshot) if task.structure else None
    logits = progress.logits if progress else snapshot.logits
    removed = _removed(progress, keys) if progress else {}
    if progress:
        components = [progress.component(irreps, kind) for irreps, kind in removed.values()]
        whole, *without = progress.losses_without([np.zeros_like(progress.mean_logits_by_answer), *components])
    else:
        whole, without = losses_by_row(logits, task.answers), []
    right = logits.argmax(axis=1) == task.answers
    row: dict[str, int | float] = {"step": snapshot.step}
    for measured, values in (("loss", whole), ("accuracy", right)):
        row |= {f"{data}_{measured}": _mean(values, task, data) for data in ("train", "test", "all")}
    share = np.empty(0)
    if progress:
        decomposition = decompose_logits(logits, progress.places, keys)
        share, inside = decomposition.share, progress.inside("train")
        row |= {
            "restricted_accuracy": progress.restricted_accuracy(keys),
            "restricted_loss": progress.restricted(keys),
            "restricted_loss_train": progress.restricted(keys, "train") if task.split_is_known else np.nan,
            "restricted_loss_test": progress.restricted(keys, "test") if task.split_is_known else np.nan,
            "restricted_loss_3d": progress.restricted(keys, kind="3d"),
            "restricted_loss_neurons": progress.restricted(keys, kind="neurons"),
            **{name: losses[inside].mean() for name, losses in zip(removed, without, strict=True)},
            "logit_variance_explained": decomposition.variance_explained,
        }
        if (progress.places.element < 0).any():
            row |= {
                "train_loss_in_group": whole[inside].mean() if task.split_is_known else np.nan,
                "all_loss_in_group": whole[progress.inside("all")].mean(),
            }
    if task.config.noise:
        spoiled = task.labels != task.answers
        told = logits.argmax(axis=1) == task.labels
        row["train_accuracy_of_labels"] = told[task.split.train].mean()
        row["noise_learned"] = told[spoiled].mean()
    squares = sums_of_squared_weights(snapshot.weights)
    row["sum_of_squared_weights"] = sum(squares.values())
    row = {name: value if name == "step" else float(value) for name, value in row.items()}
    # Biases that are not trained would only widen the table.
    for name, (short, value) in zip(snapshot.weights, squares.items(), strict=True):
        if snapshot.config.trains(name):
            row[f"sum_of_squared_weights_{short}"] = value
    return row, share


def _mean(values: np.ndarray, task: Task, data: DataSet) -> float:
    if data != "all" and not task.split_is_known:
        return np.nan
    return values[pairs_of(task, data)].mean()


def _removed(progress: ProgressMeasures, keys: tuple[int, ...]) -> dict[str, tuple[Iterable[int], Kind]]:
    """Column → the irreps it removes, and how."""
    structure, every = progress.structure, progress.irreps
    plural = f"all_{structure.irrep_words}"
    names = {irrep: one_excluded(structure, irrep) for irrep in keys}
    return {
        "excluded_loss": (keys, "2d"),
        f"excluded_loss_{plural}": (every, "2d"),
        "excluded_loss_3d": (keys, "3d"),
        f"excluded_loss_3d_{plural}": (every, "3d"),
        "excluded_loss_neurons": (keys, "neurons"),
        **{f"excluded_loss_{name}": ([irrep], "2d") for irrep, name in names.items()},
        **{f"excluded_loss_3d_{name}": ([irrep], "3d") for irrep, name in names.items()},
    }


def one_excluded(structure: Structure, irrep: int) -> str:
    """How the columns of `measures` name an irrep: `k<frequency>`, or the irrep's name.

    >>> from grokinterp.tasks import Task, TaskConfig
    >>> one_excluded(Task(TaskConfig(p=7)).structure, 2)
    'k2'
    """
    return f"k{irrep}" if structure.is_cyclic else structure.basis.irrep_names[irrep]
