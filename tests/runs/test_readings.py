"""What an import measures, and the other readings that it tries: on networks whose right reading is known by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from exact_network import cosine_logits, exact_snapshot

from grokinterp.models import ModelConfig, hooked_network, initial_weights
from grokinterp.runs import Run, Tensors, import_run, load_run
from grokinterp.runs.importers._plain import plain_logits
from grokinterp.runs.importers._readings import Reading, Trial, alternatives, best_readings, chosen_of, is_far
from grokinterp.tasks import MODULAR, Task, TaskConfig

P = 13
ADD = ("task.operation=add",)


def perfect(operation: str = "add", sharp: float = 8.0, p: int = P) -> Tensors:
    """A transformer that reads [a, b, =] and answers all pairs of an operation, by tests/exact_network.py."""
    task = Task(TaskConfig(p=p, operation=operation, train_fraction=0.5))
    return dict(exact_snapshot(task, sharp * np.eye(p)[task.answers]).weights)


def equals_first(weights: Tensors) -> Tensors:
    """The same network for [=, a, b]: a and b keep what tells their places, and the last asks what `=` asked."""
    of_a, of_b, of_equals = weights["pos_embed.W_pos"]
    return weights | {"pos_embed.W_pos": torch.stack([torch.zeros_like(of_a), of_a, of_b + of_equals])}


def b_first(weights: Tensors) -> Tensors:
    return weights | {"pos_embed.W_pos": weights["pos_embed.W_pos"][[1, 0, 2]]}


def imported(tmp_path: Path, weights: Tensors, settings: tuple[str, ...] = ADD, **beside: object) -> Run:
    torch.save({"model_state_dict": weights, **beside}, tmp_path / "theirs.pth")
    return import_run(tmp_path / "theirs.pth", tmp_path / "run", settings=settings)


def demo(tmp_path: Path, weights: Tensors, **beside: object) -> Run:
    """In the layout of TransformerLens' demo, which does not name its operation."""
    torch.save({"checkpoints": [weights], "checkpoint_epochs": [99], **beside}, tmp_path / "demo.pth")
    return import_run(tmp_path / "demo.pth", tmp_path / "run")


def test_a_network_read_as_it_was_trained_is_measured_and_nothing_else(tmp_path: Path):
    run = imported(tmp_path, perfect())
    measured = run.provenance["measured"]
    assert (measured["pairs"], measured["all"]["accuracy"], measured["train"], measured["step"]) == (
        169,
        1.0,
        None,
        None,
    )
    loss = np.log(1 + (P - 1) * np.exp(-8.0))
    assert measured["all"]["loss"] == pytest.approx(loss, rel=1e-4)
    assert run.provenance["warnings"] == []
    assert not any("Read " in note for note in run.provenance["notes"])
    assert "stated" not in run.provenance


def test_train_and_test_pairs_are_measured_where_the_split_is_known(tmp_path: Path):
    task = Task(TaskConfig(p=P, train_fraction=0.5))
    logits = 8 * np.eye(P)[task.answers]
    logits[task.split.test] = np.roll(logits[task.split.test], 1, axis=1)
    weights = dict(exact_snapshot(task, logits).weights)
    pairs = f"task.train_pairs={[int(pair) for pair in task.split.train]}"
    run = imported(tmp_path, weights, (*ADD, "task.split_scheme=listed", pairs))
    measured = run.provenance["measured"]
    assert (measured["train"]["accuracy"], measured["test"]["accuracy"]) == (1.0, 0.0)
    assert measured["all"]["accuracy"] == len(task.split.train) / task.n_pairs


@pytest.mark.parametrize(
    ("change", "operation", "said", "positions"),
    [
        (equals_first, "add", "with `=` first", ("=", "a", "b")),
        (b_first, "subtract", "with b before a", ("b", "a", "=")),
        (lambda weights: weights, "subtract", "", ("a", "b", "=")),
        (lambda weights: equals_first(b_first(weights)), "divide", "with `=` first", ("=", "b", "a")),
    ],
)
def test_another_order_of_the_tokens_is_found(
    tmp_path: Path, change: Callable[[Tensors], Tensors], operation: str, said: str, positions: tuple[str, ...]
):
    weights = change(perfect(operation))
    run = imported(tmp_path, weights, (f"task.operation={operation}",))
    assert run.task.positions == positions
    assert run.provenance["measured"]["all"]["accuracy"] == 1.0
    assert run.provenance["warnings"] == []
    assert said in " ".join(run.provenance["notes"])
    # Its logits are its own: those of the weights as they are, on the tokens in that order.
    tokens = {"a": run.task.pairs[:, 0], "b": run.task.pairs[:, 1], "=": np.full(run.task.n_pairs, P)}
    rows = torch.from_numpy(np.stack([tokens[name] for name in positions], axis=1))
    own = hooked_network(run.config.model, Task(TaskConfig(p=P)), weights)(rows)[:, -1, :P]
    assert np.abs(run.snapshot().logits - own.detach().numpy()).max() <= 1e-5


@pytest.mark.parametrize("operation", ["subtract", "multiply", "divide", "x2+y2"])
def test_another_operation_is_found_where_nobody_names_it(tmp_path: Path, operation: str):
    run = demo(tmp_path, perfect(operation))
    assert run.config.task.operation == operation
    assert f"Read as {operation}: so it answers 100 % of the pairs" in run.provenance["notes"][-1]
    assert f"The same by hand: --set task.operation={operation}." in run.provenance["notes"][-1]


def test_two_things_can_be_different(tmp_path: Path):
    run = demo(tmp_path, equals_first(perfect("multiply")))
    assert (run.config.task.operation, run.task.positions) == ("multiply", ("=", "a", "b"))
    assert run.provenance["notes"][-1].startswith("Read as multiply and with `=` first: so it answers 100 %")


def test_what_the_user_names_is_never_changed_but_said(tmp_path: Path):
    run = imported(tmp_path, perfect("subtract"))
    assert run.config.task.operation == "add"
    at_chance, against = run.provenance["warnings"]
    assert "no more than guessing" in at_chance
    assert against.startswith("Against what the file or --set says: as subtract 100 % of the pairs with loss 0.004")
    assert "(--set task.operation=subtract)" in against


def test_stated_losses_decide_between_two_readings(tmp_path: Path):
    """Both activations answer all pairs; the loss that the file states is that of one of them."""
    weights = perfect(sharp=6.0)
    task = Task(TaskConfig(p=P))
    logits = hooked_network(_model(weights, "gelu"), task, weights)(task.tokens)
    wanted = torch.from_numpy(task.answers)
    of_gelu = torch.nn.functional.cross_entropy(logits[:, -1].double(), wanted, reduction="none").detach().numpy()
    train = list(range(80))
    stated = {"train_losses": [3.0, of_gelu[:80].mean()], "test_losses": [3.0, of_gelu[80:].mean()]}
    run = demo(tmp_path, weights, train_indices=train, **stated)
    assert run.config.model.act_fn == "gelu"
    assert run.provenance["stated"]["agrees"] is True
    assert run.provenance["notes"][-1].startswith("Read with gelu: so it answers 100 % of the pairs")
    assert "and has the losses that the file states" in run.provenance["notes"][-1]


def test_numbers_that_no_reading_gives_are_said(tmp_path: Path):
    weights, train = perfect(), list(range(80))
    run = demo(tmp_path, weights, train_indices=train, train_losses=[0.5], test_losses=[0.5])
    assert run.provenance["stated"] == {"train_loss": 0.5, "test_loss": 0.5, "agrees": False, "tolerance": 0.02}
    (warning,) = run.provenance["warnings"]
    assert warning.startswith(
        "The file states train loss 0.500 (measured on the train pairs: 0.00402) and test loss 0.5"
    )
    assert load_run(run.path).provenance == run.provenance


def test_numbers_that_agree_are_said(tmp_path: Path):
    loss = float(np.log(1 + (P - 1) * np.exp(-8.0)))
    run = demo(tmp_path, perfect(), train_indices=list(range(80)), train_losses=[loss], test_losses=[loss])
    assert (run.provenance["stated"]["agrees"], run.provenance["warnings"]) == (True, [])


@pytest.mark.parametrize(("stated", "agrees"), [((1e-3, 1e-2), None), ((0.5, 0.7), False), ((1e-9, 1e-8), False)])
def test_where_the_split_is_unknown_the_loss_of_all_pairs_lies_between(tmp_path: Path, stated, agrees):
    run = imported(tmp_path, perfect(), train_loss=stated[0], test_loss=stated[1])
    assert run.provenance["stated"]["agrees"] is agrees
    assert len(run.provenance["warnings"]) == (agrees is False)


def test_a_network_at_chance_is_kept_with_the_likely_reasons(tmp_path: Path):
    model = ModelConfig(n_heads=1, d_head=8, d_model=8, d_mlp=16, seed=1)
    run = imported(tmp_path, initial_weights(model, Task(TaskConfig(p=P))))
    (warning,) = run.provenance["warnings"]
    for words in ("no more than guessing", "another operation", "`=` first", "a normalization", "another activation"):
        assert words in warning
    assert "--set task.equals_first=true" in warning


def test_readings_that_fit_alike_are_named_and_none_is_chosen():
    """Of answers that fit two operations equally well, neither is taken."""
    weights = perfect("subtract")
    trial = Trial(TaskConfig(p=P), _model(weights), weights)
    tried = trial.singles([reading for reading in alternatives(TaskConfig(p=P), _model(weights)) if reading.task])
    best = chosen_of(tried).chosen
    assert best is not None and best.reading.settings == {"task.operation": "subtract"}
    twin = replace(best, reading=Reading({"task.operation": "multiply"}, ("as multiply",)))
    both = chosen_of([*tried, twin])
    assert both.chosen is None
    assert {str(one.reading) for one in both.fitting} >= {"as subtract", "as multiply"}
    assert chosen_of([*tried, replace(twin, loss=3 * best.loss)]).chosen is best


@pytest.mark.parametrize("name", ["S5_T_seed1", "D59_T_seed1", "C113_T_seed1"])
def test_published_networks_have_the_numbers_that_their_files_state(shared_data: Path, tmp_path: Path, name: str):
    run = import_run(shared_data / "chughtai" / name, tmp_path / "run")
    stated, measured = run.provenance["stated"], run.provenance["measured"]
    assert (stated["agrees"], run.provenance["warnings"]) == (True, [])
    for data in ("all", "train", "test"):
        assert measured[data]["loss"] == pytest.approx(stated[f"{data}_loss"], rel=0.02)


@pytest.mark.long
def test_the_released_run_has_the_losses_of_its_file(shared_data: Path, tmp_path: Path):
    run = import_run(shared_data / "nanda" / "wd_10-1_mod_addition_loss_curve.pth", tmp_path / "run")
    assert (run.provenance["stated"]["agrees"], run.provenance["warnings"]) == (True, [])
    assert run.provenance["measured"]["test"]["accuracy"] == 1.0


@pytest.mark.parametrize("normalization", ["none", "LN", "LNPre", "RMS", "RMSPre"])
@pytest.mark.parametrize(("attention", "rate", "scale"), [("causal", 1.0, None), ("bidirectional", 0.5, 1.0)])
def test_the_plain_forward_is_that_of_the_hooked_network(normalization, attention, rate, scale):
    parallel = rate != 1
    act_fn = {"LN": "gelu", "LNPre": "silu", "RMS": "gelu_new", "RMSPre": "tanh"}.get(normalization, "relu")
    model = ModelConfig(
        n_layers=2, n_heads=2, d_model=16, d_head=8, d_mlp=24, act_fn=act_fn, normalization=normalization,
        attention=attention, attention_rate=rate, attn_scale=scale, parallel_attn_mlp=parallel,
    )  # fmt: skip
    task = Task(TaskConfig(p=7, equals_first=parallel))
    weights = {name: torch.randn(x.shape) * 0.5 for name, x in initial_weights(model, task).items()}
    own = hooked_network(model, task, weights)(task.tokens)[:, -1]
    assert torch.allclose(plain_logits(model, task, weights, task.tokens), own, atol=1e-4, rtol=1e-4)


def test_far_above_chance_is_far():
    assert not is_far(0.24, guess=1 / 7, pairs=49)
    assert not is_far(0.10, guess=1 / 113, pairs=2000)
    assert is_far(0.30, guess=1 / 113, pairs=2000)


def _model(weights: Tensors, act_fn: str = "relu") -> ModelConfig:
    heads, d_model, d_head = weights["blocks.0.attn.W_Q"].shape
    d_mlp = weights["blocks.0.mlp.W_in"].shape[1]
    return ModelConfig(
        n_heads=heads, d_model=d_model, d_head=d_head, d_mlp=d_mlp, act_fn=act_fn, outputs="answers"
    )  # fmt: skip


def random_network(seed: int) -> tuple[TaskConfig, ModelConfig, Tensors]:
    """Random weights at one of several scales, on one of several tasks."""
    random = np.random.default_rng(seed)
    model = ModelConfig(
        n_layers=int(random.choice([1, 1, 2])), n_heads=2, d_model=16, d_head=8, d_mlp=32, seed=seed, outputs="answers",
        initialisation=random.choice(["nanda", "transformer-lens"]), act_fn=random.choice(["relu", "gelu"]),
    )  # fmt: skip
    task = TaskConfig(p=int(random.choice([5, 7, 13, 23, 31])), operation=str(random.choice(list(MODULAR))))
    weights = initial_weights(model, Task(task.without_split()))
    scale = float(random.choice([0.3, 1.0, 3.0, 10.0]))
    return task, model, {name: scale * tensor for name, tensor in weights.items()}


def no_reading_of(seed: int) -> None:
    task, model, weights = random_network(seed)
    choice = chosen_of(best_readings(Trial(task, model, weights), alternatives(task, model)))
    assert (choice.chosen, choice.fitting) == (None, ()), seed


@pytest.mark.parametrize("seed", range(3))
def test_no_reading_of_a_random_network_is_found(seed: int):
    no_reading_of(seed)


@pytest.mark.long
def test_no_reading_of_200_random_networks_is_found():
    for seed in range(200):
        no_reading_of(seed)


def test_cosines_of_another_operation_are_found_in_one_forward(tmp_path: Path):
    task = Task(TaskConfig(p=P, operation="subtract", train_fraction=0.5))
    weights = dict(exact_snapshot(task, cosine_logits(P, {2: 4.0, 5: 3.0}, "subtract")).weights)
    assert demo(tmp_path, weights).config.task.operation == "subtract"
