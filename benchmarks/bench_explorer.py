"""How large the report's page is, how soon it is seen, and how long a move of its slider takes.

`python -m benchmarks` shows it with the rest; `python benchmarks/bench_explorer.py [RUN_DIR]` prints those of a run as
JSON. Needs Playwright and a Chromium.
"""

import json
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

from grokinterp.analysis import analyze
from grokinterp.report import render_page
from grokinterp.runs import load_run

MAINLINE = Path(__file__).parent.parent / "checkpoints" / "nanda-mainline"
PANELS = ("curves", "circles", "neurons", "spectrum", "logits", "logit-map", "rows")


@dataclass(frozen=True)
class Explored:
    """Times of one run's page.

    - `render`: seconds to make it; `first_views`: from its address to the first drawing, of three tabs.
    - `moves`: panel on the screen → milliseconds of each move of the slider, there and back over all checkpoints; the
      first visit of a step decodes its weights.
    """

    render: float
    megabytes: float
    first_views: list[float]
    moves: dict[str, list[float]]


def chromium() -> str | None:
    """Where a browser is."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def explore(run_dir: str | Path = MAINLINE) -> Explored:
    """Time one run's page."""
    report = analyze(load_run(run_dir))
    start = time.perf_counter()
    html = render_page(report)
    render = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(html, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        firsts = []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            start = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_function("Boolean(window.grokinterp?.drawn?.count)", polling=5)
            firsts.append(time.perf_counter() - start)
        page.wait_for_timeout(5000)  # The figures further down are drawn.
        last = page.evaluate("grokinterp.view.data.steps.length") - 1
        moves: dict[str, list[float]] = {}
        for panel in PANELS if last else ():
            page.evaluate(f"document.getElementById('panel-{panel}')?.scrollIntoView()")
            page.wait_for_timeout(400)
            times = []
            for index in [*range(last + 1), *range(last, -1, -1)]:
                times.append(
                    page.evaluate(f"{{const t = performance.now(); grokinterp.goTo({index}); performance.now() - t}}")
                )
                page.wait_for_timeout(20)
            moves[panel] = times
        browser.close()
    return Explored(render, len(html.encode()) / 1e6, firsts, moves)


def main(run_dir: str | Path) -> dict[str, object]:
    found = asdict(explore(run_dir))
    found["moves"] = {
        panel: {"median_ms": round(statistics.median(times), 1), "longest_ms": round(max(times), 1)}
        for panel, times in found["moves"].items()
    }
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1] if len(sys.argv) > 1 else MAINLINE), indent=2))
