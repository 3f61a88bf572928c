"""What is measured: small callables that do the same work in different ways."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from grokinterp.models import cross_entropy, hooked_transformer
from grokinterp.runs import RunConfig, load_run
from grokinterp.tasks import Task
from grokinterp.training import Trainer

MAINLINE = Path(__file__).parent.parent / "checkpoints" / "nanda-mainline"
CONFIG = RunConfig.preset("nanda-mainline")


def plain_step() -> Callable[[], float]:
    """A training step of the mainline as TransformerLens' demo writes it: the whole HookedTransformer, AdamW."""
    task = Task(CONFIG.task)
    model = hooked_transformer(CONFIG.model, task)
    parameters = [w for w in model.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1.0, betas=(0.9, 0.98))
    tokens = task.tokens[torch.from_numpy(task.split.train)]
    answers = torch.from_numpy(task.answers[task.split.train])

    def step() -> float:
        loss = cross_entropy(model(tokens)[:, -1], answers)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def fast_step(summation: str = "rows") -> Callable[[], float]:
    """The same step as `grokinterp train` takes it; the mainline preset sums by `products`, other runs by `rows`."""
    config = CONFIG.with_settings([f"training.summation={summation}"])
    trainer = Trainer(config, Task(CONFIG.task), torch.device("cpu"))
    number = 10  # Past the warm-up: the rate of the plain step.

    def step() -> float:
        loss = trainer.losses(number, evaluate=False)["train_loss"]
        trainer.update(number)
        return loss

    return step


def measured_checkpoint() -> Callable[[], object]:
    """All curves of one checkpoint: read from disk, evaluated on all pairs, measured."""
    from grokinterp.analysis import embedding_spectrum, logit_map_spectrum, measure

    run = load_run(MAINLINE)

    def step() -> object:
        snapshot = run.snapshot(run.last_step)
        return measure(snapshot, (14, 35, 41, 42, 52)), embedding_spectrum(snapshot), logit_map_spectrum(snapshot)

    return step


def output_of(*command: str) -> str:
    """What a command in a fresh Python prints."""
    return subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True).stdout


def seconds_of(*command: str) -> float:
    """Wall-clock of a command in a fresh Python."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - start
