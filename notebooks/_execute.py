"""Run the notebooks, whose sources are the `.py` files here, and keep each with its outputs as an `.ipynb` beside it.

    python notebooks/_execute.py [NAME …] [--out FOLDER]

They run in the folder they lie in, in a fresh kernel each. With GROKINTERP_FAST=1 they train for fewer steps.
"""

import argparse
import os
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
# Without ipywidgets tqdm warns, with a path of this machine.
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources() -> list[Path]:
    return sorted(path for path in HERE.glob("*.py") if not path.name.startswith("_"))


def executed(source: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a clean kernel; raises `CellExecutionError` where a cell does."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        # Random ids, and those of the kernel's messages, would make every run a change.
        cell.id = f"cell-{number}"
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", record_timing=False, resources={"metadata": {"path": HERE}}
    )
    client.execute()
    notebook.metadata = nbformat.NotebookNode(
        jupytext={"formats": "ipynb,py:percent"}, kernelspec=KERNEL, language_info={"name": "python"}
    )
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="names without .py; all by default")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder for the .ipynb")
    given = parser.parse_args()
    chosen = [HERE / f"{name}.py" for name in given.names] or sources()
    for source in chosen:
        notebook = executed(source)
        nbformat.validate(notebook)
        nbformat.write(notebook, given.out / f"{source.stem}.ipynb")


if __name__ == "__main__":
    main()
