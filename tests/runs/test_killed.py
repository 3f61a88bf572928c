"""Whatever is killed while it writes leaves what was there, or what it was to write, and no litter beyond the next."""

import os
import time

import pytest
import torch
from killing import fork, killed_at

from grokinterp.errors import GrokinterpError
from grokinterp.runs import finish_killed, import_run, only_process, only_process_in, write_together
from grokinterp.runs._files import _COMPLETE

OLD = {"report.html": b"old page", "report.json": b"old numbers", "measures.csv": b"old table"}
NEW = {"report.html": b"new page", "report.json": b"new numbers", "measures.csv": b"new table"}


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_that_belong_together_change_together_at_whatever_moment_the_writer_is_killed(tmp_path):
    outcomes = []
    for moment in range(100):
        folder = tmp_path / str(moment)

        def write(files, folder=folder):
            with only_process_in(folder, writes="is writing"):
                write_together({folder / name: text for name, text in files.items()})

        write(OLD)
        if not killed_at(moment, lambda write=write: write(NEW)):
            break
        finish_killed(folder)
        found = content(folder)
        outcomes.append({name: found[name] for name in OLD})
        assert outcomes[-1] in (OLD, NEW), moment
        write(NEW)
        assert content(folder) == NEW, moment
    # From the moment at which all are complete, and not before, the new ones are there.
    assert outcomes == sorted(outcomes, key=lambda files: files == NEW)
    assert 8 < len(outcomes) < 100
    assert {files == NEW for files in outcomes} == {True, False}


def test_a_mark_of_a_stranger_renames_nothing_that_is_no_file_of_the_folder(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / _COMPLETE).touch()
    (folder / ".report.html.next").symlink_to(secret)
    finish_killed(folder)
    assert not (folder / "report.html").exists()


@pytest.fixture(scope="module")
def theirs(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("theirs") / "model.pth"
    torch.save(tiny_run.to_state_dict(40), path)
    return path


SETTINGS = ["task.operation=add"]


@pytest.mark.parametrize("moments", [range(2, 9, 3), pytest.param(range(40), marks=pytest.mark.long)])
def test_a_killed_import_leaves_nothing_or_all_and_the_next_one_clears_up(theirs, tmp_path, moments):
    place = tmp_path / "place"
    killed = 0
    for moment in moments:
        out = place / f"run{moment}"
        if not killed_at(moment, lambda out=out: import_run(theirs, out, settings=SETTINGS)):
            break
        killed += 1
        if out.exists():
            with pytest.raises(GrokinterpError, match=r"already holds something"):
                import_run(theirs, out, settings=SETTINGS)
        else:
            assert import_run(theirs, out, settings=SETTINGS).steps == [0]
    assert killed >= 3
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []


def test_what_another_import_holds_is_left_alone(theirs, tmp_path):
    out = tmp_path / "run"
    working = tmp_path / ".run.1.tmp"
    working.mkdir()
    with only_process(out, writes="is importing into it"):
        with pytest.raises(GrokinterpError, match=r"run: another process is importing into it; wait for it or stop it"):
            import_run(theirs, out, settings=SETTINGS)
        assert working.exists()
    (tmp_path / ".run.notes.tmp").mkdir()
    (tmp_path / ".other.1.tmp").mkdir()
    import_run(theirs, out, settings=SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.1.tmp", ".run.notes.tmp", "run"]


def test_a_lock_ends_with_its_process(tmp_path):
    ready, working = tmp_path / "ready", tmp_path / "out"
    child = fork()
    if child == 0:
        with only_process_in(working, writes="is training in it"):
            ready.touch()
            time.sleep(600)
    while not ready.exists():
        time.sleep(0.01)
    with (
        pytest.raises(GrokinterpError, match=r"out: another process is training in it; wait for it or stop it"),
        only_process_in(working, writes="is training in it"),
    ):
        pass
    os.kill(child, 9)
    os.waitpid(child, 0)
    with only_process_in(working, writes="is training in it"):
        pass
