"""Networks with more tokens than their task has: the modulus is what they answer, or it is asked for."""

from pathlib import Path

import pytest
import torch
from test_readings import demo, imported, perfect

from grokinterp.runs import Tensors, import_run
from grokinterp.runs.importers._modulus import modulus_in_name

P = 13


def padded(tokens: int, equals: int = P, operation: str = "add") -> Tensors:
    """The perfect network of `operation` mod 13 with `tokens` tokens and outputs, those of no use small and random."""
    weights, draw = perfect(operation), torch.Generator().manual_seed(0)
    d_model = weights["embed.W_E"].shape[1]
    embedding = 0.01 * torch.randn(tokens, d_model, generator=draw)
    embedding[:P], embedding[equals] = weights["embed.W_E"][:P], weights["embed.W_E"][P]
    outputs = torch.zeros(d_model, tokens)
    outputs[:, :P] = weights["unembed.W_U"][:, :P]
    bias = torch.full((tokens,), -5.0)
    bias[:P] = weights["unembed.b_U"][:P]
    return weights | {"embed.W_E": embedding, "unembed.W_U": outputs, "unembed.b_U": bias}


@pytest.mark.parametrize(("tokens", "operation"), [(15, "add"), (16, "subtract"), (20, "multiply"), (64, "add")])
def test_the_modulus_is_the_one_that_the_network_answers(tmp_path: Path, tokens: int, operation: str):
    run = imported(tmp_path, padded(tokens, operation=operation), (f"task.operation={operation}",))
    assert run.task.config.p == P
    assert run.provenance["measured"]["all"]["accuracy"] == 1.0
    assert run.provenance["notes"][-1].startswith(f"Read with p = {P}: it then answers 100 % of the pairs; as ")
    assert run.provenance["notes"][-1].endswith(f"The same by hand: --set task.p={P}.")
    assert run.provenance["warnings"] == []


def test_in_the_demos_layout_too(tmp_path: Path):
    assert demo(tmp_path, padded(16)).task.config.p == P


def test_a_name_that_states_the_modulus_is_believed_of_a_network_that_answers_less(tmp_path: Path):
    weights = padded(32)
    weights["blocks.0.mlp.b_in"][::2] = -9.0  # Each neuron is of one pair: half of the pairs are not answered.
    torch.save(weights, tmp_path / "grok_p13_seed4.pth")
    run = import_run(tmp_path / "grok_p13_seed4.pth", tmp_path / "run", settings=["task.operation=add"])
    assert run.task.config.p == P
    assert "Read with p = 13, which the file's name states: it then answers" in run.provenance["notes"][-1]


def test_without_a_name_the_modulus_of_such_a_network_is_proposed(tmp_path: Path):
    weights = padded(32)
    weights["blocks.0.mlp.b_in"][::2] = -9.0
    (first, *_) = imported(tmp_path, weights).provenance["warnings"]
    assert first.endswith("Nothing tells which modulus is right; choose one, such as --set task.p=13.")


def test_an_equals_sign_behind_unused_tokens_is_said(tmp_path: Path):
    run = imported(tmp_path, padded(20, equals=19))
    (first, *_) = run.provenance["warnings"]
    assert f"with p = {P} it would answer 100 %, with token 19 as =" in first
    assert f"Move row 19 of its embedding to row {P}" in first


def test_a_modulus_that_the_user_names_is_kept(tmp_path: Path):
    run = imported(tmp_path, padded(16), ("task.operation=add", "task.p=15"))
    assert run.task.config.p == 15


@pytest.mark.parametrize(
    ("name", "p"),
    [
        ("grok_p113_seed4", 113),
        ("mod97-add", 97),
        ("prime=59", 59),
        ("step_100", None),
        ("p7_p11", None),
        ("p0.5", None),
    ],
)
def test_the_modulus_in_a_name(name: str, p: int | None):
    assert modulus_in_name(name) == p
