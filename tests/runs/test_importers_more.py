"""Files of the layouts that are read, as strangers have them: what is beside the weights, and files that are others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_importers import linear, losses, neel, network, same

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, hooked_transformer
from grokinterp.runs import LAYOUTS, import_run
from grokinterp.tasks import Task, TaskConfig

PLAIN = TaskConfig(p=11, train_fraction=0.9)


def refused(path: Path, message: str, **arguments: Any) -> None:
    with pytest.raises(GrokinterpError, match=message) as caught:
        import_run(path, path.parent / "refused", **arguments)
    assert "\n" not in str(caught.value)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


# Nanda


@pytest.fixture(scope="module")
def last() -> tuple[dict[str, torch.Tensor], float, float]:
    """A network, and its losses on a split at 0.9 by seed 0."""
    task, config, weights = network(PLAIN)
    return weights, *losses(task, config, weights)


@pytest.mark.parametrize(
    "kept",
    [
        lambda x: x,
        lambda x: [torch.tensor(y, dtype=torch.float64) for y in x],
        lambda x: [np.float64(y) for y in x],
        lambda x: [np.array([y]) for y in x],
        np.array,
        lambda x: torch.tensor(x, dtype=torch.float64),
    ],
    ids=["numbers", "tensors", "scalars", "arrays", "array", "tensor"],
)
def test_losses_are_read_however_they_were_kept(tmp_path, last, kept):
    weights, train, test = last
    content = {
        "model": neel(weights),
        "optimizer": {"state": {}, "param_groups": [{"weight_decay": 0.0, "lr": 1e-3, "params": [0]}]},
        "scheduler": {"base_lrs": [1e-3], "last_epoch": 5000, "lr_lambdas": [None]},
        "train_loss": torch.tensor(train, dtype=torch.float64),
        "test_loss": torch.tensor(test, dtype=torch.float64),
        "train_losses": kept([4.0] * 99 + [train]),
        "test_losses": kept([4.0] * 9 + [test]),
        "epoch": 99,
    }
    run = import_run(saved(tmp_path / "no_wd.pth", content), tmp_path / "run")
    assert (run.steps, run.config.training.weight_decay) == ([100], 0.0)
    assert run.provenance["notes"][0].startswith("The split is that of seed 0 at 0.9: ")
    assert run.metrics["test_loss"].dropna().index.tolist() == list(range(0, 100, 10))
    assert run.metrics["train_loss"].iloc[-1] == pytest.approx(train, rel=1e-6)


def test_a_file_without_an_epoch_has_as_many_steps_as_losses(tmp_path, last):
    weights, train, test = last
    content = {"model": neel(weights), "train_losses": [4.0] * 4999 + [train], "test_losses": [4.0] * 499 + [test]}
    run = import_run(saved(tmp_path / "low_precision.pth", content), tmp_path / "run")
    assert (run.steps, run.task.split_is_known, len(run.metrics)) == ([5000], True, 5000)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"train_losses": "x"}, r"train_losses is text; a list of numbers is needed: save it again as one"),
        ({"train_losses": {"a": 1}}, r"train_losses is a dictionary of 1; a list of numbers"),
        ({"test_losses": [[1.0, 2.0]]}, r"test_losses is a list of 1; a list of numbers"),
        ({"train_losses": None, "train_loss": [1, 2]}, r"train_loss is a list of 2; a number is needed"),
        ({"epoch": "x"}, r"epoch is text; a number is needed"),
        ({"epoch": 2.5}, r"epoch = 2\.5: a whole number ≥ 0 is needed"),
        ({"config": [1]}, r"config is a list of 1; a dictionary of settings is needed"),
        ({"config": {"fn_name": ["add"]}}, r"fn_name = \['add'\]: only add, subtract, x2xyy2 are known"),
        ({"config": {"act_type": "Swish"}}, r"one\.pth: model\.act_fn = 'swish': needs one of 'relu'"),
        ({"train_data": "pairs"}, r"train_data is text; a list of pairs of whole numbers is needed"),
        ({"train_data": [(1, 11, 11)]}, r"train_data holds numbers outside 0 … 10, the inputs of the network"),
        ({"state_dicts": "two", "epochs": 3}, None),
    ],
)
def test_what_stands_beside_the_weights_and_cannot_be_is_named(tmp_path, last, said, message):
    weights, train, test = last
    content = {"model": neel(weights), "train_losses": [train] * 3, "test_losses": [test] * 3, "epoch": 2}
    path = saved(tmp_path / "one.pth", content | said)
    if message is None:
        same(import_run(path, tmp_path / "run"), 3, weights)
    else:
        refused(path, message)


@pytest.mark.parametrize("hint", [{"seed": "x"}, {"seed": -1}, {"frac_train": "a"}, {"frac_train": 3}, {"seed": None}])
def test_a_hint_that_no_split_has_is_passed_over(tmp_path, last, hint):
    weights, train, test = last
    content = {"model": neel(weights), "train_loss": train, "test_loss": test, "epoch": 2, "config": hint}
    run = import_run(saved(tmp_path / "one.pth", content), tmp_path / "run")
    assert (run.config.task.split_seed, run.config.task.train_fraction) == (0, 0.9)


def test_a_trainers_folder_that_has_only_begun(tmp_path, last):
    folder = tmp_path / "grok_1"
    folder.mkdir()
    pairs = torch.tensor([(a, 3, 11) for a in range(5)])
    saved(folder / "init.pth", {"model": neel(last[0]), "train_data": pairs, "test_data": pairs})
    run = import_run(folder, tmp_path / "run")
    assert (run.steps, run.task.split.train.tolist()) == ([0], [3, 14, 25, 36, 47])
    saved(folder / "final.pth", [1])
    notes = import_run(folder, tmp_path / "run2").provenance["notes"]
    assert notes[-1] == "Left out of the folder: final.pth (it holds no network of a layout known)."


@pytest.mark.long
def test_a_network_without_losses_shows_its_split_by_its_train_pairs(tmp_path, mainline):
    weights = mainline.weights(20_000)
    path = saved(tmp_path / "weights.pth", {"model": neel(weights)})
    run = import_run(path, tmp_path / "run")
    assert run.task.split.hash == mainline.task.split.hash
    note = run.provenance["notes"][0]
    assert note.startswith("The split is that of seed 0 at 0.3, whose train pairs the network answers better than the ")
    assert note.endswith("; the file has no losses.")
    # In the middle of a spike the stored losses are not those of the weights.
    spiked = {"model": neel(weights), "train_losses": [0.5], "test_losses": [1.5]}
    run = import_run(saved(tmp_path / "spiked.pth", spiked), tmp_path / "run2")
    assert run.task.split.hash == mainline.task.split.hash
    untrained = {"model": neel(mainline.weights(0))}
    assert not import_run(saved(tmp_path / "untrained.pth", untrained), tmp_path / "run3").task.split_is_known


def neel_shapes(vocabulary: int, positions: int, outputs: int) -> dict[str, torch.Tensor]:
    _, _, weights = network(PLAIN)
    shapes = {"embed.W_E": (8, vocabulary), "pos_embed.W_pos": (positions, 8), "unembed.W_U": (8, outputs)}
    return neel(weights) | {name: torch.ones(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"train_losses": [1.0] * 60, "model": neel_shapes(12, 18, 10)},
            r"with model \(a transformer that reads 18 tokens and has 10 outputs\), train_losses \(a list of 60\);",
        ),
        (
            neel_shapes(12, 18, 10),
            r"it holds a transformer that reads 18 tokens and has 10 outputs; it is nearest to nanda, which "
            r"reads a, b and =, where this reads 18 tokens: import a network that reads two inputs",
        ),
        (
            {"model": {"embed.W_E": torch.ones(2, 2), "attn_blocks.0.attn.W_K": torch.ones(4, 2, 2)}},
            r"model \(a state dict of 2 tensors, embed\.W_E \(2, 2\), attn_blocks\.0\.attn\.W_K \(4, 2, 2\)\);",
        ),
        (
            {"train": [1.0] * 50, "test": [1.0] * 50},
            r"a dictionary with train \(a list of 50\), test \(a list of 50\);",
        ),
        ([1.0] * 300, r"it holds a list of 300; looked for"),
        ([[0.3, 0.9], [[1.0]] * 4], r"it holds a list of 2 \(a list of 2, a list of 4\); looked for"),
        (np.ones((30, 6)), r"it holds a NumPy array of shape \(30, 6\); looked for"),
        ({}, r"it holds an empty dictionary; looked for"),
    ],
    ids=["5 digits", "its weights", "induction", "skip trigrams", "losses", "sweep", "per token", "empty"],
)
def test_files_of_other_tasks_are_refused_by_what_they_hold(tmp_path, content, message):
    path = saved(tmp_path / "other.pth", content)
    refused(path, rf"other\.pth is of no layout known: .*{message}")
    for layout in LAYOUTS:
        settings = ["task.operation=add"]
        refused(
            path, rf"is of another layout than {layout}|holds|config_|in other\.json", layout=layout, settings=settings
        )


# TransformerLens


@pytest.mark.parametrize("kept", [np.array, torch.tensor], ids=["array", "tensor"])
def test_the_demos_losses_and_epochs_are_read_however_they_were_kept(tmp_path, kept):
    _, _, weights = network(TaskConfig(p=7), outputs="answers")
    content = {
        "model": weights,
        "checkpoints": [weights, weights],
        "checkpoint_epochs": kept([99, 199]),
        "train_losses": kept([1.0] * 250),
        "test_losses": kept([2.0] * 250),
        "train_indices": kept([3, 1, 4]),
    }
    run = import_run(saved(tmp_path / "demo.pth", content), tmp_path / "run")
    assert (run.steps, len(run.metrics)) == ([100, 200, 250], 250)
    assert run.task.split.train.tolist() == [3, 1, 4]
    for change, message in (
        ({"checkpoint_epochs": 3}, r"checkpoint_epochs is a number; a list of numbers is needed"),
        ({"checkpoint_epochs": [9, 9]}, r"checkpoint_epochs repeat or are negative; each checkpoint needs one of its"),
        ({"train_indices": [0.5]}, r"train_indices holds numbers that are not whole; indices are needed"),
        ({"train_losses": "x"}, r"train_losses is text; a list of numbers is needed"),
    ):
        refused(saved(tmp_path / "demo.pth", content | change), message)


def test_a_state_dict_under_any_one_name(tmp_path):
    _, _, weights = network(TaskConfig(p=7))
    path = saved(tmp_path / "named.pth", {"params": weights, "epoch": 12, "losses": [1.0]})
    same(import_run(path, tmp_path / "run", settings=["task.operation=add"]), 12, weights)


# The Clock and the Pizza


def pizza(folder: Path, run_id: str = "abc", said: dict[str, Any] | None = None, **settings: Any) -> Path:
    task = TaskConfig(p=7, equals_token=False, split_scheme="unknown")
    _, config, weights = network(task, **{"attention": "bidirectional", "attention_rate": 0.25, **settings})
    act_fn = {"relu": "ReLU", "gelu": "GeLU", "tanh": "Tanh"}[config.act_fn]
    told = {"C": 7, "act_fn": act_fn, "attn_coeff": 0.25, "funcs": "lambda x: (x[0]+x[1])%7", "n_layers": 1}
    told |= {"epoch": 300, "diff_vocab": 0, "eqn_sign": 0, "attention_dir": "casual", "frac": 0.8}
    (folder / f"config_{run_id}.json").write_text(json.dumps(told | (said or {})))
    return saved(folder / f"model_{run_id}.pt", neel(weights))


@pytest.mark.parametrize("act_fn", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_pizza_models_of_every_depth_and_activation(tmp_path, act_fn, n_layers):
    run = import_run(pizza(tmp_path, act_fn=act_fn, n_layers=n_layers), tmp_path / "run")
    task = TaskConfig(p=7, equals_token=False, split_scheme="unknown")
    of, config, weights = network(
        task, act_fn=act_fn, n_layers=n_layers, attention="bidirectional", attention_rate=0.25
    )
    expected = hooked_transformer(config, of, weights)(of.tokens)[:, -1].detach().numpy()
    np.testing.assert_allclose(run.snapshot().logits, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("lambda x: (x[0]-x[1])%7", "(a − b) mod 7"),
        ("lambda x:(x[1]+x[0]) % 7", "(a + b) mod 7"),
        ("lambda x: (x[0]*x[1])%7", "(a · b) mod 7"),
        ("lambda x: (x[0]**2 + x[1]**2)%7", "(a² + b²) mod 7"),
        ("lambda x: (x[0]*x[0]+x[0]*x[1]+x[1]*x[1])%7", "(a² + ab + b²) mod 7"),
    ],
)
def test_pizza_models_of_other_functions(tmp_path, function, name):
    assert import_run(pizza(tmp_path, said={"funcs": function}), tmp_path / "run").task.name == name


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"attn_coeff": "x"}, r"config_abc\.json: attn_coeff is text; a number is needed"),
        ({"attn_coeff": None}, r"config_abc\.json lacks 'attn_coeff'; restore it"),
        ({"attn_coeff": 2}, r"model_abc\.pt: model\.attention_rate = 2\.0: needs ≤ 1"),
        ({"epoch": "x"}, r"config_abc\.json: epoch is text; a number is needed"),
        ({"C": 8}, r"%7' is of another modulus than C = 8; name the task"),
        ({"funcs": "lambda x: max(x)"}, r"'lambda x: max\(x\)' is not run to see what it is; name the task"),
        ({"diff_vocab": 1}, r"embed\.W_E has shape \(7, 8\), needs \(14, 8\)"),
    ],
)
def test_settings_of_a_pizza_model_that_cannot_be_are_named(tmp_path, said, message):
    refused(pizza(tmp_path, said=said), message)


def test_a_folder_of_pizza_models_is_no_series(tmp_path):
    folder = tmp_path / "save"
    folder.mkdir()
    pizza(folder, "p99zdpze5l")
    assert import_run(folder, tmp_path / "run").steps == [300]
    pizza(folder, "l8k1hzciux", {"attn_coeff": 1})
    refused(folder, r"holds 2 networks with settings of their own, no checkpoints of one run; .*, such as model_l8k1")


def test_a_linear_model_without_its_settings_says_what_is_needed(tmp_path):
    path = saved(tmp_path / "model_lin.pt", linear("B"))
    refused(
        path, r"a linear network .* whose model_type \(A, B, C, D or X\) is in config_lin\.json; put that file beside"
    )


# Chughtai et al.


def chughtai(folder: Path, heads: int = 4, d_model: int = 128, **said: Any) -> Path:
    settings = {"model": "Transformer", "group": "SymmetricGroup", "group_parameter": 3, "frac_train": 0.4, "seed": 1}
    (folder / "cfg.json").write_text(json.dumps(settings | {"num_epochs": 50} | said))
    config = ModelConfig(n_heads=heads, d_model=d_model, d_head=d_model // heads, d_mlp=4 * d_model, outputs="answers")
    weights = hooked_transformer(config, Task(TaskConfig(operation="compose", group="S3"))).state_dict()
    more = {"blocks.0.attn.mask": torch.ones(3, 3) > 0, "blocks.0.attn.IGNORE": torch.tensor(-1e5)}
    saved(folder / "model.pt", {**weights, **more, "x_embed": weights["embed.W_E"], "y_embed": weights["embed.W_E"]})
    return folder


def test_chughtais_widths_are_those_of_the_tensors(tmp_path):
    run = import_run(chughtai(tmp_path, heads=2, d_model=64), tmp_path / "run")
    assert (run.config.model.n_heads, run.config.model.d_model, run.config.model.d_mlp) == (2, 64, 256)
    beside = import_run(tmp_path / "model.pt", tmp_path / "run2")
    assert (beside.provenance["layout"], beside.task.name) == ("chughtai", run.task.name)


def test_chughtais_seed_0_does_not_shuffle(tmp_path):
    run = import_run(chughtai(tmp_path, seed=0), tmp_path / "run")
    assert run.task.split.train.tolist() == list(range(14))
    assert run.provenance["notes"][0].startswith(
        "The train pairs are the first ones, since the released code does not "
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"num_epochs": "x"}, r"cfg\.json: num_epochs is text; a number is needed"),
        ({"group": ["S"]}, r"cfg\.json: group = \['S'\]: needs one of CyclicGroup"),
        ({"model": "BilinearNet"}, r"cfg\.json: model = 'BilinearNet': needs 'Transformer' or 'OneLayerMLP'"),
        ({"group_parameter": 4}, r"embed\.W_E has shape \(7, 128\), needs \(25, 128\)"),
        ({"frac_train": 2}, r"task\.train_fraction = 2: needs < 1"),
    ],
)
def test_settings_of_chughtai_that_cannot_be_are_named(tmp_path, said, message):
    refused(chughtai(tmp_path, **said), message)
