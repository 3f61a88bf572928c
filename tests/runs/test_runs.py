import errno
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import grokinterp
from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, RunConfig, RunFolder, load_run, read_tensors, write_tensors, write_whole


@pytest.fixture
def run(tiny_run: Run, tmp_path: Path) -> Run:
    """A copy that a test may damage."""
    return load_run(shutil.copytree(tiny_run.path, tmp_path / "run"))


def test_a_run_reads_back_what_was_trained(tiny_run, tiny_config):
    assert tiny_run.config == tiny_config
    assert tiny_run.steps == [0, 1, 2, 4, 8, 10, 20, 30, 40]
    metrics = tiny_run.metrics
    assert metrics["step"].tolist() == list(range(41))
    assert metrics["train_loss"].notna().all()
    assert metrics.dropna()["step"].tolist() == [0, 10, 20, 30, 40]
    record = json.loads((tiny_run.path / "run.json").read_text())
    assert record["split"]["hash"] == tiny_run.task.split.hash
    assert record["environment"]["threads"] == 1
    assert record["environment"]["dtype"] == {"weights": "float32", "loss": "float64"}


def test_model_and_snapshot_agree_at_every_step(tiny_run):
    for step in (0, 40):
        snapshot, model = tiny_run.snapshot(step), tiny_run.model(step)
        with torch.no_grad():
            logits, cache = model.run_with_cache(tiny_run.task.tokens)
        np.testing.assert_allclose(snapshot.logits, logits[:, -1, :7], atol=1e-5)
        np.testing.assert_allclose(snapshot.neurons, cache["blocks.0.mlp.hook_post"][:, -1], atol=1e-6)
        np.testing.assert_allclose(snapshot.pattern, cache["blocks.0.attn.hook_pattern"][:, :, -1], atol=1e-6)
        W_L = (model.blocks[0].mlp.W_out @ model.unembed.W_U[:, :7]).T.detach()
        np.testing.assert_allclose(snapshot.W_L, W_L, atol=1e-6)


def test_a_model_that_the_fast_forward_does_not_cover_has_the_same_snapshot(tiny_config, tmp_path):
    config = tiny_config.with_settings(["model.n_layers=2", "model.normalization=LN", "training.steps=2"])
    run = grokinterp.train(config, tmp_path, progress=False)
    snapshot = run.snapshot()
    with torch.no_grad():
        logits, cache = run.model(2).run_with_cache(run.task.tokens)
    np.testing.assert_allclose(snapshot.logits, logits[:, -1, :7], atol=1e-6)
    np.testing.assert_allclose(snapshot.neurons, cache["blocks.1.mlp.hook_post"][:, -1], atol=1e-6)


def test_an_unknown_activation_is_named(tiny_run):
    with pytest.raises(GrokinterpError, match=r"activation 'blocks\.0\.hook_mlp': the network has no such hook"):
        tiny_run.snapshot().activation("blocks.0.hook_mlp")


# Settings and presets


def test_presets_are_the_published_recipes():
    mainline, demo = RunConfig.preset("nanda-mainline"), RunConfig.preset("transformer-lens-demo")
    assert mainline.training.rate(0) == 0.0
    assert mainline.training.rate(10) == 1e-3
    assert (demo.training.rate(0), demo.model.biases, demo.model.outputs) == (1e-3, "none", "answers")
    assert (demo.task.split_scheme, demo.task.split_seed) == ("torch", 598)


def test_settings_apply_together_and_keep_their_types():
    config = RunConfig().with_settings(["model.n_heads=2", "model.d_head=64", "training.checkpoint_steps=[3, 5]"])
    assert (config.model.n_heads, config.model.d_head, config.training.checkpoint_steps) == (2, 64, (3, 5))
    assert RunConfig().with_settings(["training.threads=null", "model.biases=none"]).model.biases == "none"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.d_mlpp=3", r"model\.d_mlpp: unknown key; did you mean model\.d_mlp\?"),
        ("d_mlp=3", r"--set d_mlp=3: needs SECTION\.KEY=VALUE, such as model\.d_mlp=256"),
        ("model.d_mlp", r"--set model\.d_mlp: needs SECTION\.KEY=VALUE"),
        ("modle.d_mlp=3", r"--set modle\.d_mlp=3: unknown section modle; choose one of task, model, training"),
        ("task.p=1", r"task\.p = 1: needs ≥ 2"),
        ("training.steps=0", r"training\.steps = 0: needs ≥ 1"),
        ("training.steps=1e3x", r"training\.steps = '1e3x': needs an integer"),
        ("training.learning_rate=NaN", r"training\.learning_rate = nan: needs a finite number"),
    ],
)
def test_bad_settings_name_the_users_own_input(setting, message):
    with pytest.raises(GrokinterpError, match=message):
        RunConfig().with_settings([setting])


def test_an_unknown_preset_is_named_with_the_known_ones():
    with pytest.raises(
        GrokinterpError, match=r"preset 'nanda': unknown; choose one of nanda-mainline, transformer-lens-demo, s5-comp"
    ):
        RunConfig.preset("nanda")


# Folders that are not runs, and files that are damaged


def test_what_is_not_a_run_folder_is_said(tmp_path):
    with pytest.raises(GrokinterpError, match=r"nowhere: no such folder; give a run folder made by `grokinterp train`"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(GrokinterpError, match=r"is not a run folder: it holds no run\.json"):
        load_run(tmp_path)
    file = tmp_path / "model.pth"
    for content, kind in ((b"", "an empty file"), (b"text", "a file"), (pickle.dumps({}), "a pickle")):
        file.write_bytes(content)
        with pytest.raises(GrokinterpError, match=rf"model\.pth is {kind}, not a run folder"):
            load_run(file)
    torch.save({}, file)
    with pytest.raises(GrokinterpError, match=r"model\.pth is a zip archive, as torch\.save writes around a pickle"):
        load_run(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"run\.json is not valid JSON \(Expecting value"),
        ('{"schema_version": 1', r"run\.json is not valid JSON"),
        ("[]", r"run\.json has schema_version None; this grokinterp reads 1"),
        ('{"schema_version": 99}', r"run\.json has schema_version 99; this grokinterp reads 1"),
        ('{"schema_version": 1}', r"run\.json has no 'config'; restore it from a copy"),
        (
            '{"schema_version": 1, "config": {"task": {"p": 1}}, "environment": {}}',
            r"run\.json: task\.p = 1: needs ≥ 2",
        ),
    ],
)
def test_a_damaged_record_is_named(run, content, message):
    (run.path / "run.json").write_text(content)
    with pytest.raises(GrokinterpError, match=message):
        load_run(run.path)


def test_a_missing_checkpoint_is_named_with_its_neighbours(run):
    with pytest.raises(GrokinterpError, match=r"step 25 has no checkpoint in .*; the nearest are 20 and 30"):
        run.snapshot(25)
    shutil.rmtree(run.path / "checkpoints")
    with pytest.raises(GrokinterpError, match=r"has no checkpoints yet; continue it with `grokinterp train --resume`"):
        run.snapshot()


@pytest.mark.parametrize("keep", [1, 7, 8, 200, -1])
def test_a_truncated_checkpoint_is_named(run, keep):
    path = run.folder.checkpoint_path(40)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(GrokinterpError, match=r"step_000040\.safetensors is truncated or corrupt .*; delete it or res"):
        run.snapshot(40)
    assert run.snapshot(30).step == 30


def test_an_empty_and_a_corrupt_checkpoint_are_named(run):
    path = run.folder.checkpoint_path(40)
    path.write_bytes(b"")
    with pytest.raises(
        GrokinterpError, match=r"step_000040\.safetensors is empty \(0 bytes\); delete it or restore it"
    ):
        run.snapshot(40)
    path.write_bytes(os.urandom(1000))
    with pytest.raises(GrokinterpError, match=r"step_000040\.safetensors is truncated or corrupt"):
        run.snapshot(40)


class _Bomb:
    def __reduce__(self):
        return (os.mkdir, ("bomb-went-off",))


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_offered_as_a_checkpoint_is_refused_and_not_run(run, tmp_path, monkeypatch, writer):
    monkeypatch.chdir(tmp_path)
    path = run.folder.checkpoint_path(40)
    if writer == "pickle":
        path.write_bytes(pickle.dumps(_Bomb()))
    else:
        torch.save(_Bomb(), path)
    with pytest.raises(
        GrokinterpError, match=r"pickle.*, not safetensors; grokinterp does not unpickle, because a pick"
    ):
        run.snapshot(40)
    assert not (tmp_path / "bomb-went-off").exists()


def test_weights_that_do_not_fit_the_record_are_named(run):
    path = run.folder.checkpoint_path(40)
    weights = read_tensors(path)

    def refused(changed: dict, message: str) -> None:
        write_tensors(path, changed)
        with pytest.raises(GrokinterpError, match=message):
            run.snapshot(40)

    W_E = weights["embed.W_E"]
    refused(
        {**weights, "embed.W_E": W_E[:-1]}, r"run\.json describes: embed\.W_E has shape \(7, 16\), needs \(8, 16\);"
    )
    refused({**weights, "embed.W_E": W_E.double()}, r"embed\.W_E is torch\.float64, a checkpoint needs torch\.float32")
    refused({**weights, "embed.W_E": W_E * float("nan")}, r"embed\.W_E holds NaN or infinity; use an earlier checkp")
    refused({**weights, "more": W_E.clone()}, r"missing none, unexpected \['more'\]")
    del weights["embed.W_E"]
    refused(weights, r"missing \['embed\.W_E'\], unexpected none")


def test_a_cut_last_line_of_metrics_is_left_out(run):
    path = run.folder.metrics_path
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]) + lines[-1][:10])
    assert len(run.metrics) == 40


# Writing


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOSPC, "no space left on the disk"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the disk is read-only"),
    ],
)
def test_a_refused_write_leaves_the_old_file_and_no_leftover(tmp_path, monkeypatch, code, reason):
    path = tmp_path / "file"
    write_whole(path, "old")

    def refuse(_):
        raise OSError(code, "refused")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(GrokinterpError, match=rf"cannot write .*file: {reason}; what was written before is intact"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_where_a_folder_is_needed_is_said(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(GrokinterpError, match=r"cannot write .*: a file stands where a folder is needed"):
        RunFolder(tmp_path / "out").held().__enter__()


def test_checkpoint_bytes_depend_on_their_contents_alone(tmp_path):
    a, b = torch.arange(6.0).reshape(2, 3), torch.ones(4)
    write_tensors(tmp_path / "first", {"a": a, "b": b})
    write_tensors(tmp_path / "second", {"b": b, "a": a.T.contiguous().T})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
