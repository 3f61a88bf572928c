"""Files of TransformerLens' own networks: normalization, configuration and sizes are read as they are, or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Run, import_run
from grokinterp.runs.importers._tl_tensors import normalization
from grokinterp.tasks import Task, TaskConfig

pytest.importorskip("transformer_lens.HookedTransformer", reason="TransformerLens 4 has no HookedTransformer")
from variants import lens_network

P = 7
ADD = ["task.operation=add"]


def lens(fold: bool = False, seed: int = 0, processing: dict[str, bool] | None = None, **settings: Any) -> Any:
    sizes = {"n_layers": 1, "n_heads": 2, "d_model": 16, "d_head": 8, "d_mlp": 24, "n_ctx": 3, "device": "cpu"}
    tokens = {"d_vocab": P + 1, "d_vocab_out": P, "act_fn": "relu", "normalization_type": None}
    return lens_network({**sizes, **tokens, **settings}, seed, fold=fold, **(processing or {}))


def imported(folder: Path, content: Any, settings: list[str] = ADD, name: str = "mine.pth") -> Run:
    torch.save(content, folder / name)
    return import_run(folder / name, folder / "run", settings=settings)


def same(run: Run, network: Any, equals: int = P) -> None:
    a, b = torch.arange(P).repeat_interleave(P), torch.arange(P).repeat(P)
    with torch.no_grad():
        own = network(torch.stack([a, b, torch.full_like(a, equals)], dim=1))[:, -1, :P].numpy()
    np.testing.assert_allclose(run.snapshot().logits, own, atol=1e-5 * np.abs(own).max(), rtol=0)


def refused(folder: Path, content: Any, message: str, settings: list[str] = ADD) -> None:
    with pytest.raises(GrokinterpError, match=message) as caught:
        imported(folder, content, settings)
    assert "\n" not in str(caught.value)


def plain(network: Any) -> dict[str, Any]:
    return {name: x for name, x in network.cfg.to_dict().items() if isinstance(x, int | float | str | type(None))}


# Normalization


@pytest.mark.parametrize("writing", [False, True])
@pytest.mark.parametrize("unembed", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_a_folded_layer_norm_shows_in_the_weights(tmp_path, writing, unembed, n_layers):
    processing = {"center_writing_weights": writing, "center_unembed": unembed}
    network = lens(fold=True, normalization_type="LN", n_layers=n_layers, processing=processing)
    run = imported(tmp_path, network.state_dict())
    assert run.config.model.normalization == "LNPre"
    assert "LNPre: every matrix that reads the residual stream is centred" in " ".join(run.provenance["notes"])
    same(run, network)


@pytest.mark.parametrize("kind", ["LN", "RMS"])
def test_tensors_of_a_normalization_say_which_it_is(tmp_path, kind):
    network = lens(normalization_type=kind, n_layers=2)
    run = imported(tmp_path, network.state_dict())
    assert run.config.model.normalization == kind
    same(run, network)


@pytest.mark.parametrize(("kind", "fold"), [("LNPre", False), ("RMSPre", False), ("RMS", True), ("LN", True)])
@pytest.mark.parametrize("where", ["object", "dictionary", "demo", "beside", "set"])
def test_a_normalization_without_tensors_is_as_the_configuration_or_the_user_says(tmp_path, kind, fold, where):
    network = lens(fold=fold, normalization_type=kind, eps=0.02)
    state, settings, folded = network.state_dict(), ADD, kind.removesuffix("Pre") + "Pre"
    content: Any = {
        "object": {"model_state_dict": state, "config": network.cfg},
        "dictionary": {"model": state, "cfg": plain(network)},
        "demo": {"checkpoints": [state], "checkpoint_epochs": [9], "config": network.cfg},
    }.get(where, state)
    if where == "beside":
        (tmp_path / "cfg.json").write_text(json.dumps(plain(network)))
    if where == "set":
        settings = [*ADD, f"model.normalization={folded}", "model.eps=0.02"]
    run = imported(tmp_path, content, settings)
    assert run.config.model.normalization == folded
    assert "model.normalization = " not in " ".join(run.provenance["notes"])
    same(run, network)


def test_the_configuration_from_before_the_folding_says_which_normalization_was_folded(tmp_path):
    network = lens(normalization_type="RMS")
    before = plain(network)
    folded = lens(fold=True, normalization_type="RMS")
    run = imported(tmp_path, {"model": folded.state_dict(), "config": before})
    assert "Its configuration says RMS, whose tensors are absent: folded into" in " ".join(run.provenance["notes"])
    same(run, folded)
    contrary = {"model": network.state_dict(), "config": before | {"normalization_type": None}}
    torch.save(contrary, tmp_path / "contrary.pth")
    read = import_run(tmp_path / "contrary.pth", tmp_path / "contrary", settings=ADD)
    note = "Its configuration says normalization none, its tensors are those of RMS, as it is read."
    assert note in read.provenance["notes"]
    same(read, network)


def test_no_network_without_layer_norm_is_taken_for_a_folded_one(mainline):
    for step in (0, 5000, 20_000):
        assert normalization(mainline.weights(step), None) == (None, "")
    for seed in range(20):
        config = ModelConfig(n_heads=1, d_head=2, d_model=2, d_mlp=1, seed=seed)
        assert normalization(initial_weights(config, Task(TaskConfig(p=2))), None) == (None, "")


# Configurations


@pytest.mark.parametrize("kept", ["object", "dictionary", "demo"])
@pytest.mark.parametrize(
    "settings",
    [
        {"act_fn": "gelu"},
        {"act_fn": "silu", "use_attn_scale": False},
        {"act_fn": "gelu_fast", "parallel_attn_mlp": True},
        {"n_layers": 2, "attention_dir": "bidirectional"},
        {"attn_scale": 1.7, "normalization_type": "LNPre", "parallel_attn_mlp": True, "n_layers": 2},
    ],
    ids=str,
)
def test_what_a_configuration_says_is_what_is_computed(tmp_path, settings, kept):
    network = lens(**settings)
    state, said = network.state_dict(), network.cfg if kept == "object" else plain(network)
    content = {"epoch": 750, "model_state_dict": state, "config": said, "train_indices": torch.arange(30)}
    if kept == "demo":
        content = {"checkpoints": [state, state], "checkpoint_epochs": [1, 9], "config": said}
    run = imported(tmp_path, content)
    same(run, network)
    assert any(note.startswith("Read from its configuration: act_fn, norm") for note in run.provenance["notes"])
    if kept != "demo":
        assert run.task.split.train.tolist() == list(range(30))


def test_settings_of_a_configuration_that_say_nothing_here_are_listed(tmp_path):
    network = lens(act_fn="silu")
    said = {"activation": "SiLU", "use_ln": False, "modulus": 7, "fn_name": "addition", "lucky": 3, "data_path": "x"}
    run = imported(tmp_path, {"model": network.state_dict(), "config": said}, [])
    notes = run.provenance["notes"]
    assert "Read from its configuration: activation, use_ln, modulus, fn_name." in notes
    assert "Not used of its configuration: lucky, data_path." in notes
    same(run, network)


def test_pairs_that_a_file_lists_as_trained_on_are_its_split(tmp_path):
    network = lens()
    pairs = [[a, a, P] for a in range(P)]
    run = imported(tmp_path, {"model": network.state_dict(), "train_pairs": pairs})
    assert run.task.split.train.tolist() == [8 * a for a in range(P)]
    torch.save({"model": network.state_dict(), "train_pairs": [[7, 1]]}, tmp_path / "strange.pth")
    with pytest.raises(
        GrokinterpError, match=r"its train pairs include \(7, 1\), which \(a \+ b\) mod 7 does not have;"
    ):
        import_run(tmp_path / "strange.pth", tmp_path / "strange", settings=ADD)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"n_layers": 2}, r"its configuration says n_layers = 2, its weights 1: it is of another network; correct it"),
        ({"d_vocab": 114}, r"its configuration says d_vocab = 114, its weights 8: it is of another network"),
        ({"n_heads": 4}, r"its configuration says n_heads = 4, its weights 2: it is of another network"),
        (
            {"positional_embedding_type": "shortformer"},
            r"positional_embedding_type = 'shortformer': positions that are",
        ),
        ({"output_logits_soft_cap": 30.0}, r"output_logits_soft_cap = 30\.0: logits with a soft cap, which no network"),
        ({"attn_scores_soft_cap": 5}, r"attn_scores_soft_cap = 5: attention scores with a soft cap, which no network"),
        (
            {"use_local_attn": True},
            r"use_local_attn = True: attention in a window, which no network here has; import a",
        ),
        (
            {"use_normalization_before_and_after": True},
            r"True: a normalization behind attention and MLP, which no netw",
        ),
        (
            {"normalization_type": "LN", "final_rms": True},
            r"final_rms = True: LayerNorm in the layers and RMSNorm befo",
        ),
        ({"normalization_type": "Batch"}, r"normalization_type = 'Batch': a normalization that is none of LN, LNPre"),
        ({"act_fn": "solu_ln"}, r"act_fn = 'solu_ln': an activation that is none of relu, gelu, gelu_new, silu, tanh"),
        ({"num_experts": 2}, r"num_experts = 2: several experts, which no network here has; import a network without"),
        ({"gated_mlp": True}, r"gated_mlp = True: an MLP with a gate, which no network here has; import a network wit"),
    ],
)
def test_what_no_network_here_has_is_refused_by_its_setting(tmp_path, said, message):
    refused(tmp_path, {"model": lens().state_dict(), "config": said}, message)


# Sizes


@pytest.mark.parametrize(
    ("network", "settings", "note"),
    [
        ({"n_heads": 2, "d_head": 4}, [], ""),
        ({"n_heads": 3, "d_head": 3}, [], ""),
        ({"n_heads": 5, "d_head": 8}, [], ""),
        ({"n_ctx": 10}, [], "Of a larger network the first 3 of 10 positions are read: token 0 … 6 the inputs, 7 =."),
        ({"n_ctx": 4}, [], "Of a larger network the first 3 of 4 positions are read: "),
        ({"d_vocab": 16, "d_vocab_out": 16}, ["task.p=7"], "the first 8 of 16 tokens, 8 of 16 outputs are read: "),
        ({"d_vocab": 16}, ["task.p=7"], "Of a larger network the first 8 of 16 tokens are read: token 0 … 6 the"),
        ({"d_vocab": 9, "n_ctx": 64, "d_vocab_out": 9}, ["task.p=7", "task.operator_token=false"], "3 of 64 positions"),
        ({"d_vocab_out": P + 1}, [], ""),
    ],
    ids=str,
)
def test_networks_of_any_size_are_read(tmp_path, network, settings, note):
    made = lens(**network)
    run = imported(tmp_path, made.state_dict(), [*ADD, *settings])
    assert note in " ".join(run.provenance["notes"])
    assert run.config.task.p == P
    same(run, made)


def test_a_modulus_that_only_sizes_tell_is_said_to_be_assumed(tmp_path):
    run = imported(tmp_path, lens(d_vocab=16, d_vocab_out=16).state_dict())
    assert run.config.task.p == 15
    note = next(note for note in run.provenance["notes"] if note.startswith("Assumed"))
    assert "with token 15 as =, task.p = 15, " in note
    assert note.endswith("Where some tokens are never used: --set task.p.")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"positional_embedding_type": "rotary", "rotary_dim": 8},
            r"rotary_sin': rotary positions, which no network h",
        ),
        (
            {"gated_mlp": True},
            r"holds 'blocks\.0\.mlp\.W_gate': an MLP with a gate, which no network here has; import ",
        ),
        ({"use_qk_norm": True}, r"q_norm\.w': a normalization of queries and keys, which no network here has; import"),
        ({"n_key_value_heads": 1}, r"holds 'blocks\.0\.attn\._W_K': heads that share their keys and values, which no"),
        ({"attn_only": True}, r"holds no blocks\.0\.mlp\.W_in: it has no MLP, which all networks here have"),
        (
            {"positional_embedding_type": "alibi"},
            r"holds no pos_embed\.W_pos, so its positions are not .* add zeros of",
        ),
    ],
    ids=str,
)
def test_what_no_network_here_has_is_refused_by_its_tensors(tmp_path, settings, message):
    state = lens(**settings).state_dict()
    if settings.get("positional_embedding_type") == "alibi":
        state.pop("pos_embed.W_pos")
    refused(tmp_path, state, message)


def test_masks_of_older_versions_say_which_way_attention_looks(tmp_path):
    network = lens(n_layers=2, attention_dir="bidirectional")
    masks = {f"blocks.{layer}.attn.mask": torch.ones(3, 3, dtype=torch.bool) for layer in range(2)}
    run = imported(tmp_path, network.state_dict() | masks)
    assert run.config.model.attention == "bidirectional"
    same(run, network)
    window = {name: mask.tril().triu() for name, mask in masks.items()}
    torch.save(network.state_dict() | window, tmp_path / "window.pth")
    with pytest.raises(
        GrokinterpError, match=r"attn\.mask', a mask that is neither causal nor open: attention in a wind"
    ):
        import_run(tmp_path / "window.pth", tmp_path / "window", settings=ADD)
