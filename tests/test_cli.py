"""The command line as a user meets it: what is printed, the exit status, and what is on disk afterwards."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grokinterp.runs import load_run
from grokinterp.verdict import find_verdict

TINY = [
    "--set", "task.p=7", "--set", "task.train_fraction=0.6", "--set", "model.n_heads=2", "--set", "model.d_head=8",
    "--set", "model.d_model=16", "--set", "model.d_mlp=24", "--set", "training.checkpoint_every=10",
]  # fmt: skip


def in_a_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "grokinterp.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def grokinterp(run_command) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in this process, its result as that of a process."""
    return lambda *arguments: subprocess.CompletedProcess(arguments, *run_command(*arguments))


@pytest.fixture
def refused(grokinterp) -> Callable[..., str]:
    """The one line with which the command line refuses."""

    def run(*arguments: str | Path) -> str:
        result = grokinterp(*arguments)
        assert result.returncode == 2, result.stderr
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("grokinterp: ")
        return line

    return run


def test_train_info_analyze_from_nothing_to_a_report(grokinterp, tmp_path):
    out = tmp_path / "run"
    trained = grokinterp("train", "--preset", "nanda-mainline", *TINY, "--steps", "30", "--out", out)
    assert (trained.returncode, trained.stderr) == (0, "")
    assert "(a + b) mod 7: 8 checkpoints up to step 30 in" in trained.stdout
    assert f"next: grokinterp analyze {out}" in trained.stdout

    told = grokinterp("info", out)
    assert told.returncode == 0
    for text in ("(a + b) mod 7, 29 train and 20 test pairs", "d_mlp 24", "steps 0 to 30", "step 30", "test loss"):
        assert text in " ".join(told.stdout.split())

    analysed = grokinterp("analyze", out, "--out", tmp_path / "report")
    assert (analysed.returncode, analysed.stderr) == (0, "")
    verdict, finding, *_ = analysed.stdout.splitlines()
    stage = find_verdict(out, full=False).how_far
    assert verdict.startswith(f"not generalised: This network {stage.short}; the cosine share of all frequencies is ")
    assert finding == stage.sentence
    for name in ("report.html", "report.json", "measures.csv"):
        assert str(tmp_path / "report" / name) in analysed.stdout
        assert (tmp_path / "report" / name).stat().st_size > 0
    assert json.loads((tmp_path / "report" / "report.json").read_text())["schema_version"] == 1


def test_resume_continues_without_naming_the_preset_again(grokinterp, tmp_path):
    out = tmp_path / "run"
    assert grokinterp("train", "--preset", "nanda-mainline", *TINY, "--steps", "10", "--out", out).returncode == 0
    assert grokinterp("train", "--out", out, "--resume", "--steps", "20").returncode == 0
    assert load_run(out).steps[-1] == 20


def test_ctrl_c_says_how_to_continue(tmp_path):
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "grokinterp.cli",
        "train",
        "--preset",
        "nanda-mainline",
        *TINY,
        "--steps",
        "100000",
    ]
    process = subprocess.Popen([*command, "--out", out], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (out / "trainer_state.safetensors").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert f"continue with: grokinterp train --out {out} --resume" in stdout
    step = int(stdout.split("stopped at step ")[1].split(";")[0])
    assert load_run(out).metrics["step"].iloc[-1] == step - 1


def test_help_and_a_wrong_option_exit_as_usual(grokinterp):
    shown = in_a_process("--help")
    assert shown.returncode == 0
    for command in ("train", "analyze", "info"):
        assert command in shown.stdout
    assert grokinterp("train", "--presett", "quick").returncode == 2


def test_bad_training_requests_are_one_line(refused, tmp_path):
    out = ("--out", tmp_path / "run")
    assert "preset 'nanda': unknown; choose one of nanda-mainline" in refused("train", "--preset", "nanda", *out)
    mainline = ("train", "--preset", "nanda-mainline", *out)
    assert "model.d_mpl: unknown key; did you mean model.d_mlp?" in refused(*mainline, "--set", "model.d_mpl=3")
    assert "task.p = 1: needs ≥ 2" in refused(*mainline, "--set", "task.p=1")
    assert "--set p=5: needs SECTION.KEY=VALUE" in refused(*mainline, "--set", "p=5")
    assert "training.steps = 0: needs ≥ 1" in refused(*mainline, "--steps", "0")
    assert "training.device = 'tpu': not available here" in refused(*mainline, "--device", "tpu")
    assert "no preset given: needs --preset, one of nanda-mainline" in refused("train", *out)
    assert "holds no run to continue; name a preset" in refused("train", *out, "--resume")
    assert not (tmp_path / "run").exists()


def test_printed_paths_are_what_they_are_and_commands_can_be_pasted(grokinterp, tmp_path):
    out = tmp_path / "a [b] :boom: dir"
    trained = grokinterp("train", "--preset", "nanda-mainline", *TINY, "--steps", "2", "--out", out)
    assert f"in {out}\n" in trained.stdout
    assert f"next: grokinterp analyze '{out}'\n" in trained.stdout


def test_bad_folders_are_one_line(refused, tmp_path, tiny_run):
    assert "no such folder; give a run folder made by `grokinterp train`" in refused("analyze", tmp_path / "nowhere")
    assert "is not a run folder: it holds no run.json" in refused("info", tmp_path)
    (tmp_path / "model.pth").write_bytes(b"\x80\x04.")
    assert "model.pth is a pickle, not a run folder" in refused("analyze", tmp_path / "model.pth")
    assert "already holds a run (up to step 40)" in refused("train", "--preset", "quick", "--out", tiny_run.path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b""), "is empty (0 bytes); delete it or restore it from a copy"),
        (lambda path: path.write_bytes(path.read_bytes()[:-50]), "is truncated or corrupt"),
        (lambda path: path.write_bytes(b"\x80\x04}."), "is a pickle, not safetensors; grokinterp does not unpickle"),
        (lambda path: path.write_bytes(b"nonsense" * 50), "is truncated or corrupt"),
    ],
)
def test_a_damaged_checkpoint_is_one_line_and_nothing_is_lost(refused, tmp_path, tiny_run, damage, message):
    run = load_run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    damage(run.folder.checkpoint_path(20))
    line = refused("analyze", run.path, "--out", tmp_path / "report")
    assert "step_000020.safetensors" in line
    assert message in line
    assert not (tmp_path / "report").exists()
    assert run.snapshot(30).step == 30


def test_a_run_without_checkpoints_is_one_line(refused, tmp_path, tiny_run):
    run = load_run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    shutil.rmtree(run.path / "checkpoints")
    assert "has no checkpoints yet; continue it with `grokinterp train --resume`" in refused("analyze", run.path)


def test_a_report_that_cannot_be_written_is_one_line(refused, tmp_path, tiny_run):
    (tmp_path / "taken").write_text("a file")
    line = refused("analyze", tiny_run.path, "--out", tmp_path / "taken")
    assert "cannot write" in line
    assert "a file stands where a folder is needed" in line


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files with resource")
@pytest.mark.parametrize(
    ("limit", "refused_file"), [pytest.param(4_000, "step_0000", marks=pytest.mark.long), (40_000, "metrics.jsonl")]
)
def test_a_full_disk_is_one_line_and_the_run_stays_readable(grokinterp, tmp_path, limit, refused_file):
    """A real refusal by the system: files may not grow past a limit that a checkpoint, or the metrics, will meet."""
    out = tmp_path / "run"
    assert grokinterp("train", "--preset", "nanda-mainline", *TINY, "--steps", "10", "--out", out).returncode == 0
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        f"sys.argv = ['grokinterp', 'train', '--out', {str(out)!r}, '--resume', '--steps', '500'];"
        "from grokinterp.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.splitlines()
    assert refused_file in line
    assert "the file is larger than this system allows; what was written before is intact" in line
    assert load_run(out).snapshot(10).step == 10
    assert grokinterp("train", "--out", out, "--resume", "--steps", "500").returncode == 0
    assert load_run(out).metrics["step"].tolist() == list(range(501))


def test_every_checkpoint_may_be_shown(tiny_run, run_command, tmp_path, monkeypatch):
    monkeypatch.setattr("grokinterp.report._explorer.MOST_STEPS", 2)
    monkeypatch.setattr("grokinterp.report._explorer.MOST_BYTES", 10)
    for flags, steps in (((), 2), (("--every-checkpoint",), len(tiny_run.steps))):
        status, printed, _ = run_command("analyze", tiny_run.path, "--no-verdict", "--out", tmp_path, *flags)
        assert status == 0 and len(list((tmp_path / "report_steps").iterdir())) == steps
        assert "".join(printed.split()).endswith(f"{tmp_path}/report_steps")
