"""What the README shows is what happens."""

import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from grokinterp.fourier import FiniteGroup
from grokinterp.runs import LAYOUTS, PRESETS
from grokinterp.tasks import OPERATIONS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_python_examples_run(capsys):
    notebook, library, _ = BLOCKS
    subprocess.run([sys.executable, "-c", notebook], check=True, cwd=ROOT)
    exec(library, {})
    shown = re.findall(r"^print\(.*\)  # (.*)$", library, flags=re.MULTILINE)
    assert len(shown) == 2
    assert capsys.readouterr().out.splitlines() == shown


def test_the_example_with_other_peoples_networks_runs(shared_data: Path, tmp_path: Path, capsys):
    for name in ("pizza", "chughtai"):
        if not (shared_data / name).is_dir():
            pytest.skip(f"{shared_data / name} is absent")
        (tmp_path / name).symlink_to(shared_data / name)
    shown = re.sub(r"^((?:distance|gradient).*?)  +# (.*):.*$", r"print(\1)", BLOCKS[2], flags=re.MULTILINE)
    with contextlib.chdir(tmp_path):
        exec(shown, {})
    assert [f"{float(line):.3f}" for line in capsys.readouterr().out.splitlines()] == ["0.172", "0.994"]


def test_the_layouts_are_all_described():
    described = TEXT[TEXT.index("| layout |") : TEXT.index("Folders of many checkpoints")]
    assert set(re.findall(r"^\| ([\w-]+) \|", described, flags=re.MULTILINE)) - {"layout"} == set(LAYOUTS)


def test_the_operations_are_all_named():
    described = TEXT[TEXT.index("`task.operation` is one of") : TEXT.index("A task knows the group")]
    assert set(OPERATIONS) <= set(re.findall(r"`([^`\s]+)`", described))
    for name in re.findall(r"`([A-Z]\d+(?:x[A-Z]\d+)?)`", described):
        FiniteGroup.named(name)


def test_the_presets_are_all_described():
    rows = re.findall(r"^\| (`[^|]*) \|", TEXT, flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == set(PRESETS)


def test_the_commands_exist_with_their_options(tmp_path: Path):
    commands = re.findall(r"\.venv/bin/grokinterp (.*?)(?:  +#|$)", TEXT, flags=re.MULTILINE)
    assert len(commands) == 3
    train, analyze, verdict = (shlex.split(command) for command in commands)
    program, out = [sys.executable, "-m", "grokinterp.cli"], str(tmp_path / "run")
    subprocess.run([*program, *train[:-1], out, "--steps", "2"], check=True, capture_output=True)
    subprocess.run([*program, analyze[0], out], check=True, capture_output=True)
    assert (tmp_path / "run" / "report" / "report.html").exists()
    subprocess.run([*program, verdict[0], out], check=True, capture_output=True)
    assert (tmp_path / "run" / "verdict" / "verdict.html").exists()
