"""What other libraries are given: state dictionaries, models, xarray, and data with its loss for devinterp."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import grokinterp
from grokinterp.errors import GrokinterpError
from grokinterp.models import cross_entropy
from grokinterp.runs import Run, RunConfig, as_devinterp, last_position_loss, load_run
from grokinterp.training import train


@pytest.fixture(scope="module")
def noisy_run(tmp_path_factory: pytest.TempPathFactory, tiny_config: RunConfig) -> Run:
    config = tiny_config.with_settings(["task.noise=5", "training.steps=3"])
    return train(config, tmp_path_factory.mktemp("noisy") / "run", progress=False)


@pytest.fixture(scope="module")
def table_run(tmp_path_factory: pytest.TempPathFactory, tiny_config: RunConfig) -> Run:
    table = tmp_path_factory.mktemp("table") / "max.csv"
    table.write_text("\n".join(",".join(str(max(a, b)) for b in range(5)) for a in range(5)))
    settings = ["task.operation=table", f"task.table={table}", "training.steps=3"]
    return train(tiny_config.with_settings(settings), table.parent / "run", progress=False)


def test_a_state_dict_is_fresh_and_loads_into_a_model(tiny_run: Run):
    first, second = tiny_run.to_state_dict(40), tiny_run.to_state_dict(40)
    first["embed.W_E"].zero_()
    assert second["embed.W_E"].abs().sum() > 0
    model = tiny_run.to_transformer_lens(0)
    missing, unexpected = model.load_state_dict(second, strict=False)
    assert {name.rsplit(".", 1)[1] for name in missing} <= {"mask", "IGNORE"} and not unexpected
    tokens = tiny_run.task.tokens
    assert torch.equal(model(tokens), tiny_run.model(40)(tokens))


def test_what_transformer_lens_does_not_have_is_refused(tmp_path: Path, tiny_config: RunConfig):
    config = tiny_config.with_settings(["model.architecture=mlp", "training.steps=1"])
    run = train(config, tmp_path / "run", progress=False)
    with pytest.raises(GrokinterpError, match="holds an mlp, which TransformerLens does not have; use model"):
        run.to_transformer_lens(0)


# devinterp


@pytest.mark.parametrize("data", ["train", "test"])
def test_the_loss_for_devinterp_is_that_of_the_training(tiny_run: Run, data):
    given, task = as_devinterp(tiny_run, 40, data=data), tiny_run.task
    chosen = torch.from_numpy(task.split.train if data == "train" else task.split.test)
    assert len(given.dataset) == len(chosen)
    (batch,) = torch.utils.data.DataLoader(given.dataset, batch_size=len(chosen))
    losses = given.loss_fn(given.model, batch["input_ids"])
    assert losses.shape == (len(chosen), 3)
    logits = tiny_run.model(40)(task.tokens[chosen])[:, -1]
    expected = cross_entropy(logits, torch.from_numpy(task.answers)[chosen])
    logged = tiny_run.metrics.set_index("step").loc[40, f"{data}_loss"]
    for loss in (losses.mean(), given.evaluate(given.model, batch), torch.tensor(logged)):
        torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)
    ours = torch.autograd.grad(losses.mean(), list(map(dict(given.model.named_parameters()).get, given.param_masks)))
    model = tiny_run.model(40)
    loss = cross_entropy(model(task.tokens[chosen])[:, -1], torch.from_numpy(task.answers)[chosen])
    theirs = torch.autograd.grad(loss, [parameter for parameter in model.parameters() if parameter.requires_grad])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)
    assert any(gradient.abs().sum() > 0 for gradient in ours)


def test_the_loss_is_per_pair(tiny_run: Run):
    given = as_devinterp(tiny_run, data="all")
    losses = last_position_loss(given.model, given.dataset.input_ids)
    log_p = torch.log_softmax(given.model(tiny_run.task.tokens)[:, -1].double(), dim=-1)
    for pair in (0, 17, 48):
        assert given.dataset[pair]["input_ids"].tolist() == [pair // 7, pair % 7, 7, (pair // 7 + pair % 7) % 7]
        expected = -log_p[pair, (pair // 7 + pair % 7) % 7]
        torch.testing.assert_close(losses[pair].double(), expected.expand(3), rtol=1e-5, atol=1e-7)


def test_the_labels_are_those_it_was_trained_on(noisy_run: Run):
    given, task = as_devinterp(noisy_run), noisy_run.task
    wrong = given.dataset.input_ids[:, -1].numpy() != task.answers[task.split.train]
    assert wrong.sum() == 5


def test_only_what_is_trained_is_sampled(tiny_run: Run):
    given = as_devinterp(tiny_run)
    parameters = dict(given.model.named_parameters())
    assert set(given.param_masks) == {name for name in parameters if tiny_run.config.model.trains(name)}
    assert set(given.param_masks) < set(parameters)
    assert set(given.param_masks.values()) == {None}


def test_the_step_is_the_one_asked_for(tiny_run: Run):
    pairs = as_devinterp(tiny_run).dataset.input_ids
    losses = [last_position_loss(as_devinterp(tiny_run, step).model, pairs).mean().item() for step in (0, 40)]
    assert losses[1] < losses[0]
    assert last_position_loss(as_devinterp(tiny_run).model, pairs).mean().item() == losses[1]


def test_pairs_that_are_not_known(tiny_run: Run, tmp_path: Path):
    with pytest.raises(GrokinterpError, match="data 'validation': unknown; choose one of train, test, all"):
        as_devinterp(tiny_run, data="validation")
    copy = shutil.copytree(tiny_run.path, tmp_path / "run")
    record = json.loads((copy / "run.json").read_text())
    record["config"]["task"]["split_scheme"] = "unknown"
    del record["split"]
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(GrokinterpError, match=f"nobody knows which pairs {copy} was trained on; give data='all'"):
        as_devinterp(load_run(copy))
    assert len(as_devinterp(load_run(copy), data="all").dataset) == 49


# xarray


def test_xarray_holds_the_measures_by_step_and_frequency(tiny_run: Run):
    pytest.importorskip("xarray")
    report = grokinterp.analyze(tiny_run)
    data, curves = grokinterp.as_xarray(report), report.curves
    assert data.sizes == {"step": 9, "freq": 4}
    assert data.step.values.tolist() == tiny_run.steps
    assert data.freq.values.tolist() == [0, 1, 2, 3]
    for name in curves.measures.columns.drop("step"):
        np.testing.assert_array_equal(data[name].values, curves.measures[name].to_numpy())
    assert data.logit_share.sel(step=40, freq=2).item() == curves.logit_share[-1, 2]
    assert data.embedding_norms.dims == ("step", "freq")
    assert data.attrs["task"] == "(a + b) mod 7"


def test_xarray_names_irreps_and_does_without(table_run: Run, tmp_path: Path, tiny_config: RunConfig):
    pytest.importorskip("xarray")
    assert set(grokinterp.as_xarray(grokinterp.analyze(table_run)).sizes) == {"step"}
    config = tiny_config.with_settings(["task.operation=compose", "task.group=S3", "training.steps=2"])
    data = grokinterp.as_xarray(grokinterp.analyze(train(config, tmp_path / "s3", progress=False)))
    assert data.irrep.values.tolist() == ["trivial", "(1,1,1)", "(2,1)"]
    assert data.logit_share.sel(irrep="(2,1)").shape == (3,)


def test_without_xarray(tiny_run: Run, monkeypatch: pytest.MonkeyPatch):
    report = grokinterp.analyze(tiny_run)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(GrokinterpError) as raised:
        grokinterp.as_xarray(report)
    assert str(raised.value) == "as_xarray: xarray is not installed; pip install 'grokinterp[xarray]'"
