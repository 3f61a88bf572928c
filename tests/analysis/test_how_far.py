"""How far a network is: one classification, which finding, verdict and `watch` all give."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exact_network import exact_snapshot

from grokinterp.analysis import HOW_FAR_THRESHOLDS, NEVER, STAGES, Before, analyze, how_far, how_far_of
from grokinterp.cli._following import RunFollower
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import RunConfig, RunFolder, Snapshot, load_run
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import find_verdict

PAGE = (Path(__file__).parents[2] / "docs" / "how-far.md").read_text()
TASK = Task(TaskConfig(p=113))
KNEW = Before(train=100)
HAD = Before(train=100, test=900)


@pytest.mark.parametrize(
    ("train", "test", "before", "stage"),
    [
        (0.0091, 0.0087, NEVER, "untrained"),
        (0.30, 0.005, NEVER, "memorising"),
        (0.98, 0.03, NEVER, "memorising"),
        (1.0, 0.0784, NEVER, "memorised"),
        (1.0, 0.447, NEVER, "memorised"),
        (1.0, 0.48, NEVER, "generalising"),
        (1.0, 0.777, NEVER, "generalising"),
        (0.6, 0.62, NEVER, "generalising"),  # An easy task: nothing was memorised first.
        (1.0, 0.979, NEVER, "nearly generalised"),
        (1.0, 0.9899, HAD, "nearly generalised"),  # It wavers about 99 %.
        (1.0, 0.991, NEVER, "generalised"),
        (0.9, 0.995, NEVER, "generalised"),  # A tenth of the labels is wrong, and not learned.
        (1.0, 0.60, HAD, "lost"),
        (0.009, 0.009, HAD, "lost"),
        (0.5, 0.01, KNEW, "lost"),
        (0.95, 0.03, KNEW, "memorised"),
        (math.nan, 0.5, NEVER, "generalising"),
        (1.0, math.nan, NEVER, "memorised"),
    ],
)
def test_stages_where_the_split_is_known(train, test, before, stage):
    far = how_far(TASK, train=train, test=test, every=0.5, before=before)
    assert far.stage == stage
    assert far.sentence.startswith(f"This network {STAGES[stage].predicate}: ")
    assert all("nan" not in text and "–" not in text for text in (far.sentence, far.short))


@pytest.mark.parametrize(
    ("every", "before", "stage"),
    [
        (0.009, NEVER, "untrained"),
        (0.35, NEVER, "partly learned"),
        (0.968, NEVER, "partly learned"),
        (0.993, NEVER, "learned"),
        (0.5, Before(every=80), "lost"),
        (0.968, Before(every=80), "partly learned"),
    ],
)
def test_stages_where_the_split_is_unknown(every, before, stage):
    far = how_far(TASK, every=every, before=before)
    assert far.stage == stage
    assert "of all pairs" in far.sentence
    assert far.sentence.endswith("Which pairs it was trained on is unknown.")


def test_sentences_say_every_number():
    nearly = how_far(TASK, train=1.0, test=0.979)
    assert nearly.sentence == (
        "This network has nearly generalised: it answers 100 % of its training pairs and 97.9 % of the unseen ones; "
        "99.0 % counts as generalised, guessing gives 0.885 %."
    )
    assert how_far(TASK, train=1.0, test=0.12, before=HAD).sentence == (
        "This network has lost what it had learned: at step 900 it answered at least 99 % of the unseen pairs; now it "
        "answers 100 % of its training pairs and 12.0 % of the unseen ones; guessing gives 0.885 %."
    )
    assert how_far(TASK, train=0.5, test=0.1, loss=math.nan).sentence == (
        "This network has diverged: its loss is not a finite number."
    )


def test_guessing_is_giving_the_commonest_answer():
    """Of a · b mod 11, 21 of 121 are zero; a table with nine zeros in ten is no better known at 90 %."""
    zeros = Task(TaskConfig(operation="table", table=["0,0,0,0,0", "0,0,0,0,0", "0,0,0,0,1", "0,0,0,0,1"]))
    assert how_far(Task(TaskConfig(p=11, operation="multiply")), train=0.2, test=0.2).guess == pytest.approx(21 / 121)
    assert how_far(zeros, train=0.9, test=0.89).stage == "untrained"


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("p", [5, 23])
def test_untrained_networks_are_no_better_than_guessing(p, seed):
    task, config = Task(TaskConfig(p=p)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24, seed=seed)
    assert how_far_of(Snapshot(0, task, config, initial_weights(config, task))).stage == "untrained"


def test_wrong_labels_that_were_learned_are_known():
    """Memorised is what the network was told, not what is right."""
    task = Task(TaskConfig(p=11, noise=10, train_fraction=0.5))
    snapshot = _answering(task, task.labels[task.split.train])
    assert (how_far_of(snapshot).train, how_far_of(snapshot).stage) == (1.0, "memorised")


def _answering(task: Task, train_answers: np.ndarray) -> Snapshot:
    logits = np.zeros((task.n_pairs, task.n_answers))
    logits[task.split.train, train_answers] = 10
    return exact_snapshot(task, logits)


def test_the_history_is_of_the_steps_before():
    evaluated = pd.DataFrame(
        {"step": [0, 10, 20, 30], "train_accuracy": [0, 1, 1, 1], "test_accuracy": [0, 0.995, 0.5, 1]}
    )
    assert Before.of(evaluated, 30) == Before(20, 10)
    assert Before.of(evaluated, 10) == NEVER
    told = NEVER
    for row in evaluated.itertuples():
        told = told.then(row.step, {"train_accuracy": float(row.train_accuracy), "test_accuracy": row.test_accuracy})
    assert told == Before.of(evaluated, 31)
    assert Before.of(pd.DataFrame(), 5) == NEVER


# The page.


def test_the_bounds_are_documented_as_they_are():
    rows = re.findall(r"^\| `(\w+)` \| ([≥≤] [\d.]+) \| (.*) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    assert rows == [(name, str(bound), bound.says, bound.why) for name, bound in HOW_FAR_THRESHOLDS.items()]


def test_the_stages_are_documented_as_they_are():
    rows = re.findall(r"^\| `([\w ]+)` \| .* \| (.*) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    documented = {(stage, says, label.strip("`")) for stage, says, label in rows if stage not in HOW_FAR_THRESHOLDS}
    algorithm = "an algorithm, or `unexplained"
    assert documented == {(stage, words.predicate, words.label or algorithm) for stage, words in STAGES.items()}


# One run, from untrained to lost again.

# Shares of train and unseen pairs that are right at steps 0, 10, …, and what the network is then.
LIFE = [
    (0.05, 0.05, "untrained"),
    (0.10, 0.06, "untrained"),
    (0.40, 0.05, "memorising"),
    (0.70, 0.08, "memorising"),
    (0.95, 0.10, "memorising"),
    (1.00, 0.12, "memorised"),
    (1.00, 0.25, "memorised"),
    (0.96, 0.25, "memorised"),
    (1.00, 0.40, "memorised"),
    (1.00, 0.60, "generalising"),
    (1.00, 0.78, "generalising"),
    (1.00, 0.88, "generalising"),
    (1.00, 0.93, "nearly generalised"),
    (1.00, 0.98, "nearly generalised"),
    (1.00, 1.00, "generalised"),
    (1.00, 0.98, "nearly generalised"),
    (1.00, 1.00, "generalised"),
    (1.00, 0.80, "lost"),
    (0.50, 0.30, "lost"),
    (0.05, 0.05, "lost"),
]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 checkpoints, tables that answer so many pairs, with the metrics that a training writes."""
    task, random = Task(TaskConfig(p=11, train_fraction=0.5)), np.random.default_rng(0)
    folder = RunFolder(tmp_path_factory.mktemp("life") / "run")
    folder.checkpoints_path.mkdir(parents=True)
    for number, (train, test, _) in enumerate(LIFE):
        said = (task.answers + random.integers(1, 11, task.n_pairs)) % 11
        for pairs, share in ((task.split.train, train), (task.split.test, test)):
            right = random.permutation(pairs)[: round(share * len(pairs))]
            said[right] = task.answers[right]
        snapshot = exact_snapshot(task, 10.0 * np.eye(11)[said])
        folder.write_checkpoint(10 * number, snapshot.weights)
        accuracies = {
            name: float((said == task.answers)[pairs].mean())
            for name, pairs in (("train_accuracy", task.split.train), ("test_accuracy", task.split.test))
        }
        row = {"step": 10 * number, "train_loss": 1.0, "test_loss": 1.0, **accuracies}
        with folder.metrics_path.open("a") as file:
            file.write(json.dumps(row) + "\n")
    config = RunConfig(task=task.config, model=snapshot.config).with_settings(["training.steps=190"])
    folder.write_record({"config": config.model_dump(mode="json"), "environment": {}})
    return folder.path


@pytest.mark.parametrize("number", range(len(LIFE)))
@pytest.mark.parametrize("has_metrics", [True, pytest.param(False, marks=pytest.mark.long)])
def test_finding_verdict_and_watch_say_the_same(life: Path, tmp_path: Path, number: int, has_metrics: bool):
    """Also where no metrics are kept, as in imported runs: then the earlier checkpoints are looked at."""
    shutil.copytree(life, tmp_path / "run")
    for step in range(10 * number + 10, 10 * len(LIFE), 10):
        RunFolder(tmp_path / "run").checkpoint_path(step).unlink()
    metrics = tmp_path / "run" / "metrics.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[: number + 1] if has_metrics else []))
    run = load_run(tmp_path / "run")
    report, verdict = analyze(run), find_verdict(run, full=False, triples=100)
    stage = LIFE[number][2]
    words = STAGES[stage]
    assert (report.how_far.stage, verdict.how_far.stage) == (stage, stage)
    assert verdict.how_far.sentence == report.how_far.sentence
    assert report.to_dict()["how_far"] == {"stage": stage, "says": report.how_far.sentence}
    assert verdict.to_dict()["verdict"]["stage"] == stage
    if words.label:
        assert words.predicate in report.finding[0]
        assert verdict.label == words.label
        assert words.predicate in verdict.headline
    else:
        assert verdict.label not in ("memorised", "not generalised")
    state = RunFollower(run.path).state()
    if has_metrics:
        assert state.how_far.stage == stage
        assert state.phase.startswith(words.predicate)
        assert state.how_far.sentence == report.how_far.sentence
    else:
        assert state.how_far is None
