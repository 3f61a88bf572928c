"""Verdicts over a folder of runs: in parallel, resumable, and stopped by no bad run."""

import os
import shutil
import signal

import pytest

from grokinterp.errors import GrokinterpError
from grokinterp.runs import RunFolder
from grokinterp.verdict import verdicts
from grokinterp.verdict._batch import COLUMNS, _judge_one, read_rows, runs_below


@pytest.fixture
def runs(tiny_run, tmp_path):
    """Two good runs at different depths, one without its last checkpoint's bytes, one whose run.json is no JSON."""
    folder = tmp_path / "runs"
    for name in ("a", "deep/b", "broken", "garbled"):
        shutil.copytree(tiny_run.path, folder / name)
    broken = RunFolder(folder / "broken")
    broken.checkpoint_path(broken.steps()[-1]).write_bytes(b"")
    (folder / "garbled" / "run.json").write_text("{")
    return folder


@pytest.mark.long
def test_a_bad_run_is_reported_and_stops_nothing(runs, tmp_path):
    table, seen = tmp_path / "out" / "table.csv", []
    rows = verdicts(runs, table, jobs=2, on_row=seen.append)
    found = {row["run"]: row for row in rows}
    assert list(found) == ["a", "broken", "deep/b", "garbled"]
    assert found["a"]["label"] == found["deep/b"]["label"] != ""
    assert not found["a"]["error"]
    for bad in ("broken", "garbled"):
        assert found[bad]["label"] == ""
        assert bad in found[bad]["error"]
    assert {row["run"] for row in seen} == set(found)
    assert [row["run"] for row in read_rows(table)] == list(found)
    assert table.read_text().splitlines()[0] == ",".join(COLUMNS)
    # Mended runs are judged again, finished ones are not.
    shutil.copytree(runs / "a", runs / "garbled", dirs_exist_ok=True)
    seen.clear()
    again = verdicts(runs, table, jobs=1, on_row=seen.append)
    assert {row["run"] for row in seen} == {"broken", "garbled"}
    assert {row["run"]: row["label"] for row in again}["garbled"] == found["a"]["label"]


@pytest.mark.long
def test_a_process_that_dies_takes_only_its_own_run_with_it(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("grokinterp.verdict._batch._judge_one", dying_on_b)
    shutil.rmtree(runs / "broken")
    shutil.rmtree(runs / "garbled")
    found = {row["run"]: row for row in verdicts(runs, tmp_path / "table.csv", jobs=2)}
    assert found["a"]["error"] == ""
    assert found["deep/b"]["error"] == "its process died, for lack of memory perhaps; judge it by itself"


def dying_on_b(run, full):
    """At the top of the module, because processes find it by name."""
    if run.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return _judge_one(run, full)


@pytest.mark.long
def test_a_run_that_grew_is_judged_again(tiny_run, tmp_path):
    folder, table, seen = tmp_path / "runs", tmp_path / "table.csv", []
    shutil.copytree(tiny_run.path, folder / "a")
    verdicts(folder, table, jobs=1)
    run = RunFolder(folder / "a")
    shutil.copy(run.checkpoint_path(run.steps()[-1]), run.checkpoint_path(run.steps()[-1] + 5))
    verdicts(folder, table, jobs=1, on_row=seen.append)
    assert [row["step"] for row in seen] == [tiny_run.steps[-1] + 5]


def test_what_is_no_folder_of_runs(tmp_path):
    with pytest.raises(GrokinterpError, match=r"is no folder; give a folder of runs"):
        runs_below(tmp_path / "absent")
    with pytest.raises(GrokinterpError, match=r"holds no run; give a folder of runs"):
        runs_below(tmp_path)


def test_a_table_that_is_another(tiny_run, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("x,y\n1,2\n")
    with pytest.raises(GrokinterpError, match=r"table.csv is no table of verdicts: its columns are others"):
        verdicts(tiny_run.path, table)
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GrokinterpError, match=r"cannot be read as a table of verdicts"):
        verdicts(tiny_run.path, table)
