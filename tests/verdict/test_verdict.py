"""Verdicts on trained networks: the shipped run, other people's, and networks that memorise."""

import json
import math

import pytest
import torch
from circle_networks import circle_network
from exact_network import cosine_logits, exact_snapshot

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import RunConfig, Snapshot, import_run
from grokinterp.tasks import Task, TaskConfig
from grokinterp.training import train
from grokinterp.verdict import Verdict, find_verdict, with_random_weights, with_shuffled_answers, without_circles


@pytest.fixture(scope="module")
def of_mainline(mainline) -> Verdict:
    return find_verdict(mainline, triples=3000)


def test_the_mainline_adds_and_attention_fills_the_holes(of_mainline):
    assert (of_mainline.label, of_mainline.judgement.published) == ("filled pizza", "clock")
    assert of_mainline.measured.keys == (14, 35, 41, 42, 52)
    assert of_mainline.explained == pytest.approx(0.9717, abs=1e-4)
    assert of_mainline.measured.accounts["clock"].explained == pytest.approx(0.9663, abs=1e-4)
    kinds = {circle.freq: round(circle.clockness) for circle in of_mainline.measured.circles}
    assert kinds == {14: 0, 35: 1, 41: 0, 42: 1, 52: 1}
    assert all(circle.fit > 0.99 and circle.works_alone > 0.9 for circle in of_mainline.measured.circles)
    assert of_mainline.headline == (
        "This network adds as a filled pizza, on frequencies 14, 35, 41, 42 and 52: the clock-and-pizza fit of its "
        "logits is 97.2 %, supported by attention held, the neurons' inputs, the neurons' phases, gradients and "
        "averaged embeddings."
    )


def test_the_stages_of_the_mainline(of_mainline):
    """What was measured on it before by other code (six decimals are not: float32)."""
    stages = of_mainline.measured.stages
    assert (stages.sum.formed_at.layer, stages.sum.formed_at.part) == (0, "MLP")
    assert stages.sum.logits_share == pytest.approx(0.976, abs=1e-3)
    circles = {circle.freq: circle for circle in stages.circles}
    for freq, fill, held, kept in (
        (14, -0.01, -0.01, 1.00),
        (41, -0.07, -0.07, 1.00),
        (35, 0.94, -0.08, 0.59),
        (42, 1.40, -0.08, 0.49),
        (52, 1.02, -0.08, 0.58),
    ):
        assert circles[freq].fill == pytest.approx(fill, abs=0.006)
        assert circles[freq].held.fill == pytest.approx(held, abs=0.006)
        assert circles[freq].kept == pytest.approx(kept, abs=0.006)
        assert circles[freq].filled_by_attention == (fill > 0.5)
        assert circles[freq].neurons.alignment > 0.9999
    assert stages.read_out.rotation == pytest.approx(0.990, abs=1e-3)


def test_the_sixth_circle_of_the_mainline(of_mainline):
    without = {one.freq: one for one in without_circles(of_mainline.snapshot, of_mainline.measured.keys)}
    assert not without[31].is_key
    assert without[31].ratio == pytest.approx(793, rel=0.02)
    assert without[31].fills == {41: 2}
    assert without[42].fills == {14: 3}
    after, before = without[31].opposite[41]
    assert (abs(after) < 0.2, before > 5) == (True, True)


def test_published_values_of_the_mainline(of_mainline):
    """At step 20,000; published for 40,000 (docs/verdict.md says where they differ)."""
    losses = {row.name: row.value for row in of_mainline.evidence}
    assert of_mainline.measured.accounts["clock"].explained >= 0.94  # Published: .95.
    assert losses["loss_characters"] == pytest.approx(4.7e-8, rel=0.1)
    assert losses["loss_answer_functions"] == pytest.approx(5.547e-8, rel=0.1)
    assert losses["loss_blocks"] == pytest.approx(7.24e-8, rel=0.2)
    assert losses["loss_polynomials"] < 1.1 * of_mainline.measured.loss
    assert losses["loss_W_L_null_space"] > 4
    ablated = {(part.part, part.how): part.loss for part in of_mainline.examination.frequencies}
    published = {14: 2.0e-4, 35: 4.6e-4, 41: 1.9e-3, 42: 5.2e-3, 52: 2.4e-2}
    for freq, value in published.items():
        assert abs(math.log10(ablated[f"neurons of frequency {freq}", "mean"] / value)) < 0.3


def test_every_control_is_far_from_what_it_controls(of_mainline):
    rows = {row.name: row for row in of_mainline.evidence}
    for name in ("logits_by_circles", "logits_as_clock"):
        assert set(rows[name].controls) == {"random_weights", "shuffled_answers", "memorised"}
        assert max(rows[name].controls.values()) < 0.02
    assert rows["loss_answer_functions"].controls["random_weights"] > 4
    assert rows["test_accuracy"].controls["memorised"] < 0.5


def test_the_guarantee_is_below_the_accuracy_and_far_above_chance(of_mainline):
    certificate = of_mainline.certificate
    assert 0.5 < certificate.lower_bound <= certificate.accuracy == 1.0


@pytest.mark.long
def test_at_step_1400_it_has_memorised(mainline):
    verdict = find_verdict(mainline, step=1400, full=False, triples=500)
    assert verdict.label == "memorised"
    assert verdict.explained == pytest.approx(0.0177, abs=1e-3)
    assert "1.77 %" in verdict.headline


def test_a_step_that_is_not_kept(mainline):
    with pytest.raises(GrokinterpError, match=r"step 1234: .* has no such checkpoint; the nearest is 1400"):
        find_verdict(mainline, step=1234)


def test_verdict_json_is_plain(of_mainline):
    content = json.loads(json.dumps(of_mainline.to_dict(), allow_nan=False))
    assert content["verdict"]["label"] == "filled pizza"
    assert content["verdict"]["published"] == "clock"
    assert content["verdict"]["explained"] == of_mainline.explained
    assert content["verdict"]["key_frequencies"] == [14, 35, 41, 42, 52]
    row = next(row for row in content["evidence"] if row["name"] == "clock_share")
    assert (row["threshold"], row["holds"]) == ("≥ 0.7 clock; ≤ 0.3 pizza", True)
    assert content["guarantee"]["lower_bound"] == of_mainline.certificate.lower_bound
    assert len(content["circles"]) == 5


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "label", "GS", "DI"),
    [("model_p99zdpze5l.pt", "pizza", 0.993761, 0.171736), ("model_l8k1hzciux.pt", "filled pizza", 0.346125, 0.848260)],
)
def test_the_public_pizza_models(shared_data, tmp_path, file, label, GS, DI):
    run = import_run(shared_data / "pizza" / file, out=tmp_path / "run")
    verdict = find_verdict(run, full=False)
    assert verdict.label == label
    assert verdict.measured.gradient_symmetricity == pytest.approx(GS, abs=1e-4)
    assert verdict.measured.distance_irrelevance == pytest.approx(DI, abs=1e-4)
    assert verdict.measured.triples == 59**3
    assert "memorised" not in verdict.nulls


@pytest.mark.long
def test_a_public_network_between_the_two_is_half_filled(shared_data, tmp_path):
    file = shared_data / "nanda" / "wd_10-1_mod_addition_loss_curve.pth"
    verdict = find_verdict(import_run(file, out=tmp_path / "run"), full=False, triples=3000)
    assert (verdict.label, verdict.judgement.published) == ("filled pizza", "between")
    assert verdict.measured.clock_share == pytest.approx(0.447, abs=0.005)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("C113", "filled pizza"),
        ("D59", "irrep (sign, freq 2, freq 5, freq 21)"),
        ("S5", "irrep ((1,1,1,1,1), (2,1,1,1))"),
    ],
)
def test_the_public_group_networks(shared_data, tmp_path, name, label):
    run = import_run(shared_data / "chughtai" / f"{name}_T_seed1", out=tmp_path / "run")
    verdict = find_verdict(run, full=False, triples=1000)
    assert verdict.label == label
    assert verdict.explained > 0.96
    if name == "S5":
        irrep, coset = (verdict.measured.accounts[account] for account in ("irrep", "coset"))
        assert irrep.explained > 0.99999
        assert coset.explained > 0.99999
        assert (irrep.numbers, round(coset.numbers)) == (324, 340)
        # The control: neurons of random weights are predicted by neither.
        assert verdict.nulls["random_weights"].accounts["irrep"].explained < 0.2
        assert verdict.nulls["random_weights"].accounts["coset"].explained < 0.05


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_networks_that_memorise_get_no_algorithm(tmp_path, seed):
    """No weight decay, 30 % of the data; then judged as if nobody knew the train pairs."""
    settings = ["task.p=59", "training.weight_decay=0", "training.steps=600", "training.threads=1"]
    settings += ["model.d_model=64", "model.d_head=16", "model.d_mlp=128", f"model.seed={seed}"]
    run = train(RunConfig().with_settings([*settings, f"task.split_seed={seed}"]), tmp_path / "run", progress=False)
    verdict = find_verdict(run, full=False, triples=200)
    assert verdict.measured.train_accuracy == 1
    assert verdict.label == "memorised"


@pytest.mark.long
def test_a_network_trained_on_nearly_all_pairs_without_weight_decay_is_unexplained(tmp_path):
    """It answers nearly all pairs, having learned them by heart: accuracy alone is no sign of an algorithm."""
    settings = ["task.p=23", "task.train_fraction=0.998", "training.weight_decay=0", "training.steps=1500"]
    settings += ["model.d_model=64", "model.d_head=16", "model.d_mlp=256", "training.threads=1"]
    run = train(RunConfig().with_settings(settings), tmp_path / "run", progress=False)
    verdict = find_verdict(run, full=False, triples=500)
    assert verdict.measured.train_accuracy == 1
    assert verdict.label in ("unexplained", "memorised", "not generalised")


def test_a_snapshot_alone_and_every_part_of_a_small_network():
    verdict = find_verdict(circle_network(23, {3: 6.0, 7: 5.0}, "clock"))
    assert verdict.run is None
    assert verdict.examination is not None
    assert verdict.probes is not None
    assert verdict.certificate.lower_bound == 1
    assert verdict.to_dict()["run"]["name"] is None


def test_controls_keep_norms_and_seeds():
    snapshot = circle_network(23, {3: 6.0, 7: 5.0}, "clock")
    random, again = with_random_weights(snapshot, seed=3), with_random_weights(snapshot, seed=3)
    for name, weight in snapshot.weights.items():
        assert random.weights[name].norm().item() == pytest.approx(weight.norm().item(), rel=1e-5)
        assert torch.equal(random.weights[name], again.weights[name])
    shuffled = with_shuffled_answers(snapshot)
    assert sorted(shuffled.logits[5].tolist()) == pytest.approx(sorted(snapshot.logits[5].tolist()), abs=1e-5)
    assert shuffled.logits.argmax(axis=1).tolist() != snapshot.logits.argmax(axis=1).tolist()


def test_what_does_not_apply_is_left_out_with_its_reason_and_an_error_is_an_error(monkeypatch):
    task, config = (
        Task(TaskConfig(operation="compose", group="Z3")),
        ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=8),
    )
    snapshot = Snapshot(0, task, config, initial_weights(config, task))
    verdict = find_verdict(snapshot, triples=50)
    assert verdict.probes is None
    few = "a · b in Z_3: Z_3 has 3 elements; a probe needs at least 4, two to fit on and two held out; probe a larger"
    assert verdict.not_applicable["probes"] in (f"{few} group", "no key frequency stands out")
    assert verdict.to_dict()["not_applicable"]["probes"] == verdict.not_applicable["probes"]

    def broken(*_: object) -> None:
        raise GrokinterpError("a fault in the certificate")

    monkeypatch.setattr("grokinterp.verdict._verdict.certify", broken)
    with pytest.raises(GrokinterpError, match="a fault in the certificate"):
        find_verdict(exact_snapshot(7, cosine_logits(7, {1: 5.0, 2: 3.0})), triples=50)
