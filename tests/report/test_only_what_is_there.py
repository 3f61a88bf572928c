"""Figures and captions say only what is there: of one checkpoint, of few clusters, of heads that hardly change."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grokinterp.analysis import AttentionSummary, Report, analyze
from grokinterp.analysis._neurons import BestIrreps
from grokinterp.report import page_figures, render_page, weight_norms_figure
from grokinterp.report._attention import attention_figure
from grokinterp.report._explorer import explorer
from grokinterp.report._neurons import example_neurons, example_neurons_words
from grokinterp.report._training import drawn_matrices


def with_neurons(report: Report, irreps: list[int], explained: list[float]) -> Report:
    """The report as if its neurons were these."""
    share = np.zeros_like(report.circuit.neurons.share[: len(irreps)])
    share[np.arange(len(irreps)), np.array(irreps) - 1] = explained
    found = replace(report.circuit.found, neurons=BestIrreps(share))
    return replace(report, in_group=replace(report.circuit, found=found))


@pytest.mark.parametrize(
    ("irreps", "explained", "drawn", "words"),
    [
        ([1, 1, 2, 3], [0.9, 0.95, 0.9, 0.86], [1, 2, 3, 0], "each of the 3 clusters and the best-explained other one"),
        ([1, 1, 1, 1], [0.9, 0.95, 0.9, 0.86], [1, 0, 2, 3], "the only cluster and the 3 best-explained of the other"),
        (
            [1, 2, 3, 3],
            [0.9, 0.5, 0.3, 0.4],
            [0, 3, 1, 2],
            "only cluster, the best-explained neuron of 2 frequencies w",
        ),
        ([1, 1, 1, 2], [0.2, 0.1, 0.3, 0.4], [2, 3, 0, 1], "of 2 frequencies without a cluster and the 2 best-expl"),
        ([1], [0.9], [0], "the best-explained neuron of the only cluster"),
    ],
)
def test_the_caption_says_which_neurons_are_drawn(report: Report, irreps, explained, drawn, words) -> None:
    changed = with_neurons(report, irreps, explained)
    assert example_neurons(changed) == drawn
    assert words in example_neurons_words(changed)


def test_the_caption_of_the_page_names_them(report: Report) -> None:
    captions = {figure.name: figure.caption for figure in page_figures(report)}
    assert example_neurons_words(report) in captions["example-neurons"]
    assert "{" not in captions["example-neurons"]


def test_the_lines_of_weights_add_up_to_all(report: Report) -> None:
    measures = report.curves.measures
    drawn = drawn_matrices(measures)
    names = [name for name, _, _ in drawn]
    assert {"W_E", "W_in", "W_out", "W_U"} <= set(names) and names[-1].endswith("smaller ones together")
    np.testing.assert_allclose(sum(values for _, _, values in drawn), measures["sum_of_squared_weights"], rtol=1e-12)
    lines = [trace for trace in weight_norms_figure(report).data if not str(trace.name).startswith("Gini")]
    assert len(lines) == len(drawn)
    content = explorer(report).content
    at_the_end = [content["curves"][f"matrix {i}"][-1] for i in range(len(content["matrices"]))]
    assert [name for name, _ in content["matrices"]] == names
    assert sum(at_the_end) == pytest.approx(measures["sum_of_squared_weights"].iloc[-1], rel=1e-3)


def test_the_matrices_of_two_layers_are_all_among_the_lines() -> None:
    names = [
        f"sum_of_squared_weights_{layer}.{name}" for layer in (0, 1) for name in ("W_Q", "W_K", "W_in", "W_out", "b_in")
    ]
    measures = pd.DataFrame({"step": [0, 9]} | {name: [1.0, float(i)] for i, name in enumerate(names)})
    drawn = drawn_matrices(measures)
    assert sum(values[-1] for _, _, values in drawn) == sum(range(10))


@pytest.mark.parametrize("size", [0.0, 1e-6, 0.009, 0.02])
def test_a_head_that_hardly_changes_is_called_so(report: Report, size: float) -> None:
    attention = report.circuit.attention
    spread = np.full(len(attention.spread), size)
    changed = replace(
        report, in_group=replace(report.circuit, attention=AttentionSummary(attention.to_a, attention.to_b, spread))
    )
    titles = [annotation.text for annotation in attention_figure(changed).layout.annotations]
    called = [("near-constant" in title, "k =" in title) for title in titles if title.startswith("head")]
    assert called and set(called) == {(size < 0.01, size >= 0.01)}


def test_the_spread_of_attention_is_its_standard_deviation(report: Report) -> None:
    pattern = report.snapshot.pattern.astype(np.float64)
    by_hand = [max(np.std(pattern[:, head, 0]), np.std(pattern[:, head, 1])) for head in range(pattern.shape[1])]
    np.testing.assert_allclose(report.circuit.attention.spread, by_hand, rtol=1e-6)


@pytest.mark.parametrize("task", [["task.p=7"], ["task.operation=compose", "task.group=S3"]])
def test_the_page_of_one_checkpoint_speaks_of_no_slider_and_no_history(
    analysed: Callable[..., Report], task: list[str]
) -> None:
    report = analysed(*task, "training.steps=20", name="one")
    for path in (report.run.path / "checkpoints").iterdir():
        if "000020" not in path.name:
            path.unlink()
    (report.run.path / "metrics.jsonl").unlink()
    alone = analyze(report.run)
    assert len(alone.curves.measures) == 1
    page = render_page(alone)
    text = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    assert "slider" not in text and "Learned" not in text and "learned at" not in text
    assert "over training" not in text.lower()
