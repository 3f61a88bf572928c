"""How large the report's page is, how soon it is seen, and how long a move of its slider takes.

    python benchmarks/bench_explorer.py [RUN_DIR]

prints JSON: megabytes; seconds until the explorer is drawn; per view that is on the screen, the median and the longest
milliseconds of a slider move, first visits of a step (decoding its weights) included. Needs Playwright and a Chromium.
"""

import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from grokinterp.analysis import analyze
from grokinterp.report import render_page
from grokinterp.runs import load_run

MAINLINE = Path(__file__).parent.parent / "checkpoints" / "nanda-mainline"
PANELS = ("curves", "circles", "neurons", "spectrum", "logits", "logit-map", "rows")


def main(run_dir: str | Path) -> dict[str, object]:
    """Time one run's page."""
    report = analyze(load_run(run_dir))
    start = time.perf_counter()
    html = render_page(report)
    found: dict[str, object] = {
        "render_s": round(time.perf_counter() - start, 2),
        "megabytes": len(html.encode()) / 1e6,
    }
    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(html)
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        firsts = []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            start = time.perf_counter()
            page.goto(path.as_uri())
            while not page.evaluate("Boolean(window.grokinterp?.drawn?.count)"):
                page.wait_for_timeout(5)
            firsts.append(round(time.perf_counter() - start, 2))
        found["first_view_s"] = firsts
        page.wait_for_timeout(5000)  # The figures further down are drawn.
        last = page.evaluate("grokinterp.view.data.steps.length") - 1
        moves: dict[str, dict[str, float]] = {}
        for panel in PANELS if last else ():
            page.evaluate(f"document.getElementById('panel-{panel}')?.scrollIntoView()")
            page.wait_for_timeout(400)
            times = []
            for index in [*range(last + 1), *range(last, -1, -1)]:
                times.append(
                    page.evaluate(f"{{const t = performance.now(); grokinterp.goTo({index}); performance.now() - t}}")
                )
                page.wait_for_timeout(20)
            moves[panel] = {"median_ms": round(statistics.median(times), 1), "longest_ms": round(max(times), 1)}
        found["slider_moves"] = moves
        browser.close()
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1] if len(sys.argv) > 1 else MAINLINE), indent=2))
