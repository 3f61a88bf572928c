"""Settings, records, metrics and folders that are not what they should be: one line each, and nothing lost."""

import json
import shutil
from pathlib import Path

import pytest

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, RunConfig, RunFolder, load_run


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Run:
    """A copy that a test may damage."""
    return load_run(shutil.copytree(tiny_run.path, tmp_path / "run"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.steps=-1", r"training\.steps = -1: needs ≥ 1"),
        ("training.checkpoint_steps=5", r"training\.checkpoint_steps = 5: needs a list"),
        ("training.checkpoint_steps=[-4]", r"training\.checkpoint_steps\.0 = -4: needs ≥ 0"),
        ("training.threads=1000000000000", r"training\.threads = 1000000000000: needs ≤ 1024"),
        ("model.d_mlp=10000000000000", r"model\.d_mlp = 10000000000000: needs ≤ 65536"),
        ("model.d_mlp={}", r"model\.d_mlp = \{\}: needs an integer"),
        ("model.d_mlp=null", r"model\.d_mlp = None: needs an integer"),
        ("task.p=" + "9" * 5000, r"task\.p = '9{76}\.\.\.: "),
        ("task.p=" + "[" * 100_000, r"task\.p = '\[{76}\.\.\.: needs an integer"),
    ],
)
def test_odd_settings_are_one_line(setting, message):
    with pytest.raises(GrokinterpError, match=message) as refusal:
        RunConfig().with_settings([setting])
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"schema_version": 1, "config": null, "environment": {}}', r"run\.json: 'config' needs keys with values"),
        (b'{"schema_version": 1, "config": {}, "environment": []}', r"run\.json: 'environment' needs keys with values"),
        (
            b'{"schema_version": 1, "config": {"task": null}, "environment": {}}',
            r"run\.json: task = None: needs keys with values",
        ),
        (
            b'{"schema_version": 1, "config": {}, "environment": {"threads": -1}}',
            r"run\.json: environment\.threads = -1: needs ≥ 1",
        ),
        (
            b'{"schema_version": 1, "config": {}, "environment": {"versions": []}}',
            r"run\.json: environment\.versions = \[\]: needs keys with values",
        ),
        (b"\xff", r"run\.json is not valid JSON"),
        (b"[" * 100_000, r"run\.json is not valid JSON"),
    ],
)
def test_a_record_of_wrong_types_is_named(run, content, message):
    (run.path / "run.json").write_bytes(content)
    with pytest.raises(GrokinterpError, match=message):
        load_run(run.path)


@pytest.mark.parametrize(
    "damage",
    [b"{broken", b"5", b"null", b"[1]", b"{}", b'{"step": "1"}', b'{"step": 1, "train_loss": "small"}', b"\xff\xfe"],
)
def test_a_damaged_line_of_metrics_is_named(run, damage):
    path = run.folder.metrics_path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + damage + b"\n" + lines[1])
    with pytest.raises(
        GrokinterpError, match=r"metrics\.jsonl, line 2 is not a step with its numbers in JSON; restore"
    ):
        _ = run.metrics


def test_paths_that_the_system_refuses_are_named(run, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with (
        pytest.raises(GrokinterpError, match=r"cannot write .*loop: a file stands where a folder is needed"),
        RunFolder(tmp_path / "loop").held(),
    ):
        pass
    with pytest.raises(
        GrokinterpError, match=r"cannot read x*: the name is too long; check the path and its permission"
    ):
        load_run("x" * 300)
    run.folder.metrics_path.unlink()
    run.folder.metrics_path.mkdir()
    with pytest.raises(
        GrokinterpError, match=r"cannot read .*metrics\.jsonl: a folder stands where a file is needed; ch"
    ):
        _ = run.metrics


def test_only_files_that_are_checkpoints_count_as_ones(run):
    run.folder.checkpoint_path(50).mkdir()
    (run.folder.checkpoints_path / "step_0000020.safetensors").write_bytes(b"")
    (run.folder.checkpoints_path / "notes.txt").write_text("stray")
    assert run.steps == [0, 1, 2, 4, 8, 10, 20, 30, 40]
    run.folder.checkpoint_path(20).unlink()
    with pytest.raises(GrokinterpError, match=r"step 20 has no checkpoint in .*; the nearest are 10 and 30"):
        run.snapshot(20)


def test_a_record_of_another_split_than_was_trained_on_is_refused(run):
    record = json.loads((run.path / "run.json").read_text())
    record["config"]["task"]["split_seed"] = 1
    (run.path / "run.json").write_text(json.dumps(record))
    with pytest.raises(
        GrokinterpError, match=r"run\.json describes the split \w{16}, but the run was trained on \w{16}"
    ):
        load_run(run.path).snapshot()


def test_only_a_runs_own_leftovers_are_cleared(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.held():
        folder.write_record({})
        folder.write_checkpoint(0, {})
    theirs = [tmp_path / ".my-notes.tmp", tmp_path / ".run.json.backup.tmp"]
    ours = [tmp_path / ".run.json.123.tmp", folder.checkpoints_path / ".step_000010.safetensors.99.tmp"]
    for file in (*theirs, *ours):
        file.write_text("")
    (tmp_path / ".cache.tmp").mkdir()
    with folder.held():
        assert all(file.exists() for file in theirs)
        assert not any(file.exists() for file in ours)


def test_a_folder_is_held_by_one_process_at_a_time(tmp_path):
    with (
        RunFolder(tmp_path).held(),
        pytest.raises(GrokinterpError, match=r"another process is training in it; wait for it or stop it"),
        RunFolder(tmp_path).held(),
    ):
        pass
    with RunFolder(tmp_path).held():
        pass
    assert list(tmp_path.iterdir()) == []
