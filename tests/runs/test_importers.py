"""Importing other people's checkpoints: files written here in each layout come back as the network they hold."""

import json
import random
import sys
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import grokinterp
from grokinterp.errors import GrokinterpError
from grokinterp.fourier import irreps
from grokinterp.models import ModelConfig, hooked_transformer, initial_weights
from grokinterp.runs import LAYOUTS, import_run
from grokinterp.tasks import Task, TaskConfig

SMALL = {"n_heads": 2, "d_head": 4, "d_model": 8, "d_mlp": 12}


def network(task: TaskConfig, seed: int = 0, **settings) -> tuple[Task, ModelConfig, dict[str, torch.Tensor]]:
    config, of = ModelConfig(**SMALL, seed=seed, **settings), Task(task)
    weights = initial_weights(config, of)
    generator = torch.Generator().manual_seed(seed)
    for name in ("b_in", "b_out"):
        bias = weights[f"blocks.0.mlp.{name}"]
        bias.copy_(torch.randn(bias.shape, generator=generator))
    return of, config, {name: 3 * tensor for name, tensor in weights.items()}


def neel(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """TransformerLens' layout turned into that of Nanda's transformer."""
    stored = {"embed.W_E": weights["embed.W_E"].T, "pos_embed.W_pos": weights["pos_embed.W_pos"]}
    stored["unembed.W_U"] = weights["unembed.W_U"]
    for name, tensor in weights.items():
        if name.endswith(("W_Q", "W_K", "W_V")):
            stored[name] = tensor.transpose(1, 2)
        elif name.endswith("W_O"):
            stored[name] = torch.cat([head.T for head in tensor], dim=1)
        elif ".mlp." in name:
            stored[name] = tensor.T if tensor.ndim == 2 else tensor
    n_ctx = len(weights["pos_embed.W_pos"])
    return {name: x.contiguous() for name, x in stored.items()} | {"blocks.0.attn.mask": torch.ones(n_ctx, n_ctx)}


def losses(task: Task, config: ModelConfig, weights: dict[str, torch.Tensor]) -> tuple[float, float]:
    with torch.no_grad():
        log_p = torch.log_softmax(hooked_transformer(config, task, weights)(task.tokens)[:, -1].double(), dim=-1)
    each = -log_p[torch.arange(task.n_pairs), torch.from_numpy(task.answers)].numpy()
    return float(each[task.split.train].mean()), float(each[task.split.test].mean())


def same(run: grokinterp.Run, step: int, weights: dict[str, torch.Tensor]) -> None:
    found = run.weights(step)
    assert found.keys() == weights.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_a_file_of_nanda_with_its_losses_is_recognised_with_its_split(tmp_path):
    task, config, weights = network(TaskConfig(p=11, train_fraction=0.4, split_seed=3))
    train, test = losses(task, config, weights)
    content = {
        "model": neel(weights),
        "train_losses": [5.0] * 20 + [train],
        "test_losses": [6.0, 5.5, test],
        "epoch": 20,
        "config": {"p": 11, "frac_train": 0.4, "seed": 3, "lr": 1e-3, "weight_decay": 1, "fn_name": "add"},
        "optimizer": {"param_groups": [{"weight_decay": 0.1}]},
    }
    torch.save(content, tmp_path / "one.pth")
    run = import_run(tmp_path / "one.pth", tmp_path / "run")
    assert run.provenance["layout"] == "nanda"
    assert run.provenance["notes"][0].startswith("The split is that of seed 3 at 0.4: train loss ")
    assert (run.steps, run.config.training.weight_decay) == ([21], 0.1)
    assert run.task.split.hash == task.split.hash
    same(run, 21, weights)
    metrics = run.metrics
    assert metrics["step"].tolist() == list(range(21))
    assert metrics["test_loss"].dropna().index.tolist() == [0, 10, 20]
    report = grokinterp.analyze(run)
    assert report.final["train_loss"] == pytest.approx(report.to_dict()["final"]["train_loss"])
    assert report.to_dict()["run"]["provenance"]["layout"] == "nanda"


def test_a_wrong_seed_is_said_to_be_wrong_and_an_unknown_split_leaves_losses_null(tmp_path):
    task, config, weights = network(TaskConfig(p=11, train_fraction=0.3, split_seed=1))
    train, test = losses(task, config, weights)
    content = {"model": neel(weights), "train_loss": torch.tensor(train), "test_loss": torch.tensor(test), "epoch": 7}
    torch.save(content, tmp_path / "seed.pth")
    run = import_run(tmp_path / "seed.pth", tmp_path / "asked", settings=["task.split_seed=5"])
    assert run.provenance["notes"][0].startswith("Seed 5, as asked, does not fit. The split is that of seed 1 at 0.3: ")
    assert (run.config.task.split_seed, run.steps) == (1, [8])

    torch.save(content | {"train_loss": 1e-3}, tmp_path / "none.pth")
    run = import_run(tmp_path / "none.pth", tmp_path / "unknown")
    assert run.provenance["notes"][0].startswith("The split is unknown: in the file, train loss 0.001 and test loss ")
    report = grokinterp.analyze(run)
    final = report.to_dict()["final"]
    assert final["train_loss"] is final["test_loss"] is final["test_accuracy"] is None
    assert final["all_loss"] > 0 and final["excluded_loss"] > 0
    assert report.finding[0].startswith("This network answers ")
    assert "Which pairs it was trained on is unknown." in report.finding[0]
    with pytest.raises(
        GrokinterpError, match=r"split_scheme = 'unknown': a network is trained on pairs that are known"
    ):
        grokinterp.train(run.config, tmp_path / "train", progress=False)


def test_a_folder_of_the_released_trainer_is_read_whole(tmp_path):
    folder = tmp_path / "grok_1660"
    folder.mkdir()
    states = [network(TaskConfig(p=7), seed)[2] for seed in range(4)]
    pairs = [(a, b, 7) for a in range(7) for b in range(7)]
    random.Random(0).shuffle(pairs)
    torch.save({"model": neel(states[0]), "train_data": pairs[:14], "test_data": pairs[14:]}, folder / "init.pth")
    for number, epoch in enumerate((0, 100), start=1):
        torch.save(
            {"model": neel(states[number]), "train_loss": 1.0, "test_loss": 2.0, "epoch": epoch},
            folder / f"{epoch}.pth",
        )
    final = {"model": neel(states[3]), "train_losses": [1.0] * 150, "test_losses": [2.0] * 15, "epoch": 150}
    torch.save(final, folder / "final.pth")
    run = import_run(folder, tmp_path / "run")
    assert run.steps == [0, 1, 101, 150]
    for step, weights in zip(run.steps, states, strict=True):
        same(run, step, weights)
    assert run.provenance["notes"] == ["The file lists its train pairs."]
    assert run.task.split.train.tolist() == [a * 7 + b for a, b, _ in pairs[:14]]
    assert len(run.metrics) == 150


def test_full_run_data_has_a_checkpoint_per_state_dict(tmp_path):
    states = [network(TaskConfig(p=7), seed)[2] for seed in range(3)]
    content = {"state_dicts": [neel(w) for w in states], "epochs": [0, 100, 200], "model": neel(states[2])}
    torch.save(content, tmp_path / "full_run_data.pth")
    run = import_run(tmp_path / "full_run_data.pth", tmp_path / "run")
    assert run.steps == [1, 101, 201]
    same(run, 101, states[1])
    assert run.provenance["notes"] == ["The split is unknown: the file has no losses to recognise it by."]


def test_the_demos_file_needs_no_class_of_transformer_lens(tmp_path, monkeypatch):
    task = TaskConfig(p=7, split_scheme="torch", split_seed=598)
    states = [network(task, seed, outputs="answers")[2] for seed in range(2)]
    states = [{name: x * (".b_" not in name) for name, x in w.items()} for w in states]
    module = types.ModuleType("transformer_lens.HookedTransformerConfig")
    module.HookedTransformerConfig = type("HookedTransformerConfig", (), {"__module__": module.__name__})
    instance = module.HookedTransformerConfig()
    instance.__dict__ = {"act_fn": "relu", "d_vocab": 8, "attention_dir": "causal"}
    content = {
        "model": states[-1],
        "config": instance,
        "checkpoints": states,
        "checkpoint_epochs": [99, 199],
        "train_losses": [1.0] * 200,
        "test_losses": [2.0] * 200,
        "train_indices": torch.from_numpy(Task(task).split.train),
        "test_indices": torch.from_numpy(Task(task).split.test),
    }
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, module.__name__, module)
        torch.save(content, tmp_path / "grokking_demo.pth")
    run = import_run(tmp_path / "grokking_demo.pth", tmp_path / "run")
    assert run.provenance["layout"] == "transformer-lens-demo"
    assert run.provenance["notes"][:2] == [
        "The split is the demo's, torch.randperm at seed 598.",
        "Read from its configuration: act_fn, attention_dir.",
    ]
    assert run.task.split.hash == Task(task).split.hash
    assert (run.steps, run.config.model.outputs, run.config.model.biases) == ([100, 200], "answers", "none")
    same(run, 100, states[0])


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_plain_state_dict_needs_its_task_named(tmp_path, suffix):
    _, _, weights = network(TaskConfig(operation="subtract", p=7))
    path = tmp_path / f"state.{suffix}"
    if suffix == "safetensors":
        save_file(weights, path)
    else:
        torch.save(weights | {"blocks.0.attn.IGNORE": torch.tensor(-torch.inf)}, path)
    with pytest.raises(GrokinterpError, match=r"does not say what the network computes; name the task, such as --set"):
        import_run(path, tmp_path / "run")
    run = import_run(path, tmp_path / "run", settings=["task.operation=subtract"])
    assert (run.task.name, run.provenance["layout"]) == ("(a − b) mod 7", "transformer-lens")
    first, assumed, last = run.provenance["notes"]
    assert (first, last) == ("The split is unknown.", "The step is unknown: the file states none.")
    assert assumed.startswith(
        "Assumed, since neither the file nor a setting says so: that the network reads [a, b, =] with token 7 as =, "
        "task.p = 7, model.normalization = none, model.act_fn = relu, and TransformerLens' defaults in all else."
    )
    same(run, 0, weights)
    told = import_run(path, tmp_path / "told", settings=["task.operation=subtract", "task.split_seed=4"])
    assert told.provenance["notes"][0].startswith("The split is as asked; a state dict has no losses")


def test_a_folder_of_many_checkpoints_takes_its_steps_from_the_names(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    states = {step: network(TaskConfig(p=7), step)[2] for step in (5, 40, 300)}
    for step, weights in states.items():
        torch.save(weights, folder / f"model_epoch{step}.pt")
    (folder / "notes.txt").write_text("not a checkpoint")
    run = import_run(folder, tmp_path / "run", settings=["task.operation=add"])
    assert run.steps == [5, 40, 300]
    for step, weights in states.items():
        same(run, step, weights)
    torch.save(states[40], folder / "ckpt_5.pt")
    with pytest.raises(
        GrokinterpError, match=r"holds two files of step 5, ckpt_5\.pt and model_epoch5\.pt; import one series at"
    ):
        import_run(folder, tmp_path / "twice", settings=["task.operation=add"])


@pytest.mark.parametrize(("diff_vocab", "eqn_sign"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_pizza_model_finds_its_configuration_beside_it(tmp_path, diff_vocab, eqn_sign):
    task = TaskConfig(p=7, equals_token=eqn_sign, own_tokens_for_b=diff_vocab, split_scheme="unknown")
    of, config, weights = network(task, act_fn="gelu", attention="bidirectional", attention_rate=0.25, n_layers=2)
    said = {"C": 7, "act_fn": "GeLU", "attn_coeff": 0.25, "funcs": "lambda x: (x[0]+x[1])%7", "epoch": 300}
    said |= {"diff_vocab": diff_vocab, "eqn_sign": eqn_sign, "attention_dir": "casual", "frac": 0.8}
    torch.save(neel(weights), tmp_path / "model_abc.pt")
    with pytest.raises(GrokinterpError, match=r"attention rate is in config_abc\.json|layout|no operation"):
        import_run(tmp_path / "model_abc.pt", tmp_path / "run", layout="pizza")
    (tmp_path / "config_abc.json").write_text(json.dumps(said))
    run = import_run(tmp_path / "model_abc.pt", tmp_path / "run")
    assert (run.provenance["layout"], run.steps) == ("pizza", [300])
    assert (run.config.model.attention_rate, run.config.model.n_layers) == (0.25, 2)
    same(run, 300, weights)
    expected = hooked_transformer(config, of, weights)(of.tokens)[:, -1, :7].detach().numpy()
    np.testing.assert_allclose(run.snapshot().logits, expected, rtol=1e-5, atol=1e-5)
    (tmp_path / "config_abc.json").write_text(json.dumps(said | {"funcs": "lambda x: open('x').read()"}))
    with pytest.raises(GrokinterpError, match=r"is not run to see what it is; name the task, such as --set task\.oper"):
        import_run(tmp_path / "model_abc.pt", tmp_path / "other")


def test_what_does_not_fit_is_named(tmp_path):
    _, _, weights = network(TaskConfig(p=7))
    stored = neel(weights)
    cases = {
        "missing": (
            {k: x for k, x in stored.items() if not k.endswith("b_out")},
            r"lacks the tensors \['blocks\.0\.mlp\.b_out'\]",
        ),
        "more": (stored | {"ln.w": torch.ones(3)}, r"and holds others, \['ln\.w'\]: needs 11 tensors of this layout"),
        "shape": (
            stored | {"unembed.W_U": torch.ones(8, 9)},
            r"a network of \(a \+ b\) mod 7 describes: unembed\.W_U has shape \(8, 9\), needs \(8, 8\)",
        ),
        "nan": (stored | {"unembed.W_U": torch.full((8, 8), torch.nan)}, r"unembed\.W_U"),
        "kind": (
            {"a": 1, "b": [2]},
            r"is of no layout known: it holds a dictionary with a, b; it lacks the weights, which every layout",
        ),
        "list": ([1, 2], r"is of no layout known: it holds a list of 2; looked for"),
    }
    for name, (content, message) in cases.items():
        torch.save(content, tmp_path / f"{name}.pth")
        with pytest.raises(GrokinterpError, match=message) as caught:
            import_run(tmp_path / f"{name}.pth", tmp_path / "run")
        assert "\n" not in str(caught.value)
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".run", "run"))) == []
    torch.save(stored, tmp_path / "fine.pth")
    with pytest.raises(GrokinterpError, match=rf"layout 'nada': unknown; choose auto or one of {LAYOUTS[0]}"):
        import_run(tmp_path / "fine.pth", tmp_path / "run", layout="nada")
    with pytest.raises(GrokinterpError, match=r"an import takes task\.KEY=VALUE and model\.KEY=VALUE"):
        import_run(tmp_path / "fine.pth", tmp_path / "run", settings=["training.steps=5"])
    import_run(tmp_path / "fine.pth", tmp_path / "run")
    with pytest.raises(GrokinterpError, match=r"run already holds something; choose another folder to import into"):
        import_run(tmp_path / "fine.pth", tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        GrokinterpError, match=r"empty holds no file that ends in \.pt, \.pth, \.safetensors, \.ckpt, \.bin: it is e"
    ):
        import_run(tmp_path / "empty", tmp_path / "run2")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(GrokinterpError, match=r"loop"):
        import_run(loop, tmp_path / "run3")


def linear(kind: str, p: int = 7, width: int = 6) -> dict[str, torch.Tensor]:
    """A network of train-linear.py, by its letter."""
    generator = torch.Generator().manual_seed(ord(kind))
    shapes = {"embed.weight": (p, width // 2 if kind == "D" else width), "unembed.weight": (p, width)}
    if kind == "X":
        shapes = {"embed1.weight": (p, width), "embed2.weight": (p, width), "unembed.weight": (p, width)}
    layers = ("l1", "l2") if kind in "BC" else ("l1",)
    shapes |= {f"{layer}.{part}": (width,) * n for layer in layers for part, n in (("weight", 2), ("bias", 1))}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def linear_logits(kind: str, w: dict[str, torch.Tensor], a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A: relu(l1(Ea + Eb)), B: two layers, C: l1 Ea + l1 Eb, D: of both behind one another, X: two embeddings."""

    def layer(name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    E_a, E_b = (w["embed1.weight"][a], w["embed2.weight"][b]) if kind == "X" else (w["embed.weight"][x] for x in (a, b))
    if kind == "C":
        h = layer("l1", E_a) + layer("l1", E_b)
    else:
        h = layer("l1", torch.cat([E_a, E_b], dim=1) if kind == "D" else E_a + E_b)
    h = torch.relu(h)
    if kind in "BC":
        h = torch.relu(layer("l2", h))
    return h @ w["unembed.weight"].T


@pytest.mark.parametrize("kind", ["A", "B", "C", "D", "X"])
def test_linear_models_of_the_pizza_paper(tmp_path, kind):
    stored = linear(kind)
    path = tmp_path / "model_lin.pt"
    torch.save(stored, path)
    (tmp_path / "config_lin.json").write_text(
        json.dumps({"C": 7, "model_type": kind, "epoch": 50, "weight_decay": 2.0})
    )
    run = import_run(path, tmp_path / "run")
    assert (run.provenance["layout"], run.steps, run.config.model.architecture) == ("pizza", [50], "mlp")
    a, b = run.task.inputs
    expected = linear_logits(kind, stored, a, b)
    np.testing.assert_allclose(run.snapshot().logits, expected.numpy(), rtol=1e-5, atol=1e-5)
    report = grokinterp.analyze(run)
    assert report.mean_attention.shape == (0, 2)
    assert "attention" not in {entry.name for entry in grokinterp.report.page_figures(report)}
    assert "</html>" in grokinterp.report.render_page(report)

    torch.save({name: x for name, x in stored.items() if name != "l1.bias"} | {"l9": torch.ones(1)}, path)
    with pytest.raises(
        GrokinterpError, match=rf"\['l1\.bias'\] and holds others, \['l9'\]: .* of type {kind}; restore"
    ):
        import_run(path, tmp_path / "other", layout="pizza")
    (tmp_path / "config_lin.json").write_text(json.dumps({"C": 7, "model_type": "E"}))
    with pytest.raises(GrokinterpError, match=r"config_lin\.json: model_type = 'E': needs one of A, B, C, D, X"):
        import_run(path, tmp_path / "other", layout="pizza")


def test_the_mlps_of_chughtai(tmp_path):
    generator = torch.Generator().manual_seed(0)
    shapes = {"W_x": (6, 5), "W_y": (6, 5), "W": (10, 8), "W_U": (8, 6)}
    w = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    settings = {"model": "OneLayerMLP", "group": "SymmetricGroup", "group_parameter": 3, "frac_train": 0.6, "seed": 2}
    torch.save(w, tmp_path / "model.pt")
    (tmp_path / "cfg.json").write_text(json.dumps(settings | {"num_epochs": 30}))
    run = import_run(tmp_path, tmp_path / "run")
    a, b = run.task.inputs
    expected = torch.relu(torch.cat([w["W_x"][a], w["W_y"][b]], dim=1) @ w["W"]) @ w["W_U"]
    np.testing.assert_allclose(run.snapshot().logits, expected.numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(run.snapshot().W_L, w["W_U"].T.double().numpy())
    assert run.task.split.train.tolist() == torch.randperm(36, generator=torch.Generator().manual_seed(2))[:21].tolist()
    found = grokinterp.analysis.chughtai_metrics(run.snapshot())
    assert found["total_hidden_restricted_loss"] > 0
    sign = torch.tensor([rho.character for rho in irreps(run.task.config.finite_group())][1])
    for name, embedding in (("x", w["W_x"] @ w["W"][:5]), ("y", w["W_y"] @ w["W"][5:])):
        share = (sign.float() @ embedding).square().sum() / 6 / embedding.square().sum()
        assert found[f"percent_{name}_embed_sign_rep"] == pytest.approx(float(share), rel=1e-5)
    grokinterp.report.render_page(grokinterp.analyze(run))
    torch.save(w | {"W": torch.ones(3)}, tmp_path / "model.pt")
    with pytest.raises(
        GrokinterpError, match=r"W_x, W_y and W have shapes \(6, 5\), \(6, 5\) and \(3,\); needs two equal"
    ):
        import_run(tmp_path, tmp_path / "other")
    torch.save({"W_x": w["W_x"]}, tmp_path / "model.pt")
    with pytest.raises(
        GrokinterpError, match=r"lacks the tensors \['W', 'W_U', 'W_y'\] and holds others, none: needs W_x"
    ):
        import_run(tmp_path, tmp_path / "other")


def bridge(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """TransformerLens 3's layout turned into that of a natively booted bridge: torch's linear layers, heads joined."""
    stored = {}
    for name, x in weights.items():
        place, _, last = name.rpartition(".")
        part = "weight" if last in ("w", "W_E", "W_pos") or last.startswith("W_") else "bias"
        if last in ("W_Q", "W_K", "W_V"):
            x = torch.cat([head.T for head in x])
        elif last == "W_O":
            x = torch.cat([head.T for head in x], dim=1)
        elif last.startswith("b_") and x.ndim == 2:
            x = x.flatten()
        elif last in ("W_in", "W_out", "W_U"):
            x = x.T
        inner = {"Q": ".q", "K": ".k", "V": ".v", "O": ".o", "in": ".in", "out": ".out"}.get(last.partition("_")[2], "")
        stored[f"{place}{inner}.{part}"] = x.contiguous()
    return stored


@pytest.mark.parametrize("normalization", ["none", "LN"])
def test_a_state_dict_of_transformer_lens_4_needs_its_heads_named(tmp_path, normalization):
    task = TaskConfig(p=7)
    _, _, weights = network(task, biases="all", normalization=normalization)
    weights = {
        name: x + torch.randn(x.shape, generator=torch.Generator().manual_seed(1)) for name, x in weights.items()
    }
    stored = bridge(weights)
    assert stored["blocks.0.attn.q.weight"].shape == (8, 8)
    torch.save(stored, tmp_path / "bridge.pth")
    with pytest.raises(
        GrokinterpError, match=r"does not say how many heads there are; name them, such as --set model\."
    ):
        import_run(tmp_path / "bridge.pth", tmp_path / "run", settings=["task.operation=add"])
    settings = ["task.operation=add", "model.n_heads=2", "model.d_head=4", "model.d_model=8"]
    run = import_run(tmp_path / "bridge.pth", tmp_path / "run", settings=settings)
    same(run, 0, weights)
    wrapped = {name.replace(".attn.q.", ".attn._original_component.q."): x for name, x in stored.items()}
    torch.save(wrapped, tmp_path / "wrapped.pth")
    same(import_run(tmp_path / "wrapped.pth", tmp_path / "run2", settings=settings), 0, weights)
    torch.save(stored | {"blocks.0.attn.q.weight": torch.ones(7, 8)}, tmp_path / "odd.pth")
    with pytest.raises(
        GrokinterpError, match=r"q\.weight has shape \(7, 8\), from which no blocks\.0\.attn\.W_Q of 2 heads"
    ):
        import_run(tmp_path / "odd.pth", tmp_path / "run3", settings=settings)


def test_the_model_of_a_run_without_attention_is_hooked(tmp_path):
    torch.save(linear("A"), tmp_path / "model_lin.pt")
    (tmp_path / "config_lin.json").write_text(json.dumps({"C": 7, "model_type": "A", "epoch": 50}))
    run = import_run(tmp_path / "model_lin.pt", tmp_path / "run")
    assert "blocks.0.mlp.hook_post" in run.model(50).hook_dict


def test_a_series_of_nandas_files_has_the_split_of_its_last(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    task, config, weights = network(TaskConfig(p=7, split_seed=2))
    train, test = losses(task, config, weights)
    for step, (of_train, of_test) in {100: (9.0, 9.0), 200: (train, test)}.items():
        content = {"model": neel(weights), "train_loss": of_train, "test_loss": of_test, "epoch": step}
        torch.save(content, folder / f"{step}.pth")
    run = import_run(folder, tmp_path / "run")
    assert (run.steps, run.config.task.split_seed) == ([101, 201], 2)
    torch.save(content | {"train_loss": 9.0}, folder / "200.pth")
    assert not import_run(folder, tmp_path / "unknown").task.split_is_known
