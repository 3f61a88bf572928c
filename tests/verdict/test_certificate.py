"""Certificates: sound whatever the network, and high where the explanation is right."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from exact_network import cosine_logits, exact_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from grokinterp.errors import GrokinterpError, NotApplicable
from grokinterp.models import ModelConfig, hooked_network, initial_weights
from grokinterp.runs import Snapshot, import_run
from grokinterp.tasks import Task, TaskConfig
from grokinterp.verdict import Certificate, certify
from grokinterp.verdict.certificate._rounded import Rounded
from grokinterp.verdict.certificate._table_forward import Count, TableForward
from grokinterp.wording import percent

MAINLINE_KEYS = (14, 35, 41, 42, 52)


def true_logits(snapshot: Snapshot) -> np.ndarray:
    """By the hooked network itself, in float64, with nothing of the certificate's."""
    model = torch.nn.Module.double(hooked_network(snapshot.config, snapshot.task, snapshot.weights))
    with torch.no_grad():
        logits = torch.cat([model(chunk)[:, -1] for chunk in snapshot.task.tokens.split(4096)])
    return logits[:, : snapshot.task.n_answers].numpy()


def true_margins(logits: np.ndarray, answers: np.ndarray) -> np.ndarray:
    pairs = np.arange(len(answers))
    others = logits.copy()
    others[pairs, answers] = -np.inf
    return logits[pairs, answers] - others.max(axis=1)


def check_sound(snapshot: Snapshot, keys: tuple[int, ...]) -> tuple[Certificate, float]:
    certificate, answers = certify(snapshot, keys), snapshot.task.answers
    margins = true_margins(true_logits(snapshot), answers)
    accuracy = float((margins > 0).mean())
    assert (margins[certificate.certified] > 0).all()
    assert certificate.lower_bound <= min(accuracy, certificate.accuracy)
    assert all(proof.lower_bound <= accuracy for proof in certificate.proofs)
    # A tie counts as right where the answer comes first.
    assert accuracy <= certificate.accuracy <= float((margins >= -1e-9).mean())
    if certificate.keys:
        least = np.full(snapshot.task.n_answers, np.inf)
        np.minimum.at(least, answers, margins)
        has_pairs = np.isfinite(certificate.margins)
        assert (certificate.margins[has_pairs] <= least[has_pairs]).all()
        assert (certificate.idealised_margins[has_pairs] <= least[has_pairs]).all()
        assert certificate.is_vacuous == (certificate.lower_bound <= 1 / snapshot.task.n_answers)
    return certificate, accuracy


def with_weights(snapshot: Snapshot, **changed: torch.Tensor) -> Snapshot:
    weights = {name: value.clone() for name, value in snapshot.weights.items()}
    weights |= {name.replace("__", "."): value for name, value in changed.items()}
    return Snapshot(snapshot.step, snapshot.task, snapshot.config, weights)


def noisy(snapshot: Snapshot, size: float, seed: int = 0) -> Snapshot:
    """Noise in proportion to each matrix' own spread."""
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: value + size * value.std() * torch.randn(value.shape, generator=generator) if ".W_" in name else value
        for name, value in snapshot.weights.items()
    }
    return Snapshot(snapshot.step, snapshot.task, snapshot.config, weights)


# What is proved of trained networks.


def test_the_mainline_network_is_proved_right_on_all_inputs(mainline):
    certificate = certify(mainline.snapshot())
    assert certificate.keys == MAINLINE_KEYS
    assert (certificate.lower_bound, certificate.accuracy, certificate.is_vacuous) == (1.0, 1.0, False)
    assert [proof.name for proof in certificate.proofs] == ["idealised by answer", "idealised", "projected"]
    bounds = [proof.lower_bound for proof in certificate.proofs]
    assert bounds == sorted(bounds)
    assert bounds[0] > 0.1 and bounds[1] > 0.999
    assert [proof.directions for proof in certificate.proofs] == [10, 10, 10]
    assert certificate.ratio < 0.27
    assert certificate.rounding < 1e-7
    assert (certificate.lower_bound_float32, certificate.accuracy_float32, certificate.overturned) == (1.0, 1.0, 0)
    assert certificate.rounding_float32 < 0.5
    assert certificate.margins.min() > 6
    assert certificate.says == (
        "With the key frequencies 14, 35, 41, 42 and 52 it is proved that exact arithmetic on the stored weights "
        "answers all 12,769 inputs right, and float32 all of them (measured in float32: 100 %). The proof takes 26.3 % "
        "of the multiplications of evaluating every logit; idealised logits with the deviation from them prove "
        "99.98 %. This proves the answers, not how they are computed: a look-up table can be proved in the same way."
    )


def test_multiplications_are_counted_honestly(mainline):
    certificate = certify(mainline.snapshot(), MAINLINE_KEYS)
    p, d_model, d_mlp, heads = 113, 128, 512, 4
    tables = d_model * d_model * (d_mlp + p)  # W_O W_in and W_O W_U
    tables += (2 * p + 1) * d_model * (2 * d_model + d_mlp + p)  # per token keys, values, and what those give
    tables += d_model * d_model + d_model + (2 * p + 1) * d_model  # the query, scaled, and scores
    tables += d_model * (d_mlp + p) + heads * (d_mlp + p) + d_mlp * d_model * p  # what = gives, and W_L
    forward = p * p * (2 * 3 * heads + 2 * heads * (d_mlp + p))
    assert certificate.brute_force == tables + forward + p * p * d_mlp * p
    q = 2 * len(MAINLINE_KEYS)
    explanation = 2 * d_mlp * q * p + d_mlp * p * p
    pairs = p * p * d_mlp * (q + 1) + 3 * p * d_mlp * p
    projected = certificate.proofs[2]
    assert projected.multiplications == tables + forward + explanation + pairs + p * p * p * (q + 1)


@pytest.mark.parametrize(
    ("file", "projected", "ratio"),
    [
        pytest.param("nanda/wd_10-1_mod_addition_loss_curve.pth", 0.997, 0.3, marks=pytest.mark.long),
        ("chughtai/C113_T_seed1", 1.0, 0.23),
        pytest.param("chughtai/D59_T_seed1", 0.0, 0.4, marks=pytest.mark.long),
        pytest.param("chughtai/S5_T_seed1", 1.0, 0.32, marks=pytest.mark.long),
        ("pizza/model_l8k1hzciux.pt", 1.0, 0.46),
        ("pizza/model_p99zdpze5l.pt", 1.0, 0.46),
    ],
)
def test_other_peoples_networks_are_proved_right_on_all_inputs(shared_data, tmp_path, file, projected, ratio):
    if not (shared_data / file).exists():
        pytest.skip(f"{file} is not here: set GROKINTERP_SHARED_DATA to the folder of other people's checkpoints")
    certificate = certify(import_run(shared_data / file, tmp_path / "run").snapshot())
    assert (certificate.lower_bound, certificate.accuracy) == (1.0, 1.0)
    by_name = {proof.name: proof.lower_bound for proof in certificate.proofs}
    assert by_name["projected"] >= projected
    assert ("refined" in by_name) == (by_name["projected"] < 1)
    assert certificate.ratio < ratio


# Soundness.


@pytest.mark.parametrize(
    "step", [*(pytest.param(step, marks=pytest.mark.long) for step in (0, 1400, 8000, 20000)), 10000]
)
def test_sound_on_the_way(mainline, step):
    certificate, accuracy = check_sound(mainline.snapshot(step), MAINLINE_KEYS)
    assert certificate.is_vacuous == (step <= 8000)
    assert (certificate.explained_bound > 0.01) == (step == 20000)
    assert (certificate.lower_bound == 1.0) == (accuracy == 1.0) == (step == 20000)


@pytest.mark.long
def test_wrong_keys_prove_little_and_nothing_wrong(mainline):
    for keys, explained in (((1, 2, 3, 4, 5), 0.01), (MAINLINE_KEYS[1:], 0.4)):
        certificate, _ = check_sound(mainline.snapshot(), keys)
        assert certificate.explained_bound < explained
        assert "directions that they do not name" in certificate.says


@pytest.mark.parametrize("size", [*(pytest.param(size, marks=pytest.mark.long) for size in (0.05, 0.2, 0.5)), 1.0])
def test_sound_under_noise_until_accuracy_falls(mainline, size):
    certificate, accuracy = check_sound(noisy(mainline.snapshot(), size), MAINLINE_KEYS)
    if size == 0.05:
        assert (certificate.lower_bound, accuracy) == (1.0, 1.0)
    if size == 1.0:
        assert accuracy < 0.9


def test_sound_where_one_answer_is_unlearned(mainline):
    snapshot = mainline.snapshot()
    W_U = snapshot.weights["unembed.W_U"].clone()
    W_U[:, 7] *= -1
    changed = with_weights(snapshot, unembed__W_U=W_U)
    certificate, accuracy = check_sound(changed, MAINLINE_KEYS)
    assert accuracy < 1
    assert not certificate.certified[snapshot.task.answers == 7].any()
    assert certificate.lower_bound > 0.5  # The others are not lost with it.


@pytest.mark.long
def test_sound_where_one_token_is_unlearned(mainline):
    snapshot = mainline.snapshot()
    W_E = snapshot.weights["embed.W_E"].clone()
    W_E[3] = W_E[4]
    _, accuracy = check_sound(with_weights(snapshot, embed__W_E=W_E), MAINLINE_KEYS)
    assert accuracy < 0.99


@pytest.mark.parametrize("off", [0.0, 1e-6, -1e-6, 1e-15, -1e-15])
def test_ties_are_not_proved(off):
    """Answers 4 and 5 have the same logits up to a bias, and all frequencies as keys, so that nothing is left out."""
    snapshot, keys = exact_snapshot(11, cosine_logits(11, {1: 4.0, 3: 2.0})), (1, 2, 3, 4, 5)
    b_U, W_U = snapshot.weights["unembed.b_U"].clone(), snapshot.weights["unembed.W_U"].clone()
    at_4, at_5 = W_U[:, 4].nonzero(), W_U[:, 5].nonzero()
    W_U[at_5, 4] = W_U[at_4, 5] = 1.0
    b_U[5] = off
    changed = with_weights(snapshot, unembed__W_U=W_U, unembed__b_U=b_U)
    answers, certified = snapshot.task.answers, check_sound(changed, keys)[0].certified
    assert certified[answers == 4].all() == (off == -1e-6)
    assert certified[answers == 5].all() == (off == 1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_rounding_breaks_no_tie(seed):
    """Two equal columns of a dense W_U, which float64 evaluates in different sums."""
    task, config = Task(TaskConfig(p=11)), ModelConfig(n_heads=2, d_head=16, d_model=32, d_mlp=64, seed=seed)
    weights = initial_weights(config, task)
    W_U = 30 * weights["unembed.W_U"]
    W_U[:, 5] = W_U[:, 4]
    weights["unembed.W_U"] = W_U
    certificate, _ = check_sound(Snapshot(0, task, config, weights), (1, 2, 3, 4, 5))
    assert certificate.lower_bound > 0
    assert not certificate.certified[np.isin(task.answers, [4, 5])].any()


@pytest.mark.parametrize("seed", range(5))
def test_what_only_rounding_tells_apart_is_not_proved(seed):
    """Answers 4 and 5 read the same numbers in different order, past attention and MLP: equal but for rounding."""
    task, config = Task(TaskConfig(p=11)), ModelConfig(n_heads=2, d_head=16, d_model=32, d_mlp=8, seed=seed)
    weights = {
        name: torch.zeros_like(value) if "blocks" in name else value
        for name, value in initial_weights(config, task).items()
    }
    weights["embed.W_E"][:], weights["pos_embed.W_pos"][:] = 0.7, 0.4
    # Over eight orders of magnitude, so that float64 rounds the sums.
    W_U = weights["unembed.W_U"]
    random = torch.Generator().manual_seed(seed)
    W_U[:, 4] = torch.randn(32, generator=random).abs() * torch.logspace(-4, 4, 32)
    W_U[:, 5] = W_U[torch.randperm(32, generator=random), 4]
    certificate = certify(Snapshot(0, task, config, weights), (1, 2, 3, 4, 5))
    assert not certificate.certified.any()
    assert np.abs(certificate.margins[4:6]).max() < 1e-6


def test_corrupted_pairs_are_found_out():
    logits, random = cosine_logits(11, {1: 4.0, 3: 2.0}), np.random.default_rng(0)
    for count in (1, 5, 40):
        corrupted = logits.copy()
        wrong = random.choice(121, size=count, replace=False)
        corrupted[wrong] = -corrupted[wrong]
        snapshot = exact_snapshot(11, corrupted)
        certificate, _ = check_sound(snapshot, (1, 3))
        assert certificate.certified[np.setdiff1d(np.arange(121), wrong)].mean() > 0.95


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    p=st.sampled_from([5, 6, 9]),
    operation=st.sampled_from(["add", "subtract", "x2+y2"]),
    act_fn=st.sampled_from(["relu", "gelu", "gelu_new", "silu", "tanh"]),
    architecture=st.sampled_from(["transformer", "mlp"]),
    scale=st.sampled_from([1.0, 3.0, 100.0]),
    keys=st.sets(st.integers(0, 2), min_size=1),
)
def test_sound_on_random_networks(seed, p, operation, act_fn, architecture, scale, keys):
    task = Task(TaskConfig(p=p, operation=operation, equals_token=architecture == "transformer"))
    config = ModelConfig(
        architecture=architecture, n_heads=2, d_head=4, d_model=8, d_mlp=16, act_fn=act_fn, biases="all", seed=seed
    )
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: scale * (value + 0.3 * torch.randn(value.shape, generator=generator))
        for name, value in initial_weights(config, task).items()
    }
    check_sound(Snapshot(0, task, config, weights), tuple(keys))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.floats(0, 3), rank=st.integers(0, 11))
def test_sound_on_ideal_networks_with_anything_added(seed, size, rank):
    """The explanation holds up to a matrix of low rank over pairs and answers, so that every proof has its say."""
    random = np.random.default_rng(seed)
    added = random.normal(size=(121, rank)) @ random.normal(size=(rank, 11))
    check_sound(exact_snapshot(11, cosine_logits(11, {1: 4.0, 3: 2.0}) + size * added), (1, 3))


def test_a_look_up_table_is_proved_and_the_words_say_that_it_can_be():
    """One neuron for every pair: nothing that could be called an algorithm, and every answer is proved."""
    for logits in (cosine_logits(11, {1: 4.0, 3: 2.0}), 10 * np.eye(11)[Task(TaskConfig(p=11)).answers]):
        snapshot = exact_snapshot(11, logits)
        assert (snapshot.neurons == np.eye(121)).all()
        certificate = certify(snapshot)
        assert (certificate.lower_bound, certificate.lower_bound_float32) == (1.0, 1.0)
        assert certificate.says.endswith("a look-up table can be proved in the same way.")


def test_where_rounding_decides_the_sentence_says_so():
    """Model B of Zhong et al. with an offset fared so; here an ideal network, whose logits an offset makes coarse."""
    snapshot = exact_snapshot(11, cosine_logits(11, {1: 4.0, 3: 2.0}))
    offset = with_weights(snapshot, unembed__b_U=snapshot.weights["unembed.b_U"] + 3e8)
    certificate, accuracy = check_sound(offset, (1, 3))
    right = offset.logits.argmax(axis=1) == offset.task.answers
    assert certificate.lower_bound == accuracy == 1 and certificate.lower_bound_float32 == 0
    assert certificate.accuracy_float32 == right.mean() < 0.5
    assert certificate.overturned == (~right).sum()
    share, wrong = percent(right.mean()), (~right).sum()
    assert "answers all 121 inputs right, and float32 none of them for certain, as its rounding" in certificate.says
    assert (
        f"(measured in float32: {share}). The network as it runs answers {wrong} inputs that are proved for exact "
        "arithmetic wrong: there the rounding of float32 decides."
    ) in certificate.says


# In closed form.


def test_ideal_networks_are_proved_with_their_own_margins():
    p, amplitudes = 13, {2: 3.0, 5: 1.5}
    certificate = certify(exact_snapshot(p, cosine_logits(p, amplitudes)))
    assert certificate.keys == (2, 5)
    d = np.arange(1, p)
    margin = sum(alpha * (1 - np.cos(2 * np.pi * k * d / p)) for k, alpha in amplitudes.items()).min()
    assert certificate.margins == pytest.approx(np.full(p, margin), abs=1e-5)
    assert certificate.idealised_margins == pytest.approx(np.full(p, margin), abs=1e-5)
    assert [proof.lower_bound for proof in certificate.proofs] == [1.0, 1.0, 1.0]
    assert certificate.amplitudes == pytest.approx([alpha * p / 2 for alpha in amplitudes.values()], rel=1e-6)


def test_ideal_networks_on_a_group():
    task = Task(TaskConfig(operation="compose", group="S4", train_fraction=0.5))
    structure = task.structure
    irrep = structure.basis.index("(3,1)")
    functions = structure.basis.matrix[list(structure.basis.rows(irrep))]
    logits = 20 * functions.T @ functions
    certificate = certify(exact_snapshot(task, logits[task.answers]), (irrep,))
    gaps = np.diag(logits)[:, None] - logits + 1e9 * np.eye(24)
    assert certificate.margins == pytest.approx(gaps.min(axis=1), abs=1e-4)
    assert certificate.proofs[0].lower_bound == 1
    assert certificate.says.startswith("With the key irrep (3,1) it is proved that exact arithmetic on the stored ")
    assert "answers all 576 inputs right, and float32 all of them" in certificate.says


@pytest.mark.parametrize("operation", ["multiply", "divide"])
def test_answers_outside_the_group_are_kept_exact(operation):
    """Zero has no logarithm: it is neither explained nor forgotten."""
    task = Task(TaskConfig(p=11, operation=operation, train_fraction=0.5))
    structure = task.structure
    place = np.zeros(11, dtype=int)
    place[structure.outputs] = np.arange(structure.n)
    angle = 2 * np.pi * (place[task.answers][:, None] - place) / structure.n
    logits = 4 * np.cos(angle) + 9 * np.cos(3 * angle)
    is_zero = task.answers == 0
    logits[:, 0] = np.where(is_zero, 30, 3)
    snapshot = exact_snapshot(task, logits)
    assert check_sound(snapshot, (1, 3))[0].lower_bound == 1.0
    beaten = logits.copy()
    beaten[:5, 0] = 40
    _, accuracy = check_sound(exact_snapshot(task, beaten), (1, 3))
    assert (accuracy < 1) == (not is_zero[:5].all())


# The evaluation.


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ({}, {}),
        ({"operator_token": True}, {"act_fn": "gelu"}),
        ({}, {"act_fn": "silu", "attn_scale": 1.0, "d_head": 3, "d_model": 16, "n_heads": 2}),
        ({"equals_token": False}, {"act_fn": "gelu_new", "attn_scale": 4.0, "attention": "bidirectional"}),
        ({"equals_token": False}, {"attention": "bidirectional", "attention_rate": 0.3}),
        ({"equals_token": False, "own_tokens_for_b": True}, {"act_fn": "tanh"}),
        ({}, {"attention_rate": 0.6, "outputs": "answers"}),
        ({"operation": "divide"}, {}),
        ({"equals_token": False}, {"architecture": "mlp"}),
        ({"own_tokens_for_b": True}, {"architecture": "mlp", "mlp_inputs": "concatenation", "act_fn": "gelu"}),
        ({"operator_token": True}, {"architecture": "mlp"}),
    ],
    ids=str,
)
def test_tables_give_what_the_network_gives(task, model):
    task = Task(TaskConfig(**{"p": 7} | task))
    config = ModelConfig(**{"n_heads": 2, "d_head": 6, "d_model": 12, "d_mlp": 20, "biases": "all"} | model)
    generator = torch.Generator().manual_seed(1)
    weights = {
        name: value + 0.5 * torch.randn(value.shape, generator=generator)
        for name, value in initial_weights(config, task).items()
    }
    snapshot = Snapshot(0, task, config, weights)
    forward = TableForward.of(snapshot)
    for a in (slice(0, 7), slice(2, 5)):
        neurons, direct = forward.block(a, Count())
        logits = neurons @ forward.W_L + direct
        inside = np.isin(task.pairs[:, 0], range(7)[a])
        expected = np.full((*task.table.shape, task.n_answers), np.nan)
        expected[tuple(task.pairs.T)] = true_logits(snapshot)
        assert inside.any()
        off = np.nanmax(np.abs(logits.value - expected[a]))
        assert off <= logits.error + 1e-12
        assert off < 1e-12 and logits.error < 1e-9
    check_sound(snapshot, (1, 2))


@pytest.mark.long
def test_blocks_of_pairs_give_the_same(monkeypatch, mainline):
    whole = certify(mainline.snapshot(), MAINLINE_KEYS)
    monkeypatch.setattr("grokinterp.verdict.certificate._certificate._BLOCK", 2**22)
    parts = certify(mainline.snapshot(), MAINLINE_KEYS)
    assert parts.brute_force == whole.brute_force
    assert parts.lower_bound == 1.0
    assert parts.margins == pytest.approx(whole.margins, abs=2.5)  # T is fitted to each block.


def test_infinite_weights_prove_nothing():
    snapshot = exact_snapshot(7, cosine_logits(7, {1: 5.0}))
    for name, value in (("unembed.b_U", float("inf")), ("embed.W_E", float("nan")), ("blocks.0.mlp.W_out", 3e38)):
        changed = snapshot.weights[name].clone()
        changed.view(-1)[0] = value
        certificate = certify(with_weights(snapshot, **{name.replace(".", "__"): changed}), (1,))
        assert certificate.lower_bound <= certificate.accuracy
        assert certificate.lower_bound == 0 or value == 3e38


def rational(values: np.ndarray) -> np.ndarray:
    return np.vectorize(Fraction, otypes=[object])(values)


matrices = st.lists(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=3, max_size=3), min_size=3, max_size=3
).map(np.array)


@settings(max_examples=60, deadline=None)
@given(a=matrices, b=matrices, c=matrices)
def test_rounding_stays_within_its_bound(a, b, c):
    """((a b + c) * a − b), relu and norms, against rational numbers."""
    A, B, C = (rational(of) for of in (a, b, c))
    exact = np.maximum((A.dot(B) + C) * A - B, Fraction(0))
    found = ((Rounded(a) @ Rounded(b) + Rounded(c)) * Rounded(a) - Rounded(b)).mapped(
        lambda x: np.maximum(x, 0), 1.0, exact=True
    )
    assert max(abs(Fraction(v) - e) for v, e in zip(found.value.flat, exact.flat, strict=True)) <= found.error
    scale = 1 + np.abs(a).max() * (3 * np.abs(a).max() * np.abs(b).max() + np.abs(c).max()) + np.abs(b).max()
    assert found.error <= 1e-14 * scale
    for norm, row in zip(found.norms_at_most(), exact, strict=True):
        assert Fraction(float(norm)) ** 2 >= sum(x * x for x in row)


@settings(max_examples=60, deadline=None)
@given(a=matrices, b=matrices, off=st.floats(0, 1), signs=st.integers(0, 2**18 - 1))
def test_each_operation_carries_what_its_operands_are_off(a, b, off, signs):
    """Operands as far from the exact ones as they say, and sums that cancel: [a, −a] [b; b + off] = −off Σ a."""
    sign = np.array([1 if signs >> bit & 1 else -1 for bit in range(18)])
    left, right = np.hstack([a, -a]), np.vstack([b, b + off])
    exact_left, exact_right = rational(left + 0), rational(right + 0)
    error_left, error_right = 1e-3 * off, 2e-3 * off
    moved_left = Rounded(left + error_left * sign.reshape(3, 6), error_left + 1e-9)
    moved_right = Rounded(right + error_right * sign.reshape(6, 3), error_right + 1e-9)
    for found, exact in (
        (Rounded(left) @ Rounded(right), exact_left.dot(exact_right)),
        (moved_left @ moved_right, exact_left.dot(exact_right)),
        (moved_left @ Rounded(right), exact_left.dot(exact_right)),
        (Rounded(left) @ moved_right, exact_left.dot(exact_right)),
        (moved_left * moved_right.swapaxes(0, 1), exact_left * exact_right.T),
        (moved_left + moved_right.swapaxes(0, 1), exact_left + exact_right.T),
        (moved_left - moved_right.swapaxes(0, 1), exact_left - exact_right.T),
    ):
        assert max(abs(Fraction(v) - e) for v, e in zip(found.value.flat, exact.flat, strict=True)) <= found.error
    for norm, row in zip(moved_left.norms_at_most(), exact_left, strict=True):
        assert Fraction(float(norm)) ** 2 >= sum(x * x for x in row)


def test_what_operands_are_off_is_not_forgotten():
    ones, off = Rounded(np.ones((1, 4))), Rounded(np.ones((4, 1)), 0.5)
    assert (ones @ off).error >= 2
    assert (off.swapaxes(0, 1) @ ones.swapaxes(0, 1)).error >= 2
    assert off.swapaxes(0, 1).norms_at_most() >= 3
    tenths = Rounded(np.array([[0.1, 0.2, -0.3]]))
    product = tenths @ Rounded(np.ones((3, 1)))
    assert product.error >= abs(sum(rational(tenths.value).flat) - Fraction(float(product.value[0, 0]))) > 0


def test_rounding_of_softmax_stays_within_its_bound():
    from sympy import Float, exp

    scores = np.random.default_rng(0).normal(size=(40, 4)) * np.logspace(-3, 2.5, 40)[:, None]
    off = np.random.default_rng(1).uniform(-1e-9, 1e-9, size=scores.shape)
    found = Rounded(scores + off, 1.1e-9).softmax(axis=-1)
    assert found.error < 1e-9
    for row, given_row in zip(found.value, scores, strict=True):
        powers = [exp(Float(x, 60)) for x in given_row]
        total = sum(powers)
        assert max(abs(Float(v, 60) - e / total) for v, e in zip(row, powers, strict=True)) <= found.error


# What is out of reach.


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"n_layers": 2},
            "model.n_layers = 2: a certificate needs one layer, no normalization and a task in a known group",
        ),
        (
            {"normalization": "LN"},
            "model.normalization = 'LN': a certificate needs one layer, .*; train one with 'none'",
        ),
        (
            {"normalization": "RMSPre"},
            "model.normalization = 'RMSPre': a certificate needs one layer, .*; train one with 'none'",
        ),
        (
            {"parallel_attn_mlp": True},
            "model.parallel_attn_mlp = true: a certificate needs an MLP that reads what attention puts out; ",
        ),
    ],
)
def test_networks_out_of_reach(model, message):
    task, config = Task(TaskConfig(p=5)), ModelConfig(**model)
    with pytest.raises(NotApplicable, match=message):
        certify(Snapshot(0, task, config, initial_weights(config, task)), (1,))


def test_tasks_without_a_group():
    task, config = Task(TaskConfig(p=7, operation="add-or-subtract")), ModelConfig()
    assert task.structure is None or task.name
    table = Task(TaskConfig(operation="table", table=[[0, 1, 2], [2, 0, 0], [1, 1, 0]], train_fraction=0.5))
    with pytest.raises(NotApplicable, match=r"the table of 9 pairs .*: a certificate needs .*; certify a network on"):
        certify(Snapshot(0, table, config, initial_weights(config, table)), (1,))


def test_keys_that_the_group_does_not_have():
    with pytest.raises(GrokinterpError, match=r"frequency = 9: needs an integer from 0"):
        certify(exact_snapshot(7, cosine_logits(7, {1: 5.0})), (9,))


def test_without_keys_nothing_is_proved():
    certificate = certify(exact_snapshot(7, cosine_logits(7, {1: 5.0})), ())
    assert (certificate.lower_bound, certificate.accuracy, certificate.is_vacuous) == (0.0, 1.0, True)
    assert certificate.proofs == () and np.isnan(certificate.ratio) and certificate.multiplications == 0
    assert certificate.says == (
        "No accuracy is proved: there is no key frequency to prove it with (measured in float32: 100 %)."
    )


def test_a_vacuous_certificate_says_so():
    task, config = Task(TaskConfig(p=13)), ModelConfig(n_heads=2, d_head=8, d_model=16, d_mlp=16)
    certificate = certify(Snapshot(0, task, config, initial_weights(config, task)), (2, 5))
    assert certificate.is_vacuous
    proved = f"{percent(certificate.lower_bound)} of all 169 inputs"
    assert certificate.says.startswith(
        f"No accuracy above guessing is proved: with the key frequencies 2 and 5 {proved} "
    )
