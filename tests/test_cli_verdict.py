"""`grokinterp verdict` as a user meets it."""

import json
import shutil

import pytest


def test_a_verdict_is_printed_and_written(run_command, tiny_run, tmp_path):
    status, out, _ = run_command("verdict", tiny_run.path, "--out", tmp_path / "v")
    assert status == 0
    label = out.partition(":")[0]
    content = json.loads((tmp_path / "v" / "verdict.json").read_text())
    assert content["verdict"]["label"] == label
    assert content["verdict"]["headline"] in out
    assert str(tmp_path / "v" / "verdict.html") in out
    assert "parts" not in content
    assert content["ablations"]


def test_a_quick_verdict_of_an_earlier_step(run_command, tiny_run, tmp_path):
    status, *_ = run_command("verdict", tiny_run.path, "--quick", "--step", 10, "--out", tmp_path)
    content = json.loads((tmp_path / "verdict.json").read_text())
    assert (status, content["run"]["step"]) == (0, 10)
    assert "ablations" not in content


def test_the_report_leads_with_it_unless_told_not_to(run_command, tiny_run, tmp_path):
    status, out, _ = run_command("analyze", tiny_run.path, "--out", tmp_path / "with")
    report = json.loads((tmp_path / "with" / "report.json").read_text())
    assert status == 0
    assert out.startswith(f"{report['verdict']['label']}: {report['verdict']['headline']}")
    run_command("analyze", tiny_run.path, "--no-verdict", "--out", tmp_path / "without")
    assert "verdict" not in json.loads((tmp_path / "without" / "report.json").read_text())


@pytest.mark.long
def test_a_table_of_many_runs(tiny_run, run_command, tmp_path):
    shutil.copytree(tiny_run.path, tmp_path / "runs" / "good")
    shutil.copytree(tiny_run.path, tmp_path / "runs" / "bad")
    (tmp_path / "runs" / "bad" / "run.json").write_text("{")
    table = tmp_path / "table.csv"
    status, out, error = run_command("verdict", tmp_path / "runs", "--csv", table, "--quick", "--jobs", "1")
    assert status == 0, error
    assert f"2 runs, 1 of them without a verdict; the table is {table}" in out.replace("\n", " ")
    assert len(table.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["absent"], "absent"),
        (
            ["hf://user/repo"],
            "hf://user/repo is not on this machine: needs --out, the folder to write the verdict into",
        ),
        (
            [".", "--csv", "t.csv", "--out", "x"],
            "--csv judges the last step of many runs: needs neither --out nor --step",
        ),
        (["absent", "--csv", "t.csv"], "absent is no folder; give a folder of runs"),
    ],
)
def test_bad_input_is_one_line(run_command, arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, error = run_command("verdict", *arguments)
    assert (status, out) == (2, "")
    assert error.startswith("grokinterp: ")
    assert error.count("\n") == 1
    assert says in error


def test_a_step_that_is_not_kept(run_command, tiny_run):
    status, _, error = run_command("verdict", tiny_run.path, "--step", 7)
    assert status == 2
    assert "step 7" in error
    assert "the nearest is" in error
