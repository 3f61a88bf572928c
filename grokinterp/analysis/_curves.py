"""All measures over the checkpoints of a run, one checkpoint in memory at a time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from grokinterp.runs import Run, Snapshot

from ._logits import decompose_logits
from ._progress import Kind, ProgressMeasures, all_frequencies
from ._spectra import embedding_spectrum, logit_map_spectrum
from ._weights import sums_of_squared_weights


@dataclass(frozen=True, eq=False)
class Curves:
    """What is measured at every checkpoint.

    - `measures`: a row per checkpoint, `step` first, a column per measure (see `measure`).
    - `embedding_norms`, `logit_map_norms`, `cosine_share`: per checkpoint and frequency 0 … ⌊p/2⌋, the norms of W_E and
      W_L and the logits' fraction of variance in cos(w_k(answer − c)).
    """

    measures: pd.DataFrame
    embedding_norms: Float[np.ndarray, "step freq"]
    logit_map_norms: Float[np.ndarray, "step freq"]
    cosine_share: Float[np.ndarray, "step freq"]


def curves(
    run: Run,
    key_frequencies: tuple[int, ...],
    *,
    steps: Sequence[int] | None = None,
    on_step: Callable[[int], object] | None = None,
) -> Curves:
    """Measure every checkpoint through the fast forward; memory does not grow with their number but for the results."""
    rows, embedding, logit_map, cosine = [], [], [], []
    for step in run.steps if steps is None else steps:
        snapshot = run.snapshot(step)
        row, share = measure(snapshot, key_frequencies)
        rows.append(row)
        embedding_norms, map_spectrum = embedding_spectrum(snapshot), logit_map_spectrum(snapshot)
        rows[-1] |= {"gini_W_E": embedding_norms.gini_components, "gini_W_L": map_spectrum.gini_components}
        embedding.append(embedding_norms.frequency_norms)
        logit_map.append(map_spectrum.frequency_norms)
        cosine.append(share)
        if on_step:
            on_step(step)
    return Curves(pd.DataFrame(rows), np.array(embedding), np.array(logit_map), np.array(cosine))


def measure(
    snapshot: Snapshot, key_frequencies: tuple[int, ...]
) -> tuple[dict[str, int | float], Float[np.ndarray, " freq"]]:
    """One row of measures, and the logits' share of variance per frequency.

    Losses are over the p answers (the logit of `=` left out) in float64:

    - `restricted_loss` on all pairs (`…_train`, `…_test` on those), `excluded_loss` on train pairs, both of the key
      frequencies together, 2-D; `excluded_loss_all_frequencies` removes all of 1 … ⌊p/2⌋ (the paper's released figure
      does that, its text says key frequencies); `excluded_loss_k<frequency>` removes one;
    - `…_3d` by the cosine cube, `…_neurons` at the neurons: see `ProgressMeasures`.
    """
    task = snapshot.task
    progress = ProgressMeasures.of(snapshot)
    keys, every = key_frequencies, all_frequencies(task.p)
    decomposition = decompose_logits(progress.logits, task, keys)
    squares = sums_of_squared_weights(snapshot.weights)
    removed: dict[str, tuple[Iterable[int], Kind]] = {
        "excluded_loss": (keys, "2d"),
        "excluded_loss_all_frequencies": (every, "2d"),
        "excluded_loss_3d": (keys, "3d"),
        "excluded_loss_3d_all_frequencies": (every, "3d"),
        "excluded_loss_neurons": (keys, "neurons"),
        **{f"excluded_loss_k{k}": ([k], "2d") for k in keys},
        **{f"excluded_loss_3d_k{k}": ([k], "3d") for k in keys},
    }
    components = [progress.component(frequencies, kind) for frequencies, kind in removed.values()]
    whole, *without = progress.losses_without([np.zeros((task.p, task.p)), *components])
    right = progress.logits.argmax(axis=1) == task.answers
    train, test = task.split.train, task.split.test
    row: dict[str, int | float] = {
        "step": snapshot.step,
        "train_loss": whole[train].mean(),
        "test_loss": whole[test].mean(),
        "all_loss": whole.mean(),
        "train_accuracy": right[train].mean(),
        "test_accuracy": right[test].mean(),
        "all_accuracy": right.mean(),
        "restricted_accuracy": (progress.kept(keys).argmax(axis=1) == np.arange(task.p)).mean(),
        "restricted_loss": progress.restricted(keys),
        "restricted_loss_train": progress.restricted(keys, "train"),
        "restricted_loss_test": progress.restricted(keys, "test"),
        "restricted_loss_3d": progress.restricted(keys, kind="3d"),
        "restricted_loss_neurons": progress.restricted(keys, kind="neurons"),
        **{name: losses[train].mean() for name, losses in zip(removed, without, strict=True)},
        "logit_variance_explained": decomposition.variance_explained,
        "sum_of_squared_weights": sum(squares.values()),
    }
    row = {name: value if name == "step" else float(value) for name, value in row.items()}
    # Biases that are not trained would only widen the table.
    for name, (short, value) in zip(snapshot.weights, squares.items(), strict=True):
        if snapshot.config.trains(name):
            row[f"sum_of_squared_weights_{short}"] = value
    return row, decomposition.share
