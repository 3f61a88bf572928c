"""Small runs, analysed once."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from grokinterp.analysis import Report, analyze
from grokinterp.runs import RunConfig
from grokinterp.training import train

SMALL = [
    "model.d_model=8",
    "model.n_heads=2",
    "model.d_head=4",
    "model.d_mlp=6",
    "training.checkpoint_every=20",
    "training.threads=1",
]


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Report]:
    """Train with settings on top of the small ones, in a folder of this name, and analyse."""

    def analysed(*settings: str, name: str = "run") -> Report:
        out = tmp_path_factory.mktemp("report") / name
        return analyze(train(RunConfig().with_settings([*SMALL, *settings]), out, progress=False))

    return analysed


@pytest.fixture(scope="session")
def report(analysed: Callable[..., Report]) -> Report:
    return analysed("task.p=7", "training.steps=60")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium driven by Playwright; without one the tests skip."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    playwright = pytest.importorskip("playwright.sync_api")
    if found is None:
        pytest.skip("no Chromium on the path: install one to drive the pages")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
