"""What stands beside weights and is not read is said, and what is stated is kept."""

from pathlib import Path

import pytest
import torch
from test_readings import demo, imported, perfect

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, import_run

ADD = ("task.operation=add",)


@pytest.mark.parametrize("name", ["config.yaml", "args.yml", "theirs.toml"])
def test_a_configuration_that_is_not_json_is_said_to_be_unread(tmp_path: Path, name: str):
    (tmp_path / name).write_text("act_fn: gelu\n")
    notes = imported(tmp_path, perfect()).provenance["notes"]
    assert any(note.startswith(f"{name}, beside the file, is not read, since only a JSON object") for note in notes)


def test_folders_in_a_folder_are_said_to_be_unread(tmp_path: Path):
    for name in ("epoch_1.pt", "later/epoch_2.pt", "plots/loss.txt"):
        path = tmp_path / "theirs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(perfect(), path)
    notes = import_run(tmp_path / "theirs", tmp_path / "run", settings=ADD).provenance["notes"]
    assert notes[-1] == "Folders in it are not read, later, which hold files of weights; import each on its own."


def test_a_folder_of_folders_names_all_of_them(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / "theirs" / name).mkdir(parents=True)
        torch.save(perfect(), tmp_path / "theirs" / name / "model.pt")
    with pytest.raises(GrokinterpError, match="folders in it do, a, b: name one of them"):
        import_run(tmp_path / "theirs", tmp_path / "run", settings=ADD)


def test_a_run_is_no_import(mainline: Run, tmp_path: Path):
    with pytest.raises(GrokinterpError, match="is a run folder of grokinterp already; use it as it is, such as: grok"):
        import_run(mainline.folder.path, tmp_path / "run")


@pytest.mark.parametrize(
    "stated", [{"val_acc": 98.7}, {"val_acc_pct": 98.7}, {"test_accuracy": 0.987}, {"val_loss": 1e-9}]
)
def test_test_pairs_are_answered_no_better_than_all(tmp_path: Path, stated: dict[str, float]):
    """Of a network that answers worse than its file says of test pairs, whatever the split."""
    provenance = imported(tmp_path, perfect("subtract"), **stated).provenance
    assert provenance["stated"]["agrees"] is False
    assert any("The file states test" in line and "(measured on all pairs: " in line for line in provenance["warnings"])


def test_percent_of_little_more_than_one(tmp_path: Path):
    assert imported(tmp_path, perfect(), val_accs=[0.2, 1.2]).provenance["stated"]["test_accuracy"] == 0.012


def test_what_the_demos_file_says_of_its_training_is_kept(tmp_path: Path):
    optimizer = {"state": {}, "param_groups": [{"lr": 1e-5, "initial_lr": 1e-3, "betas": (0.9, 0.98)}]}
    run = demo(tmp_path, perfect(), config={"weight_decay": 1.0, "seed": 3}, optimizer=optimizer)
    training = run.config.training
    assert (training.learning_rate, training.weight_decay, training.beta2, training.seed) == (1e-3, 1.0, 0.98, 3)
    assert not any("weight_decay" in note for note in run.provenance["notes"])
