"""What is said of a file that no layout reads: what is there, what it is nearest to and lacks, and what can be done."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from grokinterp.errors import GrokinterpError
from grokinterp.runs import import_run
from grokinterp.runs.importers._aliases import unlike_any

SAVE = r"save the whole network, as torch\.save\(model\.state_dict\(\), path\)"
OTHERS = "transformers and MLPs that read two inputs, a and b, can be imported, and nothing else"
WEIGHTS = r"give the file that holds the weights, saved as torch\.save\(model\.state_dict\(\), path\)"


def ones(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    return {name: torch.ones(shape) for name, shape in shapes.items()}


def cnn() -> Any:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10)).state_dict()


def recurrent(kind: type[nn.Module]) -> Any:
    return nn.ModuleDict({"embed": nn.Embedding(12, 8), "rnn": kind(8, 16), "fc": nn.Linear(16, 11)}).state_dict()


def batch_normed() -> Any:
    return {"embed.weight": torch.ones(5, 8)} | nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 5)
    ).state_dict()


def normed() -> Any:
    return {"embed.weight": torch.ones(5, 8)} | nn.Sequential(
        nn.Linear(8, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 5)
    ).state_dict()


def optimizer() -> Any:
    model = nn.Linear(4, 3)
    adam = torch.optim.AdamW(model.parameters())
    model(torch.ones(4)).sum().backward()
    adam.step()
    return adam.state_dict()


def gpt2() -> Any:
    block = {
        "ln_1.weight": (8,), "ln_1.bias": (8,), "attn.c_attn.weight": (8, 24), "attn.c_proj.weight": (8, 8),
        "ln_2.weight": (8,), "ln_2.bias": (8,), "mlp.c_fc.weight": (8, 32), "mlp.c_proj.weight": (32, 8),
    }  # fmt: skip
    around = {"wte.weight": (12, 8), "wpe.weight": (3, 8), "ln_f.weight": (8,), "ln_f.bias": (8,)}
    return ones({f"transformer.{name}": x for name, x in (around | {f"h.0.{k}": x for k, x in block.items()}).items()})


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    return nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)


def of_lens(*left_out: str) -> Any:
    shapes = {
        "embed.W_E": (12, 8), "pos_embed.W_pos": (3, 8), "blocks.0.attn.W_Q": (2, 8, 4), "blocks.0.attn.W_K": (2, 8, 4),
        "blocks.0.attn.W_V": (2, 8, 4), "blocks.0.attn.W_O": (2, 4, 8), "blocks.0.mlp.W_in": (8, 9),
        "blocks.0.mlp.W_out": (9, 8), "unembed.W_U": (8, 11),
    }  # fmt: skip
    return ones({name: shape for name, shape in shapes.items() if name not in left_out})


KINDS: dict[str, tuple[Any, str]] = {
    "a convolution": (
        cnn,
        r"it holds a state dict of 4 tensors, 0\.weight \(8, 3, 3, 3\), .*; it is no network of pairs: 0\.weight is of "
        rf"a convolution: {OTHERS}$",
    ),
    "LSTM": (lambda: recurrent(nn.LSTM), rf"pairs: rnn\.weight_ih_l0 is of a recurrent layer \(RNN, .*\): {OTHERS}$"),
    "RNN": (lambda: recurrent(nn.RNN), rf"pairs: rnn\.weight_ih_l0 is of a recurrent layer \(RNN, .*\): {OTHERS}$"),
    "batch norm": (batch_normed, rf"no network of pairs: 1\.running_mean is of a batch normalization: {OTHERS}$"),
    "a norm in an MLP": (
        normed,
        r"an MLP in names of its own, which has no norm, and so no 1\.weight, 1\.bias: import",
    ),
    "an optimizer": (
        optimizer,
        r"with state \(a state dict of 6 tensors, 0\.step \(\), 0\.exp_avg \(3, 4\), .*; it is the state of an "
        rf"optimizer, without the network's weights: {WEIGHTS}$",
    ),
    "losses": (
        lambda: {"train_losses": [0.5, 0.1], "test_losses": [2.0, 1.0]},
        rf"a dictionary with train_losses, test_losses; it lacks the weights, which every layout has: {WEIGHTS}$",
    ),
    "GPT-2 without its head": (
        gpt2,
        r"12 tensors, transformer\.wte\.weight \(12, 8\), .*; it is nearest to pytorch, a transformer in names of its "
        r"own, of which it lacks an unembedding \(unembed, unembedding\): where the output shares the embedding's "
        r"weights, save a copy of them as lm_head\.weight$",
    ),
    "an encoder alone": (
        lambda: encoder().state_dict(),
        r"lacks an embedding \(embed, embedding\), positions \(pos, pos_emb\), an unembedding \(unembed, unembedding\)"
        rf": {SAVE}; where it has them under other names, rename them$",
    ),
    "embeddings": (
        lambda: ones({"embed.weight": (12, 8), "pos_embed.weight": (3, 8)}),
        rf"pos_embed\.weight \(3, 8\); .* a transformer in names .*, of which it lacks attention and an MLP: {SAVE};",
    ),
    "one embedding": (
        lambda: ones({"embed.weight": (12, 8)}),
        rf"an MLP in names .*, of which it lacks the linear layers that read its embeddings, two or more: {SAVE};",
    ),
    "part of TransformerLens'": (
        lambda: {"model": of_lens("unembed.W_U", "blocks.0.attn.W_Q")},
        rf"it is nearest to transformer-lens, of which it lacks blocks\.0\.attn\.W_Q, unembed\.W_U: {SAVE}$",
    ),
    "part of Nanda's": (
        lambda: {"model": of_lens("unembed.W_U") | {"blocks.0.attn.W_O": torch.ones(8, 8)}},
        rf"it is nearest to nanda, of which it lacks unembed\.W_U: {SAVE}$",
    ),
    "part of the demo's": (
        lambda: {"checkpoint_epochs": [1, 2], "train_losses": [1.0]},
        r"it is nearest to transformer-lens-demo, of which it lacks checkpoints: save them in the same file, under c",
    ),
    "part of Chughtai's": (
        lambda: ones({"W_x": (6, 8), "W_y": (6, 8), "W": (16, 20)}),
        rf"it is nearest to chughtai, of whose MLP it lacks W_U: {SAVE}, beside its cfg\.json$",
    ),
    "part of the pizza's": (
        lambda: ones({"embed.weight": (7, 8), "l1.weight": (16, 8), "l1.bias": (16,)}),
        rf"it is nearest to pizza, of whose linear networks it lacks unembed\.weight: {SAVE}$",
    ),
    "digits": (
        lambda: nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)).state_dict(),
        r"reads one-hot inputs, 2p numbers of which it makes p, where 0\.weight is \(64, 784\) and 2\.weight \(10, 64\)"
        r": save its embeddings with it, if it has any; no other MLP can be imported$",
    ),
    "a tree of JAX": (
        lambda: {"params": {"Embed_0": {"embedding": np.ones((12, 8))}, "Dense_0": {"kernel": np.ones((8, 16))}}},
        r"it holds arrays of NumPy or JAX, params\.Embed_0\.embedding \(12, 8\), params\.Dense_0\.kernel \(8, 16\); "
        r"every layout has tensors of PyTorch: .*torch\.save\(\{'embed\.W_E': torch\.tensor\(array\), …\}, path\)",
    ),
    "no part of anything": (
        lambda: ones({f"stuff.{number}.thing": (4, 4) for number in range(8)}),
        r"and 2 more; none of them is named as a part of a transformer or an MLP: if it is such a network, rename",
    ),
}


def refused(path: Path, content: Any, **arguments: Any) -> str:
    torch.save(content, path)
    with pytest.raises(GrokinterpError) as caught:
        import_run(path, path.with_suffix(".run"), settings=["task.operation=add"], **arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_says_what_is_there_what_it_lacks_and_what_to_do(tmp_path: Path, kind: str) -> None:
    content, message = KINDS[kind]
    said = refused(tmp_path / "theirs.pt", content())
    assert "theirs.pt is of no layout known: it holds " in said
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lambda: (
                ones({"embed.weight": (12, 8), "pos.weight": (3, 8), "unembed.weight": (11, 8)})
                | ones({f"layers.0.attn.{name}.weight": (8, 8) for name in ("q_proj", "k_proj", "v_proj", "out_proj")})
            ),
            r"it lacks the MLP's first matrix \(.*\), .*; a network without an MLP cannot be imported$",
        ),
        (
            lambda: (
                {"pos": torch.ones(3, 8)}
                | nn.ModuleDict(
                    {"embed": nn.Embedding(12, 8), "encoder": encoder(), "fc_out": nn.Linear(8, 11)}
                ).state_dict()
            ),
            r"whose LayerNorm comes after each part unless norm_first=True; .*say norm_first in a .*has that\)$",
        ),
        (
            lambda: of_lens("blocks.0.mlp.W_in", "blocks.0.mlp.W_out"),
            r"holds no blocks\.0\.mlp\.W_in: it has no MLP, which all networks here have; it holds embed\.W_E "
            r"\(\d+, 8\), .* more: a network without an MLP cannot be imported$",
        ),
        (
            lambda: gpt2() | {"lm_head.weight": torch.ones(12, 8)},
            r"c_attn\.weight joins all heads, and nothing says how many there are; name them, such as --set model\.n_h",
        ),
    ],
    ids=["attention alone", "LayerNorm after", "TransformerLens' without MLP", "GPT-2"],
)
def test_what_is_recognised_gets_no_advice_that_cannot_help(tmp_path: Path, content: Any, message: str) -> None:
    said = refused(tmp_path / "theirs.pt", content())
    assert re.search(message, said), said
    assert "rename" not in said


def test_a_layout_that_does_not_fit_is_told_the_one_that_does(tmp_path: Path) -> None:
    said = refused(tmp_path / "theirs.pt", of_lens(), layout="nanda")
    assert said.endswith("; it is of layout transformer-lens: leave --layout out")


def test_moments_masks_and_positions_are_of_no_strange_layer() -> None:
    assert unlike_any(ones({"attn.bias": (1, 1, 3, 3), "pos": (1, 1, 3, 8), "blocks.0.attn.W_Q": (2, 8, 4)})) is None


def test_an_mlp_is_read_in_any_order_of_its_tensors_and_says_what_it_assumes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    E, first, second = nn.Embedding(5, 8), nn.Linear(8, 16), nn.Linear(16, 5)
    state = {"embed.weight": E.weight, "fc1.bias": first.bias, "fc1.weight": first.weight}
    state |= {"fc2.bias": second.bias, "fc2.weight": second.weight}
    torch.save(state, tmp_path / "added.pt")
    run = import_run(tmp_path / "added.pt", tmp_path / "added", settings=["task.operation=add"])
    a, b = torch.cartesian_prod(torch.arange(5), torch.arange(5)).T
    with torch.no_grad():
        wanted = second(first(E(a) + E(b)).relu())
    np.testing.assert_allclose(run.snapshot(run.last_step).logits, wanted, rtol=0, atol=1e-5)
    assert any(
        "that the embeddings of a and b are added. A network that multiplies" in x for x in run.provenance["notes"]
    )

    # 8 × 16 of embeddings with 8 numbers: of a module it is out × in, and so reads two embeddings.
    joined, second = nn.Linear(16, 8), nn.Linear(8, 5)
    torch.save(
        {"embed.weight": E.weight, "fc1.weight": joined.weight, "fc1.bias": joined.bias, "fc2.weight": second.weight},
        tmp_path / "joined.pt",
    )
    run = import_run(tmp_path / "joined.pt", tmp_path / "joined", settings=["task.operation=add"])
    with torch.no_grad():
        wanted = joined(torch.cat([E(a), E(b)], dim=1)).relu() @ second.weight.T
    np.testing.assert_allclose(run.snapshot(run.last_step).logits, wanted, rtol=0, atol=1e-5)
    assert not any("multiplies" in note for note in run.provenance["notes"])


# Folders within a folder


def network(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {name: torch.randn_like(x) / 3 for name, x in of_lens().items()}


def checkpoints(folder: Path, names: list[str], file: str = "pytorch_model.bin") -> Path:
    for seed, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        if file.endswith(".safetensors"):
            save_file(network(seed), folder / name / file)
        else:
            torch.save(network(seed), folder / name / file)
    return folder


@pytest.mark.parametrize(
    ("names", "file", "steps"),
    [
        (["checkpoint-100", "checkpoint-1000", "checkpoint-20"], "pytorch_model.bin", [20, 100, 1000]),
        (["step_200", "step_300"], "model.safetensors", [200, 300]),
        (["global_step5", "init"], "state.pt", [0, 5]),
    ],
)
def test_folders_named_by_steps_are_a_series(tmp_path: Path, names: list[str], file: str, steps: list[int]) -> None:
    folder = checkpoints(tmp_path / "out", names, file)
    for name in names:  # What Hugging Face's trainer keeps beside the weights.
        torch.save(optimizer(), folder / name / "optimizer.pt")
    (folder / "training_args.bin").write_bytes(b"no pickle")
    (folder / "config.json").write_text('{"act_fn": "gelu"}')
    (folder / names[0] / "hparams.yaml").write_text("act_fn: gelu")
    run = import_run(folder, tmp_path / "run", settings=["task.operation=add"])
    assert run.steps == steps
    first = names.index(min(names, key=lambda name: int(re.sub(r"\D", "", name) or 0)))
    torch.testing.assert_close(run.weights(steps[0])["blocks.0.attn.W_Q"], network(first)["blocks.0.attn.W_Q"])
    assert run.config.model.act_fn == "gelu"
    left_out = ", ".join(["training_args.bin", *(f"{name}/optimizer.pt" for name in sorted(names))])
    assert run.provenance["notes"][-1] == f"Left out of the folder: {left_out} (by its name it holds no weights)."


def test_what_trainers_keep_beside_the_weights_is_left_out_with_a_note(tmp_path: Path) -> None:
    """Beside one network, whether it can be read or not, and in a folder that has no network."""
    (tmp_path / "final" / "rest").mkdir(parents=True)
    torch.save(network(0), tmp_path / "final" / "pytorch_model.bin")
    for name in ("optimizer.pt", "rest/scheduler.pt"):
        torch.save(optimizer(), tmp_path / "final" / name)
    (tmp_path / "final" / "training_args.bin").write_bytes(b"no pickle")
    notes = import_run(tmp_path / "final", tmp_path / "run", settings=["task.operation=add"]).provenance["notes"]
    assert notes[-1] == (
        "Left out of the folder: rest/scheduler.pt (by its name it holds no weights); optimizer.pt (it holds no "
        "network of a layout known); training_args.bin (by its name it holds no weights, and it cannot be read)."
    )
    (tmp_path / "final" / "pytorch_model.bin").unlink()
    with pytest.raises(GrokinterpError, match=r"training_args\.bin is neither a torch\.save file nor safetensors"):
        import_run(tmp_path / "final", tmp_path / "none", settings=["task.operation=add"])


def test_a_file_in_a_folder_named_by_its_step_has_it_and_yaml_beside_it_is_not_read(tmp_path: Path) -> None:
    folder = checkpoints(tmp_path, ["checkpoint-100"])
    for name in ("config.yaml", "hparams.yml"):
        (folder / "checkpoint-100" / name).write_text("act_fn: gelu")
    file = folder / "checkpoint-100" / "pytorch_model.bin"
    run = import_run(file, tmp_path / "run", settings=["task.operation=add"])
    notes = " ".join(run.provenance["notes"])
    assert run.steps == [100]
    assert "Step 100 is that of its folder's name; the file states none." in notes
    why = "are not read, since only a JSON object of settings is: give what they say with --set, or save it as"
    assert f"config.yaml, hparams.yml, beside the file, {why} config.json." in notes


def test_of_several_configurations_beside_a_file_one_is_read_and_all_others_are_named(tmp_path: Path) -> None:
    torch.save(network(0), tmp_path / "mine.pt")
    for name in ("cfg.json", "mine_config.json", "mine_config.yaml", "args.toml"):
        (tmp_path / name).write_text('{"act_fn": "gelu"}')
    notes = import_run(tmp_path / "mine.pt", tmp_path / "run", settings=["task.operation=add"]).provenance["notes"]
    assert "mine_config.json, beside the file, is read as its configuration." in notes
    others = "cfg.json, mine_config.yaml, args.toml, beside the file, are not read, since mine_config.json is"
    assert any(note.startswith(others) for note in notes)


def test_folders_whose_names_mark_no_step_are_named(tmp_path: Path) -> None:
    folder = checkpoints(tmp_path / "seeds", ["seed_a", "seed_b"])
    with pytest.raises(GrokinterpError, match=r"folders in it do, seed_a, seed_b: name one of them, or, where they"):
        import_run(folder, tmp_path / "run", settings=["task.operation=add"])
    torch.save(network(2), folder / "step_3.pt")
    run = import_run(folder, tmp_path / "run", settings=["task.operation=add"])
    assert run.steps == [3]
    assert run.provenance["notes"][-1].startswith("Folders in it are not read, seed_a, seed_b, which ")
