"""What has changed since it was written is refused, in one line; what a kill left between two writes is not."""

import json
import shutil

import numpy as np
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs import import_run, load_run, read_tensors, write_tensors
from grokinterp.runs._checksums import checksum
from grokinterp.training import train


@pytest.fixture
def run(tiny_run, tmp_path):
    return load_run(shutil.copytree(tiny_run.path, tmp_path / "run"))


def listed(run):
    return json.loads(run.folder.record_path.read_text())["checksums"]


def test_every_checkpoint_and_the_state_are_listed_with_their_checksum(run):
    names = {f"checkpoints/step_{step:06d}.safetensors" for step in run.steps}
    assert listed(run).keys() == names | {"trainer_state.safetensors"}
    for name, known in listed(run).items():
        found = checksum((run.path / name).read_bytes())
        assert known == found or (isinstance(known, list) and known[0] == found)


@pytest.mark.parametrize("count", [40, pytest.param(600, marks=pytest.mark.long)])
def test_no_flipped_bit_of_a_checkpoint_or_state_passes(run, tiny_config, count):
    random = np.random.default_rng(0)
    for _ in range(count):
        path = (
            run.folder.state_path
            if random.random() < 0.3
            else run.folder.checkpoint_path(int(random.choice(run.steps)))
        )
        data = path.read_bytes()
        bit = random.integers(8 * len(data))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(GrokinterpError) as refusal:
            if path == run.folder.state_path:
                more = tiny_config.with_settings(["training.steps=50"])
                train(more, run.path, resume=True, progress=False)
            else:
                run.weights(int(path.stem.removeprefix("step_")))
        assert len(str(refusal.value).splitlines()) == 1
        path.write_bytes(data)
    assert train(None, run.path, resume=True, progress=False).last_step == 40


def test_the_line_says_what_to_do_and_an_entry_can_be_deleted(run):
    path = run.folder.checkpoint_path(10)
    write_tensors(path, {name: 2 * weight for name, weight in read_tensors(path).items()})
    with pytest.raises(
        GrokinterpError,
        match=r"step_000010\.safetensors is not as it was written: its SHA-256 is not the one in run\.json; restore it "
        r"from a copy, or, if it was changed on purpose, delete its entry under checksums there",
    ):
        run.snapshot(10)
    record = json.loads(run.folder.record_path.read_text())
    del record["checksums"]["checkpoints/step_000010.safetensors"]
    run.folder.record_path.write_text(json.dumps(record))
    assert run.snapshot(10).step == 10


def test_a_folder_without_checksums_is_read_and_continued(run, tiny_config):
    record = json.loads(run.folder.record_path.read_text())
    del record["checksums"]
    run.folder.record_path.write_text(json.dumps(record))
    old = load_run(run.path)
    assert [old.snapshot(step).step for step in old.steps] == run.steps
    more = train(tiny_config.with_settings(["training.steps=50"]), run.path, resume=True, progress=False)
    # Step 40 is written again, what lies before it is as old as it was.
    assert sorted(listed(more)) == [
        "checkpoints/step_000040.safetensors", "checkpoints/step_000050.safetensors", "trainer_state.safetensors",
    ]  # fmt: skip


def test_a_resumed_run_lists_what_an_unstopped_one_does(tiny_config, tiny_run, tmp_path):
    train(tiny_config.with_settings(["training.steps=20"]), tmp_path / "run", progress=False)
    resumed = train(tiny_config, tmp_path / "run", resume=True, progress=False)
    assert listed(resumed) == listed(tiny_run)


def test_an_import_lists_its_checkpoints(tiny_run, tmp_path):
    torch.save(tiny_run.to_state_dict(40), tmp_path / "theirs.pth")
    run = import_run(tmp_path / "theirs.pth", tmp_path / "imported", settings=["task.operation=add"])
    assert listed(run) == {
        f"checkpoints/step_{step:06d}.safetensors": checksum(run.folder.checkpoint_path(step).read_bytes())
        for step in run.steps
    }


def test_the_shipped_run_is_as_it_was_written(mainline):
    for name in (*(f"checkpoints/{mainline.folder.checkpoint_path(step).name}" for step in mainline.steps),):
        assert name in listed(mainline)
        mainline.folder.require_unchanged(name)
    mainline.folder.require_unchanged("trainer_state.safetensors")


def test_checksums_of_another_type_are_refused(run):
    record = json.loads(run.folder.record_path.read_text())
    for wrong in ([], 5, "x"):
        run.folder.record_path.write_text(json.dumps(record | {"checksums": wrong}))
        with pytest.raises(GrokinterpError, match=r"run\.json: 'checksums' needs keys with values"):
            load_run(run.path)
    name = "checkpoints/step_000040.safetensors"
    for wrong in (5, {}, [None, [1]], ""):
        run.folder.record_path.write_text(json.dumps(record | {"checksums": {name: wrong}}))
        with pytest.raises(GrokinterpError, match=r"is not as it was written"):
            load_run(run.path).snapshot(40)
