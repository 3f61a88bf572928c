"""Print the tables of docs/reproduction.md: the shipped run beside the published curves.

Usage: python docs/reproduction_numbers.py mainline_curves_digitised.json [RUN_DIR]

The published curves were read off the vector figures of Nanda et al. 2023. Of each curve the drawn vertices are known;
only those at steps the run has are compared. A released checkpoint labelled epoch e has had e + 1 optimizer calls, the
first of which moves nothing, so it lies one step after our step e: less than the width of the line.
"""

import json
import sys
from pathlib import Path

import numpy as np

import grokinterp

KEYS = (14, 35, 41, 42, 52)


def at(curve: list[list[float]], step: int) -> float:
    """The published curve at `step`, between the nearest vertices on a log scale."""
    steps, values = np.array(curve).T
    return float(np.exp(np.interp(step, steps, np.log(values))))


def main(digitised: Path, run_dir: Path) -> None:
    published = json.loads(digitised.read_text())
    run = grokinterp.load_run(run_dir)
    report = grokinterp.analyze(run)
    metrics, measures = run.metrics.set_index("step"), report.curves.measures.set_index("step")
    write = sys.stdout.write

    write("Losses during memorization, at every drawn vertex up to step 1,300:\n\n")
    write("| curve | vertices | largest deviation | at step |\n|---|---|---|---|\n")
    for name in ("train", "test"):
        compared = {
            int(step): metrics.loc[step, f"{name}_loss"] / value - 1
            for step, value in published["mod_addition_loss_curve"][name]
            if step <= 1300 and step in metrics.index and np.isfinite(metrics.loc[step, f"{name}_loss"])
        }
        worst = max(compared, key=lambda step: abs(compared[step]))
        write(f"| {name} loss | {len(compared)} | {compared[worst]:+.2%} | {worst} |\n")

    curves = {
        "restricted loss, all pairs": ("restricted_loss", published["trig_loss"]["restricted_all"]),
        "excluded loss, all 56 (2-D)": (
            "excluded_loss_all_frequencies",
            published["excluded_loss_2D_full"]["excl_all56"],
        ),
        "excluded loss, all 56 (3-D)": (
            "excluded_loss_3d_all_frequencies",
            published["excluded_loss_3D_full"]["excl3D_all56"],
        ),
        "sum of squared weights": ("sum_of_squared_weights", published["sum_sq_weight_total"]["total"]),
    }
    for k in KEYS:
        curves[f"excluded loss, frequency {k} (2-D)"] = (
            f"excluded_loss_k{k}",
            published["excluded_loss_2D_key"][str(k)],
        )
    steps = [step for step in (200, 1000, 1400, 5000, 8000, 9400, 10000, 12000, 14000, 20000) if step in measures.index]
    write("\nMeasures at checkpoints (here / published; published values between vertices are interpolated):\n\n")
    write(f"| measure | {' | '.join(f'{step:,}' for step in steps)} |\n|---|{'---|' * len(steps)}\n")
    for label, (column, curve) in curves.items():
        cells = [f"{measures.loc[step, column]:.3g} / {at(curve, step):.3g}" for step in steps]
        write(f"| {label} | {' | '.join(cells)} |\n")

    write("\n```text\n" + "\n".join(report.finding) + "\n```\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "checkpoints/nanda-mainline"))
