"""Ablations on networks whose answer without a part is known, and against edited weights and hooks elsewhere."""

import math

import numpy as np
import pytest
import torch
from exact_network import cosine_logits, exact_snapshot

from grokinterp.analysis import ProgressMeasures
from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, weight_shapes
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import Ablation, ablate_frequencies, ablate_parts
from grokinterp.verdict.causal._ablations import _by_hooks, _donors, _in_last_layer

SIZES = {"n_heads": 2, "d_model": 16, "d_head": 8, "d_mlp": 24}
NETWORKS = {
    "one layer": ({}, {}),
    "two layers, LayerNorm": ({"n_layers": 2, "normalization": "LN", "act_fn": "gelu"}, {}),
    "both ways, mixed attention": ({"attention": "bidirectional", "attention_rate": 0.3, "n_layers": 2}, {}),
    "no =": ({"outputs": "answers", "act_fn": "tanh"}, {"equals_token": False, "own_tokens_for_b": True}),
    "operator": ({}, {"operator_token": True}),
    "two layers, RMS, unscaled": ({"n_layers": 2, "normalization": "RMS", "act_fn": "silu", "attn_scale": 1.0}, {}),
    "in parallel, folded LayerNorm": ({"normalization": "LNPre", "parallel_attn_mlp": True, "eps": 0.01}, {}),
    "two in parallel": ({"n_layers": 2, "parallel_attn_mlp": True, "act_fn": "gelu_new"}, {}),
    "no attention": ({"architecture": "mlp", "n_layers": 2}, {"equals_token": False}),
}


def mean_cross_entropy(logits: np.ndarray, answers: np.ndarray) -> float:
    rows = [[math.exp(x - row[answer]) for x in row] for row, answer in zip(logits.tolist(), answers, strict=True)]
    return sum(math.log(sum(row)) for row in rows) / len(rows)


def project_2d(values: np.ndarray, table: np.ndarray, frequencies: list[int]) -> np.ndarray:
    """Least squares on cos and sin of 2πk·answer/p over all pairs, frequency by frequency."""
    angle = 2 * np.pi * table.reshape(-1) / len(table)
    designs = [np.stack([np.cos(k * angle), np.sin(k * angle)], axis=1) for k in frequencies]
    return sum(design @ np.linalg.lstsq(design, values, rcond=None)[0] for design in designs)


def random_snapshot(name: str = "one layer", seed: int = 7, **task: object) -> Snapshot:
    """A network with random weights, all biases among them."""
    model, its_task = NETWORKS[name]
    config, its_task = ModelConfig(**SIZES, biases="all", **model), Task(TaskConfig(**{"p": 7, **its_task, **task}))
    return with_weights(config, its_task, torch.Generator().manual_seed(seed))


def with_weights(config: ModelConfig, task: Task, generator: torch.Generator) -> Snapshot:
    shapes = weight_shapes(config, task)
    weights = {name: 0.4 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return Snapshot(0, task, config, weights)


def edited(snapshot: Snapshot, **weights: torch.Tensor) -> Snapshot:
    """The network with some weights replaced, named with __ for the dots."""
    new = {name.replace("__", "."): value for name, value in weights.items()}
    return Snapshot(0, snapshot.task, snapshot.config, {**snapshot.weights, **new})


def losses(found: tuple[Ablation, ...]) -> dict[tuple[str, str], float]:
    assert len({(a.part, a.how) for a in found}) == len(found)
    return {(a.part, a.how): a.loss for a in found}


def loss_of(snapshot: Snapshot) -> float:
    return mean_cross_entropy(snapshot.logits, snapshot.task.answers)


def assert_untouched(snapshot: Snapshot) -> None:
    """No hook is left on the model, but for those that make it what it is."""
    left = [name for name, point in snapshot.model.hook_dict.items() for h in point.fwd_hooks if not h.is_permanent]
    assert left == []


def test_parts_of_a_network_that_looks_pairs_up():
    """Without attention or neurons no pair is recognised; the residual that bypasses them is never read."""
    task = Task(TaskConfig(p=5))
    logits = np.random.default_rng(0).normal(size=(25, 5)).astype(np.float32)
    snapshot, donors = exact_snapshot(task, logits), _donors(25, 3).numpy()
    found = losses(ablate_parts(snapshot, seed=3))
    (a, b), answers = task.pairs.T, task.answers
    whole, blank, swapped = (
        mean_cross_entropy(logits, answers),
        math.log(5),
        mean_cross_entropy(logits[donors], answers),
    )
    expected = {("nothing", "none"): whole}
    for part in ("attention output", "head 0", "head 1", "neurons", "MLP output"):
        expected |= {(part, "zero"): blank, (part, "resample"): swapped}
    # With a mean of 1/5 at every a, each of the five neurons of this b is at 1/5.
    of_b, of_a = (np.stack([logits[side == x].mean(axis=0) for x in range(5)])[side] for side in (b, a))
    expected |= {
        ("attention output", "mean"): blank,
        ("head 0", "mean"): mean_cross_entropy(of_b, answers),
        ("head 1", "mean"): mean_cross_entropy(of_a, answers),
    }
    expected[("head 0", "resample")] = mean_cross_entropy(logits[5 * a[donors] + b], answers)
    expected[("head 1", "resample")] = mean_cross_entropy(logits[5 * a + b[donors]], answers)
    of_means = mean_cross_entropy(np.tile(logits.mean(axis=0), (25, 1)), answers)
    expected |= {(part, "mean"): of_means for part in ("neurons", "MLP output")}
    expected |= {(f"{x} skip", how): whole for x in ("attention", "MLP") for how in ("zero", "mean", "resample")}
    assert found == pytest.approx(expected, rel=1e-6)


def test_nothing_is_first_and_is_the_network_as_it_is():
    snapshot = random_snapshot()
    for found in (ablate_parts(snapshot), ablate_frequencies(snapshot, [1])):
        assert found[0].part == "nothing"
        assert found[0].loss == pytest.approx(loss_of(snapshot), rel=1e-12)
        assert found[0].accuracy == (snapshot.logits.argmax(axis=1) == snapshot.task.answers).mean()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_alone_gives_what_hooks_on_the_whole_network_give(name):
    snapshot = random_snapshot(name)
    donors, last = _donors(49, 0), snapshot.config.n_layers - 1
    by_hooks = {(part, how): logits for part, how, logits in _by_hooks(snapshot, last, donors)}
    in_last = {(part, how): logits for part, how, logits in _in_last_layer(snapshot, donors)}
    assert list(by_hooks) == list(in_last)
    for key, logits in in_last.items():
        torch.testing.assert_close(logits, by_hooks[key], atol=2e-6 * logits.abs().max().item(), rtol=0)
    assert_untouched(snapshot)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("name", ["two layers, LayerNorm", "both ways, mixed attention"])
def test_a_part_set_to_zero_is_a_part_whose_weights_are_zero(name, layer):
    snapshot, block = random_snapshot(name), f"blocks__{layer}"
    weights = snapshot.weights
    found = losses(ablate_parts(snapshot, layer=layer))
    W_O, b_O, W_out, b_out = (
        weights[f"blocks.{layer}.{w}"] for w in ("attn.W_O", "attn.b_O", "mlp.W_out", "mlp.b_out")
    )
    nothing = {f"{block}__attn__W_O": torch.zeros_like(W_O), f"{block}__attn__b_O": torch.zeros_like(b_O)}
    assert found["attention output", "zero"] == pytest.approx(loss_of(edited(snapshot, **nothing)), rel=1e-5)
    without_head = W_O.clone()
    without_head[1] = 0
    beheaded = edited(snapshot, **{f"{block}__attn__W_O": without_head})
    assert found["head 1", "zero"] == pytest.approx(loss_of(beheaded), rel=1e-5)
    no_neurons = {f"{block}__mlp__W_out": torch.zeros_like(W_out)}
    assert found["neurons", "zero"] == pytest.approx(loss_of(edited(snapshot, **no_neurons)), rel=1e-5)
    no_mlp = no_neurons | {f"{block}__mlp__b_out": torch.zeros_like(b_out)}
    assert found["MLP output", "zero"] == pytest.approx(loss_of(edited(snapshot, **no_mlp)), rel=1e-5)
    assert found["MLP output", "zero"] != pytest.approx(found["neurons", "zero"], rel=1e-4)
    assert_untouched(snapshot)


def test_skips_by_the_formulas():
    """Of one layer without LayerNorm, in NumPy float64."""
    snapshot = random_snapshot("no =")
    w = {name: value.double().numpy() for name, value in snapshot.weights.items()}
    names = ("blocks.0.hook_resid_pre", "blocks.0.hook_attn_out")
    resid_pre, attn_out = (snapshot.activation(name).double().numpy() for name in names)

    def logits(mid: np.ndarray, skip: np.ndarray) -> np.ndarray:
        H = np.tanh(mid @ w["blocks.0.mlp.W_in"] + w["blocks.0.mlp.b_in"])
        out = H @ w["blocks.0.mlp.W_out"] + w["blocks.0.mlp.b_out"] + skip
        return out @ w["unembed.W_U"] + w["unembed.b_U"]

    found, answers, mid = losses(ablate_parts(snapshot)), snapshot.task.answers, resid_pre + attn_out
    donors = _donors(49, 0).numpy()
    for how, change in {
        "zero": lambda x: 0 * x,
        "mean": lambda x: 0 * x + x.mean(0),
        "resample": lambda x: x[donors],
    }.items():
        changed = change(resid_pre) + attn_out
        assert found["attention skip", how] == pytest.approx(
            mean_cross_entropy(logits(changed, changed), answers), rel=1e-5
        )
        assert found["MLP skip", how] == pytest.approx(mean_cross_entropy(logits(mid, change(mid)), answers), rel=1e-5)


def test_the_mean_of_what_is_constant_changes_nothing():
    """At `=` the residual before the only layer is the same for all pairs."""
    found = losses(ablate_parts(random_snapshot()))
    assert found["attention skip", "mean"] == pytest.approx(found["nothing", "none"], rel=1e-6)
    assert found["attention skip", "resample"] == pytest.approx(found["nothing", "none"], rel=1e-6)
    # b_out is one for all pairs.
    assert found["MLP output", "mean"] == pytest.approx(found["neurons", "mean"], rel=1e-6)


def test_means_over_more_pairs_than_a_chunk(monkeypatch):
    snapshot = random_snapshot("two layers, LayerNorm")
    whole = ablate_parts(snapshot, layer=0) + ablate_parts(snapshot)
    for module in ("_ablations", "_last_layer"):
        monkeypatch.setattr(f"grokinterp.verdict.causal.{module}.CHUNK", 10)
    for one, other in zip(whole, ablate_parts(snapshot, layer=0) + ablate_parts(snapshot), strict=True):
        assert (one.part, one.how) == (other.part, other.how)
        assert one.loss == pytest.approx(other.loss, rel=1e-5)


def test_resampling_takes_another_pair_and_is_seeded():
    for n_pairs in (2, 3, 50):
        donors = _donors(n_pairs, 0).numpy()
        assert (donors != np.arange(n_pairs)).all()
        assert set(donors) <= set(range(n_pairs))
    assert _donors(1, 0).tolist() == [0]
    snapshot = random_snapshot()
    assert ablate_parts(snapshot, seed=1) == ablate_parts(snapshot, seed=1)
    resampled = {seed: losses(ablate_parts(snapshot, seed=seed)) for seed in (1, 2)}
    assert resampled[1]["neurons", "resample"] != resampled[2]["neurons", "resample"]
    assert resampled[1]["neurons", "mean"] == resampled[2]["neurons", "mean"]


def test_a_network_without_attention_has_neurons_alone():
    snapshot = random_snapshot("no attention")
    assert {a.part for a in ablate_parts(snapshot)} == {"nothing", "neurons"}
    for layer, then in ((0, "blocks.1.mlp.W_in"), (1, "unembed.W_U")):
        without = Snapshot(0, snapshot.task, snapshot.config, snapshot.weights | {then: 0 * snapshot.weights[then]})
        found = losses(ablate_parts(snapshot, layer=layer))
        assert found["neurons", "zero"] == pytest.approx(loss_of(without), rel=1e-5)


@pytest.mark.parametrize("layer", [1, -1])
def test_a_layer_that_is_not_there(layer):
    with pytest.raises(GrokinterpError, match=f"^layer = {layer}: the network has 1; give one from 0 to 0$"):
        ablate_parts(random_snapshot(), layer=layer)


def test_frequencies_of_a_network_whose_logits_are_cosines():
    """Its neurons look pairs up, so a projection of theirs reaches the logits as it is."""
    amplitudes = {1: 3.0, 2: 2.0}
    snapshot = exact_snapshot(7, cosine_logits(7, amplitudes))
    found, answers = losses(ablate_frequencies(snapshot, (1, 2))), snapshot.task.answers

    def expected(kept: dict[int, float]) -> float:
        return mean_cross_entropy(cosine_logits(7, kept) if kept else np.zeros((49, 7)), answers)

    parts = {"frequency 1": {2: 2.0}, "frequency 2": {1: 3.0}, "key frequencies": {}}
    parts |= {"other frequencies": amplitudes, "all but the key frequencies": amplitudes}
    for part, kept in parts.items():
        assert found[part, "logits"] == pytest.approx(expected(kept), rel=1e-5)
        assert found[part, "neurons"] == pytest.approx(expected(kept), rel=1e-5)
    # A one among zeros is no frequency's.
    assert found["unclustered neurons", "zero"] == pytest.approx(math.log(7), rel=1e-6)


@pytest.mark.parametrize("task", [{"p": 7}, {"operation": "multiply", "p": 8}, {"operation": "compose", "group": "S3"}])
def test_frequencies_are_those_of_the_progress_measures(task):
    config = ModelConfig(**SIZES, biases="all")
    snapshot = with_weights(config, Task(TaskConfig(**task)), torch.Generator().manual_seed(1))
    progress, keys = ProgressMeasures.of(snapshot), (1, 2)
    found, structure = losses(ablate_frequencies(snapshot, keys)), snapshot.task.structure
    others = [irrep for irrep in progress.irreps if irrep not in keys]
    names, plural = structure.basis.irrep_names, structure.irrep_words
    parts = {f"{structure.irrep_word} {names[k]}": [k] for k in keys} | {
        f"key {plural}": keys,
        f"other {plural}": others,
    }
    for part, irreps in parts.items():
        assert found[part, "logits"] == pytest.approx(progress.excluded(irreps, "all"), rel=1e-9)
        assert found[part, "neurons"] == pytest.approx(progress.excluded(irreps, "all", "neurons"), rel=1e-5)
    rest = f"all but the key {plural}", "logits"
    assert found[rest] == pytest.approx(progress.restricted(keys, "all"), rel=1e-9)


@pytest.mark.parametrize("name", ["two layers, LayerNorm", "no attention"])
def test_frequencies_in_the_neurons_by_hooks_and_dense_projections(name):
    snapshot = random_snapshot(name)
    neurons, table = snapshot.neurons.astype(np.float64), snapshot.task.table

    def loss_with(changed: np.ndarray) -> float:
        def put(activation, hook):  # noqa: ARG001
            activation[:, -1] = torch.from_numpy(changed).float()
            return activation

        hooks = [(f"{snapshot.last_block}.mlp.hook_post", put)]
        with torch.no_grad():
            logits = snapshot.model.run_with_hooks(snapshot.task.tokens, fwd_hooks=hooks)[:, -1, :7]
        return mean_cross_entropy(logits.numpy(), snapshot.task.answers)

    found = losses(ablate_frequencies(snapshot, (1, 3)))
    assert found["frequency 3", "neurons"] == pytest.approx(
        loss_with(neurons - project_2d(neurons, table, [3])), rel=1e-5
    )
    kept = neurons.mean(axis=0) + project_2d(neurons, table, [1, 3])
    assert found["all but the key frequencies", "neurons"] == pytest.approx(loss_with(kept), rel=1e-5)
    assert_untouched(snapshot)


def test_clusters_of_neurons_that_compute_with_one_frequency():
    """A network without attention whose neurons are relu(cos(w_k a + φ) + cos(w_k b + φ)), three and two of them."""
    task = Task(TaskConfig(p=7, equals_token=False))
    config = ModelConfig(architecture="mlp", d_model=4, d_mlp=6, outputs="answers")
    angle = 2 * np.pi * np.arange(7) / 7
    weights = {name: torch.zeros(shape) for name, shape in weight_shapes(config, task).items()}
    circles = [f(k * angle) for k in (1, 3) for f in (np.cos, np.sin)]
    weights["embed.W_E"][:] = torch.from_numpy(np.stack(circles, axis=1)).float()
    phases = [(0, 0.3), (0, 2.4), (0, 4.0), (2, 1.0), (2, 5.0)]
    for neuron, (start, phase) in enumerate(phases):
        weights["blocks.0.mlp.W_in"][start : start + 2, neuron] = torch.tensor([math.cos(phase), -math.sin(phase)])
    weights["blocks.0.mlp.b_in"][5] = 1.0  # A neuron that is always 1.
    weights["unembed.W_U"].normal_(generator=torch.Generator().manual_seed(0))
    found = losses(ablate_frequencies(Snapshot(0, task, config, weights), (1, 3)))

    a, b = task.pairs.T
    waves = [(1 + start, phase) for start, phase in phases]
    H = np.stack(
        [np.maximum(np.cos(k * angle[a] + f) + np.cos(k * angle[b] + f), 0) for k, f in waves] + [np.ones(49)], 1
    )
    for part, members in {
        "neurons of frequency 1": [0, 1, 2],
        "neurons of frequency 3": [3, 4],
        "unclustered neurons": [5],
    }.items():
        for how, value in (("zero", 0.0), ("mean", H[:, members].mean(axis=0))):
            changed = H.copy()
            changed[:, members] = value
            expected = mean_cross_entropy(changed @ weights["unembed.W_U"].double().numpy(), task.answers)
            assert found[part, how] == pytest.approx(expected, rel=1e-5)
    assert found["unclustered neurons", "mean"] == pytest.approx(found["nothing", "none"], rel=1e-6)
    assert not any(part == "neurons of frequency 2" for part, _ in found)


@pytest.mark.parametrize("keys", [(0,), (1, 4), (-1,)])
def test_a_frequency_that_is_not_there(keys):
    with pytest.raises(
        GrokinterpError, match=rf"^keys = \[.*\]: Z_7 has no nontrivial frequency {keys[-1]}; .* 1 to 3$"
    ):
        ablate_frequencies(random_snapshot(), keys)


def test_a_task_without_a_group_has_no_frequencies():
    with pytest.raises(GrokinterpError, match="no group is known"):
        ablate_frequencies(random_snapshot(operation="table", table=np.array([[0, 1], [1, 1]])), (1,))


def test_the_mainline_needs_its_attention_and_its_neurons(mainline):
    """Published at step 40,000: 24.3 without attention, 9.1e-7 and 7.3e-7 with the MLP skip at zero and at its mean."""
    snapshot = mainline.snapshot()
    found = losses(ablate_parts(snapshot))
    assert found["attention output", "zero"] > 10
    assert found["neurons", "mean"] > 3
    assert 2.4e-7 < found["MLP skip", "zero"] < 1.2e-6
    assert 2.4e-7 < found["MLP skip", "mean"] < 1.2e-6
    assert_untouched(snapshot)


def test_the_mainline_needs_each_key_frequency(mainline):
    """Published at step 40,000 for a frequency's neurons: 2.0e-4 4.6e-4 1.9e-3 5.2e-3 2.4e-2."""
    keys, published = (14, 35, 41, 42, 52), (2.0e-4, 4.6e-4, 1.9e-3, 5.2e-3, 2.4e-2)
    found = losses(ablate_frequencies(mainline.snapshot(), keys))
    for key, loss in zip(keys, published, strict=True):
        assert loss / 2 < found[f"neurons of frequency {key}", "mean"] < 2 * loss
        assert found[f"frequency {key}", "logits"] > 1e3 * found["nothing", "none"]
    assert found["all but the key frequencies", "logits"] == pytest.approx(5.5e-8, rel=0.2)
    assert found["other frequencies", "logits"] < 2 * found["nothing", "none"]
