"""The whole analysis, from a run folder to the content of report.json."""

import json

import numpy as np
import pytest

import grokinterp
from grokinterp.analysis import analyze, loss
from grokinterp.errors import GrokinterpError
from grokinterp.training import train

KEYS = [14, 35, 41, 42, 52]


@pytest.fixture(scope="module")
def report(mainline):
    return analyze(mainline)


@pytest.fixture(scope="module")
def content(report):
    return json.loads(json.dumps(report.to_dict(), allow_nan=False))


def test_the_mainline_adds_on_five_circles(report, content):
    assert report.finding[0] == (
        "This network adds on 5 circles: key frequencies 14, 35, 41, 42 and 52 of (a + b) mod 113."
    )
    assert content["key_frequencies"] == KEYS
    assert content["key_frequencies_by_rule"]["clusters"] == KEYS
    assert content["run"]["split_hash"] == "41c3ede59359edee"


def test_the_mainline_has_the_published_final_values(content):
    final = content["final"]
    assert final["test_accuracy"] == 1.0
    assert final["restricted_loss"] == pytest.approx(5.1e-8, rel=0.15)
    assert final["excluded_loss_all_frequencies"] == pytest.approx(5.88, rel=0.05)
    assert final["sum_of_squared_weights"] == pytest.approx(964, rel=0.03)
    assert final["test_loss"] == pytest.approx(3.1e-7, rel=0.5)
    assert content["accuracy_99"]["test"]["sustained"] < 12_000
    assert content["logits"]["variance_explained"] > 0.94
    assert content["logit_map"]["rank"] == 10
    assert all(min(shares) > 0.9 for shares in content["logit_map"]["variance_explained"].values())
    clustered = sum(len(cluster["neurons"]) for k, cluster in content["neuron_clusters"].items() if k != "unclustered")
    assert clustered + len(content["neuron_clusters"]["unclustered"]) == 512
    assert clustered > 400


def test_the_content_holds_what_the_contract_names(content):
    assert content["schema_version"] == 1
    names = {"run", "final", "key_frequencies", "neuron_clusters", "logits", "phases"}
    assert names <= content.keys()
    final = {
        "step", "train_loss", "test_loss", "all_loss", "train_accuracy", "test_accuracy", "restricted_loss",
        "excluded_loss", "excluded_loss_all_frequencies", "sum_of_squared_weights",
    }  # fmt: skip
    assert final <= content["final"].keys()
    assert {"variance_explained", "coefficients", "cosine_similarity"} <= content["logits"].keys()
    assert [len(content["phases"][name]) for name in ("memorization", "circuit_formation", "cleanup")] == [2, 2, 2]
    assert set(content["logits"]["coefficients"]) == {str(k) for k in KEYS}


def test_the_measures_are_a_row_per_checkpoint_with_the_final_values_last(mainline, report, content):
    measures = report.curves.measures
    assert measures.columns[0] == "step"
    assert measures["step"].tolist() == mainline.steps
    assert {f"excluded_loss_k{k}" for k in KEYS} <= set(measures.columns)
    assert report.curves.embedding_norms.shape == (len(mainline.steps), 57)
    for name, value in content["final"].items():
        if name in measures:
            assert measures[name].iloc[-1] == pytest.approx(value, rel=1e-12), name
    start = mainline.snapshot(0)
    assert measures["train_loss"].iloc[0] == pytest.approx(loss(start.logits, mainline.task, "train"))
    np.testing.assert_allclose(measures["train_loss"].iloc[0], 4.755245, atol=1e-6)


def test_an_untrained_network_is_not_credited_with_an_algorithm(tiny_config, tmp_path):
    run = train(tiny_config.with_settings(["task.p=23", "training.steps=1"]), tmp_path, progress=False)
    report = analyze(run)
    assert report.finding[0].startswith("This network answers no better than guessing: it answers ")
    assert report.circuit.logits.variance_explained < 0.05
    assert report.to_dict()["phases"] == {"memorization": None, "circuit_formation": None, "cleanup": None}


def test_a_memorising_network_is_called_one(tiny_config, tmp_path):
    settings = ["task.p=23", "task.train_fraction=0.3", "training.weight_decay=0.0", "training.steps=600"]
    wide = ["model.d_model=64", "model.d_head=32", "model.d_mlp=256", "training.checkpoint_every=200"]
    report = analyze(train(tiny_config.with_settings([*settings, *wide]), tmp_path, progress=False))
    assert report.finding[0].startswith("This network has memorised its training pairs and not generalised: it answ")
    assert report.phases.cleanup is None


def test_an_unknown_rule_is_named(tiny_run):
    with pytest.raises(GrokinterpError, match="rule 'WL': unknown; choose one of W_L, W_E, argmax, clusters"):
        analyze(tiny_run, rule="WL")


def test_a_checkpoint_that_arrives_meanwhile_is_left_for_the_next_analysis(tiny_config, tmp_path):
    run = train(tiny_config.with_settings(["training.steps=10"]), tmp_path, progress=False)
    newer = run.folder.checkpoint_path(11)

    def arrive(_):
        newer.write_bytes(run.folder.checkpoint_path(0).read_bytes())

    report = analyze(run, on_step=arrive)
    assert newer.exists()
    assert report.final["step"] == report.snapshot.step == report.curves.measures["step"].iloc[-1] == 10
    assert report.to_dict()["run"]["checkpoints"] == len(report.curves.measures)


@pytest.mark.parametrize("p", [2, 3, 4, 6])
@pytest.mark.parametrize("operation", ["add", "subtract"])
def test_every_small_modulus_is_analysed(tiny_config, tmp_path, p, operation):
    config = tiny_config.with_settings([f"task.p={p}", f"task.operation={operation}", "training.steps=4"])
    report = grokinterp.analyze(train(config, tmp_path, progress=False))
    json.dumps(report.to_dict(), allow_nan=False)
    assert len(report.curves.logit_share[0]) == p // 2 + 1


def test_several_layers_with_layer_norm_are_analysed(tiny_config, tmp_path):
    config = tiny_config.with_settings(["model.n_layers=2", "model.normalization=LN", "training.steps=2"])
    report = analyze(train(config, tmp_path, progress=False))
    assert "sum_of_squared_weights_blocks.1.mlp.W_in" in report.curves.measures


@pytest.mark.long
def test_subtraction_is_found_by_its_own_angle(tmp_path):
    """A network that learned a − b has its cosines at a − b − c, none at a + b − c."""
    from grokinterp.analysis import Places, decompose_logits
    from grokinterp.runs import RunConfig
    from grokinterp.tasks import Task

    settings = ["task.operation=subtract", "task.p=23", "task.train_fraction=0.8", "training.steps=3000"]
    config = RunConfig().with_settings([*settings, "training.learning_rate=0.003", "training.checkpoint_every=1000"])
    report = analyze(train(config, tmp_path, progress=False))
    assert report.final["test_accuracy"] >= 0.99
    assert report.circuit.logits.variance_explained > 0.5
    addition = Task(config.task.model_copy(update={"operation": "add"}))
    sums = decompose_logits(report.snapshot.logits, Places.of(addition), report.key_frequencies)
    assert sums.variance_explained < 0.05
    assert report.finding[0].startswith("This network subtracts on ")
