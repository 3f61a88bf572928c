import warnings

import numpy as np
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.models import (
    FastForward,
    ModelConfig,
    cross_entropy,
    hooked_network,
    hooked_transformer,
    initial_weights,
    not_covered_by_fast_forward,
    weight_shapes,
)
from grokinterp.tasks import Task, TaskConfig

SMALL = {"n_heads": 2, "d_head": 8, "d_model": 16, "d_mlp": 24}


def losses(config: ModelConfig, task: Task) -> list[float]:
    model = hooked_transformer(config, task)
    return [
        cross_entropy(model(task.tokens[pairs])[:, -1], torch.from_numpy(task.answers[pairs])).item()
        for pairs in (task.split.train, task.split.test)
    ]


def test_the_mainline_starts_at_the_published_losses():
    assert losses(ModelConfig(), Task(TaskConfig())) == pytest.approx([4.764053, 4.768347], abs=1e-6)


def test_the_mainline_without_its_equals_output_starts_at_the_published_losses():
    task = Task(TaskConfig())
    model = hooked_transformer(ModelConfig(), task)
    logits = model(task.tokens)[:, -1, :113].detach()
    answers = torch.from_numpy(task.answers)
    found = [cross_entropy(logits[pairs], answers[pairs]).item() for pairs in (task.split.train, task.split.test)]
    assert found == pytest.approx([4.755245, 4.759535], abs=1e-6)


def test_transformer_lens_scheme_is_what_transformer_lens_draws():
    task = Task(TaskConfig(split_scheme="torch", split_seed=598))
    config = ModelConfig(outputs="answers", biases="none", initialisation="transformer-lens", seed=999)
    assert losses(config, task) == pytest.approx([4.735886, 4.732981], abs=1e-6)


@pytest.mark.parametrize("extra", [{}, {"normalization": "LN", "n_layers": 2}])
def test_transformer_lens_scheme_equals_a_network_that_transformer_lens_initialises(extra):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from transformer_lens import HookedTransformer, HookedTransformerConfig
        except ImportError:
            pytest.skip("TransformerLens 4 has no HookedTransformer")

        settings = HookedTransformerConfig(
            n_layers=extra.get("n_layers", 1), d_model=16, d_head=8, n_heads=2, d_mlp=24, act_fn="relu", d_vocab=8,
            d_vocab_out=7, n_ctx=3, normalization_type=extra.get("normalization"), seed=3, device="cpu",
        )  # fmt: skip
        theirs = dict(HookedTransformer(settings).named_parameters())
    config = ModelConfig(**SMALL, outputs="answers", initialisation="transformer-lens", seed=3, **extra)
    ours = initial_weights(config, Task(TaskConfig(p=7)))
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_first_weights_of_the_mainline_are_fixed():
    """A change of these numbers is a change of every seed's network."""
    weights = initial_weights(ModelConfig(), Task(TaskConfig()))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(128, 114, generator=generator) / 128**0.5
    assert torch.equal(weights["embed.W_E"], drawn.T)
    assert sum(float((w.double() ** 2).sum()) for w in weights.values()) == pytest.approx(1783.378, abs=1e-3)


def test_initialisation_leaves_the_callers_random_state_alone():
    before = torch.get_rng_state()
    for scheme in ("nanda", "transformer-lens"):
        initial_weights(ModelConfig(initialisation=scheme), Task(TaskConfig(p=5)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("biases", "trained"), [("none", set()), ("mlp", {"b_in", "b_out"}), ("all", {"b_in", "b_out", "b_Q", "b_U"})]
)
def test_biases_are_trained_as_configured(biases, trained):
    model = hooked_transformer(ModelConfig(**SMALL, biases=biases), Task(TaskConfig(p=5)))
    free = {name.rsplit(".", 1)[-1] for name, w in model.named_parameters() if w.requires_grad}
    assert {name for name in free if name in {"b_in", "b_out", "b_Q", "b_U"}} == trained
    assert {"W_E", "W_pos", "W_Q", "W_O", "W_in", "W_U"} <= free


def test_the_bias_of_a_layer_norm_is_a_bias():
    assert not ModelConfig(normalization="LN", biases="none").trains("blocks.0.ln1.b")
    assert ModelConfig(normalization="LN", biases="none").trains("blocks.0.ln1.w")
    assert ModelConfig(normalization="LN", biases="all").trains("ln_final.b")


def random_weights(config: ModelConfig, task: Task, scale: float) -> dict[str, torch.Tensor]:
    """Every parameter, biases too, away from zero."""
    generator = torch.Generator().manual_seed(7)
    return {
        name: scale * torch.randn(shape, generator=generator) for name, shape in weight_shapes(config, task).items()
    }


@pytest.mark.parametrize("summation", ["rows", "products"])
@pytest.mark.parametrize("act_fn", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("outputs", ["vocabulary", "answers"])
@pytest.mark.parametrize(
    ("size", "task"),
    [
        ({}, {"p": 13}),
        (SMALL, {"p": 13}),
        (SMALL, {"p": 11, "operation": "divide", "operator_token": True}),
        ({**SMALL, "n_heads": 1, "d_head": 16}, {"operation": "table", "table": [[0, 8, 1], [2, None, 5]]}),
    ],
)
def test_fast_forward_and_its_gradients_are_the_models(summation, act_fn, outputs, size, task):
    task = Task(TaskConfig(**task))
    config = ModelConfig(act_fn=act_fn, outputs=outputs, biases="all", **size)
    model = hooked_transformer(config, task, random_weights(config, task, scale=0.3))
    chosen = slice(None, None, 2)
    tokens, answers = task.tokens[chosen], torch.from_numpy(task.answers[chosen])

    plain = model(tokens)[:, -1]
    cross_entropy(plain, answers).backward()
    expected = {name: w.grad.clone() for name, w in model.named_parameters()}
    model.zero_grad()
    fast = FastForward(config, dict(model.named_parameters()), summation=summation)
    logits = fast(fast.batch(*(symbols[chosen] for symbols in task.inputs)))
    cross_entropy(logits, answers).backward()

    assert (logits - plain).abs().max() <= 1e-5 * plain.abs().max()
    largest = max(grad.abs().max() for grad in expected.values())
    for name, w in model.named_parameters():
        assert w.grad is not None, name
        assert (w.grad - expected[name]).abs().max() <= 1e-5 * largest, name


@pytest.mark.parametrize("operator_token", [False, True])
def test_fast_activations_are_the_models_own(operator_token):
    task = Task(TaskConfig(p=13, operator_token=operator_token))
    config = ModelConfig(**SMALL, biases="all")
    weights = random_weights(config, task, scale=0.5)
    model = hooked_transformer(config, task, weights)
    with torch.no_grad():
        logits, cache = model.run_with_cache(task.tokens)
    fast = FastForward(config, weights)
    found = fast.activations(fast.batch(*task.inputs))
    for ours, theirs in (
        (found.pattern, cache["blocks.0.attn.hook_pattern"][:, :, -1]),
        (found.neurons, cache["blocks.0.mlp.hook_post"][:, -1]),
        (found.logits, logits[:, -1]),
    ):
        theirs = theirs.detach()
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * float(theirs.abs().max()))


def test_fast_forward_says_what_it_does_not_cover():
    assert not_covered_by_fast_forward(ModelConfig()) is None
    assert not_covered_by_fast_forward(ModelConfig(normalization="LN")) == "normalization LN (it covers none)"
    with pytest.raises(ValueError, match="does not cover this model: 2 layers"):
        FastForward(ModelConfig(n_layers=2), {})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"d_mlp": 0}, r"model\.d_mlp = 0: needs ≥ 1"),
        ({"d_head": 16}, r"model\.n_heads × model\.d_head = 4 × 16 = 64, but model\.d_model = 128: set all three, tog"),
        ({"d_model": 64}, r"model\.d_model = 64: set all three, together; where all are set they need not be equal"),
        ({"act_fn": "relu2"}, r"model\.act_fn = 'relu2': needs one of 'relu', 'gelu', 'gelu_new', 'silu' or 'tanh'"),
        (
            {"normalization": "RMSNorm"},
            r"normalization = 'RMSNorm': needs one of 'none', 'LN', 'LNPre', 'RMS' or 'RMSP",
        ),
        ({"attn_scale": 0}, r"model\.attn_scale = 0: needs > 0"),
        (
            {"architecture": "mlp", "normalization": "LNPre"},
            r"model\.normalization = 'LNPre': a network of architecture 'mlp' has no attention and no normalization; ",
        ),
        ({"d_mpl": 3}, r"model\.d_mpl: unknown key; did you mean model\.d_mlp\?"),
    ],
)
def test_bad_configuration_names_the_users_own_input(values, message):
    with pytest.raises(GrokinterpError, match=message):
        ModelConfig(**values)


@pytest.mark.parametrize("own_tokens", [False, True])
@pytest.mark.parametrize("equals_token", [False, True])
def test_hooks_see_attention_mixed_with_ones(equals_token, own_tokens):
    task = Task(TaskConfig(p=5, equals_token=equals_token, own_tokens_for_b=own_tokens))
    weights = random_weights(ModelConfig(**SMALL), task, scale=0.5)
    patterns = {}
    for rate in (0.0, 0.3, 1.0):
        config = ModelConfig(**SMALL, attention="bidirectional", attention_rate=rate)
        _, cache = hooked_transformer(config, task, weights).run_with_cache(task.tokens)
        patterns[rate] = cache["blocks.0.attn.hook_pattern"]
        z = torch.einsum("nhqk,nkhd->nqhd", patterns[rate], cache["blocks.0.attn.hook_v"])
        torch.testing.assert_close(z, cache["blocks.0.attn.hook_z"])
    assert (patterns[0.0] == 1).all()
    torch.testing.assert_close(patterns[1.0].sum(-1), torch.ones_like(patterns[1.0].sum(-1)))
    assert patterns[1.0][:, :, 0, 1].min() > 0  # a sees b.
    torch.testing.assert_close(patterns[0.3], 0.3 * patterns[1.0] + 0.7)


def test_what_a_network_reads_without_equals_and_with_tokens_of_bs_own():
    task = Task(TaskConfig(p=5, equals_token=False, own_tokens_for_b=True))
    assert (task.tokens[7].tolist(), task.n_tokens, task.positions) == ([1, 5 + 2], 10, ("a", "b"))
    task = Task(TaskConfig(p=5, own_tokens_for_b=True))
    assert (task.tokens[7].tolist(), task.n_tokens) == ([1, 5 + 2, 10], 11)
    assert weight_shapes(ModelConfig(), task)["unembed.W_U"] == (128, 11)
    assert [symbol[7].item() for symbol in task.inputs] == [1, 2]
    assert not_covered_by_fast_forward(ModelConfig(), task) == "tokens of b's own"
    assert not_covered_by_fast_forward(ModelConfig(attention_rate=0.5)) == "attention rate 0.5 (it covers 1)"


def test_the_pizza_scheme_draws_as_its_authors_scale():
    task = Task(TaskConfig(p=59, equals_token=False))
    weights = initial_weights(ModelConfig(initialisation="pizza"), task)
    scales = {name: float(w.std()) for name, w in weights.items() if ".W_" in name}
    assert scales["blocks.0.mlp.W_in"] == pytest.approx(512**-0.5, rel=0.02)
    assert scales["blocks.0.mlp.W_out"] == pytest.approx(128**-0.5, rel=0.02)
    assert scales["unembed.W_U"] == pytest.approx(59**-0.5, rel=0.03)


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("mlp_inputs", ["sum", "concatenation"])
def test_a_network_without_attention_is_its_formula(mlp_inputs, n_layers):
    task = Task(TaskConfig(p=5, equals_token=False, own_tokens_for_b=True))
    config = ModelConfig(
        architecture="mlp", mlp_inputs=mlp_inputs, n_layers=n_layers, d_model=6, d_mlp=8, act_fn="gelu"
    )
    w = random_weights(config, task, scale=0.5)
    a, b = task.inputs
    E_a, E_b = w["embed.W_E"][a], w["embed.W_E"][5 + b]
    h = torch.cat([E_a, E_b], dim=1) if mlp_inputs == "concatenation" else E_a + E_b
    for layer in range(n_layers):
        h = torch.nn.functional.gelu(h @ w[f"blocks.{layer}.mlp.W_in"] + w[f"blocks.{layer}.mlp.b_in"])
    expected = h @ w["unembed.W_U"] + w["unembed.b_U"]
    model = hooked_network(config, task, w)
    logits, cache = model.run_with_cache(task.tokens)
    torch.testing.assert_close(logits[:, -1], expected)
    torch.testing.assert_close(cache[f"blocks.{n_layers - 1}.mlp.hook_post"][:, -1], h)
    torch.testing.assert_close(cache["hook_embed"], torch.stack([E_a, E_b], dim=1))
    assert {name for name, x in model.named_parameters() if not x.requires_grad} == {"unembed.b_U"}
    assert list(dict(model.named_parameters())) == list(weight_shapes(config, task))
