"""What a run is continued from, and what is refused rather than trained over."""

import json

import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, read_tensors, write_tensors
from grokinterp.training import train


def files(run: Run) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(run.path.rglob("*")) if path.is_file()}


@pytest.fixture
def half(tiny_config, tmp_path) -> Run:
    """A run at step 20 of 40, to be damaged."""
    return train(tiny_config.with_settings(["training.steps=20"]), tmp_path / "half", progress=False)


def test_resuming_a_complete_run_changes_no_file(half):
    before = files(half)
    train(None, half.path, resume=True, progress=False)
    assert files(half) == before


def test_a_run_continued_elsewhere_keeps_where_it_was_begun(half, tiny_config):
    record = json.loads(half.folder.record_path.read_text())
    record["environment"]["versions"]["torch"] = "1.2.3"
    half.folder.write_record(record)
    run = train(tiny_config.with_settings(["training.steps=22"]), half.path, resume=True, progress=False)
    assert run.environment.versions["torch"] == "1.2.3"
    (resumed,) = run.environment.resumed
    assert resumed["step"] == 20
    assert resumed["environment"] == {"versions": {**run.environment.versions, "torch": torch.__version__}}
    again = train(tiny_config.with_settings(["training.steps=24"]), half.path, resume=True, progress=False)
    assert len(again.environment.resumed) == 1


def test_a_run_without_its_state_is_not_begun_again_over_itself(half, tiny_config):
    half.folder.state_path.unlink()
    before = files(half)
    with pytest.raises(
        GrokinterpError, match=r"holds no trainer_state\.safetensors to continue from; restore it from a c"
    ):
        train(tiny_config, half.path, resume=True, progress=False)
    assert files(half) == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_runs_files_without_their_record_are_not_taken_over(half, tiny_config, resume):
    half.folder.record_path.unlink()
    before = files(half)
    with pytest.raises(GrokinterpError, match=r"holds a run's files but no run\.json to say what they are; restore"):
        train(tiny_config, half.path, resume=resume, progress=False)
    assert files(half) == before


@pytest.mark.parametrize("lost", ["line", "file"])
def test_metrics_with_a_hole_are_not_continued(half, tiny_config, lost):
    path = half.folder.metrics_path
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:7] + lines[8:]))
    if lost == "file":
        path.unlink()
    with pytest.raises(
        GrokinterpError, match=r"metrics\.jsonl lacks some of the steps before 20, from where the run woul"
    ):
        train(tiny_config, half.path, resume=True, progress=False)


W_E = "embed.W_E"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            {f"exp_avg.{W_E}": torch.zeros(3)},
            r"exp_avg\.embed\.W_E is torch\.float32 \(3,\), not finite numbers of torch",
        ),
        ({f"exp_avg.{W_E}": torch.full((8, 16), float("nan"))}, r"exp_avg\.embed\.W_E is .*, not finite numbers of"),
        ({f"exp_avg_sq.{W_E}": None}, r"lacks exp_avg_sq\.embed\.W_E; restore it from a copy, or train anew"),
        ({f"weights.{W_E}": torch.zeros(1)}, r"embed\.W_E has shape \(1,\), needs \(8, 16\)"),
        ({f"weights.{W_E}": torch.full((8, 16), float("inf"))}, r"embed\.W_E holds NaN or infinity"),
        ({f"weights.{W_E}": None}, r"missing \['embed\.W_E'\], unexpected none"),
        ({"step": torch.tensor(-5)}, r"does not say which step it holds; restore it from a copy"),
        ({"step": None}, r"does not say which step it holds"),
        ({"step": torch.tensor([1.5])}, r"does not say which step it holds"),
    ],
)
def test_a_damaged_state_is_refused_before_anything_is_changed(half, tiny_config, damage, message):
    state = read_tensors(half.folder.state_path) | damage
    write_tensors(half.folder.state_path, {name: value for name, value in state.items() if value is not None})
    before = files(half)
    with pytest.raises(GrokinterpError, match=message):
        train(tiny_config, half.path, resume=True, progress=False)
    assert files(half) == before


def test_resuming_may_name_the_number_of_threads_it_had(half, tiny_config):
    with pytest.raises(GrokinterpError, match=r"other settings \(training\.threads 1 → 2\)"):
        train(tiny_config.with_settings(["training.threads=2"]), half.path, resume=True, progress=False)
    unnamed = tiny_config.with_settings(["training.threads=null"])
    assert train(unnamed, half.path, resume=True, progress=False).last_step == 40


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_is_held_from_before_the_first_look_into_it(tiny_config, tmp_path, monkeypatch, resume):
    """A second start that comes while the first has looked and not yet written anything."""
    from grokinterp.training import _train as module

    out, settle = tmp_path / "run", module._settle
    if resume:
        train(tiny_config.with_settings(["training.steps=20"]), out, progress=False)

    def settled(*arguments):
        found = settle(*arguments)
        with pytest.raises(GrokinterpError, match=r"run: another process is training in it; wait for it or stop it"):
            train(tiny_config.with_settings(["model.seed=1"]), out, resume=resume, progress=False)
        return found

    monkeypatch.setattr(module, "_settle", settled)
    run = train(tiny_config, out, resume=resume, progress=False)
    assert (run.config.model.seed, run.last_step) == (0, 40)


def test_a_start_that_is_refused_leaves_no_folder(tiny_config, tmp_path):
    for settings in (["training.device=gpu"], ["task.split_scheme=unknown"]):
        with pytest.raises(GrokinterpError):
            train(tiny_config.with_settings(settings), tmp_path / "a" / "run", progress=False)
    assert list(tmp_path.iterdir()) == []
