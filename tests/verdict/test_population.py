"""docs/population.py: its networks are those of grokinterp, and its tables count what was measured."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from docs_script import docs_script

from grokinterp.runs import Snapshot, load_run
from grokinterp.tasks import Task
from grokinterp.training import train

population = docs_script("population")
# Its own modules, which it has put in reach.
import population_judged as counting  # noqa: E402
import population_page as page  # noqa: E402
import population_training as training  # noqa: E402

Family = training.Family
MLP = {"architecture": "mlp", "d_model": 16, "d_mlp": 24}
ATTENTION = {"d_model": 16, "d_head": 4, "d_mlp": 24}
SHAPES = {
    "sum": Family("sum", "sum", 2, {"p": 7}, MLP),
    "concatenation": Family("c", "c", 2, {"p": 7}, {**MLP, "mlp_inputs": "concatenation", "act_fn": "gelu"}),
    "two hidden layers": Family("h", "h", 2, {"p": 7, "own_tokens_for_b": True}, {**MLP, "n_layers": 2}),
    "MLP that reads =": Family("e", "e", 2, {"p": 7, "equals_token": True}, MLP),
    "attention": Family("a", "a", 2, {"p": 7}, ATTENTION, drawn_rate=True),
    "attention from =": Family("q", "q", 2, {"p": 7, "equals_token": True, "own_tokens_for_b": True}, ATTENTION),
    "both ways": Family("b", "b", 2, {"p": 7}, {**ATTENTION, "n_layers": 2, "attention": "bidirectional"}),
    "LayerNorm": Family("l", "l", 2, {"p": 7, "equals_token": True}, {**ATTENTION, "normalization": "LN"}),
    "masked and constant": Family("m", "m", 2, {"p": 7}, {**ATTENTION, "n_layers": 2}, drawn_rate=True),
    "three layers": Family("t", "t", 2, {"p": 7}, {**ATTENTION, "n_layers": 3}),
}


@pytest.mark.parametrize("family", SHAPES.values(), ids=SHAPES)
def test_the_batched_forward_is_the_network(family):
    configs = [family.config(number) for number in range(2)]
    generator = torch.Generator().manual_seed(0)
    # Biases start at zero: any others show whether they are in the right place.
    weights = {
        name: value + 0.1 * torch.randn(value.shape, generator=generator)
        for name, value in training.stacked(configs).items()
    }
    batched = training.Batch(configs).logits(weights).numpy()
    for number, config in enumerate(configs):
        own = {name: value[number] for name, value in weights.items()}
        alone = Snapshot(0, Task(config.task), config.model, own)
        np.testing.assert_allclose(batched[number], alone.logits, atol=1e-4, rtol=0)


def test_every_shape_of_the_population_is_covered():
    for family in population.FAMILIES:
        config = family.config(0)
        logits = training.Batch([config]).logits(training.stacked([config]))
        assert logits.shape == (1, config.task.p**2, config.task.p), family.name
    assert sum(family.networks for family in population.FAMILIES if family.learns) >= 120
    assert sum(family.networks for family in population.FAMILIES if not family.learns) >= 20


@pytest.mark.parametrize("name", ["sum", "three layers"])
def test_networks_side_by_side_are_those_that_grokinterp_trains(name, tmp_path):
    family = replace(SHAPES[name], most_steps=20)
    list(training.train_family(family, [0, 1], tmp_path))
    run = load_run(training.run_path(tmp_path, family, 1))
    alone = train(family.config(1), tmp_path / "alone", progress=False)
    assert run.steps == [20]
    assert run.metrics["train_loss"].iloc[0] == pytest.approx(alone.metrics["train_loss"].iloc[0], rel=1e-5)
    for weight, value in run.weights(20).items():
        # Adam divides by the gradient's own size, so that rounding shows where a gradient is nearly zero.
        torch.testing.assert_close(value, alone.weights(20)[weight], atol=2e-3, rtol=0)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Five networks: two that generalise, one that stops early, one with random labels, one that remembers."""
    out = tmp_path_factory.mktemp("population")
    task, model = {"p": 23, "train_fraction": 0.9}, {"d_model": 32, "d_head": 8, "d_mlp": 64}
    families = (
        Family("learns", "one", 2, task, model, most_steps=1000),
        Family("stops", "another", 1, task, model, most_steps=100),
        Family("random", "random labels", 1, {"p": 7}, MLP, weight_decay=0.0, null="random_labels", most_steps=100),
        Family("few", "memorises", 1, {"p": 23, "train_fraction": 0.3}, model, 0.0, null="memorises", most_steps=300),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "STILL", 0.2)
        population.train(out, families)
    population.judge(out, families)
    return out


@pytest.mark.long
def test_a_small_population_is_trained_judged_and_counted(small):
    rows = counting.read_rows(small / "judged.jsonl")
    assert [row["run"] for row in rows] == ["learns/00", "learns/01", "stops/00", "random/00", "few/00"]
    assert [counting.generalises(row) for row in rows] == [True, True, False, False, False]
    assert [row["converged"] for row in rows] == [True, True, False, False, False]
    assert rows[-1]["train_accuracy"] == 1 and rows[-1]["test_accuracy"] < 0.3
    blocks = page.blocks(rows)
    assert "2 of 3 (67 %, 21 to 94) generalise" in blocks["summary"]
    kinds = {line.split(" | ")[0].strip("| "): line for line in blocks["kinds"].splitlines()}
    assert "2 of 2 (100 %" in kinds["one"]
    assert "0 of 1 (0 %" in kinds["another"]
    assert "random labels" not in kinds
    known = [row for row in rows if counting.generalises(row)]
    explained = sum(bool(counting.explained_by(row["accounts"])) for row in known)
    accounts = {line.split(" | ")[0].strip("| "): line for line in blocks["accounts"].splitlines()}
    assert f"| {explained} of 2" in accounts[page.ANY]
    assert len(blocks["missing"].splitlines()) == len(blocks["residue"].splitlines()) == 2 + 2 - explained
    for null in ("trained on random labels", "memorises and stays there"):
        assert "0 of 1" in next(line for line in blocks["nulls"].splitlines() if null in line)


@pytest.mark.long
def test_what_is_there_is_not_made_again(small):
    families = (Family("learns", "one", 2),)  # It would be another network.
    before = {file: file.stat().st_mtime_ns for file in small.rglob("*") if file.is_file()}
    population.train(small, families)
    population.judge(small, families)
    assert {file: file.stat().st_mtime_ns for file in small.rglob("*") if file.is_file()} == before


def scores(explained: float, *, is_explanation: bool = True, loss_recovered: float = 1.0) -> dict:
    numbers = {"explained": explained, "loss_recovered": loss_recovered, "accuracy": 1.0}
    parts = dict.fromkeys(("rotation", "reflection", "bias", "harmonics", "other", "distance"), 1 / 6)
    return {**numbers, "is_explanation": is_explanation, "per_neuron": False, "numbers": 12, "parts": parts}


def row(run: str, test_accuracy: float = 1.0, **explained: float) -> dict:
    """A network of which these accounts give so much of the logits."""
    accounts = {name: scores(share) for name, share in explained.items()}
    accounts["sum"] = scores(0.9, is_explanation=False)
    about = {"kind": "one", "learns": True, "converged": True, "n": 31, "attention_rate": 1.0, "label": "pizza"}
    nulls = {"memorised": {"clock": scores(0.9, loss_recovered=1.5)}, "random_weights": {"clock": scores(0.1)}}
    measured = {"circularity": 0.9, "test_accuracy": test_accuracy, "keys": [1, 2], "pairs_own_scale": 0.95}
    return {"run": run, **about, **measured, "accounts": accounts, "nulls": nulls}


ROWS = [
    row("cosines/00", clock=0.9, read_out=0.1, neurons_add=0.9),
    row("curves/00", clock=0.1, read_out=0.9, neurons_add=0.9),
    row("neurons/00", clock=0.1, read_out=0.1, neurons_add=0.9),
    row("nothing/00", clock=0.1, read_out=0.8, neurons_add=0.1),
    row("learns/00", test_accuracy=0.5, clock=0.9),
]


def first(table: str) -> dict[str, str]:
    """The lines of a table by their first cell."""
    return {line.strip("| ").split(" | ")[0]: line for line in table.splitlines()}


def test_the_tables_say_which_accounts_explain():
    blocks = page.blocks([one | {"accounts": {"pizza": scores(0.1), **one["accounts"]}} for one in ROWS])
    accounts = first(blocks["accounts"])
    for name, count in {page.ANY: 3, page.ANY_FEW: 2, page.ANY_FEWEST: 1, page.COSINES: 1, "clock": 1}.items():
        assert accounts[name].startswith(f"| {name} | {count} of 4 "), name
    assert accounts["sum (no explanation)"].count("4 of 4") == 2
    assert blocks["missing"].splitlines()[2].startswith("| `nothing/00` | one | 1 | 0.90 | pizza | read_out | 80")
    assert blocks["missing"].splitlines()[2].endswith(" | logits |")
    assert len(blocks["residue"].splitlines()) == 3
    nulls = first(blocks["nulls"])
    of_memorised = nulls["the same network, when it had memorised"].split(" | ")
    # By the three bars all are explained, and none where the account's loss may not be far below the network's.
    assert [cell.split(" (")[0] for cell in of_memorised[1:3]] == ["5 of 5", "0 of 5"]
    assert nulls["all together"].split(" | ")[1].startswith("5 of 10 ")


def test_the_page_takes_the_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "render_images", lambda figures, _: dict.fromkeys(figures, b"<svg/>"))
    copy = tmp_path / "population.md"
    copy.write_text(page.PAGE.read_text())
    rows = [one | {"accounts": {"pizza": scores(0.1), **one["accounts"]}} for one in ROWS]
    page.write_page(rows, copy, tmp_path / "population.svg")
    once = copy.read_text()
    page.write_page(rows, copy, tmp_path / "population.svg")
    assert copy.read_text() == once
    for block in page.blocks(rows).values():
        assert block in once
    assert len(page.drawn(rows).data) == 2


def test_the_page_that_is_shipped_counts_the_same_networks_everywhere():
    shipped = {
        name: text
        for _, name, text in re.findall(
            r"(<!-- population: ([a-z ]+) -->)\n(.*?)\n<!-- end", page.PAGE.read_text(), re.DOTALL
        )
    }
    assert set(shipped) == set(page.blocks(ROWS))
    generalise, learners = map(int, re.search(r"(\d+) of (\d+) .*? generalise", shipped["summary"]).groups())
    by_kind = [re.match(r".*? \| (\d+) of (\d+) ", line) for line in shipped["kinds"].splitlines()[2:]]
    assert sum(int(found[1]) for found in by_kind) == generalise
    assert sum(int(found[2]) for found in by_kind) == learners
    assert learners == sum(family.networks for family in population.FAMILIES if family.learns)
    explained, of = map(int, re.search(r"\| (\d+) of (\d+) ", first(shipped["accounts"])[page.ANY]).groups())
    assert of == generalise
    assert len(shipped["missing"].splitlines()) == 2 + of - explained


def test_wilsons_interval_is_the_published_one():
    # Brown, Cai & DasGupta 2001: for no success of n, the upper end is z² / (n + z²).
    low, high = counting.Share(0, 10).interval
    assert (low, high) == (0, pytest.approx(1.959964**2 / (10 + 1.959964**2)))
    assert counting.Share(8, 10).interval == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert counting.Share(10, 10).interval[0] == pytest.approx(1 - high)


def test_an_account_counts_when_it_reaches_all_three_bars():
    good = {"explained": 0.9, "loss_recovered": 0.95, "accuracy": 1.0, "is_explanation": True}
    assert counting.explained_by({"clock": good}) == ["clock"]
    for bar in counting.BARS:
        assert not counting.explained_by({"clock": good | {bar: 0.8}})
        assert not counting.explained_by({"clock": good | {bar: None}})
    assert not counting.explained_by({"lookup": good | {"is_explanation": False}})


@pytest.mark.long
def test_rows_are_json(small):
    for line in (small / "judged.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)
