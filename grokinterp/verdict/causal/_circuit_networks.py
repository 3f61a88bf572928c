"""How networks of both families bring a circle to their logits, measured for `_paths`."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import Places
from grokinterp.models import ACTIVATIONS, normalized
from grokinterp.runs import Snapshot

from ._circle_account import centred, component
from ._circuit import CircuitPath, read_edges, share_of
from ._last_layer import CHUNK, LastLayer, cached
from ._predictions import OPPOSITE

# Pairs on which earlier layers of deep networks are changed, each with its forwards.
CHANGED_PAIRS = 1024
Residual = Float[torch.Tensor, "pair width"]


@dataclass(frozen=True)
class _Circle:
    """A frequency over the pairs of Z_n in the order of `Places.grid`: its functions, and the amplitude as a map.

    - `functions`: orthonormal in the mean over the pairs: of a, of b, of a + b, and the other products.
    - `target`: ⟨x, target[s]⟩ · scale is what a pair with sum s gets of the cosine from an addition x to what is read.
    """

    freq: int
    n: int
    functions: Float[torch.Tensor, "pair function"]
    of: tuple[str, ...]
    target: Float[torch.Tensor, "n width"]

    @classmethod
    def of_readers(cls, freq: int, n: int, readers: Float[torch.Tensor, "width n"]) -> "_Circle":
        w, x = 2 * np.pi * freq / n, np.arange(n)
        a, b = (values.reshape(-1) for values in np.indices((n, n)))
        named = {
            "a": [np.cos(w * a), np.sin(w * a)],
            "b": [np.cos(w * b), np.sin(w * b)],
            "a + b": [np.cos(w * (a + b)), np.sin(w * (a + b))],
            "a − b": [np.cos(w * (a - b)), np.sin(w * (a - b))],
        }
        columns = [(name, one) for name, ones in named.items() for one in ones if one.std() > 1e-9]
        functions = np.stack([one / np.sqrt((one**2).mean()) for _, one in columns], axis=1)
        # Where 2a is 0 for all a, or 3 and so on, functions of a and of a − b may be the same.
        functions, triangle = np.linalg.qr(functions)
        kept = np.abs(np.diag(triangle)) > 1e-9 * n
        norm = n if 2 * freq == n else n / 2
        waves = torch.from_numpy(np.cos(w * (x[:, None] - x)) / norm)
        names = tuple(name for (name, _), keep in zip(columns, kept, strict=True) if keep)
        return cls(freq, n, torch.from_numpy(functions[:, kept] * n), names, waves @ readers.T.double())

    def inside(self, values: Float[torch.Tensor, "pair width"]) -> Float[torch.Tensor, "function width"]:
        """Coefficients of the circle's functions."""
        return self.functions.to(values.dtype).T @ values / len(values)

    def size(self, values: Float[torch.Tensor, "pair width"], name: str) -> float:
        """Root mean square length of what is a function of `name` at this frequency."""
        rows = [place for place, of in enumerate(self.of) if of == name]
        return float(self.inside(values)[rows].double().square().sum().sqrt())


@dataclass(frozen=True, eq=False)
class _Network:
    """What both families share: the pairs in the order of the group, and how the logits read the circle."""

    snapshot: Snapshot
    pairs: Int[torch.Tensor, " pair"]
    sums: Int[torch.Tensor, " pair"]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Any:
        places = Places.of(snapshot.task)
        i, j = np.indices(places.grid.shape)
        sums = torch.from_numpy((i + j).reshape(-1) % places.structure.n)
        return cls(snapshot, torch.from_numpy(places.grid.reshape(-1)), sums)

    @property
    def n(self) -> int:
        return math.isqrt(len(self.pairs))

    @cached_property
    def scale(self) -> Float[torch.Tensor, " pair"]:
        return torch.ones(len(self.pairs))

    @cached_property
    def readers(self) -> Float[torch.Tensor, "width n"]:
        """W_U for the answers of the group, behind what the final normalization does beside scaling."""
        outputs = torch.from_numpy(Places.of(self.snapshot.task).structure.outputs)
        W_U = self.snapshot.weights["unembed.W_U"][:, outputs].detach()
        w = self.snapshot.weights.get("ln_final.w")
        W_U = W_U if w is None else w.detach()[:, None] * W_U
        return W_U - W_U.mean(dim=0) if self.snapshot.config.normalization in ("LN", "LNPre") else W_U

    def by_sum(self, values: Float[torch.Tensor, "pair width"]) -> Float[torch.Tensor, "n width"]:
        """Means over the pairs of each sum, scaled."""
        total = torch.zeros(self.n, values.shape[1], dtype=torch.float64)
        return total.index_add_(0, self.sums, (values * self.scale[:, None]).double()) / self.n

    def circle(self, freq: int) -> _Circle:
        return _Circle.of_readers(freq, self.n, self.readers)

    def paths(self, freq: int) -> Iterator[CircuitPath]:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class MlpPaths(_Network):
    """A network without attention: what each layer has is what the next one gets."""

    def paths(self, freq: int) -> Iterator[CircuitPath]:
        circle, config, task = self.circle(freq), self.snapshot.config, self.snapshot.task
        names = ["MLP"] if config.n_layers == 1 else [f"MLP {layer}" for layer in range(config.n_layers)]
        W_in, W_E = self.snapshot.weights["blocks.0.mlp.W_in"], self.snapshot.weights["embed.W_E"]
        joined = config.mlp_inputs == "concatenation"
        rows = W_in.split(config.d_model) if joined else (W_in,) * len(task.positions)
        sizes = {}
        for name in ("a", "b"):
            at = task.positions.index(name)
            sizes[name] = circle.size(W_E[task.tokens[self.pairs, at]] @ rows[at], name)
        yield from read_edges(freq, {(name, names[0]): size for name, size in sizes.items()})
        neurons = torch.from_numpy(self.snapshot.neurons)[self.pairs]
        amount = float((self.by_sum(neurons) * circle.target).sum() / self.n)
        for source, target in pairwise(names):
            yield CircuitPath(freq, "carries", source, target, amount, 1.0)
        yield CircuitPath(freq, "writes", names[-1], "logits", amount, 1.0)


@dataclass(frozen=True, eq=False)
class TransformerPaths(_Network):
    """A network with attention, at its last position."""

    @cached_property
    def _names(self) -> dict[str, tuple[str, int | None]]:
        """Hook and head of every part that adds to the residual, by its node's name."""
        config = self.snapshot.config
        found: dict[str, tuple[str, int | None]] = {"embedding": ("blocks.0.hook_resid_pre", None)}
        for layer in range(config.n_layers):
            for head in range(config.n_heads):
                found[self._head(layer, head)] = (f"blocks.{layer}.attn.hook_z", head)
            found[self._mlp(layer)] = (f"blocks.{layer}.hook_mlp_out", None)
        return found

    def _head(self, layer: int, head: int) -> str:
        return f"head {head}" if self.snapshot.config.n_layers == 1 else f"head {layer}.{head}"

    def _mlp(self, layer: int) -> str:
        return "MLP" if self.snapshot.config.n_layers == 1 else f"MLP {layer}"

    @cached_property
    def _layer(self) -> LastLayer:
        return LastLayer.of(self.snapshot)

    @property
    def _resid_pre(self) -> Residual:
        """Of the last layer."""
        assert self._layer.resid_pre is not None
        return self._layer.resid_pre

    @cached_property
    def _everywhere(self) -> dict[str, Float[torch.Tensor, "pair pos ..."]]:
        """The activations behind all hooks at all positions, of networks of several layers."""
        hooks = sorted({hook for hook, _ in self._names.values()})
        return dict(zip(hooks, cached(self.snapshot, hooks, self.snapshot.task.tokens[self.pairs]), strict=True))

    @cached_property
    def parts(self) -> dict[str, Residual]:
        """What every part adds to the residual at the last position.

        Biases b_O, the same for all pairs, matter only where a normalization scales them.
        """
        found, weights = {}, self.snapshot.weights
        for name, (hook, head) in self._names.items():
            if self.snapshot.config.n_layers > 1:
                value = self._everywhere[hook][:, -1]
                value = value if head is None else value[:, head] @ weights[hook.replace("hook_z", "W_O")][head]
            elif head is not None:
                value = self._layer.head(head)[self.pairs]
            else:
                value = (self._resid_pre if name == "embedding" else self._layer.mlp_out)[self.pairs]
            found[name] = value
        layers = range(self.snapshot.config.n_layers)
        b_O = torch.stack([weights[f"blocks.{layer}.attn.b_O"] for layer in layers]).sum(dim=0)
        if self.snapshot.config.normalization != "none" and bool(b_O.any()):
            found["biases"] = b_O.expand(len(self.pairs), -1)
        return found

    @cached_property
    def scale(self) -> Float[torch.Tensor, " pair"]:
        """1 over the final normalization's divisor."""
        config = self.snapshot.config
        if config.normalization == "none":
            return torch.ones(len(self.pairs))
        resid = (self._layer.resid_mid + self._layer.mlp_out)[self.pairs]
        if config.normalization in ("LN", "LNPre"):
            resid = resid - resid.mean(dim=1, keepdim=True)
        return (resid.square().mean(dim=1) + config.eps).rsqrt()

    def paths(self, freq: int) -> Iterator[CircuitPath]:
        circle = self.circle(freq)
        written = {name: float((means * circle.target).sum() / self.n) for name, means in self._means.items()}
        amplitude = sum(written.values())
        sizes = {}
        for name in written:
            if name == "embedding" or name.startswith("head"):
                sizes |= {(source, name): circle.size(self.parts[name], source) for source in ("a", "b", "a + b")}
        yield from read_edges(freq, sizes)
        for source, target, amount in self._carried(circle, written):
            yield CircuitPath(freq, "carries", source, target, amount, share_of(amount, amplitude))
        for name, amount in written.items():
            yield CircuitPath(freq, "writes", name, "logits", amount, share_of(amount, amplitude))
        there = _opposite(self.n, freq)
        whole = _at(self._amplitudes(freq)[""], there)
        for name, by_distance in self._amplitudes(freq).items():
            if name:
                amount = whole - _at(by_distance, there)
                yield CircuitPath(freq, "fills", name, "logits", amount, share_of(amount, amplitude))

    @cached_property
    def _means(self) -> dict[str, Float[torch.Tensor, "n width"]]:
        return {name: self.by_sum(part) for name, part in self.parts.items()}

    def _carried(self, circle: _Circle, written: Mapping[str, float]) -> Iterator[tuple[str, str, float]]:
        """Source, target and amount: to the last MLP by its inputs, from earlier layers by running on."""
        last = self.snapshot.config.n_layers - 1
        if last:
            for name, (hook, head) in self._names.items():
                if name != "embedding" and not hook.startswith(self.snapshot.last_block):
                    yield name, "later layers", self._lost(circle, hook, head) - written[name]
        before = "earlier layers" if last else "embedding"
        yield before, self._mlp(last), self._not_read(circle, self._resid_pre[self.pairs])
        # In parallel with attention, the neurons get nothing of this layer's heads.
        for head in range(0 if self._layer.is_parallel else self.snapshot.config.n_heads):
            name = self._head(last, head)
            yield name, self._mlp(last), self._not_read(circle, self.parts[name])

    def _not_read(self, circle: _Circle, value: Residual) -> float:
        """How much less of the circle the last MLP writes if its neurons do not get it from `value`."""
        inside = circle.inside(value)
        # Nothing but rounding, as at `=` before a first layer.
        if float(inside.abs().max()) <= 1e-6 * float(value.abs().max()):
            return 0.0
        layer, functions = self._layer, circle.functions.float()
        act = ACTIVATIONS[self.snapshot.config.act_fn].of
        to_circle = (circle.target @ layer.weight("mlp.W_out").double().T).float()
        total = 0.0
        # In pieces that stay in the processor's cache.
        for rows in torch.arange(len(self.pairs)).split(CHUNK):
            lost = layer.neurons[self.pairs[rows]] - act(self._pre_without(functions[rows], inside, rows))
            of_pair = (lost * to_circle[self.sums[rows]]).sum(dim=1) * self.scale[rows]
            total += float(of_pair.sum(dtype=torch.float64))
        return total / len(self.pairs)

    def _pre_without(
        self,
        functions: Float[torch.Tensor, "chosen function"],
        inside: Float[torch.Tensor, "function d_model"],
        rows: Int[torch.Tensor, " chosen"],
    ) -> Float[torch.Tensor, "chosen d_mlp"]:
        """The last neurons' input if what they read lacks functions · inside."""
        layer, config = self._layer, self.snapshot.config
        if config.normalization == "none":
            return layer.pre[self.pairs[rows]] - functions @ (inside @ layer.weight("mlp.W_in"))
        resid = (self._resid_pre if layer.is_parallel else layer.resid_mid)[self.pairs[rows]]
        read = normalized(config, self.snapshot.weights, f"{self.snapshot.last_block}.ln2", resid - functions @ inside)
        return torch.addmm(layer.weight("mlp.b_in"), read, layer.weight("mlp.W_in"))

    @cached_property
    def _sample(self) -> Int[torch.Tensor, " chosen"]:
        """Rows of `pairs` on which earlier layers are changed: all, or a fixed sample."""
        every = len(self.pairs)
        if every <= CHANGED_PAIRS:
            return torch.arange(every)
        return torch.from_numpy(np.sort(np.random.default_rng(0).choice(every, CHANGED_PAIRS, replace=False)))

    def _lost(self, circle: _Circle, hook: str, head: int | None) -> float:
        """How much F_k falls if circle k is taken out of an output at all positions and the network runs on."""
        activations = self._everywhere[hook]
        values = activations if head is None else activations[:, :, head]
        inside = torch.einsum("pf,pqd->qfd", circle.functions.float(), values) / len(values)
        gone = torch.einsum("pf,qfd->pqd", circle.functions[self._sample].float(), inside)

        def remove(activation: torch.Tensor, hook: Any, rows: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
            changed = activation.clone()
            (changed if head is None else changed[:, :, head])[:] -= gone[rows]
            return changed

        return self._amplitude_of_sample(circle.freq, None) - self._amplitude_of_sample(circle.freq, (hook, remove))

    def _amplitude_of_sample(self, freq: int, change: tuple[str, Callable[..., torch.Tensor]] | None) -> float:
        chosen = self.pairs[self._sample]
        outputs, found = torch.from_numpy(Places.of(self.snapshot.task).structure.outputs), []
        for rows in torch.arange(len(chosen)).split(CHUNK):
            hooks: list[Any] = [(change[0], partial(change[1], rows=rows))] if change else []
            found.append(self.snapshot.model.run_with_hooks(self.snapshot.task.tokens[chosen[rows]], fwd_hooks=hooks))
        logits = torch.cat(found)[:, -1][:, outputs].double()
        offs = self.sums[self._sample][:, None] - torch.arange(self.n)
        waves = torch.cos(2 * np.pi * freq / self.n * offs.double()) / (self.n if 2 * freq == self.n else self.n / 2)
        return float((logits * waves).sum(dim=1).mean())

    def _amplitudes(self, freq: int) -> dict[str, Float[np.ndarray, " n"]]:
        """f_k(d) of the network as it is, by the name "", and with every head's attention held at its mean."""
        return {name: np.real(component(grid, freq)).mean(axis=1) for name, grid in self._held.items()}

    @cached_property
    def _held(self) -> dict[str, Float[np.ndarray, "n n n"]]:
        found = {"": centred(self.snapshot)}
        for layer in range(self.snapshot.config.n_layers):
            mean = self._mean_pattern(layer)
            for head in range(self.snapshot.config.n_heads):
                found[self._head(layer, head)] = centred(self.snapshot, self._logits_held(layer, head, mean[head]))
        return found

    def _logits_held(
        self, layer: int, head: int, mean: Float[torch.Tensor, "query pos"]
    ) -> Float[np.ndarray, "pair answer"]:
        if self.snapshot.config.n_layers == 1:
            return self._layer.after_attention(self._layer.resid_mid + self._moved(head, mean[-1])).numpy()

        def hold(activation: torch.Tensor, hook: Any) -> torch.Tensor:  # noqa: ARG001
            held = activation.clone()
            held[:, head] = mean
            return held

        hooks: list[Any] = [(f"blocks.{layer}.attn.hook_pattern", hold)]
        chunks = self.snapshot.task.tokens.split(CHUNK)
        logits = torch.cat([self.snapshot.model.run_with_hooks(chunk, fwd_hooks=hooks)[:, -1] for chunk in chunks])
        return logits[:, : self.snapshot.task.n_answers].numpy()

    def _mean_pattern(self, layer: int) -> Float[torch.Tensor, "head query pos"]:
        if self.snapshot.config.n_layers == 1:
            return torch.from_numpy(self.snapshot.pattern).mean(dim=0, dtype=torch.float64).float()[:, None]
        (pattern,) = cached(self.snapshot, [f"blocks.{layer}.attn.hook_pattern"], self.snapshot.task.tokens)
        return pattern.mean(dim=0)

    def _moved(self, head: int, held: Float[torch.Tensor, " pos"]) -> Residual:
        """What the output of a head of the only layer changes by with its attention held: values are rows of tables."""
        weights, tokens, block = self.snapshot.weights, self.snapshot.task.tokens, self.snapshot.last_block
        out = torch.zeros(())
        for position, share in enumerate(held):
            symbols, rows = torch.unique(tokens[:, position], return_inverse=True)
            resid = weights["embed.W_E"][symbols] + weights["pos_embed.W_pos"][position]
            read = normalized(self.snapshot.config, weights, f"{block}.ln1", resid)
            values = read @ weights[f"{block}.attn.W_V"][head] + weights[f"{block}.attn.b_V"][head]
            out = out + share * (values @ weights[f"{block}.attn.W_O"][head])[rows]
        return out - self._layer.head(head)


def _opposite(n: int, freq: int) -> np.ndarray:
    """Whether the points of a distance lie opposite on the circle, or as nearly as there are."""
    half = np.abs(np.cos(np.pi * freq * np.arange(n) / n))
    return half <= max(OPPOSITE, half.min() + 1e-9)


def _at(by_distance: Float[np.ndarray, " n"], chosen: np.ndarray) -> float:
    return float(by_distance[chosen].mean())
