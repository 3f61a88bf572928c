"""Other people's files, imported with `--layout auto`: the numbers that were published or computed for them."""

import pytest

import grokinterp
from grokinterp.analysis import distance_irrelevance, gradient_symmetricity
from grokinterp.runs import import_run


def imported(shared_data, tmp_path, name):
    path = shared_data / name
    if not path.exists():
        pytest.skip(f"{name} is not here: set GROKINTERP_SHARED_DATA to the folder of other people's checkpoints")
    return import_run(path, tmp_path / "run")


@pytest.mark.long
def test_nandas_network_of_another_seed(shared_data, tmp_path):
    run = imported(shared_data, tmp_path, "nanda/wd_10-1_mod_addition_loss_curve.pth")
    assert run.provenance["notes"][0].startswith("The split is that of seed 1 at 0.3: ")
    assert run.task.split.hash == "ab77910573740b2c"
    assert (run.steps, run.config.training.weight_decay) == ([107_791], 0.1)
    report = grokinterp.analyze(run)
    final = {name: report.final[name] for name in ("all_loss", "train_loss", "test_loss")}
    assert final == pytest.approx(
        {"all_loss": 3.519741e-7, "train_loss": 9.202424e-9, "test_loss": 4.988379e-7}, rel=1e-6
    )
    assert report.key_frequencies == (6, 23, 37, 39, 41)
    assert report.final["restricted_loss"] == pytest.approx(2.2011e-9, rel=1e-3)
    assert report.final["excluded_loss"] == pytest.approx(8.3854, rel=1e-3)
    for spectrum, published in (
        (report.circuit.embedding, {23: 6.84, 6: 5.75, 37: 5.47, 41: 5.32, 39: 5.00}),
        (report.circuit.logit_map_spectrum, {23: 37.69, 6: 24.28, 41: 21.59, 39: 20.66, 37: 19.42}),
    ):
        assert {k: spectrum.irrep_norms[k] for k in published} == pytest.approx(published, rel=1e-3)


@pytest.mark.parametrize(
    ("run_id", "loss", "norm", "symmetricity", "of_100", "irrelevance", "of_wrong", "keys"),
    [
        pytest.param(
            *("p99zdpze5l", 1.384e-7, 22.854, 0.993761, 0.993665, 0.171736, 0.221807, (3, 15, 17)),
            marks=pytest.mark.long,
        ),
        ("l8k1hzciux", 1.561e-7, 24.814, 0.346125, 0.333638, 0.848260, 0.884918, (13, 16, 21)),
    ],
)
def test_the_pizza_and_the_clock(
    shared_data, tmp_path, run_id, loss, norm, symmetricity, of_100, irrelevance, of_wrong, keys
):
    run = imported(shared_data, tmp_path, f"pizza/model_{run_id}.pt")
    report, snapshot = grokinterp.analyze(run), run.snapshot()
    assert (report.final["all_loss"], report.final["all_accuracy"]) == pytest.approx((loss, 1.0), rel=3e-4)
    assert report.final["sum_of_squared_weights"] ** 0.5 == pytest.approx(norm, rel=1e-4)
    assert report.key_frequencies == keys
    assert gradient_symmetricity(snapshot, triples=100, seed=42) == pytest.approx(of_100, rel=1e-4)
    assert gradient_symmetricity(snapshot) == pytest.approx(symmetricity, rel=1e-4)
    assert distance_irrelevance(snapshot.logits, run.task) == pytest.approx(irrelevance, rel=1e-4)
    assert distance_irrelevance(snapshot.logits, run.task, of="runner_up") == pytest.approx(of_wrong, rel=1e-4)
    assert report.to_dict()["final"]["train_loss"] is None
    rate = run.config.model.attention_rate
    assert snapshot.pattern.sum(axis=2) == pytest.approx(2 - rate)  # The mix is seen by hooks.
