"""Every number of the evidence links to how it is computed."""

import re
from dataclasses import replace

import pytest
from test_page import Elements
from verdict.circle_networks import circle_network

from grokinterp.report import render_verdict
from grokinterp.report._glossary import FORMULAS, formula_key, glossary
from grokinterp.verdict import Evidence, Verdict, find_verdict
from grokinterp.verdict import _evidence as rules
from grokinterp.verdict import _examination as examination

ROWS = [row.name for row in (*rules._ROWS, *rules._OF_CIRCLES, *rules._OF_IRREPS)]


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return find_verdict(circle_network(13, {1: 9.0, 2: 8.0, 5: 10.0}, "pizza"))


@pytest.mark.parametrize("name", [*ROWS, *(f"loss_{name}" for name in examination._REPLACED)])
def test_every_row_has_a_formula(name: str) -> None:
    formula = FORMULAS[formula_key(name)]
    assert formula.name and formula.formula and formula.words


def test_no_formula_is_of_nothing() -> None:
    known = {formula_key(name) for name in (*ROWS, *(f"loss_{name}" for name in examination._REPLACED))}
    assert set(FORMULAS) - known == {"loss_without"}


def test_numbers_link_to_formulas_that_are_on_the_page(verdict: Verdict) -> None:
    elements = Elements(render_verdict(verdict))
    ids = [attributes.get("id") for _, attributes in elements.tags]
    links = [attributes.get("href") or "" for tag, attributes in elements.tags if tag == "a"]
    linked = [link[1:] for link in links if link.startswith("#formula-")]
    assert len(linked) == len(verdict.evidence)
    assert {f"formula-{formula_key(row.name)}" for row in verdict.evidence} == set(linked) <= set(ids)
    assert len(set(ids) - {None}) == len([one for one in ids if one])
    assert "e_k and o_k are its amplitudes" in re.sub(r"\s+", " ", elements.text)


def test_a_row_without_a_formula_has_no_link(verdict: Verdict) -> None:
    new = Evidence("new_measure", "structure", "Something new?", 0.5)
    page = render_verdict(replace(verdict, evidence=(*verdict.evidence, new)))
    assert "Something new?" in page and "formula-new_measure" not in page
    assert glossary(["new_measure", "clock_share"]) == [("clock_share", FORMULAS["clock_share"])]
