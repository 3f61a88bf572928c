"""The tables and the figure of docs/population.md."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import plotly.graph_objects as go
from population_judged import (
    BARS,
    Row,
    Scores,
    Share,
    account_names,
    explained_by,
    generalises,
    is_circular,
    reaches,
    share_of,
)

from grokinterp.report._export_draw import render_images
from grokinterp.runs import write_whole
from grokinterp.wording import percent

PAGE = Path(__file__).parent / "population.md"
FIGURE = Path(__file__).parent / "images" / "population.svg"
_BLOCK = re.compile(r"(<!-- population: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
ANY = "any explanation"
# Without the accounts that replace what every neuron reads by whole functions of a and of b, up to n²/2 numbers each.
ANY_FEW, OF_FUNCTIONS = "any of few numbers", ("neurons_add", "neurons_multiply")
_NULLS = {
    "random_weights": "random weights of the same norms",
    "shuffled_answers": "answers' names exchanged",
    "memorised": "the same network, when it had memorised",
    "random_labels": "trained on random labels",
}


def write_page(rows: Sequence[Row], page: Path = PAGE, figure: Path = FIGURE) -> None:
    """Fill the blocks `<!-- population: NAME -->` of the page, and draw its figure."""
    made = blocks(rows)
    write_whole(page, _BLOCK.sub(lambda match: f"{match[1]}{made[match[2]]}\n{match[3]}", page.read_text()))
    write_whole(figure, render_images({figure.stem: drawn(rows)}, "svg")[figure.stem])


def blocks(rows: Sequence[Row]) -> dict[str, str]:
    """Name → Markdown of each block."""
    return {
        "summary": _summary(rows),
        "accounts": _table(("explained by", "all that generalise", "those that are not circular"), _by_account(rows)),
        "kinds": _table(
            ("networks", "generalise", "converged", "circular", "clock alone", ANY_FEW, ANY, "labels"),
            _by_kind(rows),
        ),
        "nulls": _table(("null", "any explanation, by all three bars", "by the logits' bar alone"), _by_null(rows)),
        "missing": _table(
            ("network", "kind", "α", "circularity", "closest account", "logits", "loss", "answers"), _missing(rows)
        ),
    }


def questions(rows: Sequence[Row]) -> dict[str, Callable[[Row], bool]]:
    """What is counted: name → whether it holds of a network."""

    def by(name: str) -> Callable[[Row], bool]:
        return lambda row: name in row["accounts"] and reaches(row["accounts"][name])

    names = list(dict.fromkeys(("clock", "pizza", *account_names(rows))))
    # Those that would give any network's answers stand last.
    tables = [name for name in names if any(_is_table(row, name) for row in rows)]
    explanations = [name for name in names if name not in tables]
    return {
        "circular (Zhong et al. 2023)": is_circular,
        **{name: by(name) for name in explanations},
        ANY_FEW: lambda row: bool(set(explained_by(row["accounts"])) - set(OF_FUNCTIONS)),
        ANY: lambda row: bool(explained_by(row["accounts"])),
        **{f"{name} (no explanation)": by(name) for name in tables},
    }


def _is_table(row: Row, name: str) -> bool:
    return name in row["accounts"] and not row["accounts"][name]["is_explanation"]


def _summary(rows: Sequence[Row]) -> str:
    learners = [row for row in rows if row["learns"]]
    known = [row for row in learners if generalises(row)]
    asked = questions(rows)
    others = [row for row in known if not is_circular(row)]
    return " ".join(
        (
            f"Of the networks that were to learn their task, {share_of(learners, generalises)} generalise.",
            f"Of these, {share_of(known, is_circular)} are circular.",
            f"A clock alone explains {share_of(known, asked['clock'])},",
            f"a pizza alone {share_of(known, asked['pizza'])},",
            f"at least one account of few numbers {share_of(known, asked[ANY_FEW])},",
            f"at least one that is an explanation {share_of(known, asked[ANY])};",
            f"of those that are not circular, {share_of(others, asked[ANY_FEW])} and {share_of(others, asked[ANY])}.",
        )
    )


def _by_account(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    known = [row for row in rows if generalises(row)]
    others = [row for row in known if not is_circular(row)]
    for name, holds in questions(rows).items():
        yield name, str(share_of(known, holds)), str(share_of(others, holds))


def _by_kind(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    asked = questions(rows)
    for kind in dict.fromkeys(row["kind"] for row in rows if row["learns"]):
        of_kind = [row for row in rows if row["kind"] == kind and row["learns"]]
        known = [row for row in of_kind if generalises(row)]
        columns = (is_circular, asked["clock"], asked[ANY_FEW], asked[ANY])
        labels = Counter(row["label"].split(" (")[0] for row in known)
        yield (
            kind,
            str(share_of(of_kind, generalises)),
            str(share_of(known, lambda row: row["converged"])),
            *(str(share_of(known, holds)) for holds in columns),
            ", ".join(f"{label} {count}" for label, count in labels.most_common()),
        )


def _by_null(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for null, says in _NULLS.items():
        found = [row["nulls"][null] for row in rows if null in row["nulls"]]
        by_all = Share(sum(bool(explained_by(accounts)) for accounts in found), len(found))
        by_logits = sum(
            any(scores["is_explanation"] and reaches(scores, ["explained"]) for scores in accounts.values())
            for accounts in found
        )
        yield says, str(by_all), str(Share(by_logits, len(found)))


def _missing(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        if not generalises(row) or explained_by(row["accounts"]):
            continue
        accounts = row["accounts"]
        candidates = [name for name, scores in accounts.items() if scores["is_explanation"]]
        name = max(candidates, key=lambda name: _nearness(accounts[name]), default=None)
        numbers = [accounts[name][bar] for bar in BARS] if name else [None] * len(BARS)
        circularity = "–" if row["circularity"] is None else f"{row['circularity']:.2f}"
        shown = ("–" if number is None else percent(number) for number in numbers)
        yield f"`{row['run']}`", row["kind"], f"{row['attention_rate']:g}", circularity, name or "none", *shown


def _nearness(scores: Scores) -> tuple[int, float]:
    return sum(reaches(scores, [bar]) for bar in BARS), scores["explained"] or 0.0


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def drawn(rows: Sequence[Row]) -> go.Figure:
    """Bars: the share of the networks that each account explains, with Wilson's 95 % intervals."""
    known = [row for row in rows if generalises(row)]
    groups = {"all that generalise": known, "those that are not circular": [r for r in known if not is_circular(r)]}
    asked = questions(rows)
    figure = go.Figure()
    for (name, group), colour in zip(groups.items(), ("#4c78a8", "#f58518"), strict=True):
        shares = [share_of(group, holds) for holds in asked.values()]
        middle = [share.k / share.n if share.n else 0.0 for share in shares]
        figure.add_bar(
            name=f"{name} ({len(group)})",
            x=middle,
            y=list(asked),
            orientation="h",
            marker_color=colour,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [share.interval[1] - at for share, at in zip(shares, middle, strict=True)],
                "arrayminus": [at - share.interval[0] for share, at in zip(shares, middle, strict=True)],
                "thickness": 1,
            },
        )
    figure.update_layout(
        template="plotly_white",
        width=900,
        height=140 + 42 * len(asked),
        margin={"l": 210, "r": 20, "t": 30, "b": 90},
        legend={"orientation": "h", "y": -0.12},
        xaxis={"title": "share of the networks explained", "tickformat": ".0%", "range": [0, 1.02]},
        yaxis={"autorange": "reversed"},
    )
    return figure
