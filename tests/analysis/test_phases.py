"""Phases on curves drawn by hand, where the boundaries are known."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grokinterp.analysis import analyze, find_phases

P = 113
STEPS = np.arange(0, 1001, 10)


def curves(grokked: bool = True, memorised: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Memorises by 100, excluded loss least at 200, test loss under ln p from 610 on, weights settled at 800."""
    train_accuracy = np.where(STEPS >= 100, 1.0, 0.2) if memorised else np.full(len(STEPS), 0.2)
    excluded = np.abs(STEPS - 200) / 100 + 0.1
    test_loss = np.where(STEPS >= 610, 0.01, 20.0) if grokked else np.full(len(STEPS), 20.0)
    test_loss[0] = 4.7  # An untrained network guesses: below ln p = 4.73, and no sign of cleanup.
    test_accuracy = np.where(STEPS >= 700, 1.0, 0.1) if grokked else np.full(len(STEPS), 0.1)
    squares = np.where(STEPS >= 800, 100.0, 300.0)
    columns = {"step": STEPS, "test_loss": test_loss, "train_accuracy": train_accuracy, "test_accuracy": test_accuracy}
    metrics = pd.DataFrame(columns)
    return metrics.assign(excluded_loss=excluded, sum_of_squared_weights=squares), metrics


def test_the_three_phases_of_a_network_that_groks():
    phases = find_phases(*curves(), P)
    assert (phases.memorization, phases.circuit_formation, phases.cleanup) == ((0, 200), (200, 610), (610, 800))
    assert (phases.train_accuracy_sustained, phases.test_accuracy_sustained) == (100, 700)


def test_a_network_that_only_memorised_has_no_cleanup():
    phases = find_phases(*curves(grokked=False), P)
    assert (phases.memorization, phases.circuit_formation, phases.cleanup) == ((0, 200), (200, 1000), None)
    assert phases.test_accuracy_first is None


def test_a_network_that_learned_nothing_has_no_phases():
    phases = find_phases(*curves(grokked=False, memorised=False), P)
    assert (phases.memorization, phases.circuit_formation, phases.cleanup) == (None, None, None)
    assert phases.train_accuracy_first is None


def test_a_relapse_counts_against_sustained_but_not_first():
    measures, metrics = curves()
    metrics.loc[metrics["step"] == 900, ["test_accuracy", "test_loss"]] = [0.5, 9.0]
    phases = find_phases(measures, metrics, P)
    assert (phases.test_accuracy_first, phases.test_accuracy_sustained) == (700, 910)
    assert phases.cleanup == (910, 910)


def test_an_easy_split_that_never_does_worse_than_a_guess_has_phases_in_order():
    measures, metrics = curves()
    measures["test_loss"] = metrics["test_loss"] = 1.0
    phases = find_phases(measures, metrics, P)
    assert (phases.memorization, phases.circuit_formation, phases.cleanup) == ((0, 100), None, (100, 800))


def test_a_run_whose_checkpoints_begin_after_it_generalised_has_no_early_phases():
    measures, metrics = curves()
    phases = find_phases(measures[measures["step"] >= 900], metrics, P)
    assert (phases.memorization, phases.circuit_formation, phases.cleanup) == (None, None, (610, 900))


@pytest.mark.parametrize("row", [0, 15, 30, -1])
def test_a_network_that_is_seen_once_has_no_history(row):
    """Whether it has learned nothing, memorised or grokked: nobody knows since when."""
    measures, metrics = curves()
    for known in (metrics.iloc[[row]], metrics.iloc[:0], pd.DataFrame()):
        assert set(vars(find_phases(measures.iloc[[row]], known, P)).values()) == {None}


def test_of_one_checkpoint_the_metrics_know_when_and_the_phases_are_not_known():
    measures, metrics = curves()
    phases = find_phases(measures.iloc[[-1]], metrics, P)
    assert (phases.memorization, phases.circuit_formation, phases.cleanup) == (None, None, None)
    assert (phases.train_accuracy_first, phases.test_accuracy_sustained) == (100, 700)


def test_checkpoints_know_more_than_metrics_that_were_cut_short():
    measures, metrics = curves()
    assert find_phases(measures, metrics.iloc[:1], P) == find_phases(measures, metrics, P)


def test_the_report_of_one_checkpoint_says_nothing_of_when(mainline, tmp_path):
    shutil.copytree(mainline.path, tmp_path / "last")
    (tmp_path / "last" / "metrics.jsonl").unlink()
    for file in sorted((tmp_path / "last" / "checkpoints").iterdir())[:-1]:
        file.unlink()
    report = analyze(tmp_path / "last")
    content = report.to_dict()
    assert content["final"]["test_accuracy"] == 1
    assert content["phases"] == {"memorization": None, "circuit_formation": None, "cleanup": None}
    assert content["accuracy_99"] == {data: {"first": None, "sustained": None} for data in ("train", "test")}
    assert not any("step" in sentence for sentence in report.finding)
    # What is known of unseen pairs alone, as where wrong labels were not learned, is said alone.
    only_test = replace(report.phases, test_accuracy_sustained=700)
    twice = replace(report.curves, measures=pd.concat([report.curves.measures] * 2))
    told = replace(report, phases=only_test, curves=twice).finding
    assert told[-1] == "From step 700 on it answers at least 99 % of unseen pairs."


def test_without_a_group_phases_go_by_the_accuracies_and_the_test_loss():
    measures, metrics = curves()
    phases = find_phases(measures.drop(columns="excluded_loss"), metrics, P)
    assert (phases.memorization, phases.circuit_formation, phases.cleanup) == ((0, 100), (100, 610), (610, 800))
    measures, metrics = curves(grokked=False)
    phases = find_phases(measures.drop(columns="excluded_loss"), metrics, P)
    assert (phases.memorization, phases.circuit_formation, phases.cleanup) == ((0, 100), None, None)


def test_the_phases_of_the_mainline_are_near_those_the_paper_reads_off_by_eye(mainline):
    from grokinterp.analysis import curves as measure_curves

    measures = measure_curves(mainline, (14, 35, 41, 42, 52)).measures
    phases = find_phases(measures, mainline.metrics, P)
    found = [phases.memorization[1], phases.circuit_formation[1], phases.cleanup[1]]
    assert found == pytest.approx([1400, 9400, 14000], rel=0.1)
