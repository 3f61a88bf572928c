"""Which activation carries the answer: activations of one pair put into the forward of another.

Activation patching (Vig et al. 2020; Meng et al. 2022) between a clean pair (a, b) and a partner (a', b'). If the
neurons compute a function of the sum and nothing else, those of a partner with the same sum are as good as the pair's
own, and so is any mixture of both; those of a partner with another sum give the partner's answer.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task

from ._last_layer import CHUNK, LastLayer, Logits

Partner = Literal["equal", "unequal"]


@dataclass(frozen=True)
class Patching:
    """What a network answers with an activation of a partner put in. ``pandas.DataFrame(list(patchings))``: a table.

    - `place`: which activation; `nothing` for the pair as it is.
    - `partner`: whether the partner's answer is `equal` to the clean pair's; a' ≠ a and b' ≠ b in both.
    - `n_pairs`: how many clean pairs were tried.
    - `clean`, `partners`, `mixed`, `other`: shares of them in which the network gives the task's answer of (a, b), else
      of (a', b'), else of the mixed pair, (a', b) or (a, b') where an embedding is put in, or else another one. They
      add up to 1; NaN where there was no pair. With equal answers `partners` is 0, all of them being `clean`.
    """

    place: str
    partner: Partner
    n_pairs: int
    clean: float
    partners: float
    mixed: float
    other: float


@dataclass(frozen=True)
class _Place:
    name: str
    neurons: Int[torch.Tensor, " chosen"] | None = None
    mixes: Literal["a", "b"] | None = None


@torch.no_grad()
def patch(snapshot: Snapshot, n: int = 1000, seed: int = 0) -> tuple[Patching, ...]:
    """Put activations of partner pairs into the forwards of `n` random pairs, at the last layer and at the embeddings.

    Places: `embedding of a`, `embedding of b` (before positions are added); at the last position of the last layer
    `attention output`, `residual before MLP` (which is all that comes after attention: the partner's answer, whatever
    the network computes), `neurons`, and `half of the neurons`, drawn at random. A network without attention has
    embeddings and neurons, one with attention and MLP in parallel no residual before the MLP.
    Pairs and partners are drawn uniformly; with n or fewer pairs, all are tried. A pair that has no partner of a
    kind is left out.

    What to expect of a network that knows its task: of equal partners, one that computes a function of the answer in
    its neurons keeps the answer at `neurons` and at `half of the neurons`; one that looks up pairs keeps it at
    `neurons`, but loses some with half of them, which tells the two apart. An embedding alone gives the mixed pair's
    answer in any such network. Of unequal partners, `neurons` give the partner's answer where the skip connection
    around the MLP does not matter.

    Raises `GrokinterpError` if n < 1.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> config, task = ModelConfig(), Task(TaskConfig(p=5))
    >>> found = patch(Snapshot(0, task, config, initial_weights(config, task)), n=10)
    >>> [p.place for p in found if p.partner == "equal"][:3]
    ['nothing', 'embedding of a', 'embedding of b']
    """
    if n < 1:
        raise GrokinterpError(f"n = {n}: needs at least one pair to patch; give n ≥ 1")
    rng, task = np.random.default_rng(seed), snapshot.task
    tried = np.arange(task.n_pairs) if n >= task.n_pairs else rng.choice(task.n_pairs, n, replace=False)
    places = _places(snapshot, rng)
    found = []
    kinds: tuple[Partner, Partner] = ("equal", "unequal")
    for kind in kinds:
        clean, partners = _with_partners(task, tried, kind, rng)
        answers = _patched_answers(snapshot, places, clean, partners)
        mixed = {letter: _mixed_answers(task, clean, partners, letter) for letter in ("a", "b")}
        for name, given in answers.items():
            mixes = next((place.mixes for place in places if place.name == name), None)
            right, theirs = task.answers[clean], task.answers[partners]
            is_clean = given == right
            is_partners = ~is_clean & (given == theirs)
            is_mixed = ~is_clean & ~is_partners & (given == mixed[mixes] if mixes else np.zeros(len(given), bool))
            found.append(
                Patching(
                    place=name,
                    partner=kind,
                    n_pairs=len(clean),
                    clean=_share(is_clean),
                    partners=_share(is_partners),
                    mixed=_share(is_mixed),
                    other=_share(~(is_clean | is_partners | is_mixed)),
                )
            )
    return tuple(found)


def _share(chosen: Bool[np.ndarray, " pair"]) -> float:
    return float(chosen.mean()) if len(chosen) else float("nan")


def _places(snapshot: Snapshot, rng: np.random.Generator) -> list[_Place]:
    config = snapshot.config
    half = np.sort(rng.choice(config.d_mlp, config.d_mlp // 2, replace=False))
    of_attention = []
    if config.architecture == "transformer":
        of_attention.append(_Place("attention output"))
        if not config.parallel_attn_mlp:
            of_attention.append(_Place("residual before MLP"))
    return [
        _Place("embedding of a", mixes="a"),
        _Place("embedding of b", mixes="b"),
        *of_attention,
        _Place("neurons"),
        _Place("half of the neurons", neurons=torch.from_numpy(half)),
    ]


def _with_partners(
    task: Task, tried: Int[np.ndarray, " tried"], kind: Partner, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
    """The pairs that have a partner, and for each one of its partners."""
    (a, b), answers = task.pairs.T, task.answers
    clean, partners = [], []
    for pair in tried:
        fits = (a != a[pair]) & (b != b[pair]) & ((answers == answers[pair]) == (kind == "equal"))
        candidates = np.flatnonzero(fits)
        if len(candidates):
            clean.append(pair)
            partners.append(rng.choice(candidates))
    return np.array(clean, dtype=np.int64), np.array(partners, dtype=np.int64)


def _mixed_answers(
    task: Task, clean: Int[np.ndarray, " pair"], partners: Int[np.ndarray, " pair"], letter: str
) -> Int[np.ndarray, " pair"]:
    """The task's answers of (a', b), or of (a, b'); −1, which no network gives, outside its domain."""
    of_a, of_b = (partners, clean) if letter == "a" else (clean, partners)
    return task.table[task.pairs[of_a, 0], task.pairs[of_b, 1]]


@torch.no_grad()
def _patched_answers(
    snapshot: Snapshot, places: list[_Place], clean: Int[np.ndarray, " pair"], partners: Int[np.ndarray, " pair"]
) -> dict[str, Int[np.ndarray, " pair"]]:
    """What the network answers for each clean pair, by place."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in ("nothing", *(place.name for place in places))}
    for start in range(0, len(clean), CHUNK):
        rows = slice(start, start + CHUNK)
        own, theirs = (LastLayer.of(snapshot, torch.from_numpy(pairs[rows])) for pairs in (clean, partners))
        found["nothing"].append(_answers(own.after_neurons(own.neurons)))
        for place in places:
            if place.mixes:
                logits = _logits_of_mixed(snapshot, place.mixes, clean[rows], partners[rows])
            else:
                logits = _logits_with(place, own, theirs)
            found[place.name].append(_answers(logits))
    nothing = np.empty(0, dtype=np.int64)
    return {name: np.concatenate([nothing, *chunks]) for name, chunks in found.items()}


def _answers(logits: Logits) -> Int[np.ndarray, " pair"]:
    return logits.argmax(dim=-1).numpy()


def _logits_with(place: _Place, own: LastLayer, theirs: LastLayer) -> Logits:
    """The logits of `own` pairs with an activation of `theirs` put in."""
    if place.name == "attention output":
        assert own.resid_pre is not None
        return own.after_attention(own.resid_pre + theirs.attn_out)
    if place.name == "residual before MLP":
        return own.after_attention(theirs.resid_mid)
    if place.neurons is None:
        return own.after_neurons(theirs.neurons)
    patched = own.neurons.clone()
    patched[:, place.neurons] = theirs.neurons[:, place.neurons]
    return own.after_neurons(patched)


def _logits_of_mixed(
    snapshot: Snapshot, letter: str, clean: Int[np.ndarray, " pair"], partners: Int[np.ndarray, " pair"]
) -> Logits:
    """Of (a', b) or (a, b'): an embedding put in, before positions are added, is another token read."""
    of_a, of_b = (partners, clean) if letter == "a" else (clean, partners)
    if fast := snapshot.fast_forward:
        a, b = snapshot.task.inputs
        logits = fast.activations(fast.batch(a[of_a], b[of_b])).logits
    else:
        tokens, place = snapshot.task.tokens[clean], snapshot.task.positions.index(letter)
        tokens[:, place] = snapshot.task.tokens[partners, place]
        logits = snapshot.model(tokens)[:, -1]
    return logits[:, : snapshot.task.n_answers]
