"""Runs and files that tests share."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from grokinterp.cli import main
from grokinterp.runs import Run, RunConfig, load_run
from grokinterp.training import train

ROOT = Path(__file__).parent.parent
TINY = [
    "task.p=7",
    "task.train_fraction=0.6",
    "model.n_heads=2",
    "model.d_head=8",
    "model.d_model=16",
    "model.d_mlp=24",
    "training.steps=40",
    "training.checkpoint_every=10",
    "training.save_every=15",
    "training.threads=1",
]

# Where tests run in the background of a shell, Ctrl-C is ignored, and so would be by the commands that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _state_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the user's state folder knows is neither read nor changed, by commands in other processes either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def run_command(capsys, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """The command line in this process, without the seconds of imports: status, output, what it said of errors."""

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["grokinterp", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return command


@pytest.fixture(scope="session")
def tiny_config() -> RunConfig:
    """A network that trains in under a second."""
    return RunConfig().with_settings(TINY)


@pytest.fixture(scope="session")
def tiny_run(tiny_config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tiny_config, tmp_path_factory.mktemp("tiny") / "run", progress=False)


@pytest.fixture(scope="session")
def mainline() -> Run:
    """The run that ships with the repository."""
    return load_run(ROOT / "checkpoints" / "nanda-mainline")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Other people's files, which are not part of the repository."""
    path = Path(os.environ.get("GROKINTERP_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip("other people's checkpoints are not here: set GROKINTERP_SHARED_DATA to their folder")
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium driven by Playwright, of which a process starts only one; without it the tests skip."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    playwright = pytest.importorskip("playwright.sync_api")
    if found is None:
        pytest.skip("no Chromium on the path: install one to drive the pages")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
