"""What a network needs: its loss without one of its parts, one of its frequencies, or the neurons of one frequency.

A part is replaced on every pair by nothing (`zero`), by its mean over all pairs (`mean`), or by what it puts out on
another pair drawn at random (`resample`, of Chan et al. 2022, "Causal scrubbing", which keeps its distribution). A part
that is needed raises the loss under all three; one that matters by its mean alone, under `zero` only.

A large network (`Snapshot.is_large`) is judged on some pairs, see `Snapshot.some_of`, and so are its means.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import (
    Places,
    answer_component,
    mean_by_answer,
    mean_logits_by_answer,
    mean_neurons_by_answer,
    neuron_irreps,
)
from grokinterp.errors import GrokinterpError
from grokinterp.runs import Snapshot

from ._last_layer import CHUNK, LastLayer, judged

WAYS = ("zero", "mean", "resample")


@dataclass(frozen=True)
class Ablation:
    """A network without something. ``pandas.DataFrame(list(ablations))`` makes a table of several.

    - `part`: what is taken away; `nothing` for the network as it is.
    - `how`: `zero`, `mean` or `resample`; of a frequency, where it is taken away: from the `logits` or the `neurons`.
    - `loss`, `accuracy`: cross-entropy over the answers, in float64, and share of right answers.
    """

    part: str
    how: str
    loss: float
    accuracy: float


@torch.no_grad()
def ablate_parts(snapshot: Snapshot, seed: int = 0, *, layer: int | None = None) -> tuple[Ablation, ...]:
    """Loss and accuracy on all pairs without each part of a layer (by default the last), `nothing` first.

    With r the residual before the layer, A = Σ_h A_h + b_O the attention's output, H the neurons and M = H W_out +
    b_out the MLP's output, the layer computes m = r + A(r) and m + M(m). Replaced are, one at a time,

        attention output   A            neurons       H
        head h             A_h          MLP output    M
        attention skip     r in r + A, not in what attention reads; what follows reads the new m
        MLP skip           m in m + M, not in what the MLP reads

    at every position; where attention and MLP work in parallel, m = r + A(r) + M(r), and there is no MLP skip. In the
    last layer only the last position is read. Means are over all pairs, per position. A network
    without attention has `neurons` alone. In a 1-layer network that reads `=`, r is the same for all pairs there, so
    that `mean` and `resample` of the attention skip change nothing.

    Nanda et al. 2023 publish for their mainline network at step 40,000 a loss of 2.4e-7, 24.3 with attention at zero,
    and 9.1e-7 and 7.3e-7 with the MLP skip at zero and at its mean: the logits come through the MLP. (Their 19.1 for
    "attention skip" is something else than here, where setting r to zero at `=` does little harm.)

    `seed` draws the other pairs of `resample`, the same for every part.

    Raises `GrokinterpError` for a layer that the network does not have.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> config, task = ModelConfig(), Task(TaskConfig(p=5))
    >>> found = ablate_parts(Snapshot(0, task, config, initial_weights(config, task)))
    >>> [a.part for a in found if a.how in ("none", "zero")][:4], len(found)
    (['nothing', 'attention output', 'head 0', 'head 1'], 28)
    """
    n_layers, task = snapshot.config.n_layers, snapshot.task
    chosen = n_layers - 1 if layer is None else layer
    if not 0 <= chosen < n_layers:
        raise GrokinterpError(f"layer = {layer}: the network has {n_layers}; give one from 0 to {n_layers - 1}")
    pairs = snapshot.some_of(np.arange(task.n_pairs))
    some = torch.from_numpy(pairs) if snapshot.is_large else None
    donors, answers = _donors(len(pairs), seed), torch.from_numpy(task.answers[pairs])
    in_last = chosen == n_layers - 1
    ablated = _in_last_layer(snapshot, donors, some) if in_last else _by_hooks(snapshot, chosen, donors, some)
    whole = Ablation("nothing", "none", *judged(torch.from_numpy(snapshot.logits_of(pairs)), answers))
    return (whole, *(Ablation(part, how, *judged(logits, answers)) for part, how, logits in ablated))


def _donors(n_pairs: int, seed: int) -> Int[torch.Tensor, " pair"]:
    """For every pair another one (itself only if it is alone)."""
    steps = np.random.default_rng(seed).integers(1, max(n_pairs, 2), n_pairs)
    return torch.from_numpy((np.arange(n_pairs) + steps) % n_pairs)


def _in_last_layer(
    snapshot: Snapshot, donors: Int[torch.Tensor, " pair"], pairs: Int[torch.Tensor, " pair"] | None = None
) -> Iterator[tuple[str, str, Float[torch.Tensor, "pair answer"]]]:
    """Logits at the last position without each part of the last layer, from its activations there."""
    last = LastLayer.of(snapshot, pairs)

    def instead(how: str, value: torch.Tensor) -> torch.Tensor:
        if how == "resample":
            return value[donors]
        mean = value.mean(dim=0, dtype=torch.float64).float()
        return (mean if how == "mean" else torch.zeros_like(mean)).expand_as(value)

    for how in WAYS:
        if last.resid_pre is None:
            yield "neurons", how, last.after_neurons(instead(how, last.neurons))
            continue
        yield "attention output", how, last.after_attention(last.resid_pre + instead(how, last.attn_out))
        for number in range(snapshot.config.n_heads):
            head = last.head(number)
            yield f"head {number}", how, last.after_attention(last.resid_mid - head + instead(how, head))
        yield "neurons", how, last.after_neurons(instead(how, last.neurons))
        yield "MLP output", how, last.after_mlp(last.resid_mid + instead(how, last.mlp_out))
        yield "attention skip", how, last.after_attention(instead(how, last.resid_pre) + last.attn_out)
        if not last.is_parallel:
            yield "MLP skip", how, last.after_mlp(instead(how, last.resid_mid) + last.mlp_out)


@dataclass(frozen=True)
class _Place:
    """Where a part is: the hook it leaves from, the head, and for a skip the hook of what it is added to.

    There its change is added: what is put in at `hook_resid_mid` itself takes the skip around the MLP with it under
    TransformerLens 3, but not under 4.
    """

    part: str
    hook: str
    head: int | None = None
    added_to: str | None = None


def _places(snapshot: Snapshot, layer: int) -> list[_Place]:
    block = f"blocks.{layer}"
    neurons = _Place("neurons", f"{block}.mlp.hook_post")
    if snapshot.config.architecture == "mlp":
        return [neurons]
    heads = [_Place(f"head {head}", f"{block}.attn.hook_z", head) for head in range(snapshot.config.n_heads)]
    places = [
        _Place("attention output", f"{block}.hook_attn_out"),
        *heads,
        neurons,
        _Place("MLP output", f"{block}.hook_mlp_out"),
        _Place("attention skip", f"{block}.hook_resid_pre", added_to=f"{block}.hook_attn_out"),
    ]
    if not snapshot.config.parallel_attn_mlp:
        places.append(_Place("MLP skip", f"{block}.hook_resid_mid", added_to=f"{block}.hook_mlp_out"))
    return places


def _by_hooks(
    snapshot: Snapshot, layer: int, donors: Int[torch.Tensor, " pair"], pairs: Int[torch.Tensor, " pair"] | None = None
) -> Iterator[tuple[str, str, Float[torch.Tensor, "pair answer"]]]:
    """Logits without each part of any layer: forwards of the whole network, with hooks at every position."""
    model, places = snapshot.model, _places(snapshot, layer)
    tokens = snapshot.task.tokens if pairs is None else snapshot.task.tokens[pairs]
    hooks = sorted({place.hook for place in places})

    def caches(pairs: Int[torch.Tensor, " pair"]) -> Iterator[tuple[torch.Tensor, Any]]:
        for chunk in pairs.split(CHUNK):
            yield chunk, model.run_with_cache(tokens[chunk], names_filter=hooks)[1]

    every = torch.arange(len(tokens))
    means = {hook: torch.zeros(()).double() for hook in hooks}
    for _, cache in caches(every):
        means = {hook: means[hook] + cache[hook].double().sum(dim=0) / len(tokens) for hook in hooks}
    logits: dict[tuple[str, str], list[torch.Tensor]] = {}
    for chunk, (_, cache) in zip(every.split(CHUNK), caches(donors), strict=True):
        for how in WAYS:
            for place in places:
                mean = means[place.hook].float()
                value = {"zero": torch.zeros_like(mean), "mean": mean, "resample": cache[place.hook]}[how]
                found = model.run_with_hooks(tokens[chunk], fwd_hooks=_hooks(place, value))
                logits.setdefault((place.part, how), []).append(found[:, -1, : snapshot.task.n_answers])
    yield from ((part, how, torch.cat(chunks)) for (part, how), chunks in logits.items())


def _hooks(place: _Place, value: torch.Tensor) -> list[Any]:
    """Hooks that put `value` in the place of the part."""
    seen: list[torch.Tensor] = []

    def replace(activation: torch.Tensor, hook: Any) -> torch.Tensor:  # noqa: ARG001
        replaced = activation.clone()
        if place.head is None:
            replaced[:] = value
        else:
            replaced[..., place.head, :] = value[..., place.head, :]
        return replaced

    def remember(activation: torch.Tensor, hook: Any) -> None:  # noqa: ARG001
        seen.append(activation)

    def replace_skip(activation: torch.Tensor, hook: Any) -> torch.Tensor:  # noqa: ARG001
        return activation - seen.pop() + value

    if place.added_to is None:
        return [(place.hook, replace)]
    return [(place.hook, remember), (place.added_to, replace_skip)]


@torch.no_grad()
def ablate_frequencies(snapshot: Snapshot, keys: Iterable[int]) -> tuple[Ablation, ...]:
    """Loss and accuracy without each key frequency, or irrep, and without the neurons that compute with one.

    P_ρ is the projection over the pairs on the functions of the answer that belong to ρ, as in `ProgressMeasures`.

    - `frequency k`, and `key frequencies` together, from the `logits`, L − P_ρ L (the 2-D excluded loss of Nanda et al.
      2023, on all pairs), and from the `neurons`, H − P_ρ H with the skip around the MLP as it is.
    - `other frequencies`: P_ρ of all that are neither key nor trivial. `all but the key frequencies`: everything but
      Σ P_ρ over the keys and the mean over the pairs (of the logits, the restricted loss: published 5.5e-8).
    - `neurons of frequency k`, for every cluster of `neuron_irreps`, and `unclustered neurons`: `zero` and `mean`.
      Nanda et al. publish for the mainline network at step 40,000 the losses 2.0e-4, 4.6e-4, 1.9e-3, 5.2e-3, 2.4e-2
      without one key frequency in the neurons; this `mean` is near them already at step 20,000 (2.1e-4, 7.5e-4, 1.9e-3,
      5.1e-3, 2.3e-2), H − P_ρ H is not (1.1e-3 … 2.8e-2).

    In a group that is not cyclic it is `irrep` and its name. All are on the pairs whose answer is in the group,
    `nothing`, which comes first, too.

    Raises `GrokinterpError` for a task without a group, and for an irrep that it does not have.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> config, task = ModelConfig(), Task(TaskConfig(p=5))
    >>> found = ablate_frequencies(Snapshot(0, task, config, initial_weights(config, task)), [1])
    >>> [a.part for a in found if a.how in ("none", "logits")]
    ['nothing', 'frequency 1', 'key frequencies', 'other frequencies', 'all but the key frequencies']
    """
    places, chosen = Places.of(snapshot.task), tuple(keys)
    structure = places.structure
    names, plural = structure.basis.irrep_names, structure.irrep_words
    structure.require_irreps(chosen)
    pairs = snapshot.some_of(np.flatnonzero(places.element >= 0))
    answers, element = torch.from_numpy(snapshot.task.answers[pairs]), places.element[pairs]
    logits, of_logits_by_answer = snapshot.logits_of(pairs).astype(np.float64), mean_logits_by_answer(snapshot)
    last = LastLayer.of(snapshot, torch.from_numpy(pairs) if snapshot.is_large else None)
    neurons, W_down = last.neurons, last.W_down
    # Where the pairs are in what the layer holds: all pairs, or these alone.
    inside = np.arange(len(pairs)) if snapshot.is_large else pairs
    means = mean_neurons_by_answer(snapshot) if snapshot.is_large else mean_by_answer(neurons.numpy(), places)

    def of_logits(part: str, found: Float[np.ndarray, "chosen answer"]) -> Ablation:
        return Ablation(part, "logits", *judged(torch.from_numpy(found), answers))

    def of_neurons(part: str, how: str, change: Float[torch.Tensor, "pair down"]) -> Ablation:
        return Ablation(part, how, *judged(last.after_change(change)[inside], answers))

    def carried(irreps: Iterable[int]) -> Float[torch.Tensor, "pair down"]:
        """Σ P_ρ H W_down; the projection acts along the answers, W_down along the neurons: a row per answer will do."""
        rows = torch.from_numpy(answer_component(means, irreps, structure)).float() @ W_down
        component = torch.zeros(len(neurons), rows.shape[1])
        component[inside] = rows[element]
        return component

    def called(irrep: int) -> str:
        return f"{structure.irrep_word} {names[irrep]}"

    found = [Ablation("nothing", "none", *judged(torch.from_numpy(logits), answers))]
    others = tuple(irrep for irrep in range(1, len(names)) if irrep not in chosen)
    removed = {called(irrep): (irrep,) for irrep in chosen} | {f"key {plural}": chosen, f"other {plural}": others}
    for part, irreps in removed.items():
        found.append(of_logits(part, logits - answer_component(of_logits_by_answer, irreps, structure)[element]))
        found.append(of_neurons(part, "neurons", -carried(irreps)))
    rest = f"all but the key {plural}"
    kept = answer_component(of_logits_by_answer, chosen, structure) + of_logits_by_answer.mean(axis=0)
    found.append(of_logits(rest, kept[element]))
    mean = torch.from_numpy(means[places.answered].mean(axis=0)).float()
    found.append(of_neurons(rest, "neurons", carried(chosen) - (neurons - mean) @ W_down))

    best = neuron_irreps(snapshot)
    clusters = {f"neurons of {called(irrep)}": members for irrep, members in best.clusters().items()}
    for part, members in (clusters | {"unclustered neurons": best.unclustered()}).items():
        theirs = neurons[:, members]
        centred = theirs - theirs.mean(dim=0, dtype=torch.float64).float()
        found.append(of_neurons(part, "zero", -theirs @ W_down[members]))
        found.append(of_neurons(part, "mean", -centred @ W_down[members]))
    return tuple(found)
