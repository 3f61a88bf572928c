"""Networks that live in somebody's own program, under names of their own."""

import math
import re

import pytest
import torch
from torch import nn

import grokinterp
from grokinterp.analysis import find_circuit, find_keys, measure, neuron_irreps
from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, hooked_network, initial_weights
from grokinterp.runs import snapshot
from grokinterp.tasks import Task, TaskConfig

P = 11
PAIRS = Task(TaskConfig(p=P, equals_token=False))
WITH_EQUALS = Task(TaskConfig(p=P))


class Mlp(nn.Module):
    """Embeddings, added or one after the other, and two linear layers."""

    def __init__(self, act=torch.relu, joined=False, tokens=P):
        super().__init__()
        self.act, self.joined = act, joined
        self.embedding = nn.Embedding(tokens, 24)
        self.hidden = nn.Linear(48 if joined else 24, 32)
        self.head = nn.Linear(32, P, bias=False)

    def forward(self, tokens):
        x = self.embedding(tokens)
        return self.head(self.act(self.hidden(x.flatten(1) if self.joined else x.sum(dim=1))))


class Transformer(nn.Module):
    """One layer, pre-norm or without, logits at all positions."""

    def __init__(self, heads=4, norm=False, scale=None, tokens=P + 1):
        super().__init__()
        width = 32
        self.heads, self.scale = heads, scale or math.sqrt(width // heads)
        self.token_embedding = nn.Embedding(tokens, width)
        self.position_embedding = nn.Parameter(torch.randn(3, width) / 6)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, nn.Linear(width, width, bias=False))
        self.fc1, self.fc2 = nn.Linear(width, 64), nn.Linear(64, width)
        self.norm = (lambda x: (x - x.mean(-1, keepdim=True)) / x.std(-1, correction=0, keepdim=True)) if norm else None
        self.unembedding = nn.Linear(width, tokens, bias=False)

    def read(self, x):
        return self.norm(x) if self.norm else x

    def forward(self, tokens):
        x = self.token_embedding(tokens) + self.position_embedding
        read = self.read(x)
        q, k, v = (
            layer(read).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        scores = (q @ k.transpose(2, 3) / self.scale).masked_fill(torch.ones(3, 3).triu(1).bool(), float("-inf"))
        x = x + self.o_proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        x = x + self.fc2(torch.relu(self.fc1(self.read(x))))
        return self.unembedding(self.read(x))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def own(model, task, position=None):
    logits = model(task.tokens)
    return (logits if position is None else logits[:, position])[:, : task.n_answers].detach()


@pytest.mark.parametrize(
    ("act", "name"), [(torch.relu, "relu"), (nn.functional.gelu, "gelu"), (torch.tanh, "tanh"), (nn.SiLU(), "silu")]
)
@pytest.mark.parametrize("joined", [False, True])
def test_an_mlp_is_read_and_its_activation_found(act, name, joined):
    model = Mlp(act, joined)
    found = snapshot(model, PAIRS, step=7)
    assert (found.step, found.config.act_fn) == (7, name)
    assert found.config.mlp_inputs == ("concatenation" if joined else "sum")
    torch.testing.assert_close(torch.from_numpy(found.logits), own(model, PAIRS), atol=1e-5, rtol=1e-5)
    hidden = model.embedding(PAIRS.tokens)
    neurons = act(model.hidden(hidden.flatten(1) if joined else hidden.sum(dim=1))).detach()
    torch.testing.assert_close(torch.from_numpy(found.neurons), neurons, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "config"),
    [
        ({}, {"normalization": "none", "attn_scale": None}),
        ({"norm": True}, {"normalization": "LNPre"}),
        ({"scale": 1.0}, {"attn_scale": 1.0}),
        ({"norm": True, "scale": 1.0}, {"normalization": "LNPre", "attn_scale": 1.0}),
    ],
    ids=str,
)
def test_what_no_parameter_of_a_transformer_tells_is_found_by_its_logits(given, config):
    model = Transformer(**given)
    found = snapshot(model, WITH_EQUALS, settings=["model.n_heads=4"])
    assert {name: getattr(found.config, name) for name in config} == config
    torch.testing.assert_close(torch.from_numpy(found.logits), own(model, WITH_EQUALS, -1), atol=1e-4, rtol=1e-4)


def test_every_analysis_takes_it(tmp_path):
    found = snapshot(Mlp(), PAIRS)
    keys = find_keys(found)
    row, _ = measure(found, (1, 2))
    assert row["restricted_loss"] > 0
    assert find_circuit(found, keys).keys == keys.chosen
    assert len(neuron_irreps(found).share) == 32
    verdict = grokinterp.find_verdict(found)
    assert verdict.label == "not generalised"
    grokinterp.write_verdict(verdict, tmp_path)
    assert (tmp_path / "verdict.html").exists()


@pytest.mark.parametrize("kind", [{}, {"normalization": "LN"}, {"act_fn": "gelu", "n_layers": 2}], ids=str)
def test_a_hooked_transformer_is_read_by_its_cfg(kind):
    config = ModelConfig(d_model=32, n_heads=2, d_head=16, d_mlp=40, **kind)
    model = hooked_network(config, WITH_EQUALS, initial_weights(config, WITH_EQUALS))
    found = snapshot(model, WITH_EQUALS)
    for name in ("n_layers", "n_heads", "normalization", "act_fn", "d_mlp"):
        assert getattr(found.config, name) == getattr(config, name), name
    torch.testing.assert_close(torch.from_numpy(found.logits), own(model, WITH_EQUALS, -1), atol=1e-4, rtol=1e-4)


def test_the_model_is_left_as_it_was_and_its_weights_are_copied():
    model = Mlp().train()
    model.hidden.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = snapshot(model, PAIRS)
    assert [model.training, model.hidden.training, model.head.training] == [True, False, True]
    logits = found.logits.copy()
    with torch.no_grad():
        model.head.weight.zero_()
    assert (found.logits == logits).all()
    assert (found.weights["unembed.W_U"] != 0).any()
    for name, value in before.items():
        assert name == "head.weight" or torch.equal(model.state_dict()[name], value)


def test_names_of_your_own_are_named():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.first, self.second = nn.Embedding(P, 24), nn.Linear(24, 32), nn.Linear(32, P)

        def forward(self, a, b):
            return self.second(torch.relu(self.first(self.table(a) + self.table(b))))

    model, (a, b) = Odd(), PAIRS.inputs
    found = snapshot(model, PAIRS, inputs=(a, b), names={"table.weight": "embed.weight"})
    torch.testing.assert_close(torch.from_numpy(found.logits), model(a, b).detach(), atol=1e-5, rtol=1e-5)
    with pytest.raises(GrokinterpError, match=r"names: the model has no parameter tabel; it has table\.weight, first"):
        snapshot(model, PAIRS, inputs=(a, b), names={"tabel": "embed.weight"})


def test_one_hot_inputs_and_other_precisions():
    class OneHot(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(2 * P, 32), nn.Linear(32, P)

        def forward(self, x):
            return self.fc2(nn.functional.gelu(self.fc1(x)))

    a, b = PAIRS.inputs
    hot = torch.cat([nn.functional.one_hot(one, P) for one in (a, b)], dim=1).float()
    model, task = OneHot(), Task(TaskConfig(p=P, equals_token=False, own_tokens_for_b=True))
    found = snapshot(model, task, inputs=hot)
    assert found.config.act_fn == "gelu"
    torch.testing.assert_close(torch.from_numpy(found.logits), model(hot).detach(), atol=1e-5, rtol=1e-5)
    for dtype in (torch.float64, torch.bfloat16):
        assert snapshot(Mlp(nn.functional.gelu).to(dtype), PAIRS).config.act_fn == "gelu"


class Product(Mlp):
    def forward(self, tokens):
        a, b = self.embedding(tokens).unbind(dim=1)
        return self.head(self.act(self.hidden(a * b)))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(P, 8), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, P)

    def forward(self, tokens):
        return self.head(self.lstm(self.embedding(tokens))[0][:, -1])


@pytest.mark.parametrize(
    ("model", "task", "settings", "says"),
    [
        (Product, PAIRS, (), "architecture mlp, but its logits on (a + b) mod 11 are others than the model's ("),
        (Lstm, PAIRS, (), "lstm.weight_ih_l0 is of a recurrent layer (RNN, LSTM or GRU)"),
        (
            Mlp,
            WITH_EQUALS,
            (),
            "the model raised IndexError (index out of range in self) on task.tokens; (a + b) mod 11",
        ),
        (
            Mlp,
            Task(TaskConfig(p=P - 2, equals_token=False)),
            (),
            "embed.W_E has shape (11, 24), needs (9, 24); give the",
        ),
        (
            Mlp,
            PAIRS,
            ["task.p=7"],
            "settings: task.p is the task's, which is given; leave it out, or give another task",
        ),
        (
            lambda: Mlp().forward,
            PAIRS,
            (),
            "the model is of type method, which has no parameters to read: give a torch",
        ),
        (
            Transformer,
            WITH_EQUALS,
            (),
            'nothing says how many there are; name them, such as settings=["model.n_heads=4"]',
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(model, task, settings, says):
    with pytest.raises(GrokinterpError, match=re.escape(says)) as raised:
        snapshot(model(), task, settings=settings)
    assert "\n" not in str(raised.value)


def test_logits_of_another_shape_are_refused():
    says = r"the model's logits have the shape \(121, 11\); \(a \+ b\) mod 13 needs a row for each of 169 pairs and 13"
    with pytest.raises(GrokinterpError, match=says):
        snapshot(Mlp(), Task(TaskConfig(p=13, equals_token=False)), inputs=PAIRS.tokens)
