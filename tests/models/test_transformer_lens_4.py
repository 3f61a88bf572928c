"""TransformerLens 3.9 and 4: one network, whichever is installed.

`make test-tl4` sets GROKINTERP_OTHER_PYTHON, the interpreter of an environment with the other version; what the two
compute is compared here.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from network_of_this_version import SIZES

from grokinterp.models import ModelConfig, hooked_transformer, weight_shapes
from grokinterp.tasks import Task, TaskConfig

ROOT = Path(__file__).parents[2]
TASK = Task(TaskConfig(p=7))
IS_4 = version("transformer-lens").startswith("4.")


def random_weights(config: ModelConfig) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    shapes = weight_shapes(config, TASK)
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def written_out(weights: dict[str, torch.Tensor], tokens: torch.Tensor, rate: float) -> dict[str, torch.Tensor]:
    """The activations of one layer with LayerNorm and causal attention, by the formulas."""
    seen: dict[str, torch.Tensor] = {}

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.layer_norm(x, x.shape[-1:], weights[f"{name}.w"], weights[f"{name}.b"])

    seen["hook_embed"] = weights["embed.W_E"][tokens]
    seen["hook_pos_embed"] = weights["pos_embed.W_pos"].expand_as(seen["hook_embed"])
    x = seen["blocks.0.hook_resid_pre"] = seen["hook_embed"] + seen["hook_pos_embed"]
    for letter in "QKV":
        w, b = weights[f"blocks.0.attn.W_{letter}"], weights[f"blocks.0.attn.b_{letter}"]
        projected = torch.einsum("npm,hmd->nphd", norm("blocks.0.ln1", x), w) + b
        seen[f"blocks.0.attn.hook_{letter.lower()}"] = projected
    q, k, v = (seen[f"blocks.0.attn.hook_{letter}"] for letter in "qkv")
    scores = torch.einsum("nqhd,nkhd->nhqk", q, k) / q.shape[-1] ** 0.5
    hidden = torch.ones(scores.shape[-2:]).triu(1).bool()
    seen["blocks.0.attn.hook_attn_scores"] = scores = scores.masked_fill(hidden, -torch.inf)
    seen["blocks.0.attn.hook_pattern"] = pattern = rate * scores.softmax(-1) + 1 - rate
    seen["blocks.0.attn.hook_z"] = z = torch.einsum("nhqk,nkhd->nqhd", pattern, v)
    out = torch.einsum("nqhd,hdm->nqm", z, weights["blocks.0.attn.W_O"]) + weights["blocks.0.attn.b_O"]
    seen["blocks.0.hook_attn_out"] = out
    x = seen["blocks.0.hook_resid_mid"] = x + out
    pre = norm("blocks.0.ln2", x) @ weights["blocks.0.mlp.W_in"] + weights["blocks.0.mlp.b_in"]
    seen |= {"blocks.0.mlp.hook_pre": pre, "blocks.0.mlp.hook_post": pre.tanh()}
    out = pre.tanh() @ weights["blocks.0.mlp.W_out"] + weights["blocks.0.mlp.b_out"]
    seen["blocks.0.hook_mlp_out"] = out
    x = seen["blocks.0.hook_resid_post"] = x + out
    return seen | {"logits": norm("ln_final", x) @ weights["unembed.W_U"] + weights["unembed.b_U"]}


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_activations_are_those_of_the_formulas(rate):
    config = ModelConfig(**SIZES, normalization="LN", biases="all", act_fn="tanh", attention_rate=rate)
    weights = random_weights(config)
    with torch.no_grad():
        logits, cache = hooked_transformer(config, TASK, weights).run_with_cache(TASK.tokens)
    for name, expected in written_out(weights, TASK.tokens, rate).items():
        found = logits if name == "logits" else cache[name]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


def test_parameters_go_by_the_names_and_shapes_of_transformer_lens_3():
    config = ModelConfig(**SIZES, normalization="LN", n_layers=2)
    model = hooked_transformer(config, TASK)
    assert {name: tuple(w.shape) for name, w in model.named_parameters()} == weight_shapes(config, TASK)
    assert [id(w) for w in model.parameters()] == [id(w) for _, w in model.named_parameters()]
    weights = random_weights(config)
    model.load_state_dict(model.state_dict() | weights)  # A HookedTransformer's own has masks too.
    found = model.state_dict()
    assert all(torch.equal(found[name], weights[name]) for name in weights)


@pytest.mark.parametrize("name", ["hook_attn_scores", "hook_pattern", "hook_v", "hook_z"])
def test_what_a_hook_returns_is_what_the_network_goes_on_with(name):
    model = hooked_transformer(ModelConfig(**SIZES), TASK, random_weights(ModelConfig(**SIZES)))

    def halve(value: torch.Tensor, hook: object) -> torch.Tensor:  # noqa: ARG001 (transformer_lens names it)
        return value / 2

    changed = model.run_with_hooks(TASK.tokens, fwd_hooks=[(f"blocks.0.attn.{name}", halve)])
    assert (changed - model(TASK.tokens)).abs().max() > 1e-3


def test_making_a_network_leaves_the_callers_random_state_alone():
    before = torch.get_rng_state()
    hooked_transformer(ModelConfig(**SIZES), TASK)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.skipif(not IS_4, reason="TransformerLens 3.9 has no converter")
@pytest.mark.parametrize("normalization", ["none", "LN"])
def test_the_bridge_is_the_one_of_transformer_lens_own_converter(normalization):
    from transformer_lens import TransformerBridge, TransformerBridgeConfig  # pyright: ignore
    from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint  # pyright: ignore

    config = ModelConfig(**SIZES, normalization=normalization, n_layers=2)
    # A natively booted bridge has no b_U that could be loaded.
    weights = random_weights(config) | {"unembed.b_U": torch.zeros(8)}
    settings = TransformerBridgeConfig(
        **SIZES, n_layers=2, act_fn="relu", normalization_type=None if normalization == "none" else "LN",
        d_vocab=8, d_vocab_out=8, n_ctx=3, init_weights=False, device="cpu",
    )  # fmt: skip
    theirs = TransformerBridge.boot_native(settings)
    theirs.load_state_dict(convert_tl_checkpoint(weights, settings), strict=True)
    with torch.no_grad():
        assert torch.equal(hooked_transformer(config, TASK, weights)(TASK.tokens), theirs(TASK.tokens))


@pytest.fixture(scope="module")
def pythons() -> list[str]:
    """This interpreter, and that of an environment with the other TransformerLens."""
    other = os.environ.get("GROKINTERP_OTHER_PYTHON")
    if not other:
        pytest.skip("no environment with the other TransformerLens: run `make test-tl4`")
    code = "from importlib.metadata import version; print(version('transformer-lens').split('.')[0])"
    majors = {subprocess.check_output([python, "-c", code], text=True).strip() for python in (sys.executable, other)}
    assert majors == {"3", "4"}
    # Absolute, but not resolved: a link to the system's interpreter is what makes it the environment's.
    return [sys.executable, os.path.abspath(other)]  # noqa: PTH100


def run(python: str, *arguments: str | Path) -> None:
    # Sums of one thread are in one order.
    subprocess.run([python, *arguments], check=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_both_versions_compute_and_train_the_same(pythons, tmp_path):
    results = []
    for number, python in enumerate(pythons):
        run(python, ROOT / "tests" / "network_of_this_version.py", tmp_path / f"{number}.pt")
        results.append(torch.load(tmp_path / f"{number}.pt"))
    ours, theirs = (result["computed"] for result in results)
    for variant in ours:
        # Those of a HookedTransformer, which a bridge has beside its own.
        names = ours[variant]["activations"].keys() & theirs[variant]["activations"].keys()
        fewer = min((result[variant]["activations"] for result in (ours, theirs)), key=len)
        assert names == fewer.keys()
        for name in names:
            x, y = (result[variant]["activations"][name] for result in (ours, theirs))
            torch.testing.assert_close(x, y, atol=1e-6, rtol=0, msg=lambda text, at=(variant, name): f"{at}: {text}")
        x, y = (result[variant]["gradients"] for result in (ours, theirs))
        assert list(x) == list(y)
        largest = max(float(gradient.abs().max()) for gradient in x.values())
        assert all((x[name] - y[name]).abs().max() <= 1e-5 * largest for name in x), variant
    for kind, bound in (("fast", 0.0), ("plain", 1e-5)):
        x, y = (result["trained"][kind] for result in results)
        assert list(x) == list(y)
        assert all((x[name] - y[name]).abs().max() <= bound for name in x), kind


def numbers_and_words(value: Any, place: str = "") -> dict[str, Any]:
    """Place in the tree → number, text or nothing."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, item in items for k, v in numbers_and_words(item, f"{place}/{key}").items()}
    return {place: value}


def test_both_versions_write_the_same_report(pythons, tmp_path):
    reports = []
    for number, python in enumerate(pythons):
        out = tmp_path / str(number)
        run(python, "-m", "grokinterp.cli", "analyze", ROOT / "checkpoints" / "nanda-mainline", "--out", out)
        reports.append(numbers_and_words(json.loads((out / "report.json").read_text())))
    ours, theirs = reports
    assert list(ours) == list(theirs)
    for place, x in ours.items():
        y = theirs[place]
        assert x == pytest.approx(y, rel=1e-9, abs=1e-9) if isinstance(x, float) else x == y, place
