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
    by_few_cosines,
    explained_by,
    generalises,
    is_circular,
    not_far_below_its_loss,
    reaches,
    share_of,
    without_free_neurons,
    without_large,
)

from grokinterp.report._export_draw import render_images
from grokinterp.runs import write_whole
from grokinterp.wording import percent

PAGE = Path(__file__).parent / "population.md"
FIGURE = Path(__file__).parent / "images" / "population.svg"
_BLOCK = re.compile(r"(<!-- population: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
ANY = "any explanation"
ANY_FEW = "any of few numbers"
COSINES = "any of `clock`, `pizza`, `mixed`, `restricted`"
ANY_FEWEST = "of these, without `read_out`, `cosets`, `coset`"
OF_ALL, OF_OTHERS = "all that generalise", "those that are not circular"
_PARTS = ("rotation", "reflection", "bias", "harmonics", "other", "distance")
_NULLS = {
    "random_weights": "random weights of the same norms",
    "shuffled_answers": "answers' names exchanged",
    "memorised": "the same network, when it had memorised",
    "memorises": "memorises and stays there",
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
        "accounts": _table(("explained by", OF_ALL, OF_OTHERS), _by_account(rows)),
        "bars": _table(("account", "logits ≥ 85 %", "loss ≥ 90 %", "answers ≥ 99 %", "all three"), _by_bar(rows)),
        "numbers": _table(("account", "numbers", "of", "largest part of n²/2"), _by_numbers(rows)),
        "kinds": _table(
            ("networks", "generalise", "converged", "circular", "labels"),
            _by_kind(rows),
        ),
        "kinds explained": _table(
            ("networks", "clock alone", "pizza alone", COSINES, ANY_FEW, ANY, f"{ANY}, of those not circular"),
            _explained_by_kind(rows),
        ),
        "kinds accounts": _table(("networks", *_explanations(rows)), _accounts_by_kind(rows)),
        "nulls": _table(
            (
                "null",
                "any explanation, by all three bars",
                "that recovers at most 110 % of the loss as well",
                "by the logits' bar alone",
            ),
            _by_null(rows),
        ),
        "missing": _table(
            ("network", "kind", "α", "circularity", "label", "closest account", "logits", "loss", "answers", "missing"),
            _missing(rows),
        ),
        "residue": _table(
            ("network", "keys", *_PARTS, "a function of the sum", "and a number per pair"), _residues(rows)
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
        ANY_FEW: lambda row: bool(without_free_neurons(row["accounts"])),
        ANY_FEWEST: lambda row: bool(without_large(row["accounts"])),
        COSINES: lambda row: bool(by_few_cosines(row["accounts"])),
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
            f"at least one that is an explanation {share_of(known, asked[ANY])},",
            f"and of those that are not circular {share_of(others, asked[ANY])}.",
            f"Without `neurons_add` and `neurons_multiply` it is {share_of(known, asked[ANY_FEW])}",
            f"and {share_of(others, asked[ANY_FEW])},",
            f"by sums of a few cosines alone {share_of(known, asked[COSINES])}",
            f"and {share_of(others, asked[COSINES])}.",
        )
    )


def _by_account(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    known = [row for row in rows if generalises(row)]
    others = [row for row in known if not is_circular(row)]
    for name, holds in questions(rows).items():
        yield name, str(share_of(known, holds)), str(share_of(others, holds))


def _explanations(rows: Sequence[Row]) -> list[str]:
    return [name for name in account_names(rows) if not any(_is_table(row, name) for row in rows)]


def _by_bar(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Of the networks that generalise and have the account, those that reach each bar alone, and all."""
    known = [row for row in rows if generalises(row)]
    for name in account_names(known):
        scores = [row["accounts"][name] for row in known if name in row["accounts"]]
        shares = [Share(sum(reaches(one, [bar]) for one in scores), len(scores)) for bar in BARS]
        yield name, *map(str, shares), str(Share(sum(map(reaches, scores)), len(scores)))


def _by_numbers(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """How many numbers an account has, beside n²/2 of the same network: of a neuron's input, or of the logits."""
    known = [row for row in rows if generalises(row)]
    for name in account_names(known):
        found = [(row["accounts"][name], row["n"]) for row in known if name in row["accounts"]]
        counts = [scores["numbers"] for scores, _ in found]
        part = max(2 * scores["numbers"] / n**2 for scores, n in found)
        low, high = (f"{end:,.0f}" for end in (min(counts), max(counts)))
        of = "a neuron's input" if found[0][0]["per_neuron"] else "all logits"
        yield name, low if low == high else f"{low} to {high}", of, percent(part)


def _kinds(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row], list[Row]]]:
    """Each kind, its networks, and those of them that generalise."""
    for kind in dict.fromkeys(row["kind"] for row in rows if row["learns"]):
        of_kind = [row for row in rows if row["kind"] == kind and row["learns"]]
        yield kind, of_kind, [row for row in of_kind if generalises(row)]


def _by_kind(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for kind, of_kind, known in _kinds(rows):
        labels = Counter(row["label"] for row in known).most_common()
        yield (
            kind,
            str(share_of(of_kind, generalises)),
            str(share_of(known, lambda row: row["converged"])),
            str(share_of(known, is_circular)),
            ", ".join(f"{label} {times}" for label, times in labels),
        )


def _explained_by_kind(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    asked = questions(rows)
    for kind, _, known in _kinds(rows):
        shares = [share_of(known, asked[name]) for name in ("clock", "pizza", COSINES, ANY_FEW, ANY)]
        others = [row for row in known if not is_circular(row)]
        yield kind, *map(str, shares), str(share_of(others, asked[ANY]))


def _accounts_by_kind(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    asked = questions(rows)
    for kind, _, known in _kinds(rows):
        yield kind, *(str(share_of(known, asked[name])) for name in _explanations(rows))


def _by_null(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    every: list[dict[str, Scores]] = []
    for null, says in _NULLS.items():
        found = [row["nulls"][null] for row in rows if null in row["nulls"]]
        every += found
        yield says, *_explained_nulls(found)
    yield "all together", *_explained_nulls(every)


def _explained_nulls(found: Sequence[dict[str, Scores]]) -> tuple[str, ...]:
    counts = (
        sum(bool(explained_by(accounts)) for accounts in found),
        sum(bool(not_far_below_its_loss(accounts)) for accounts in found),
        sum(any(one["is_explanation"] and reaches(one, ["explained"]) for one in each.values()) for each in found),
    )
    return tuple(str(Share(count, len(found))) for count in counts)


def _unexplained(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if generalises(row) and not explained_by(row["accounts"])]


def _missing(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for row in _unexplained(rows):
        accounts = row["accounts"]
        candidates = [name for name, scores in accounts.items() if scores["is_explanation"]]
        name = max(candidates, key=lambda name: _nearness(accounts[name]), default=None)
        numbers = [accounts[name][bar] for bar in BARS] if name else [None] * len(BARS)
        circularity = "–" if row["circularity"] is None else f"{row['circularity']:.2f}"
        shown = ("–" if number is None else percent(number) for number in numbers)
        short = [bar for bar in BARS if not name or not reaches(accounts[name], [bar])]
        lacks = ", ".join(
            {"explained": "logits", "loss_recovered": "loss", "accuracy": "answers"}[bar] for bar in short
        )
        about = (row["kind"], f"{row['attention_rate']:g}", circularity, row["label"], name or "none")
        yield f"`{row['run']}`", *about, *shown, lacks


def _residues(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Where the variance of their logits is, by the parts of the average over equal answers."""
    for row in _unexplained(rows):
        of_sum, keys = row["accounts"]["sum"], f"{len(row['keys'])} of {row['n'] // 2}"
        shares = (*(of_sum["parts"][part] for part in _PARTS), of_sum["explained"], row["pairs_own_scale"])
        yield f"`{row['run']}`", keys, *map(percent, shares)


def _nearness(scores: Scores) -> tuple[int, float]:
    return sum(reaches(scores, [bar]) for bar in BARS), scores["explained"] or 0.0


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def drawn(rows: Sequence[Row]) -> go.Figure:
    """Bars: the share of the networks that each account explains, with Wilson's 95 % intervals."""
    known = [row for row in rows if generalises(row)]
    groups = {OF_ALL: known, OF_OTHERS: [row for row in known if not is_circular(row)]}
    asked = questions(rows)
    figure = go.Figure()
    for (name, group), colour in zip(groups.items(), ("#4c78a8", "#f58518"), strict=True):
        shares = [share_of(group, holds) for holds in asked.values()]
        middle = [share.k / share.n if share.n else 0.0 for share in shares]
        figure.add_bar(
            name=f"{name} ({len(group)})",
            x=middle,
            y=[name.replace("`", "") for name in asked],
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
        margin={"l": 330, "r": 20, "t": 30, "b": 90},
        legend={"orientation": "h", "y": -0.12},
        xaxis={"title": "share of the networks explained", "tickformat": ".0%", "range": [0, 1.02]},
        yaxis={"autorange": "reversed", "ticksuffix": " "},
    )
    return figure
