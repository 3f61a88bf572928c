"""Commands that are stopped: SIGTERM is Ctrl-C, nothing half done stays, no process outlives the one it works for."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path

import pytest
import torch
from killing import fork

from grokinterp.runs import RunFolder, load_run
from grokinterp.training import train
from grokinterp.verdict._batch import _end_with, read_rows


def litter(*folders: Path) -> list[Path]:
    """Files whose names begin with a dot: temporary ones and locks."""
    return [path for folder in folders for path in folder.rglob("*") if path.name.startswith(".")]


@pytest.fixture
def stopped_at(monkeypatch):
    """SIGTERM to this process when it flushes its nth file or folder from now on."""

    def arm(moment: int) -> None:
        real, left = os.fsync, iter(range(moment, -1_000_000, -1))

        def fsync(descriptor: int) -> None:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGTERM)
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    return arm


def test_sigterm_stops_an_import_and_leaves_nothing(tiny_run, run_command, stopped_at, tmp_path):
    torch.save(tiny_run.to_state_dict(40), tmp_path / "theirs.pth")
    before = signal.getsignal(signal.SIGTERM)
    for moment in (0, 1, 3):
        stopped_at(moment)
        status, *_ = run_command(
            "import", tmp_path / "theirs.pth", "--out", tmp_path / "run", "--set", "task.operation=add"
        )
        assert status == 130
        assert [path.name for path in tmp_path.iterdir()] == ["theirs.pth"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_sigterm_stops_an_analysis_and_a_verdict_and_leaves_the_report_as_it_was(
    tiny_run, run_command, stopped_at, tmp_path
):
    for command, moment in (("analyze", 1), ("verdict", 0)):
        out = tmp_path / command
        assert run_command(command, tiny_run.path, "--out", out)[0] == 0
        before = {path: path.read_bytes() for path in out.iterdir()}
        stopped_at(moment)
        assert run_command(command, tiny_run.path, "--out", out)[0] == 130
        assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_sigterm_stops_what_runs_until_it_is_stopped(tiny_run, run_command, monkeypatch, tmp_path):
    run = shutil.copytree(tiny_run.path, tmp_path / "run")

    def terminate(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr("http.server.ThreadingHTTPServer.serve_forever", terminate)
    monkeypatch.setattr("grokinterp.cli._live._print_lines", terminate)
    monkeypatch.setattr("grokinterp.cli._live.is_stale", lambda *_: False)
    assert run_command("open", run, "--no-browser")[1].endswith("Ctrl-C ends it\nended\n")
    status, out, _ = run_command("watch", run)
    assert (status, out) == (0, "no longer watched; the training goes on\n")


def test_sigterm_stops_a_training_that_says_how_to_continue(run_command, tiny_config, stopped_at, tmp_path):
    out = tmp_path / "run"
    train(tiny_config.with_settings(["training.steps=1"]), out, progress=False)
    stopped_at(6)
    status, said, _ = run_command("train", "--out", out, "--resume", "--steps", "40")
    assert status == 130
    assert said.startswith("stopped at step ")
    assert said.endswith(f"; continue with: grokinterp train --out {out} --resume\n")
    assert litter(out) == []
    assert train(None, out, resume=True, progress=False).last_step == 40


def test_a_worker_ends_with_the_process_it_works_for():
    watched, held = Pipe(duplex=False)
    child = fork()
    if child == 0:
        held.close()
        _end_with(watched)
        time.sleep(600)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    held.close()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


SLOW_BATCH = """
import os, sys, time
import grokinterp.verdict._batch as batch
from pathlib import Path

def slow(run, full):
    Path(run.parent.parent, f"worker-{os.getpid()}").touch()
    time.sleep(600)

if __name__ == "__main__":
    from grokinterp.cli import main
    batch._judge_one = slow
    sys.argv = ["grokinterp", "verdict", sys.argv[1], "--csv", sys.argv[2], "--jobs", "2"]
    main()
"""


def is_running(process: int) -> bool:
    """Whether there is such a process, not counting one that has ended and whose parent has not asked."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_workers_of_a_stopped_batch_end_and_the_next_batch_clears_up(tiny_run, run_command, tmp_path, number):
    for name in ("a", "b"):
        shutil.copytree(tiny_run.path, tmp_path / "runs" / name)
    (tmp_path / "slow.py").write_text(SLOW_BATCH)
    table = tmp_path / "table.csv"
    batch = subprocess.Popen(
        [sys.executable, tmp_path / "slow.py", tmp_path / "runs", table], stdout=subprocess.PIPE, text=True
    )
    while len(list(tmp_path.glob("worker-*"))) < 2:
        assert batch.poll() is None
        time.sleep(0.1)
    workers = [int(path.name.removeprefix("worker-")) for path in tmp_path.glob("worker-*")]
    assert all(map(is_running, workers))
    batch.send_signal(number)
    said, _ = batch.communicate()
    assert batch.returncode == (-number if number == signal.SIGKILL else 130)
    assert said == (
        ""
        if number == signal.SIGKILL
        else f"stopped; what is judged is in {table}, and the same command goes on from there\n"
    )
    while any(map(is_running, workers)):
        time.sleep(0.1)
    (tmp_path / ".table.csv.1.tmp").write_text("cut")
    assert run_command("verdict", tmp_path / "runs", "--csv", table, "--quick", "--jobs", "2")[0] == 0
    assert [row["error"] for row in read_rows(table)] == ["", ""]
    assert litter(tmp_path) == []


SLOW_START = """
import json, sys, time
import grokinterp.training._train as module
from grokinterp.errors import GrokinterpError
from grokinterp.runs import RunConfig

settle = module._settle
def slow(*arguments):
    found = settle(*arguments)
    time.sleep(3)
    return found
module._settle = slow
try:
    module.train(RunConfig(**json.loads(sys.argv[1])), sys.argv[2], progress=False)
except GrokinterpError as error:
    sys.exit(str(error))
"""


@pytest.mark.long
def test_of_two_starts_at_once_one_is_refused_and_the_record_is_that_of_the_checkpoints(tiny_config, tmp_path):
    out, errors = tmp_path / "run", []
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SLOW_START, config.model_dump_json(), out], stderr=subprocess.PIPE, text=True
        )
        for config in (tiny_config.with_settings([f"model.seed={seed}"]) for seed in (0, 1))
    ]
    errors = [process.communicate()[1] for process in started]
    assert sorted(process.returncode for process in started) == [0, 1]
    assert any("another process is training in it" in error or "already holds a run" in error for error in errors)
    run = load_run(out)
    train(run.config, tmp_path / "again", progress=False)
    for step in run.steps:
        again = RunFolder(tmp_path / "again").checkpoint_path(step)
        assert run.folder.checkpoint_path(step).read_bytes() == again.read_bytes()
