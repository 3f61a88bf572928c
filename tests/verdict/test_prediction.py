"""What counts as predicted, what loss recovered says, and what an unexplained network lacks."""

import math
from dataclasses import replace

import numpy as np
import pytest
from exact_network import cosine_logits, exact_snapshot

from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import THRESHOLDS, Account, Measured, Verdict, find_verdict, judge
from grokinterp.verdict._prediction import told
from grokinterp.wording import loss_recovered

P = 23
NOISY = Task(TaskConfig(p=P))


def quick(logits: np.ndarray, task: Task = NOISY) -> Verdict:
    return find_verdict(exact_snapshot(task, logits), full=False, triples=100)


def with_residue(size: float) -> np.ndarray:
    """Cosines of three frequencies, and noise of `size` times their deviation; the right answer stays in the lead."""
    logits = cosine_logits(P, {1: 20.0, 3: 20.0, 5: 20.0})
    right = logits[np.arange(len(logits)), NOISY.answers][:, None]
    noise = size * logits.std() * np.random.default_rng(0).normal(size=logits.shape)
    return np.where(logits == right, right, logits + np.minimum(noise, right - logits - 8))


def without_table(verdict: Verdict) -> Verdict:
    """As if many neurons made these logits: `exact_snapshot` has one for each pair."""
    stages = verdict.measured.stages
    circles = tuple(replace(one, neurons=replace(one.neurons, local=0.0)) for one in stages.circles)
    measured = replace(verdict.measured, stages=replace(stages, circles=circles))
    return replace(verdict, measured=measured, judgement=judge(measured, NOISY))


@pytest.fixture(scope="module")
def residue() -> Verdict:
    return without_table(quick(with_residue(0.7)))


def test_right_form_with_much_left_over_is_no_nothing(residue: Verdict) -> None:
    assert (residue.label, residue.judgement.unexplained) == ("unexplained", "residue")
    nearest = residue.judgement.nearest
    assert nearest is not None
    assert nearest.accuracy == 1.0
    assert nearest.loss_recovered > THRESHOLDS["loss_recovered"].bound
    assert nearest.explained < THRESHOLDS["explained"].bound
    assert "has the right form, with much left over" in residue.headline
    assert "no account that was tried predicts how" not in residue.headline
    assert f"100 % of the pairs right, {loss_recovered(nearest.loss_recovered)}" in residue.headline
    # The weakness of such evidence is said.
    assert any("largest at the right answer in any network" in reason for reason in residue.judgement.reasons_against)


def test_what_is_missing_is_in_the_content(residue: Verdict) -> None:
    content = residue.to_dict()
    assert content["verdict"]["unexplained"] == "residue"
    assert content["verdict"]["nearest_account"] == residue.judgement.nearest.name
    assert content["verdict"]["account"] == residue.judgement.account.name
    assert quick(cosine_logits(P, {3: 30.0, 5: 30.0})).to_dict()["verdict"]["unexplained"] is None


def test_a_table_and_noise_are_not_called_the_right_form() -> None:
    right = 10 * np.eye(P)[NOISY.answers]
    assert quick(right).label == "table"
    table = without_table(quick(right))
    assert (table.label, table.judgement.unexplained) == ("unexplained", "table")
    assert "as a table does (table fit 100 %)" in table.headline
    # Right by its largest logit alone: all frequencies together, which say nothing of a form.
    noise = np.random.default_rng(1).normal(size=right.shape)
    nothing = quick(4 * np.minimum(noise, 2) + 0.9 * right)
    assert nothing.label in ("table", "unexplained") or nothing.measured.all_accuracy < 0.99
    assert nothing.judgement.unexplained != "residue"


def account(name: str = "mixed", **numbers: float) -> Account:
    values = {"explained": 0.9, "loss": 0.1, "accuracy": 1.0, "loss_recovered": 0.95} | numbers
    return Account(name, "logits are something", by_irrep={}, **values)


def judged(measured: Measured, **numbers: float):
    accounts = measured.accounts | {name: account(name, **numbers) for name in measured.accounts if name != "lookup"}
    return judge(replace(measured, accounts=accounts), NOISY)


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ({"explained": 0.6}, "residue"),
        ({"explained": 0.6, "accuracy": 0.5}, "nothing"),
        ({"explained": 0.6, "loss_recovered": 0.5}, "nothing"),
        ({"loss_recovered": 0.5}, "form"),
        ({}, None),
    ],
)
def test_each_of_the_three_numbers_counts(residue: Verdict, numbers: dict[str, float], missing: str | None) -> None:
    assert judged(residue.measured, **numbers).unexplained == missing


def test_a_label_whose_account_answers_wrong_says_so(residue: Verdict) -> None:
    found = judged(residue.measured, accuracy=0.95)
    assert found.unexplained is None
    assert "the account alone answers 95.0 % of the pairs right, not 99.0 %" in found.reasons_against


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "loss recovered 0 %"),
        (1.0, "loss recovered 100 %"),
        (1.687, "loss recovered 168.7 % (above 100 %: a lower loss than the network's)"),
        (-1.0, "loss recovered -100.0 % (below 0 %: worse than guessing)"),
        (math.nan, "loss recovered –"),
    ],
)
def test_loss_recovered_says_what_it_means(value: float, said: str) -> None:
    assert loss_recovered(value).replace("0.0 %", "0 %") == said.replace("0.0 %", "0 %")
    assert said.replace("0.0 %", "0 %") in told(account(loss_recovered=value)).replace("0.0 %", "0 %")


def test_the_scale_of_loss_recovered_is_that_of_guessing_and_of_the_network(residue: Verdict) -> None:
    measured = residue.measured
    one = measured.accounts["mixed"]
    by_hand = (math.log(P) - one.loss) / (math.log(P) - measured.loss)
    assert one.loss_recovered == pytest.approx(by_hand, rel=1e-5)


def test_tasks_without_an_account_and_networks_without_keys_say_that() -> None:
    squares = Task(TaskConfig(p=7, operation="x2+y2"))
    found = quick(10 * np.eye(squares.n_answers)[squares.answers], squares)
    assert found.judgement.unexplained == "table"
    says = "but its logits only single out the answer, as a table does (table fit 100 %)."
    assert found.headline == f"This network answers {squares.name}, {says}"
    latin = Task(TaskConfig(operation="table", table=["0,1,2", "2,0,1", "1,1,0"]))
    found = quick(10 * np.eye(latin.n_answers)[latin.answers], latin)
    assert found.judgement.unexplained == "no account"
    assert found.headline.endswith(", and there is no account of such a task that could be tested.")
