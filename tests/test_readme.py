"""What the README shows is what happens."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from grokinterp.runs import PRESETS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def test_the_python_examples_run(capsys):
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], check=True, cwd=ROOT)
    exec(blocks[1], {})
    assert capsys.readouterr().out == "14 ('const', 'cos 1', 'sin 1')\n"


def test_the_presets_are_all_described():
    assert set(re.findall(r"^\| `([\w-]+)` \|", TEXT, flags=re.MULTILINE)) == set(PRESETS)


def test_the_commands_exist_with_their_options(tmp_path: Path):
    commands = re.findall(r"\.venv/bin/grokinterp (.*?)(?:  +#|$)", TEXT, flags=re.MULTILINE)
    assert len(commands) == 2
    train, analyze = (shlex.split(command) for command in commands)
    program, out = [sys.executable, "-m", "grokinterp.cli"], str(tmp_path / "run")
    subprocess.run([*program, *train[:-1], out, "--steps", "2"], check=True, capture_output=True)
    subprocess.run([*program, analyze[0], out], check=True, capture_output=True)
    assert (tmp_path / "run" / "report" / "report.html").exists()


def test_the_quick_start_notebook_runs():
    subprocess.run([sys.executable, "quick_start.py"], check=True, cwd=ROOT / "notebooks", capture_output=True)
