"""The README.md of a run on the Hugging Face Hub: what the network is, what was found, how to load it."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from grokinterp.config import Config
from grokinterp.errors import GrokinterpError
from grokinterp.guard import printable
from grokinterp.wording import number, percent

from ._about_import import about_import, settings_words

if TYPE_CHECKING:
    from ._run import Run

# What begins a tag, a link, a picture, a reference, code, or an address that becomes a link by itself.
_MARKUP = re.compile(r"[<>\[\]!&*`~@]|//|www\.|\\(?!\|)", re.IGNORECASE)
_MAX_ROWS = 40  # Where a column belongs to each key irrep or weight, the table would drown the rest.


@runtime_checkable
class Findings(Protocol):
    """What a model card takes from a report: `grokinterp.analysis.Report` has it."""

    @property
    def run(self) -> "Run": ...

    @property
    def finding(self) -> Sequence[str]: ...

    @property
    def final(self) -> Mapping[str, int | float]: ...


def model_card(run: "Run", repo_id: str, report: Findings | None = None) -> str:
    """The card of `run` as Markdown with YAML front matter, its result in words and numbers if there is a `report`.

    Raises `GrokinterpError` if the report is of another run.
    """
    if report is not None and report.run.path.resolve() != run.path.resolve():
        raise GrokinterpError(f"the report is of {report.run.path}, not of {run.path}; give grokinterp.analyze(run)")
    config, operation = run.config, run.config.task.operation
    imported = about_import(run.provenance)
    is_transformer = config.model.architecture == "transformer"
    tags = ["grokking", "mechanistic-interpretability", "transformer-lens", f"grokinterp:{operation}"]
    model_is = "a transformer_lens.HookedTransformer" if is_transformer else "with TransformerLens' hooks"
    parts = [
        "\n".join(["---", "library_name: grokinterp", "tags:", *(f"- {tag}" for tag in tags), "---"]),
        f"# {run.task.name}, trained until it groks" if report is None and not imported else f"# {run.task.name}",
    ]
    if report is None:
        noun = "transformer" if is_transformer else "network without attention"
        made = "imported as one that computes" if imported else "trained on"
        parts.append(f"A {noun} {made} {run.task.name} with grokinterp.")
    else:
        headline, *support = report.finding
        parts += [f"**{headline}**", *([" ".join(support)] if support else [])]
    parts += [
        "## Load it",
        f'```python\nimport grokinterp\n\nrun = grokinterp.load_run("hf://{repo_id}")\n'
        f"model = run.model({run.last_step})  # {model_is}\n"
        "report = grokinterp.analyze(run)\nprint(report.finding[0])\n```",
        _checkpoints(run),
    ]
    if report is not None:
        parts += ["## Numbers", _table("measure", _numbers(report.final))]
    if imported:
        parts += ["## Where it comes from", _table("import", {name: _cell(text) for name, text in imported})]
    parts.append("## Settings")
    for section in (config.task, config.model, config.training):
        parts.append(_table(section.section, _settings(section)))
    return "\n\n".join(parts) + "\n"


def _checkpoints(run: "Run") -> str:
    if run.known_step(run.last_step) is None:
        return "It holds one checkpoint, whose step is unknown."
    return f"It holds {len(run.steps)} checkpoints, steps {run.steps[0]:,} to {run.last_step:,}."


def _numbers(final: Mapping[str, int | float]) -> dict[str, str]:
    known = {name: value for name, value in final.items() if name == "step" or math.isfinite(value)}
    return {name: _worded(name, value) for name, value in list(known.items())[:_MAX_ROWS]}


def _worded(name: str, value: int | float) -> str:
    if name == "step":
        return f"{value:,.0f}"
    return percent(value) if "accuracy" in name else number(value)


def _settings(section: Config) -> dict[str, str]:
    return {name: _cell(value) for name, value in settings_words(section).items()}


def _cell(text: str) -> str:
    """Text as a cell of a table: on one line, none of its bars ends the cell, and what could be markup is code.

    The text may be a stranger's. In code nothing is a link, a picture or a tag.

    >>> _cell("AdamW, half of the pairs"), _cell("<img src=x> www.a.b")
    ('AdamW, half of the pairs', '`<img src=x> www.a.b`')
    """
    line = printable(" ".join(text.split())).replace("|", "\\|")
    if not _MARKUP.search(line):
        return line
    return "`" + line.replace("`", "'") + "`"


def _table(subject: str, rows: Mapping[str, str]) -> str:
    lines = [f"| {subject} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)
