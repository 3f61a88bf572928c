"""Runs side by side say what each says by itself."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import grokinterp
from grokinterp.analysis import COMPARED_CURVES, Phases, analyze, compare_runs
from grokinterp.errors import GrokinterpError
from grokinterp.training import train
from grokinterp.verdict import find_verdict


@pytest.fixture(scope="module")
def other_run(tiny_config, tmp_path_factory):
    """Another task, with other checkpoints, in a folder of the same name."""
    config = tiny_config.with_settings(["task.p=5", "training.steps=30", "training.checkpoint_every=15"])
    return train(config, tmp_path_factory.mktemp("other") / "run", progress=False)


@pytest.fixture(scope="module")
def comparison(tiny_run, other_run):
    return grokinterp.compare([tiny_run, other_run.path])


def test_each_run_is_what_its_report_says(comparison, tiny_run, other_run):
    for compared, run in zip(comparison.runs, (tiny_run, other_run), strict=True):
        report = analyze(run)
        assert compared.phases == report.phases
        assert compared.keys == report.key_irreps
        assert compared.group == report.circuit.structure.group_name
        assert compared.step == report.snapshot.step
        np.testing.assert_array_equal(compared.logit_share, report.circuit.logits.share)
        pd.testing.assert_frame_equal(compared.measures, report.curves.measures)
        assert compared.final == {name: report.final[name] for name in COMPARED_CURVES}


def test_its_verdict_is_the_verdict(comparison, tiny_run):
    alone = find_verdict(tiny_run, full=False)
    found = comparison.runs[0].verdict
    assert (found.label, found.headline) == (alone.label, alone.headline)
    np.testing.assert_equal((found.explained, found.loss_recovered), (alone.explained, alone.loss_recovered))


def test_the_table_has_a_row_per_run(comparison, tiny_run, other_run):
    table = comparison.table
    assert table["path"].tolist() == [str(tiny_run.path), str(other_run.path)]
    assert table["task"].tolist() == ["(a + b) mod 7", "(a + b) mod 5"]
    assert table["step"].tolist() == [40, 30]
    assert table["checkpoints"].tolist() == [len(tiny_run.steps), len(other_run.steps)]
    assert table["label"].notna().all()
    for steps in ("train_accuracy_first", "test_accuracy_sustained", "delay"):
        assert str(table[steps].dtype) == "Int64"


def test_runs_of_one_name_are_told_apart_by_their_paths(comparison, tiny_run, other_run):
    names = [f"{run.path.parent.name}/run" for run in (tiny_run, other_run)]
    assert comparison.table["run"].tolist() == names


def test_curves_are_aligned_by_step(comparison, tiny_run, other_run):
    aligned = comparison.aligned("excluded_loss")
    assert aligned.index.tolist() == sorted({*tiny_run.steps, *other_run.steps})
    assert list(aligned.columns) == list(comparison.names)
    for name, run in zip(comparison.names, (tiny_run, other_run), strict=True):
        assert aligned[name].dropna().index.tolist() == run.steps
        measures = analyze(run).curves.measures.set_index("step")
        np.testing.assert_array_equal(aligned[name].dropna(), measures["excluded_loss"])
    assert len(comparison.curves) == len(tiny_run.steps) + len(other_run.steps)


def test_the_same_run_twice_is_measured_once(tiny_run, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tiny_run.path)
    told = []
    comparison = compare_runs([tiny_run.path, link, tiny_run], on_part=told.append)
    assert comparison.names == ("run", "run (2)", "run (3)")
    assert told.count("run: key irreps") == 1
    assert not any("(2)" in part for part in told)
    first, *rest = comparison.table.drop(columns="run").to_dict(orient="records")
    for row in rest:
        np.testing.assert_equal(row, first)


def test_without_a_judge_there_is_no_verdict(tiny_run):
    comparison = grokinterp.compare([tiny_run, tiny_run], verdict=False)
    assert comparison.runs[0].verdict is None
    assert comparison.table["label"].isna().all()
    assert comparison.to_dict()["runs"][0]["verdict"] is None


def test_of_one_checkpoint_nobody_knows_when_it_learned(tiny_run, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "last")
    (tmp_path / "last" / "metrics.jsonl").unlink()
    for file in sorted((tmp_path / "last" / "checkpoints").iterdir())[:-1]:
        file.unlink()
    comparison = compare_runs([tmp_path / "last", tiny_run])
    last = comparison.runs[0]
    assert len(last.measures) == 1
    assert last.phases == Phases()
    assert last.delay is None


def test_a_task_without_a_group(tiny_config, tiny_run, tmp_path):
    table = [[(a * b + a) % 4 for b in range(4)] for a in range(4)]
    settings = ["task.operation=table", f"task.table={json.dumps(table)}", "training.steps=20"]
    run = train(tiny_config.with_settings(settings), tmp_path / "free", progress=False)
    assert run.task.structure is None
    found = compare_runs([run, tiny_run]).runs[0]
    assert (found.group, found.keys, found.irrep_names) == (None, (), ())
    assert np.isnan(found.final["restricted_loss"])
    assert found.final["all_loss"] == analyze(run).final["all_loss"]


def test_what_is_written_is_plain_json(comparison):
    content = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert content["schema_version"] == 1
    first = content["runs"][0]
    assert first["curves"]["step"] == comparison.runs[0].measures["step"].tolist()
    assert list(first["logit_share"]) == list(comparison.runs[0].irrep_names)
    assert first["final"]["test_loss"] == comparison.runs[0].final["test_loss"]


@pytest.mark.parametrize("given", [0, 1])
def test_fewer_than_two_runs(given, tiny_run):
    with pytest.raises(GrokinterpError) as refused:
        grokinterp.compare([tiny_run.path] * given)
    start = f"only {tiny_run.path} is" if given else "no run is"
    assert str(refused.value) == f"{start} given to compare: needs two run folders or more; name another one"


def test_a_measure_that_is_not_compared(comparison):
    with pytest.raises(GrokinterpError, match=r"measure 'gini': not compared; choose one of train_loss, test_loss, "):
        comparison.aligned("gini")


def test_the_published_run_grokked_at_its_known_step(mainline):
    """By its own metrics, which say more steps than the checkpoints."""
    measured = compare_runs([mainline, mainline])
    metrics = mainline.metrics.dropna(subset=["test_accuracy"])
    below = metrics["step"][metrics["test_accuracy"] < 0.99].max()
    row = measured.table.iloc[0]
    assert row["test_accuracy_sustained"] == metrics["step"][metrics["step"] > below].min() == 10330
    assert row["keys"] == "14 35 41 42 52"
    assert row["delay"] == 10330 - 140
