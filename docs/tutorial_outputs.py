"""Runs the tutorial's commands and writes what they print below them: ``python docs/tutorial_outputs.py``.

A block of shell commands that is followed by a block of text is run, in order, in one empty folder; the text is what
its commands print. Takes a minute or two, most of which is the training of the preset `quick`.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

TUTORIAL = Path(__file__).parent / "tutorial.md"
_WITH_OUTPUT = re.compile(r"(?<=```sh\n)(?P<commands>[^`]+)```\n\n```text\n(?P<output>[^`]+)(?=```)")


def blocks(text: str) -> list[tuple[str, str]]:
    """Commands and what the page says they print, in order.

    >>> blocks("```sh\\ngrokinterp info runs/quick\\n```\\n\\n```text\\n(a + b) mod 59\\n```\\n")
    [('grokinterp info runs/quick\\n', '(a + b) mod 59\\n')]
    """
    return [(found["commands"], found["output"]) for found in _WITH_OUTPUT.finditer(text)]


def printed(commands: str, folder: Path) -> str:
    """What the commands print when they run in a folder, one after the other, on one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "10000"}
    return "".join(
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout
        for command in _as_arguments(commands)
    )


def _as_arguments(commands: str) -> Iterator[list[str]]:
    for line in commands.strip().splitlines():
        program, *arguments = shlex.split(line, comments=True)
        if program != "grokinterp":
            raise SystemExit(f"{line}: only commands of grokinterp are run")
        yield [sys.executable, "-m", "grokinterp.cli", *arguments]


def main() -> None:
    """Write the page anew."""
    text = TUTORIAL.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for commands, output in blocks(text):
            text = text.replace(f"```text\n{output}", f"```text\n{printed(commands, Path(folder))}", 1)
    TUTORIAL.write_text(text)


if __name__ == "__main__":
    main()
