"""Networks that people wrote in PyTorch themselves: modules defined here are read back with their own logits."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from grokinterp.errors import GrokinterpError
from grokinterp.runs import import_run

P, D, HEADS, D_MLP = 5, 8, 2, 12


class JoinedAttention(nn.Module):
    """Queries, keys and values in one matrix, as nanoGPT has them, with its mask as a buffer."""

    def __init__(self, conv: bool = False) -> None:
        super().__init__()
        self.c_attn, self.c_proj = linear(conv, D, 3 * D), linear(conv, D, D)
        self.register_buffer("bias", torch.tril(torch.ones(3, 3)).view(1, 1, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in self.c_attn(x).chunk(3, dim=2))
        scores = q @ k.transpose(2, 3) / math.sqrt(D // HEADS)
        n = x.shape[1]
        pattern = scores.masked_fill(self.bias[:, :, :n, :n] == 0, -math.inf).softmax(dim=-1)
        return self.c_proj((pattern @ v).transpose(1, 2).flatten(2))


class Conv1D(nn.Module):
    """GPT-2's linear layer, kept in × out."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(inputs, outputs)), nn.Parameter(torch.empty(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + self.bias


def linear(conv: bool, inputs: int, outputs: int) -> nn.Module:
    return Conv1D(inputs, outputs) if conv else nn.Linear(inputs, outputs)


class GPTBlock(nn.Module):
    def __init__(self, conv: bool) -> None:
        super().__init__()
        self.ln_1, self.attn, self.ln_2 = nn.LayerNorm(D), JoinedAttention(conv), nn.LayerNorm(D)
        self.mlp = nn.ModuleDict({"c_fc": linear(conv, D, D_MLP), "c_proj": linear(conv, D_MLP, D)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](nn.functional.gelu(self.mlp["c_fc"](self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, layers: int = 2, conv: bool = False) -> None:
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(P + 1, D),
                "wpe": nn.Embedding(3, D),
                "h": nn.ModuleList([GPTBlock(conv) for _ in range(layers)]),
                "ln_f": nn.LayerNorm(D),
            }
        )
        self.lm_head = nn.Linear(D, P, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.transformer["wte"](tokens) + self.transformer["wpe"](torch.arange(tokens.shape[1]))
        for block in self.transformer["h"]:
            x = block(x)
        return self.lm_head(self.transformer["ln_f"](x))


class Multihead(nn.Module):
    """torch's own attention in a pre-LayerNorm block, the MLP in a Sequential, positions as a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(P + 1, D)
        self.position_embedding = nn.Parameter(torch.empty(1, 3, D))
        self.norm1, self.norm2, self.norm = nn.LayerNorm(D), nn.LayerNorm(D), nn.LayerNorm(D)
        self.attn = nn.MultiheadAttention(D, HEADS, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(D, D_MLP), nn.ReLU(), nn.Linear(D_MLP, D))
        self.head = nn.Linear(D, P)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.token_embedding(tokens) + self.position_embedding
        y = self.norm1(x)
        x = x + self.attn(y, y, y)[0]
        return self.head(self.norm(x + self.mlp(self.norm2(x))))


class Separate(nn.Module):
    """Square projections in nn.Linear without biases, no norms."""

    def __init__(self) -> None:
        super().__init__()
        self.tok_emb, self.pos_emb = nn.Embedding(P + 1, D), nn.Embedding(3, D)
        self.layers = nn.ModuleList([nn.ModuleDict({"attention": nn.Module(), "ffn": nn.Module()})])
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            self.layers[0]["attention"].add_module(name, nn.Linear(D, D, bias=False))
        self.layers[0]["ffn"].add_module("fc1", nn.Linear(D, D_MLP))
        self.layers[0]["ffn"].add_module("fc2", nn.Linear(D_MLP, D))
        self.fc_out = nn.Linear(D, P)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.tok_emb(tokens) + self.pos_emb(torch.arange(3))
        attention, ffn = self.layers[0]["attention"], self.layers[0]["ffn"]
        q, k, v = (
            getattr(attention, f"{name}_proj")(x).unflatten(2, (HEADS, -1)).transpose(1, 2) for name in ("q", "k", "v")
        )
        z = (q @ k.transpose(2, 3) / math.sqrt(D // HEADS)).softmax(dim=-1) @ v
        x = x + attention.out_proj(z.transpose(1, 2).flatten(2))
        return self.fc_out(x + ffn.fc2(torch.relu(ffn.fc1(x))))


class Bare(nn.Module):
    """Parameters and einsum, heads apart, kept as Nanda's queries or with d_model first."""

    def __init__(self, equation: str) -> None:
        super().__init__()
        self.equation = equation
        shape = {"hid": (3, 4, D), "hdi": (3, D, 4), "dhi": (D, 3, 4)}[equation]
        for name in ("W_Q", "W_K", "W_V"):
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))
        shapes = {"W_E": (P + 1, D), "W_pos": (3, D), "W_O": (3, 4, D), "W_U": (D, P)}
        shapes |= {"W_in": (D, D_MLP), "b_in": (D_MLP,), "W_out": (D_MLP, D), "b_out": (D,)}
        for name, size in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(size)))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.W_E[tokens] + self.W_pos
        q, k, v = (torch.einsum(f"bpd,{self.equation}->bhpi", x, w) for w in (self.W_Q, self.W_K, self.W_V))
        z = (q @ k.transpose(2, 3) / math.sqrt(4)).softmax(dim=-1) @ v
        x = x + torch.einsum("bhpi,hid->bpd", z, self.W_O)
        return (x + torch.relu(x @ self.W_in + self.b_in) @ self.W_out + self.b_out) @ self.W_U


class JoinedMLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(P, D)
        self.fc1, self.fc2, self.fc3 = nn.Linear(2 * D, D_MLP), nn.Linear(D_MLP, D_MLP), nn.Linear(D_MLP, P)

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        x = self.embed(pairs[:, :2]).flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))[:, None]


class TwoEmbeddings(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed_a, self.embed_b = nn.Embedding(P, D), nn.Embedding(P, D)
        self.net = nn.Sequential(nn.Linear(D, D_MLP, bias=False), nn.ReLU(), nn.Linear(D_MLP, P, bias=False))

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        return self.net(self.embed_a(pairs[:, 0]) + self.embed_b(pairs[:, 1]))[:, None]


class OneHot(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.out = nn.Linear(2 * P, D_MLP), nn.Linear(D_MLP, P)

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        x = torch.cat([nn.functional.one_hot(pairs[:, 0], P), nn.functional.one_hot(pairs[:, 1], P)], dim=1)
        return self.out(torch.relu(self.fc1(x.float())))[:, None]


NETWORKS: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "nanoGPT": (GPT, {"n_head": HEADS, "activation": "gelu"}),
    "GPT-2's Conv1D": (lambda: GPT(1, conv=True), {"num_heads": HEADS, "act": "torch.nn.functional.gelu"}),
    "multihead": (Multihead, {"n_heads": HEADS}),
    "separate": (Separate, {"nhead": HEADS, "activation": nn.ReLU}),
    "bare, heads first": (lambda: Bare("hdi"), {}),
    "bare, as Nanda's": (lambda: Bare("hid"), {}),
    "bare, d_model first": (lambda: Bare("dhi"), {}),
    "MLP of joined embeddings": (JoinedMLP, {}),
    "MLP of two embeddings": (TwoEmbeddings, {}),
    "MLP of one-hot inputs": (OneHot, {"activation": "ReLU()"}),
}


def made(kind: str) -> tuple[nn.Module, np.ndarray]:
    """The network with random weights, and its own logits of all pairs."""
    torch.manual_seed(0)
    network = NETWORKS[kind][0]()
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape) / 2)
        a, b = torch.arange(P).repeat_interleave(P), torch.arange(P).repeat(P)
        return network, network(torch.stack([a, b, torch.full_like(a, P)], dim=1))[:, -1].numpy()


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_is_read_with_its_own_logits(tmp_path: Path, kind: str) -> None:
    network, logits = made(kind)
    torch.save({"epoch": 7, "model_state": network.state_dict(), "config": NETWORKS[kind][1]}, tmp_path / "own.pt")
    run = import_run(tmp_path / "own.pt", tmp_path / "run", settings=["task.operation=add"])
    assert (run.provenance["layout"], run.steps, run.task.config.p) == ("pytorch", [7], P)
    np.testing.assert_allclose(run.snapshot().logits, logits, rtol=1e-5, atol=1e-5)
    assert any(note.startswith("Read ") for note in run.provenance["notes"])


def test_configuration_beside_a_compiled_network_is_used(tmp_path: Path) -> None:
    network, logits = made("nanoGPT")
    state = {f"_orig_mod.{name}": x for name, x in network.state_dict().items()}
    torch.save({"model": state, "loss_fn.weight": torch.ones(3)}, tmp_path / "ckpt.pt")
    (tmp_path / "config.json").write_text(json.dumps({"model": {"n_head": HEADS, "hidden_act": "gelu"}}))
    run = import_run(tmp_path / "ckpt.pt", tmp_path / "run", settings=["task.operation=add"])
    np.testing.assert_allclose(run.snapshot().logits, logits, rtol=1e-5, atol=1e-5)


def test_what_the_file_leaves_open_is_asked_for(tmp_path: Path) -> None:
    def read(state: dict[str, torch.Tensor], *settings: str) -> Any:
        torch.save(state, tmp_path / "own.pt")
        name = f"run{len(list(tmp_path.iterdir()))}"
        return import_run(tmp_path / "own.pt", tmp_path / name, settings=["task.operation=add", *settings])

    state = made("nanoGPT")[0].state_dict()
    with pytest.raises(
        GrokinterpError, match=r"c_attn\.weight joins all heads, and nothing says how many there are; name"
    ):
        read(state)
    read(state, f"model.n_heads={HEADS}", "model.act_fn=gelu")
    unmasked = {name: x for name, x in state.items() if not name.endswith("attn.bias")}
    with pytest.raises(
        GrokinterpError, match=r"several layers, and nothing says whether its attention is masked; name"
    ):
        read(unmasked, f"model.n_heads={HEADS}")
    with pytest.raises(
        GrokinterpError, match=r"an MLP on one-hot inputs \(fc1\.weight \(12, 10\), .*--set model\.act_fn"
    ):
        read(made("MLP of one-hot inputs")[0].state_dict())
    with pytest.raises(
        GrokinterpError, match=r"c_attn\.weight joins 24 rows of queries, keys and values, which 3 heads do"
    ):
        read(state, "model.n_heads=3")


def changed(state: dict[str, torch.Tensor], change: str) -> dict[str, torch.Tensor]:
    match change:
        case "gated":
            return state | {"layers.0.ffn.gate_proj.weight": torch.ones(D_MLP, D)}
        case "rotary":
            return state | {"layers.0.attention.rotary_emb.inv_freq": torch.ones(2)}
        case "one norm":
            return state | {"layers.0.norm1.weight": torch.ones(D), "norm.weight": torch.ones(D)}
        case "another part":
            return state | {"layers.0.adapter.down.weight": torch.ones(2, D)}
        case "no positions":
            return {name: x for name, x in state.items() if not name.startswith("pos_emb")}
        case "no output":
            return {name: x for name, x in state.items() if "out_proj" not in name}
    raise AssertionError(change)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("gated", r"its MLP is gated"),
        ("rotary", r"layers\.0\.attention\.rotary_emb\.inv_freq is of rotary positions; learned positions are needed"),
        ("one norm", r"it has norms but lacks a norm before the MLP \(ln2, ln_2\); .*--set model\.normalization=LN"),
        ("another part", r"layers\.0\.adapter\.down\.weight \(2, 8\): no part of the networks here has such a name"),
        ("no positions", r"it lacks positions \(pos, pos_emb\)"),
        ("no output", r"it lacks attention's output \(W_O, W_o\)"),
    ],
)
def test_what_cannot_be_held_is_said(tmp_path: Path, change: str, why: str) -> None:
    torch.save(changed(made("separate")[0].state_dict(), change), tmp_path / "own.pt")
    with pytest.raises(
        GrokinterpError, match=rf"in names of its own \(tok_emb\.weight .*cannot be read: {why}"
    ) as refusal:
        import_run(tmp_path / "own.pt", tmp_path / "run", settings=["task.operation=add", f"model.n_heads={HEADS}"])
    assert "\n" not in str(refusal.value)


def test_torchs_own_encoder_is_refused_unless_its_norm_comes_first(tmp_path: Path) -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.pos_embedding = nn.Embedding(P + 1, D), nn.Embedding(3, D)
            layer = nn.TransformerEncoderLayer(D, HEADS, D_MLP, dropout=0.0, batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 1, norm=nn.LayerNorm(D), enable_nested_tensor=False)
            self.output = nn.Linear(D, P)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.output(self.encoder(self.embedding(tokens) + self.pos_embedding(torch.arange(3))))

    torch.manual_seed(0)
    network = Encoder().eval()
    a, b = torch.arange(P).repeat_interleave(P), torch.arange(P).repeat(P)
    with torch.no_grad():
        logits = network(torch.stack([a, b, torch.full_like(a, P)], dim=1))[:, -1].numpy()
    content = {"model": network.state_dict(), "args": {"nhead": HEADS, "activation": "relu"}}
    torch.save(content, tmp_path / "own.pt")
    with pytest.raises(GrokinterpError, match=r"LayerNorm comes after each part unless norm_first=True; a norm before"):
        import_run(tmp_path / "own.pt", tmp_path / "run", settings=["task.operation=add"])
    (tmp_path / "config.json").write_text('{"norm_first": true}')
    run = import_run(tmp_path / "own.pt", tmp_path / "run", settings=["task.operation=add"])
    np.testing.assert_allclose(run.snapshot().logits, logits, rtol=1e-5, atol=1e-5)
