"""Runs side by side, each with its verdict."""

from collections.abc import Callable, Sequence
from pathlib import Path

from grokinterp.analysis import Comparison, Judged, compare_runs
from grokinterp.runs import Run

from ._verdict import find_verdict


def compare(
    runs: Sequence[Run | str | Path], *, verdict: bool = True, on_part: Callable[[str], object] | None = None
) -> Comparison:
    """Measure runs alike and put them side by side, aligned by step; their tasks may differ.

    ```python
    comparison = grokinterp.compare(["runs/decay-1", "runs/decay-0.1"])
    comparison.table[["run", "label", "keys", "test_accuracy_sustained", "test_loss"]]
    comparison.aligned("excluded_loss").plot(logy=True)
    ```

    **Arguments:**

    - `runs`: at least two, as `Run` or as the path of a folder; the same one twice is measured once.
    - `verdict`: whether to judge the last checkpoint of each, by what the rules look at (`find_verdict(full=False)`).
    - `on_part`: called with the name of each part before it is measured.

    **Raises** `GrokinterpError` for fewer than two runs, and for a folder that holds no run.
    """

    def judge(run: Run, step: int) -> Judged:
        found = find_verdict(run, step=step, full=False)
        return Judged(found.label, found.headline, found.explained, found.loss_recovered, found.share_name)

    return compare_runs(runs, judge if verdict else None, on_part=on_part)
