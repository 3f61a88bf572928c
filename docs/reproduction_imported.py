"""Print the tables of docs/reproduction.md about imported networks: one of Nanda et al. 2023, two of Zhong et al. 2023.

Usage: python docs/reproduction_imported.py FOLDER, which holds nanda/wd_10-1_mod_addition_loss_curve.pth and, in pizza,
model_p99zdpze5l.pt and model_l8k1hzciux.pt with their config_*.json.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from grokinterp.analysis import (
    Places,
    ProgressMeasures,
    accuracy,
    decompose_logits,
    distance_irrelevance,
    embedding_spectrum,
    find_keys,
    gradient_symmetricity,
    logit_map,
    logit_map_spectrum,
    loss,
    neuron_irreps,
    sums_of_squared_weights,
)
from grokinterp.fourier import FourierBasis
from grokinterp.runs import Snapshot, import_run

NANDA = Path("nanda", "wd_10-1_mod_addition_loss_curve.pth")
KEYS = (6, 23, 37, 39, 41)
# Computed from the released weights in float64, by code that shares nothing with this package.
OF_NANDA = {
    "loss, all / train / test pairs": (3.519741e-7, 9.202424e-9, 4.988379e-7),
    "accuracy, train / test pairs": (1, 1),
    "key frequencies": KEYS,
    "frequencies that the rule on W_E / the largest share of a neuron would call key": (10, 10),
    "neurons per key frequency (≥ 85 %); others": (47, 31, 65, 11, 31, 327),
    "W_E: norms of 23, 6, 37, 41, 39, 46": (6.84, 5.75, 5.47, 5.32, 5.00, 2.53),
    "W_L: norms of 23, 6, 41, 39, 37, 54": (37.69, 24.28, 21.59, 20.66, 19.42, 3.03),
    "restricted loss, all / train / test pairs": (2.2011e-9, 2.092e-9, 2.248e-9),
    "restricted loss, constant and 3 × 3 blocks kept": (3.768e-9,),
    "excluded loss, train pairs": (8.3854,),
    "excluded loss of each key frequency": (0.02926, 1.1758, 4.356e-4, 6.548e-5, 2.608e-4),
    "coefficients of cos w(a + b − c), key frequencies": (7962.9, 26586.0, 5779.6, 4289.8, 5153.5),
    "their share of the variance of the logits": (0.9748,),
    "share of W_L outside the key frequencies (norm)": (0.0996,),
    "Gini coefficient of the 113 components of W_E / W_L": (0.5386, 0.7576),
    "Gini coefficient of the 56 frequencies of W_E / W_L": (0.5265, 0.7500),
    "sum of squared weights": (1180.966,),
    "logits of 0 and 1 at (3, 5); of the answer, 8": (-34.6811, -44.0974, 59.3547),
}

PIZZAS = {"A": "p99zdpze5l", "B": "l8k1hzciux"}
# Row → published for models A and B, where the paper or its notebook says it, and computed from the weights by others.
OF_PIZZAS: dict[str, tuple[tuple[float | None, float | None], tuple[float, float]]] = {
    "loss, all pairs": ((None, None), (1.384e-7, 1.561e-7)),
    "norm of the weights": ((22.854, None), (22.854, 24.814)),
    "gradient symmetricity, 100 triples": ((0.9937, 0.3336), (0.993665, 0.333638)),
    "gradient symmetricity, all triples": ((None, None), (0.993761, 0.346125)),
    "distance irrelevance": ((0.17, 0.85), (0.171736, 0.848260)),
    "distance irrelevance, largest wrong logit": ((None, None), (0.221807, 0.884918)),
}


def measured_nanda(snapshot: Snapshot) -> dict[str, tuple[float, ...]]:
    """The rows of `OF_NANDA`, measured."""
    logits, task = snapshot.logits, snapshot.task
    keys, neurons, progress = find_keys(snapshot), neuron_irreps(snapshot), ProgressMeasures.of(snapshot)
    W_E, W_L = embedding_spectrum(snapshot), logit_map_spectrum(snapshot)
    decomposed = decompose_logits(logits, Places.of(task), KEYS)
    clusters = neurons.clusters()
    values = (
        tuple(loss(logits, task, data) for data in ("all", "train", "test")),
        tuple(accuracy(logits, task, data) for data in ("train", "test")),
        keys.chosen,
        (len(keys.by_rule.W_E), len(keys.by_rule.argmax)),
        (*(len(clusters[k]) for k in KEYS), len(neurons.unclustered())),
        tuple(W_E.irrep_norms[k] for k in (23, 6, 37, 41, 39, 46)),
        tuple(W_L.irrep_norms[k] for k in (23, 6, 41, 39, 37, 54)),
        tuple(progress.restricted(KEYS, data) for data in ("all", "train", "test")),
        (loss(blocks_kept(logits, task.config.p), task, "all"),),
        (progress.excluded(KEYS),),
        tuple(progress.excluded([k]) for k in KEYS),
        tuple(decomposed.coefficients[list(KEYS)]),
        (decomposed.variance_explained,),
        (logit_map(snapshot, KEYS, {}).residual_fraction,),
        (W_E.gini_components, W_L.gini_components),
        (W_E.gini_irreps, W_L.gini_irreps),
        (sum(sums_of_squared_weights(snapshot.weights).values()),),
        tuple(logits[3 * task.config.p + 5, [0, 1, 8]]),
    )
    return {row: tuple(float(x) for x in found) for row, found in zip(OF_NANDA, values, strict=True)}


def blocks_kept(logits: np.ndarray, p: int) -> np.ndarray:
    """The logits' constant and, of each key frequency, the nine products of {constant, cos, sin} of a and of b."""
    basis = FourierBasis(p)
    spectrum = basis.transform_2d(logits.reshape(p, p, -1), axes=(0, 1))
    kept = np.zeros_like(spectrum)
    for k in KEYS:
        block = np.ix_([0, *basis.rows(k)], [0, *basis.rows(k)])
        kept[block] = spectrum[block]
    return np.einsum("fa,gb,fgc->abc", basis.matrix, basis.matrix, kept, optimize=True).reshape(p * p, -1)


def measured_pizza(snapshot: Snapshot) -> tuple[float, ...]:
    """The rows of `OF_PIZZAS`, measured."""
    logits, task = snapshot.logits, snapshot.task
    return (
        loss(logits, task, "all"),
        sum(sums_of_squared_weights(snapshot.weights).values()) ** 0.5,
        gradient_symmetricity(snapshot, triples=100, seed=42),
        gradient_symmetricity(snapshot),
        distance_irrelevance(logits, task),
        distance_irrelevance(logits, task, of="runner_up"),
    )


def main(folder: Path) -> None:
    write = sys.stdout.write
    with tempfile.TemporaryDirectory() as runs:
        run = import_run(folder / NANDA, Path(runs, "nanda"))
        write(f"{run.provenance['notes'][0]}\n\n| measure | here | computed by others |\n|---|---|---|\n")
        for row, found in measured_nanda(run.snapshot()).items():
            write(f"| {row} | {shown(found)} | {shown(OF_NANDA[row])} |\n")
        columns = {}
        for model, run_id in PIZZAS.items():
            run = import_run(folder / "pizza" / f"model_{run_id}.pt", Path(runs, run_id))
            columns[model] = measured_pizza(run.snapshot())
        write(f"\n| measure | {' | '.join(f'model {model}, `{run_id}`' for model, run_id in PIZZAS.items())} |\n")
        write("|---|---|---|\n")
        for at, (row, (published, computed)) in enumerate(OF_PIZZAS.items()):
            cells = [
                " / ".join("–" if x is None else f"{x:.6g}" for x in (found[at], published[model], computed[model]))
                for model, found in enumerate(columns.values())
            ]
            write(f"| {row} | {' | '.join(cells)} |\n")


def shown(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{x:.6g}" for x in numbers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
