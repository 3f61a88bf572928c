"""Print the tables of docs/reproduction.md about networks on groups: the released ones of Chughtai et al. 2023.

Usage: python docs/reproduction_groups.py FOLDER, which holds C113_T_seed1, D59_T_seed1 and S5_T_seed1.
"""

import json
import sys
from pathlib import Path

from grokinterp.analysis import chughtai_metrics, find_keys
from grokinterp.runs import chughtai_snapshot

NETWORKS = ("C113_T_seed1", "D59_T_seed1", "S5_T_seed1")
# Name in summary_metrics.json → what it is.
ROWS = {
    "train_loss": "train loss",
    "test_loss": "test loss",
    "percent_logits_explained": "logits: share of variance in characters",
    "percent_x_embed_explained": "W_E: share in the key irreps",
    "percent_unembed_explained": "W_out W_U: share in the key irreps",
    "percent_hidden_explained": "neurons: share in the key irreps, of a, b and ab",
    "percent_hidden_xy_explained": "neurons: share in the key irreps, of ab",
    "total_hidden_excluded_loss": "excluded loss, neurons, train pairs",
    "total_hidden_restricted_loss": "restricted loss, neurons, all pairs",
}


def main(folder: Path) -> None:
    write = sys.stdout.write
    columns = {}
    for name in NETWORKS:
        snapshot = chughtai_snapshot(folder / name)
        published = json.loads((folder / name / "summary_metrics.json").read_text())
        corrected, released = chughtai_metrics(snapshot), chughtai_metrics(snapshot, compat="released")
        columns[name] = corrected, released, published
        keys = find_keys(snapshot)
        assert snapshot.task.structure
        names = snapshot.task.structure.basis.irrep_names
        similarity = (
            f"{names[irrep]} {released[key]:.5f} / {published[key]:.5f}"
            for key, irrep in zip(_similarities(released), range(1, len(names)), strict=True)
            if irrep in keys.chosen
        )
        write(f"- {name}: {', '.join(similarity)}; all irreps by chance {keys.control.share:.1e}\n")
    write(f"\n| measure | {' | '.join(NETWORKS)} |\n|---|{'---|' * len(NETWORKS)}\n")
    for key, label in ROWS.items():
        cells = []
        for corrected, released, published in columns.values():
            right = "" if abs(corrected[key] / published[key] - 1) < 2e-4 else f"{corrected[key]:.6g}; released: "
            cells.append(f"{right}{released[key]:.6g} / {published[key]:.6g}")
        write(f"| {label} | {' | '.join(cells)} |\n")


def _similarities(metrics: dict[str, float]) -> list[str]:
    return [key for key in metrics if key.endswith("_rep_trace_similarity")]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
