"""The page of a comparison stands alone, says what the comparison says, and lets no name become markup."""

import json
import re
from html.parser import HTMLParser
from io import StringIO

import numpy as np
import pandas as pd
import pytest

import grokinterp
from grokinterp.analysis import Comparison, compare_runs
from grokinterp.errors import GrokinterpError
from grokinterp.report import (
    COMPARED_COLUMNS,
    comparison_figures,
    comparison_sentences,
    render_comparison,
    runs_table,
    write_comparison,
)

NASTY = "<b>a\u2215b<\u2215b> \"quotes\" & 'more'"


class Seen(HTMLParser):
    """Start tags, and the text that a reader sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._hidden = self._hidden and tag not in ("script", "style")

    def handle_data(self, data):
        self.text += "" if self._hidden else data


@pytest.fixture(scope="module")
def runs(analysed):
    """Two runs in Z_7, one of them with a name that could be markup; one in S_3; one without a group."""
    table = json.dumps([[(a * b + a) % 4 for b in range(4)] for a in range(4)])
    return [
        analysed("task.p=7", "training.steps=60", name=NASTY).run,
        analysed("task.p=7", "training.steps=40", name="second").run,
        analysed("task.operation=compose", "task.group=S3", "training.steps=40", name="group").run,
        analysed("task.operation=table", f"task.table={table}", "training.steps=40", name="free").run,
    ]


@pytest.fixture(scope="module")
def comparison(runs) -> Comparison:
    return grokinterp.compare(runs)


@pytest.fixture(scope="module")
def page(comparison) -> str:
    return render_comparison(comparison)


def drawn(comparison: Comparison) -> dict:
    return {entry.name: entry.draw(comparison) for entry in comparison_figures(comparison)}


def test_nothing_is_requested(page):
    for tag, attributes in Seen(page).tags:
        for name in ("src", "srcset", "href", "data", "action", "poster"):
            value = attributes.get(name) or ""
            assert value.startswith(("#", "data:")) or not value, f"<{tag} {name}={value!r}>"
    assert "default-src 'none'" in page


def test_names_are_text(page, comparison):
    seen = Seen(page)
    assert NASTY in seen.text
    assert ("b", {}) not in seen.tags
    for figure in drawn(comparison).values():
        names = [str(trace.name) for trace in figure.data]
        assert not any("<b>" in name for name in names)


def test_it_says_what_the_comparison_says(page, comparison):
    text = " ".join(Seen(page).text.replace("\u00a0", " ").split())
    for sentence in comparison_sentences(comparison):
        assert " ".join(sentence.split()) in text
    for row in runs_table(comparison):
        assert row.about in text
        assert len(row.cells) == len(COMPARED_COLUMNS)
        for cell in row.cells:
            assert cell.text in text


def test_equal_comparisons_give_equal_pages(page, comparison):
    assert render_comparison(Comparison(comparison.runs)) == page


def test_a_colour_is_a_run_everywhere(comparison):
    colours = {row.name: row.colour for row in runs_table(comparison)}
    assert len(set(colours.values())) == len(comparison.runs)
    for name in ("losses", "progress", "explained"):
        for trace in drawn(comparison)[name].data:
            assert trace.line.color == colours[trace.legendgroup]


def test_curves_are_those_of_the_runs(comparison):
    figures = drawn(comparison)
    last = max(run.step for run in comparison.runs)
    for run in comparison.runs[:3]:
        (share,) = (t for t in figures["explained"].data if t.legendgroup == run.name and not t.showlegend)
        np.testing.assert_array_equal(share.x, run.measures["step"])
        np.testing.assert_array_equal(share.y, run.measures["logit_variance_explained"].astype("float32"))
        above, below = (t for t in figures["progress"].data if t.legendgroup == run.name and not t.showlegend)
        np.testing.assert_array_equal(above.y, run.measures["restricted_loss"].astype("float32"))
        np.testing.assert_array_equal(below.y, run.measures["excluded_loss"].astype("float32"))
    for run in comparison.runs:
        train, test = (t for t in figures["losses"].data if t.legendgroup == run.name and not t.showlegend)
        np.testing.assert_array_equal(train.y, run.metrics["train_loss"].astype("float32"))
        np.testing.assert_array_equal(test.x, run.metrics.dropna(subset=["test_loss"])["step"])
    assert figures["losses"].layout.xaxis.range[1] >= last


def test_frequencies_of_different_groups_are_not_overlaid(comparison):
    figures = drawn(comparison)
    assert list(figures) == ["losses", "progress", "explained", "keys", "keys-2"]
    bars = {name: [t for t in figures[name].data if t.type == "bar"] for name in ("keys", "keys-2")}
    assert [len(of) for of in bars.values()] == [2, 1]
    assert [list(of[0].customdata) for of in bars.values()] == [
        ["1", "2", "3"],
        list(comparison.runs[2].irrep_names[1:]),
    ]
    for bar, run in zip([*bars["keys"], *bars["keys-2"]], comparison.runs, strict=False):
        np.testing.assert_array_equal(bar.y, run.logit_share[1:].astype("float32"))
        assert bar.marker.color.count("#A3A9B1") == len(run.irrep_names) - 1 - len(run.keys)


def test_runs_without_a_group_have_losses_alone(runs):
    comparison = compare_runs([runs[3], runs[3]])
    assert [entry.name for entry in comparison_figures(comparison)] == ["losses"]
    assert "no group is known" in render_comparison(comparison)


def test_a_run_whose_split_is_unknown_and_that_has_one_checkpoint(runs, shared_data, tmp_path):
    files = sorted(shared_data.rglob("model_p99zdpze5l.pt"))
    if not files:
        pytest.skip("the pizza checkpoints are not here")
    run = grokinterp.import_run(files[0], tmp_path / "A")
    comparison = compare_runs([run, runs[0]])
    (dot,) = (t for t in drawn(comparison)["losses"].data if t.legendgroup == "A" and not t.showlegend)
    assert (dot.mode, list(dot.x)) == ("markers", [run.last_step])
    assert dot.y[0] == pytest.approx(comparison.runs[0].final["all_loss"], rel=1e-6)
    assert "Of A there is one checkpoint only, which does not say when it learned what it knows." in (
        comparison_sentences(comparison)
    )
    assert [cell.small for cell in runs_table(comparison)[0].cells][3] == "100 % of all pairs"


@pytest.mark.long
def test_the_sentences_say_who_grokked_when(mainline):
    comparison = compare_runs([mainline, mainline])
    assert comparison_sentences(comparison) == [
        "2 runs of (a + b) mod 113",
        "At least 99 % of the unseen pairs are right for good in nanda-mainline from step 10,330 on and nanda-mainline "
        "(2) from step 10,330 on.",
    ]


def test_the_files_hold_the_comparison(comparison, tmp_path):
    paths = write_comparison(comparison, tmp_path / "new" / "folder")
    assert sorted(file.name for file in (tmp_path / "new" / "folder").iterdir()) == [
        "comparison.csv",
        "comparison.html",
        "comparison.json",
    ]
    assert json.loads(paths.json.read_text()) == json.loads(json.dumps(comparison.to_dict()))
    table = pd.read_csv(StringIO(paths.csv.read_text()))
    assert table["run"].tolist() == list(comparison.names)
    np.testing.assert_array_equal(table["test_loss"], comparison.table["test_loss"])
    assert re.search(r"<table class=\"runs\">", paths.html.read_text())


def test_a_fault_leaves_the_files_of_an_earlier_comparison(comparison, tmp_path, monkeypatch):
    write_comparison(comparison, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr(Comparison, "to_dict", lambda _: {"not JSON": float("nan")})
    with pytest.raises(ValueError, match="Out of range float values"):
        write_comparison(compare_runs([comparison.runs[1].path] * 2), tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written(comparison, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GrokinterpError, match=r"cannot write .*file: a file stands where a folder is needed"):
        write_comparison(comparison, tmp_path / "file")
