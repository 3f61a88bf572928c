"""The README.md of a run on the Hugging Face Hub: what the network is, what was found, how to load it."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from grokinterp.config import Config
from grokinterp.errors import GrokinterpError
from grokinterp.wording import number, percent

if TYPE_CHECKING:
    from ._run import Run

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
    is_transformer = config.model.architecture == "transformer"
    tags = ["grokking", "mechanistic-interpretability", "transformer-lens", f"grokinterp:{operation}"]
    model_is = "a transformer_lens.HookedTransformer" if is_transformer else "with TransformerLens' hooks"
    parts = [
        "\n".join(["---", "library_name: grokinterp", "tags:", *(f"- {tag}" for tag in tags), "---"]),
        f"# {run.task.name}, trained until it groks" if report is None else f"# {run.task.name}",
    ]
    if report is None:
        noun = "transformer" if is_transformer else "network without attention"
        parts.append(f"A {noun} trained on {run.task.name} with grokinterp.")
    else:
        headline, *support = report.finding
        parts += [f"**{headline}**", *([" ".join(support)] if support else [])]
    parts += [
        "## Load it",
        f'```python\nimport grokinterp\n\nrun = grokinterp.load_run("hf://{repo_id}")\n'
        f"model = run.model({run.last_step})  # {model_is}\n"
        "report = grokinterp.analyze(run)\nprint(report.finding[0])\n```",
        f"It holds {len(run.steps)} checkpoints, steps {run.steps[0]:,} to {run.last_step:,}.",
    ]
    if report is not None:
        parts += ["## Numbers", _table("measure", _numbers(report.final))]
    parts.append("## Settings")
    for section in (config.task, config.model, config.training):
        parts.append(_table(section.section, _settings(section)))
    return "\n\n".join(parts) + "\n"


def _numbers(final: Mapping[str, int | float]) -> dict[str, str]:
    known = {name: value for name, value in final.items() if name == "step" or math.isfinite(value)}
    return {name: _worded(name, value) for name, value in list(known.items())[:_MAX_ROWS]}


def _worded(name: str, value: int | float) -> str:
    if name == "step":
        return f"{value:,.0f}"
    return percent(value) if "accuracy" in name else number(value)


def _settings(section: Config) -> dict[str, str]:
    """Those that are set; lists, which can be as long as a table, by their length."""
    values = section.model_dump()
    written = {
        name: f"{len(value)} entries" if isinstance(value, list | tuple) else str(value)
        for name, value in values.items()
        if value is not None
    }
    return {name: value.replace("|", "\\|") for name, value in written.items()}


def _table(subject: str, rows: Mapping[str, str]) -> str:
    lines = [f"| {subject} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines)
