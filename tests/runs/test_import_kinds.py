"""Files and folders as strangers have them: wrappers, names that say steps or do not, copies, and several networks."""

import argparse
import collections
import dataclasses
import json
import pathlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bounds import needs_linux, soon
from safetensors.torch import save_file
from test_importers import neel, network, same

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, import_run
from grokinterp.runs.importers._content import numbers
from grokinterp.runs.importers._state import find_state, without_wrappers
from grokinterp.runs.importers._steps import step_in_name, steps_in_names
from grokinterp.runs.importers._told import told
from grokinterp.tasks import TaskConfig

State = dict[str, torch.Tensor]
SMALL = TaskConfig(p=5)
ADD = ["task.operation=add"]


@pytest.fixture(scope="module")
def states() -> list[State]:
    """Three networks of TransformerLens' layout."""
    return [network(SMALL, seed)[2] for seed in range(3)]


def folder(path: Path, files: dict[str, Any]) -> Path:
    path.mkdir()
    for name, content in files.items():
        if name.endswith(".safetensors"):
            save_file(content, path / name)
        else:
            torch.save(content, path / name)
    return path


def read(path: Path, **arguments: Any) -> Run:
    return import_run(path, path.with_name(f"run of {path.name}"), **{"settings": ADD, **arguments})


def refused(path: Path, message: str, **arguments: Any) -> None:
    with pytest.raises(GrokinterpError, match=message) as caught:
        read(path, **arguments)
    assert str(caught.value).isprintable()
    assert not path.with_name(f"run of {path.name}").exists()


# Wrappers


@dataclasses.dataclass
class Config:
    p: int = 5


WRAPPERS = {
    "DataParallel": lambda w: {f"module.{name}": x for name, x in w.items()},
    "compiled": lambda w: {f"_orig_mod.{name}": x for name, x in w.items()},
    "compiled, then parallel": lambda w: {f"module._orig_mod.{name}": x for name, x in w.items()},
    "a part compiled": lambda w: {name.replace("blocks.0", "blocks.0._orig_mod"): x for name, x in w.items()},
    "any one prefix": lambda w: {f"grokker.core.{name}": x for name, x in w.items()},
    "beside a metric's tensors": lambda w: {f"net.{name}": x for name, x in w.items()} | {"acc.tp": torch.zeros(3)},
    "Lightning": lambda w: {
        "state_dict": {f"model.{name}": x for name, x in w.items()},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(5, 4)}}, "param_groups": [{"lr": 0.1}]}],
        "hyper_parameters": {"p": 5},
        "pytorch-lightning_version": "2.0",
    },
    "in a tuple": lambda w: (w, {}),
    "in a list with settings": lambda w: [{"p": 5}, w],
    "two names deep": lambda w: {"checkpoint": {"model": w, "epoch_time": 0.5}},
    "with its average": lambda w: {"model": w, "ema": {name: x + 1 for name, x in w.items()}},
    "with its moments": lambda w: {"net": w, "optimizer": {"state": {0: {"exp_avg": torch.ones(9, 9)}}}},
    "among settings": lambda w: {**w, "p": 5, "name": "mine"},
    "a tree": lambda w: tree(w),
    "Namespace": lambda w: {"model": w, "args": argparse.Namespace(p=5, out=pathlib.Path("x"))},
    "dataclass": lambda w: {"model": w, "config": Config()},
    "defaultdict": lambda w: {"model": w, "log": collections.defaultdict(list, {"loss": [1.0]})},
}


def tree(state: State) -> dict[str, Any]:
    """A state dict as nested dictionaries."""
    root: dict[str, Any] = {}
    for name, x in state.items():
        *parts, last = name.split(".")
        at = root
        for part in parts:
            at = at.setdefault(part, {})
        at[last] = x
    return root


@pytest.mark.parametrize("kind", WRAPPERS)
def test_wrappers_are_taken_off(tmp_path: Path, states: list[State], kind: str) -> None:
    torch.save(WRAPPERS[kind](states[0]), tmp_path / "wrapped.ckpt")
    same(read(tmp_path / "wrapped.ckpt"), 0, states[0])


def test_a_name_that_all_layers_share_is_no_wrapper() -> None:
    layers = {f"layers.{number}.weight": torch.ones(2, 2) for number in range(3)}
    assert list(without_wrappers(layers)) == list(layers)
    assert find_state({"epoch": 3})[0] == {}


def test_several_networks_in_one_file_are_refused_by_name(tmp_path: Path, states: list[State]) -> None:
    path = tmp_path / "two.pth"
    torch.save({"student": states[0], "teacher": states[1]}, path)
    refused(
        path, r"two\.pth holds 2 sets of weights \(student, teacher\), and nothing says which is the network; save one"
    )
    torch.save([states[0], states[1]], path)
    refused(path, r"two\.pth holds 2 sets of weights \(0, 1\), and nothing says which")
    both = {f"{name}.{key}": x for name, w in zip("ab", states, strict=False) for key, x in w.items()}
    torch.save(both, path)
    refused(path, r"two\.pth holds 2 networks, under a, b; save the state dict of one alone")


# What stands beside the weights


def test_what_a_file_says_is_used_or_said_to_be_unused(tmp_path: Path, states: list[State]) -> None:
    content = {
        "model": states[0],
        "step": 20,
        "optimizer_state_dict": {
            "state": {},
            "param_groups": [{"lr": 5e-4, "weight_decay": 0.1, "betas": (0.9, 0.999)}],
        },
        "history": {"steps": [0, 10, 20], "train": {"loss": [3.0, 2.0, 0.1]}, "val_acc": [10.0, 20.0, 97.5]},
        "train_mask": torch.arange(25).reshape(5, 5) % 2 == 0,
        "probe": {"layers": [1, 2]},
    }
    torch.save(content, tmp_path / "whole.pth")
    run = read(tmp_path / "whole.pth")
    assert (run.steps, run.task.split.train.tolist()) == ([20], list(range(0, 25, 2)))
    training = run.config.training
    assert (training.learning_rate, training.weight_decay, training.beta2) == (5e-4, 0.1, 0.999)
    assert run.metrics["step"].tolist() == [0, 10, 20]
    assert run.metrics["train_loss"].tolist() == [3.0, 2.0, 0.1]
    assert run.metrics["test_accuracy"].tolist() == [0.1, 0.2, 0.975]
    notes = run.provenance["notes"]
    assert notes[0] == "The file lists its train pairs."
    assert "Not used, of what the file holds: probe." in notes


@pytest.mark.parametrize(
    ("train", "note"),
    [
        ({"train_indices": [3, 1, 4]}, "The file lists its train pairs."),
        ({"train_idx": torch.tensor([3, 1, 4])}, "The file lists its train pairs."),
        ({"train_data": [(0, 3), (0, 1), (0, 4)]}, "The file lists its train pairs."),
        ({"train_pairs": torch.tensor([[0, 3, 5], [0, 1, 5], [0, 4, 5]])}, "The file lists its train pairs."),
    ],
)
def test_train_pairs_of_a_state_dict(tmp_path: Path, states: list[State], train: dict[str, Any], note: str) -> None:
    torch.save({"model": states[0], **train}, tmp_path / "listed.pth")
    run = read(tmp_path / "listed.pth")
    assert run.provenance["notes"][0].startswith(note)
    assert run.task.split.train.tolist() == [3, 1, 4]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"train_indices": [3, 3]}, r"task\.train_pairs"),
        ({"train_indices": [3, 25]}, r"task\.train_pairs"),
        (
            {"train_data": [(0, 3), (7, 1)]},
            r"its train pairs include \(7, 1\), which \(a \+ b\) mod 5 does not have; correct",
        ),
    ],
)
def test_train_pairs_that_cannot_be(tmp_path: Path, states: list[State], train: dict[str, Any], message: str) -> None:
    torch.save({"model": states[0], **train}, tmp_path / "listed.pth")
    refused(tmp_path / "listed.pth", message)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"train_loss": 0.5, "valLoss": 1.5}, {"train_loss": 0.5, "test_loss": 1.5}),
        (
            {"metrics": {"train": {"acc": 0.5}, "test": {"accuracy": 97.0}}},
            {"train_accuracy": 0.5, "test_accuracy": 0.97},
        ),
        ({"best_val_loss": 0.1, "target_test_acc": 1.0, "loss": 3.0, "train_lr": 0.1}, {}),
        ({"test_losses": [torch.tensor(2.0), 1.0]}, {"test_loss": 1.0}),
        ({"log": [{"step": 0, "train_loss": 3.0}, {"step": 5, "train_loss": 2.0}]}, {"train_loss": 2.0}),
        ({"train_loss": "low", "test_acc": None, "val_losses": [[1.0, 2.0]]}, {}),
    ],
)
def test_losses_and_accuracies_under_many_names(said: dict[str, Any], found: dict[str, float]) -> None:
    assert told(said, ())[1] == found


@needs_linux
@pytest.mark.parametrize("kept", [list, np.array, torch.tensor])
def test_a_million_losses_are_read_soon(kept: Callable[[list[float]], Any]) -> None:
    losses = [0.5] * 1_000_000
    with soon():
        assert told({"train_loss": kept(losses)}, ())[0] == {"train_loss": tuple(losses)}
        assert numbers({"train_losses": kept(losses)}, "train_losses", Path("final.pth")) == losses


def test_stated_losses_find_the_split(tmp_path: Path, mainline: Run) -> None:
    final = mainline.metrics.iloc[-1]
    weights = mainline.weights(20_000)
    content = {"model": weights, "train_loss": float(final["train_loss"]), "test_loss": float(final["test_loss"])}
    torch.save({**content, "seed": 0, "frac_train": 0.3}, tmp_path / "mainline.pth")
    run = read(tmp_path / "mainline.pth")
    assert run.task.split.hash == mainline.task.split.hash
    assert run.provenance["notes"][0].startswith("The split is that of seed 0 at 0.3")


# Content decides, names break ties


def test_the_names_of_other_layouts_send_no_file_to_their_readers(tmp_path: Path, states: list[State]) -> None:
    first, last = states[0], states[1]
    for number, files in enumerate(
        (
            {"init.pth": first, "final.pth": last},
            {"final.pt": last},
            {"init.pt": first, "100.pt": last},
            {"model_abc.pt": last},
            {"model.pt": last},
            {"full_run_data.pth": last},
        )
    ):
        path = folder(tmp_path / str(number), files)
        (path / "cfg.json").write_text(json.dumps({"act_fn": "relu", "d_model": 8}))
        run = read(path)
        assert run.provenance["layout"] == "transformer-lens"
        same(run, run.last_step, last)


def test_a_folder_of_nothing_known_says_what_is_there(tmp_path: Path) -> None:
    odd = {"model": {"mlp.W_in": torch.zeros(9, 7), "mlp.W_out": torch.zeros(7, 9)}, "epoch": 3}
    path = folder(tmp_path / "odd", {"0.pth": odd, "final.pth": odd})
    refused(
        path,
        r"final\.pth is of no layout known: it holds a dictionary with model \(a state dict of 2 tensors, mlp\.W_in",
    )
    inner = tmp_path / "outer" / "checkpoints"
    (tmp_path / "outer").mkdir()
    folder(inner, {"1.pth": odd})
    (tmp_path / "outer" / "notes.txt").write_text("")
    refused(
        tmp_path / "outer",
        r"holds no file that ends in .*: it holds checkpoints, notes\.txt; checkpoints in it does: name",
    )


# Steps


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("epoch=100-val_loss=0.33", 100),
        ("epoch=3-step=4000", 4000),
        ("best-epoch=14-val_loss=0.33", 14),
        ("100_2024-01-02", 100),
        ("2024-01-02_10-11-12_step5", 5),
        ("step100_seed0", 100),
        ("seed_3_step_100", 100),
        ("ckpt_100_p7", 100),
        ("p113_wd1_ckpt_700", 700),
        ("checkpoint_epoch_20000", 20_000),
        ("grok_16543", 16_543),
        ("model_20k", 20_000),
        ("5000steps", 5000),
        ("300_acc_98", 300),
        ("epoch10_loss1e-05", 10),
        ("nfreq2", None),
        ("train_p7_s2", None),
        ("acc0.98", None),
        ("loss=0.07", None),
        ("grok_1700000000", None),
        ("20240102_101112", None),
        ("wd_10-1_mod_addition", None),
        ("l8k1hzciux", None),
        ("model²", None),
        ("best", None),
    ],
)
def test_the_step_that_a_name_marks(name: str, step: int | None) -> None:
    assert step_in_name(name).step == step
    assert step_in_name(name).candidates == ()


def test_names_that_leave_it_open(tmp_path: Path, states: list[State]) -> None:
    assert step_in_name("ckpt-7-113").candidates == (7, 113)
    assert [named.step for named in steps_in_names(["ckpt-7-113", "ckpt-9-113"])] == [7, 9]
    path = folder(tmp_path / "open", {"ckpt_7_113.pt": states[0], "ckpt_9_114.pt": states[1]})
    refused(
        path, r"the name ckpt_7_113\.pt does not tell which of 7, 113 is the step, and the file does not say; rename"
    )
    torch.save(states[0], tmp_path / "ckpt_7_113.pt")
    notes = read(tmp_path / "ckpt_7_113.pt").provenance["notes"]
    assert notes[-1] == "The step is unknown: the file states none, and its name may mean 7 or 113."


def test_a_file_knows_its_step_better_than_its_name(tmp_path: Path, states: list[State]) -> None:
    names = ("val_loss=0.50", "val_loss=0.07", "val_loss=0.33")
    files = {
        f"{name}.ckpt": {"epoch": 100 * n, "state_dict": w}
        for n, (name, w) in enumerate(zip(names, states, strict=True))
    }
    run = read(folder(tmp_path / "loss", files))
    assert run.steps == [0, 100, 200]
    for step, weights in zip(run.steps, states, strict=True):
        same(run, step, weights)
    planned = {f"step_{n}.pt": {"epoch": 9000, "model": w} for n, w in enumerate(states)}
    assert read(folder(tmp_path / "planned", planned)).steps == [0, 1, 2]
    torch.save({"model": states[0], "optimizer": {"state": {0: {"step": torch.tensor(33.0)}}}}, tmp_path / "adam.pt")
    assert read(tmp_path / "adam.pt").steps == [33]


def test_epochs_of_nandas_files_are_one_call_earlier_in_every_folder(tmp_path: Path, states: list[State]) -> None:
    run = read(
        folder(tmp_path / "named", {f"{n}.pth": {"model": neel(w)} for n, w in zip((5, 9), states, strict=False)})
    )
    assert run.steps == [6, 10]


@pytest.mark.parametrize("content", [lambda w: w, lambda w: {"model": w, "step": 1_700_000_000}])
def test_steps_that_cannot_be_stored_are_refused_first(tmp_path: Path, states: list[State], content: Any) -> None:
    path = folder(tmp_path / "times", {f"step_{1_700_000_000 + n}.pt": content(states[n]) for n in range(2)})
    refused(
        path, r"step 1,700,000,00\d is more than the largest that is stored, 1,000,000,000; if it is a time, rename"
    )


# Folders


def test_copies_and_files_without_a_network_are_listed(tmp_path: Path, states: list[State]) -> None:
    first, last, other = states
    files = {
        "checkpoint_100.pt": first,
        "checkpoint_200.pt": last,
        "final.pt": last,
        "best.pt": other,
        "best_epoch_200.pt": other,
        "optimizer.pt": {"state": {}, "param_groups": []},
        "losses.pth": [1.0, 2.0],
    }
    path = folder(tmp_path / "whole", files)
    (path / "README.md").write_text("no checkpoint")
    run = read(path)
    assert run.steps == [100, 200]
    same(run, 200, last)
    note = run.provenance["notes"][-1]
    assert note.startswith("Left out of the folder: ")
    for part in (
        "losses.pth, optimizer.pt (it holds no network of a layout known)",
        "best_epoch_200.pt (step 200 is that of checkpoint_200.pt)",
        "best.pt (neither the file nor its name tells its step)",
        "final.pt (it holds the weights of checkpoint_200.pt)",
    ):
        assert part in note


def test_a_final_file_that_states_its_step_is_read(tmp_path: Path, states: list[State]) -> None:
    files = {"init.pt": states[0], "100.pt": states[1], "final.pt": {"model": states[2], "step": 150}}
    run = read(folder(tmp_path / "final", files))
    assert run.steps == [0, 100, 150]
    same(run, 150, states[2])


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("baseline.pt", "nfreq2.pt"), r"whose steps neither the files nor their names tell"),
        (("wd_high.pt", "wd_low.pt", "no_wd.pt"), r"whose steps neither the files nor their names tell"),
        (("run_a.safetensors", "run_b.safetensors"), r"whose steps neither the files nor their names tell"),
        (("1700000000.pt", "1700000100.pt"), r"whose steps neither the files nor their names tell"),
    ],
)
def test_several_networks_are_refused(tmp_path: Path, states: list[State], names: tuple[str, ...], why: str) -> None:
    path = folder(tmp_path / "several", dict(zip(names, states, strict=False)))
    refused(path, rf"holds {len(names)} networks, {', '.join(sorted(names))}, {why}; import one file at a time")


def test_networks_of_other_shapes_or_seeds_are_no_run(tmp_path: Path, states: list[State]) -> None:
    other = network(TaskConfig(p=7))[2]
    path = folder(tmp_path / "shapes", {"step_1.pt": states[0], "step_2.pt": other})
    refused(
        path, r"holds 2 networks, step_1\.pt, step_2\.pt, with tensors of other names or shapes, so they are no check"
    )
    files = {f"step_{n}.pt": {"model": states[n], "config": {"seed": n}} for n in range(2)}
    refused(
        folder(tmp_path / "seeds", files),
        r"trained from other seeds, so they are no checkpoints of one run; import one",
    )


def test_equal_networks_without_steps_are_one(tmp_path: Path, states: list[State]) -> None:
    run = read(folder(tmp_path / "equal", {"best.bin": states[0], "last.bin": states[0]}))
    same(run, 0, states[0])
    assert run.provenance["notes"][-1] == "Left out of the folder: last.bin (it holds the weights of best.bin)."


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (".", r"^\. is no name of a new folder; name one to import into, such as run"),
        ("a\0b", r"'a\\x00b' cannot be the name of a file; correct the path"),
        ("\ud800", r"'\\ud800' cannot be the name of a file; correct the path"),
    ],
)
def test_an_out_that_no_folder_can_have(tmp_path: Path, out: str, message: str) -> None:
    with pytest.raises(GrokinterpError, match=message):
        import_run(tmp_path / "x.pth", out)
