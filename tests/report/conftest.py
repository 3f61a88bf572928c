"""Small runs, analysed once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from grokinterp.analysis import Report, analyze
from grokinterp.runs import RunConfig
from grokinterp.training import train
from grokinterp.verdict import Verdict, find_verdict, measure_network, with_random_weights

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
def s3_verdict(analysed: Callable[..., Report]) -> Verdict:
    """S3 as if its irreps were found: the figures need no network that has learned it."""
    found = analysed("task.operation=compose", "task.group=S3", "training.steps=20", "model.d_mlp=12", name="s3")
    verdict = find_verdict(found.run)
    measured, null = (
        measure_network(snapshot, (1, 2)) for snapshot in (found.snapshot, with_random_weights(found.snapshot))
    )
    judgement = replace(verdict.judgement, label="irrep ((2,1))", account=measured.accounts["irrep"])
    return replace(verdict, judgement=judgement, measured=measured, nulls={"random_weights": null})
