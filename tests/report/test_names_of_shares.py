"""A share of the logits has one name everywhere, and no page calls two numbers by one name."""

import re
from collections import defaultdict
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from verdict.circle_networks import circle_network

from grokinterp.analysis import Report, analyze
from grokinterp.report import render_page, render_verdict
from grokinterp.runs import Run, load_run
from grokinterp.verdict import Verdict, find_verdict
from grokinterp.verdict.accounts._accounts import SAYS
from grokinterp.wording import OF_ACCOUNTS, QUANTITIES, why_they_differ

MATHEMATICS = (Path(__file__).parents[2] / "docs" / "mathematics.md").read_text()
PERCENT = r"(?:\d[\d.,]*(?: × 10\S+)? %|<0\.001 %)"
# Longest first: one name ends with another.
NAME = "|".join(sorted((re.escape(one.name) for one in QUANTITIES.values()), key=len, reverse=True))
# "the cosine share of its logits is 9 %", "cosine share of all frequencies 9 %", "cosine share 9 %"; in brackets and of
# one circle it is that of the frequencies named before.
VALUED = re.compile(rf"(?<!\()(?<!-and-)\b({NAME})( of all \w+)?(?: of (?:its|the) logits)?(?: is)? ({PERCENT})")


class Text(HTMLParser):
    """What is read on a page, a piece per element that stands by itself."""

    SKIPPED = ("script", "style")
    APART = ("p", "li", "td", "th", "dt", "dd", "h1", "h2", "h3", "figcaption", "caption")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.skipping, self.pieces = 0, [""]
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.skipping += tag in self.SKIPPED
        if tag in self.APART:
            self.pieces.append("")

    def handle_endtag(self, tag: str) -> None:
        self.skipping -= tag in self.SKIPPED
        if tag in self.APART:
            self.pieces.append("")

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.pieces[-1] += data


def sentences(page: str) -> list[str]:
    text = [" ".join(piece.split()).replace("\u202f", " ").replace("\u2060", "") for piece in Text(page).pieces]
    return [sentence for piece in text for sentence in re.split(r"(?<=[.;:]) (?=[A-Z])", piece) if sentence]


def run_of(kind: str, folder: Path, tiny_run: Run) -> Run:
    """A run of one checkpoint of a hand-built network: the shapes of the tiny run's record, its weights another's."""
    snapshot = circle_network(13, {1: 9.0, 2: 8.0, 5: 10.0}, kind)
    config = tiny_run.config.model_copy(update={"task": snapshot.task.config, "model": snapshot.config})
    record = {"config": config.model_dump(mode="json"), "environment": tiny_run.environment.model_dump(mode="json")}
    made = replace(tiny_run, path=folder, config=config)
    (folder / "checkpoints").mkdir(parents=True)
    made.folder.write_record(record | {"schema_version": 1, "split_hash": snapshot.task.split.hash})
    made.folder.write_checkpoint(0, {name: weight.contiguous() for name, weight in snapshot.weights.items()})
    return load_run(folder)


@pytest.fixture(scope="module", params=["clock", "pizza", "0.5"])
def both(
    request: pytest.FixtureRequest, tiny_run: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Report, Verdict]:
    run = run_of(request.param, tmp_path_factory.mktemp("run") / "run", tiny_run)
    torch.manual_seed(0)
    return analyze(run), find_verdict(run, full=False, triples=100)


def test_names_are_apart_and_every_account_has_one() -> None:
    names = [one.name for one in QUANTITIES.values()]
    assert len(set(names)) == len(names)
    assert OF_ACCOUNTS.keys() == SAYS.keys()
    assert len(set(OF_ACCOUNTS.values())) == len(OF_ACCOUNTS) <= len(QUANTITIES)


def test_the_mathematics_has_the_table_as_it_is() -> None:
    section = MATHEMATICS.split("## How much is explained\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.*) \| (.*) \| (.*) \|$", section, flags=re.MULTILINE)[1:]
    rows = [row for row in rows if not set(row[0]) <= set("-|")]
    assert rows == [(one.name, one.formula, one.where) for one in QUANTITIES.values()]


def test_a_percentage_of_the_logits_has_a_name(both: tuple[Report, Verdict]) -> None:
    report, verdict = both
    texts = [*report.finding, verdict.headline, *verdict.judgement.reasons_for, *verdict.judgement.reasons_against]
    texts += verdict.key_doubts + sentences(render_page(report, verdict)) + sentences(render_verdict(verdict))
    said = [text for text in texts if "logits" in text and re.search(PERCENT, text)]
    assert len(said) > 3
    for text in said:
        is_rule = "predicts the network" in text or "85 % of the logits" in text
        assert re.search(NAME, text, flags=re.IGNORECASE) or is_rule, text


def test_no_page_calls_two_numbers_by_one_name(both: tuple[Report, Verdict]) -> None:
    report, verdict = both
    terminal = [f"{verdict.label}: {verdict.headline}", *report.finding, *verdict.why_shares_differ]
    for page in (terminal, sentences(render_page(report, verdict)), sentences(render_verdict(verdict))):
        values: dict[str, set[str]] = defaultdict(set)
        for text in page:
            for name, all_of, value in VALUED.findall(text):
                if name != QUANTITIES["loss"].name and "circle" not in text.split(name)[0]:
                    values[name + all_of].add(value)
        assert values
        assert all(len(found) == 1 for found in values.values()), values


def test_where_two_shares_stand_on_one_page_it_says_why_they_differ(both: tuple[Report, Verdict]) -> None:
    report, verdict = both
    page = " ".join(sentences(render_page(report, verdict)))
    expected = {
        "clock": [],
        "pizza": why_they_differ(["cosines", "pizza"]),
        "mixed": why_they_differ(["cosines", "mixed"]),
    }
    assert verdict.judgement.account
    assert verdict.why_shares_differ == expected[verdict.judgement.account.name]
    assert all(sentence in page for sentence in verdict.why_shares_differ)
    assert all(
        sentence in " ".join(sentences(render_verdict(verdict)))
        for sentence in why_they_differ(OF_ACCOUNTS.values())[:2]
    )


def test_the_clocks_share_is_the_cosine_share_of_the_analysis(both: tuple[Report, Verdict]) -> None:
    report, verdict = both
    accounts = verdict.measured.accounts
    assert accounts["clock"].explained == pytest.approx(report.circuit.logits.variance_explained, abs=1e-6)
    assert accounts["mixed"].explained >= max(accounts["clock"].explained, accounts["pizza"].explained) - 1e-9
    assert report.circuit.keys == verdict.measured.keys
