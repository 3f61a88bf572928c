"""The comparison as one HTML page that needs nothing but itself, and its files."""

import json
from dataclasses import dataclass
from pathlib import Path

from grokinterp.analysis import Comparison
from grokinterp.runs import only_process_in
from grokinterp.wording import character_share

from ._compare import (
    explained_of_runs_figure,
    groups_of_runs,
    keys_of_runs_figure,
    losses_of_runs_figure,
    progress_of_runs_figure,
)
from ._compare_tables import COMPARED_COLUMNS, comparison_sentences, runs_table
from ._entry import PageFigure
from ._html import draw, render
from ._made_here import write_together_here

_DOT = "A run of one checkpoint is a dot. "


@dataclass(frozen=True)
class ComparisonPaths:
    """Where a comparison lies: the page for people, everything for programs, and the table of the runs."""

    html: Path
    json: Path
    csv: Path


def comparison_figures(comparison: Comparison) -> tuple[PageFigure[Comparison], ...]:
    """The figures that apply, in the order of the page: one of keys for each group."""
    over_training: tuple[PageFigure[Comparison], ...] = (
        PageFigure(
            "losses",
            "Train and test loss",
            "Solid is the test loss, dotted the train loss; dashed, over all pairs where nobody knows which are which. "
            "A run of one checkpoint is a dot, hollow for the train loss.",
            losses_of_runs_figure,
        ),
        PageFigure(
            "progress",
            "Restricted and excluded loss",
            "Above, the loss with only the final key frequencies or irreps kept in the logits: it falls when the "
            f"circuit is good enough. Below, without them: it rises when the network relies on them. {_DOT}",
            progress_of_runs_figure,
        ),
        PageFigure(
            "explained",
            "The keys' share of the logits",
            "The cosine share (in other groups, the character share) of the run's final keys: the part of the logits' "
            f"variance that is their cosines or characters, over training. {_DOT}",
            explained_of_runs_figure,
        ),
    )
    groups = groups_of_runs(comparison)
    drawn = over_training if groups else over_training[:1]
    return drawn + tuple(_keys(number, name, runs) for number, (name, runs) in enumerate(groups, start=1))


def _keys(number: int, group: str, runs: list) -> PageFigure[Comparison]:
    cyclic = runs[0].is_cyclic
    words = "frequencies" if cyclic else "irreps"
    function = "a cosine" if cyclic else "the character"
    return PageFigure(
        "keys" if number == 1 else f"keys-{number}",
        f"Key {words} of {group}",
        f"A bar is the {character_share(cyclic)}: the part of the logits' variance that is {function} of one of the "
        f"{words} of {group} at the last "
        f"checkpoint. Key {words} have the run's colour, all others are grey. Which ones a run uses hangs on its "
        "seed.",
        lambda comparison: keys_of_runs_figure(comparison, runs),
    )


def render_comparison(comparison: Comparison) -> str:
    """The whole page, with plotly.js inside; no request goes out. Equal comparisons give equal pages."""
    figures = draw(comparison_figures(comparison), comparison)
    headline, *more = comparison_sentences(comparison)
    return render(
        "compare.html.j2",
        figures,
        verdict=None,
        headline=headline,
        sentences=more,
        columns=COMPARED_COLUMNS,
        rows=runs_table(comparison),
        figures=figures,
    )


def write_comparison(comparison: Comparison, out: str | Path) -> ComparisonPaths:
    """Write `comparison.html`, `comparison.json` and `comparison.csv` into `out`, all three or none.

    A fault leaves the files of an earlier comparison as they were; so does a kill, or the next call finishes what it
    left.
    """
    folder = Path(out)
    paths = ComparisonPaths(*(folder / f"comparison.{kind}" for kind in ("html", "json", "csv")))
    page = render_comparison(comparison)
    content = json.dumps(comparison.to_dict(), indent=2, allow_nan=False) + "\n"
    table = comparison.table.to_csv(index=False, lineterminator="\n")
    with only_process_in(folder, writes="is writing a report there", wait=60):
        write_together_here({paths.html: page, paths.json: content, paths.csv: table})
    return paths
