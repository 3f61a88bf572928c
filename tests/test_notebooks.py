"""The notebooks run from a clean kernel, and what is kept beside their sources is what they give."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.py") if not path.name.startswith("_"))
# They measure the shipped run or train without the fast forward: half a minute each and more.
SLOW = ("clock_or_pizza", "groups", "nanda_2023", "own_analysis", "quick_start")
LARGEST = 1_500_000


def kept(name: str) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_there_are_six():
    assert (
        sorted(["quick_start", "nanda_2023", "fourier_utilities", "groups", "clock_or_pizza", "own_analysis"]) == NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_source_and_notebook_are_one(name):
    """`make notebooks` mends it."""
    assert cells(jupytext.read(NOTEBOOKS / f"{name}.py")) == cells(kept(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_outputs_are_whole_small_and_of_no_machine(name):
    notebook, path = kept(name), NOTEBOOKS / f"{name}.ipynb"
    assert path.stat().st_size < LARGEST
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not re.findall(r"(?:/(?:home|work|root|tmp|Users|usr|opt|var)/|[A-Z]:\\\\)[\w.-]+", path.read_text())
    shown = {kind for output in outputs for kind in output.get("data", {})}
    assert "application/vnd.plotly.v1+json" in shown
    # Nothing that a reader's browser would fetch.
    assert shown <= {"application/vnd.plotly.v1+json", "text/plain", "text/html"}
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert not [page for page in pages if "<script" in page or "http" in page]


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_with_what_you_will_learn(name):
    kind, first = cells(kept(name))[0]
    assert kind == "markdown"
    assert first.startswith("# ")
    assert "you will" in " ".join(first.lower().split())
    assert "pip install grokinterp jupyter" in first


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in SLOW)) for name in NAMES])
def test_it_runs(name, tmp_path):
    """In a copy of the folder, where nothing has been trained yet."""
    folder = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("runs", "pages", "*.ipynb", ".ipynb_checkpoints"))
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    environment = {**os.environ, "GROKINTERP_FAST": "1"}
    ran = subprocess.run(
        [sys.executable, str(folder / "_execute.py"), name], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    assert cells(notebook) == cells(kept(name))
