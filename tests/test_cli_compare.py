"""`grokinterp compare` as a user meets it."""

import json

import pandas as pd
import pytest


def test_a_table_is_printed_and_three_files_are_written(run_command, tiny_run, tmp_path):
    status, out, error = run_command("compare", tiny_run.path, tiny_run.path, "--out", tmp_path / "c")
    assert (status, error) == (0, "")
    assert out.startswith("2 runs of (a + b) mod 7\nAll have the verdict ")
    for name in ("comparison.html", "comparison.json", "comparison.csv"):
        assert str(tmp_path / "c" / name) in out
        assert (tmp_path / "c" / name).stat().st_size > 0
    words = " ".join(out.split())
    for text in ("run run (2)", "verdict", "character", "(frequencies of Z_7)", "step 40, 9"):
        assert text in words
    table = pd.read_csv(tmp_path / "c" / "comparison.csv")
    assert table["run"].tolist() == ["run", "run (2)"]
    assert table["label"].notna().all()


def test_without_verdicts_and_where_it_is_written_by_itself(run_command, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = run_command("compare", tiny_run.path, tiny_run.path, "--no-verdict")
    assert status == 0
    assert "erdict for" not in out
    content = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    assert [found["verdict"] for found in content["runs"]] == [None, None]


def test_more_runs_than_there_is_room_for_stand_below(run_command, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = run_command("compare", *[tiny_run.path] * 5, "--no-verdict", "--out", tmp_path)
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["run", "run", "(2)"] in lines
    assert ["run", "(3)", "run", "(4)"] in lines
    assert ["run", "(5)"] in lines
    assert max(map(len, out.splitlines())) <= max(80, len(str(tmp_path / "comparison.html")))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["absent"], "only absent is given to compare: needs two run folders or more; name another one"),
        (["absent", "absent"], "absent: no such folder; give a run folder made by `grokinterp train`"),
    ],
)
def test_bad_input_is_one_line(run_command, given, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command("compare", *given) == (2, "", f"grokinterp: {says}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(run_command, tiny_run, tmp_path):
    (tmp_path / "file").write_text("")
    status, out, error = run_command(
        "compare", tiny_run.path, tiny_run.path, "--no-verdict", "--out", tmp_path / "file"
    )
    assert (status, out) == (2, "")
    assert f"cannot write {tmp_path / 'file'}: a file stands where a folder is needed" in error
    assert error.count("\n") == 1
