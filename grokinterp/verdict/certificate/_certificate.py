"""A certified lower bound on the share of all inputs that a network answers right, proved with the help of its keys.

In the manner of Gross et al. 2024 (arXiv 2406.11779): the better the keys describe the neuron-logit map, the shorter
the proof and the higher the bound. With φ(ab) the neurons and u(ab) what attention writes directly, the logits are
φ W_L + u. The keys say W_L ≈ W Q, with the key frequencies' cosines and sines (the key irreps' entries) of c in the
rows of Q. With E = W_L − W Q, any T(ab) = f(a) + g(b) + h(answer) and x = φ − T, for the answer s and every other c

    logit_s − logit_c = (φW)(Q_s − Q_c) + [TE + u]_s − [TE + u]_c + x(E_s − E_c),   |x(E_s − E_c)| ≤ ‖x‖ ‖E_s − E_c‖.

Four proofs, each from the one before: `idealised by answer` and `idealised` put α_k (cos w_k s, sin w_k s) in the place
of φW and bound what that changes, for all pairs of an answer at once or pair by pair; `projected` is the line above;
`refined` takes leading singular directions of E to the exact side for pairs that are still without proof. See
docs/certificate.md for the derivation.

What is proved is the read-out: every neuron is evaluated on every input, however it comes about, so a look-up table is
proved as well as a circuit, and no proof here is a test of how the network computes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from grokinterp.analysis import find_keys
from grokinterp.errors import NotApplicable
from grokinterp.models import FastForward, hooked_network, not_covered_by_fast_forward
from grokinterp.runs import FAST_CHUNK, Snapshot
from grokinterp.tasks import Structure, Task

from ._certificate_words import certificate_words
from ._float32 import Float32Bound
from ._margin_bounds import Block, Explanation
from ._table_forward import Count, TableForward

# Neurons' activations, or logits (float64), held at a time.
_BLOCK = 2**23


@dataclass(frozen=True)
class Proof:
    """One way to bound the accuracy from below.

    - `lower_bound`: the share of all inputs it proves right.
    - `multiplications`: what checking it takes, from the weights on; divisions, roots and exponentials count as one.
    - `directions`: functions of c that it evaluates exactly for a pair, the keys' first; all n would be brute force.
    """

    name: str
    lower_bound: float
    multiplications: int
    directions: int


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is proved of a network's answers on all inputs of its task.

    The network is the function that exact arithmetic computes from the stored weights, over the task's answers (the
    logit of `=` takes no part). Where two logits are closer than float32 rounds, a float32 evaluation may answer
    otherwise; `certified_float32` are the pairs whose margin is proved to be larger than that, see `Float32Bound`.
    Nothing here says how the network computes: a look-up table is proved too.

    - `keys`: the key irreps that W_L is described by, for a cyclic group frequencies.
    - `proofs`: `idealised by answer`, `idealised`, `projected` and, where that leaves pairs without proof, `refined`;
      none without keys.
    - `certified`: per pair, whether the last proof proves it right, in exact arithmetic.
    - `certified_float32`: per pair, whether it is proved right in any float32 evaluation.
    - `margins`: per answer, the proved bound on the least margin of its pairs (logit of the answer − largest other
      logit); `idealised_margins`: by `idealised`. NaN for an answer without pairs.
    - `accuracy`: measured in float64, by brute force with another implementation.
    - `accuracy_float32`: measured of the network as it runs, `Snapshot.logits`.
    - `overturned`: how many pairs that are certified in exact arithmetic are answered wrong by the network as it runs.
    - `brute_force`: multiplications of evaluating all logits from the same tables.
    - `amplitudes`: α_k of the idealised logits α_k e_k(s)·e_k(c), e_k the orthonormal functions of the key.
    - `rounding`: the largest slack taken off a margin for the rounding of this evaluation.
    - `rounding_float32`: the most that a float32 evaluation may move a margin; infinite where it may overflow.
    - `says`: a sentence for the report.
    """

    keys: tuple[int, ...]
    proofs: tuple[Proof, ...]
    certified: Bool[np.ndarray, " pair"]
    certified_float32: Bool[np.ndarray, " pair"]
    margins: Float[np.ndarray, " answer"]
    idealised_margins: Float[np.ndarray, " answer"]
    accuracy: float
    accuracy_float32: float
    overturned: int
    brute_force: int
    amplitudes: tuple[float, ...]
    rounding: float
    rounding_float32: float
    says: str

    @property
    def lower_bound(self) -> float:
        """The share of the inputs that exact arithmetic is proved to answer right, by all directions that were used."""
        return float(self.certified.mean())

    @property
    def lower_bound_float32(self) -> float:
        """The share of the inputs that any float32 evaluation is proved to answer right."""
        return float(self.certified_float32.mean())

    @property
    def explained_bound(self) -> float:
        """The share that `projected` proves: with no directions but those of the keys."""
        return max((proof.lower_bound for proof in self.proofs if proof.name != "refined"), default=0.0)

    @property
    def chance(self) -> float:
        """The accuracy of guessing, 1/n."""
        return 1 / len(self.margins)

    @property
    def is_vacuous(self) -> bool:
        """Whether no more is proved than guessing gives."""
        return not self.lower_bound > self.chance

    @property
    def multiplications(self) -> int:
        """Those of the last proof, which the bound is from."""
        return self.proofs[-1].multiplications if self.proofs else 0

    @property
    def ratio(self) -> float:
        """Multiplications of the last proof / of brute force; NaN without a proof."""
        return self.multiplications / self.brute_force if self.proofs else float("nan")


def certify(snapshot: Snapshot, keys: Sequence[int] | None = None) -> Certificate:
    """Prove a lower bound on the accuracy over all inputs with the help of the key frequencies or irreps.

    **Arguments:**

    - `keys`: which describe W_L; by default `find_keys(snapshot).chosen`. Finding them reads all logits; what is
      counted is the checking of a proof whose keys are given. Wrong keys give a low bound, never a wrong one.

    **Raises:** `NotApplicable` for more than one layer, a normalization, attention and MLP in parallel, and a task
    without a known group; GrokinterpError for keys that the group does not have. Without keys there is nothing to prove
    anything with: the certificate is vacuous.

    Gross et al. 2024, arXiv 2406.11779; for groups Wu et al. 2024, arXiv 2410.07476.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(n_heads=1, d_head=4, d_model=4, d_mlp=8)
    >>> certificate = certify(Snapshot(0, task, config, initial_weights(config, task)), keys=(1, 2))
    >>> certificate.lower_bound <= certificate.accuracy
    True
    """
    structure = _structure_in_reach(snapshot)
    chosen = find_keys(snapshot).chosen if keys is None else tuple(sorted(set(keys)))
    with np.errstate(all="ignore"):  # Infinite weights prove nothing: their bound on rounding is not finite either.
        found = _prove(snapshot, structure, chosen) if chosen else _without_keys(snapshot)
    return replace(found, says=certificate_words(found, structure, snapshot.task))


def _structure_in_reach(snapshot: Snapshot) -> Structure:
    config, structure = snapshot.config, snapshot.task.structure
    need = "a certificate needs one layer, no normalization and a task in a known group"
    if config.n_layers != 1:
        raise NotApplicable(f"model.n_layers = {config.n_layers}: {need}; certify a network of one layer")
    if config.normalization != "none":
        raise NotApplicable(f"model.normalization = {config.normalization!r}: {need}; train one with 'none'")
    if config.parallel_attn_mlp:
        raise NotApplicable(
            "model.parallel_attn_mlp = true: a certificate needs an MLP that reads what attention puts out; certify one"
        )
    if config.architecture == "transformer" and snapshot.task.positions[-1] == "a":
        raise NotApplicable(
            f"a network that reads {' '.join(snapshot.task.positions)}: a certificate needs b or = at the last "
            "position; certify a network with another order of the tokens"
        )
    if structure is None:
        raise NotApplicable(f"{snapshot.task.name}: {need}; certify a network on residues or on a group")
    return structure


def _without_keys(snapshot: Snapshot) -> Certificate:
    unknown = np.full(snapshot.task.n_answers, np.nan)
    nothing = np.zeros(snapshot.task.n_pairs, dtype=bool)
    return Certificate(
        keys=(),
        proofs=(),
        certified=nothing,
        certified_float32=nothing,
        margins=unknown,
        idealised_margins=unknown,
        accuracy=brute_force_accuracy(snapshot),
        accuracy_float32=float(_answered_right(snapshot).mean()),
        overturned=0,
        brute_force=0,
        amplitudes=(),
        rounding=0.0,
        rounding_float32=0.0,
        says="",
    )


def _prove(snapshot: Snapshot, structure: Structure, keys: tuple[int, ...]) -> Certificate:
    task, forward = snapshot.task, TableForward.of(snapshot)
    shared, brute = Count(forward.multiplications), Count(forward.multiplications)
    by_class, by_pair, projected, refined = Count(), Count(), Count(), Count()
    explanation, float32 = Explanation(forward.W_L, structure, keys, shared), Float32Bound.of(snapshot, forward)
    lower, ideal, moved, amplitudes, used, rounding = [], [], [], (), 0, 0.0
    for a in _blocks(snapshot):
        block = Block.of(forward, explanation, a, shared, brute)
        if not len(block.answers):
            continue
        # Any amplitudes give a bound, so those of the first block serve all.
        amplitudes = amplitudes or block.amplitudes(by_pair)
        ideal.append([block.idealised(amplitudes, of, by_answer=of is by_class) for of in (by_class, by_pair)])
        bounds, logits, slack = block.projected(projected)
        better, directions, slack_refined = block.refined(bounds, logits, refined)
        lower.append((bounds, better))
        moved.append(float32.of_margins(a, block.answers))
        used, rounding = max(used, directions), max(rounding, slack, slack_refined)
    by_projection, by_refinement = (np.concatenate(of) for of in zip(*lower, strict=True))
    of_class, of_pair = (np.concatenate(of) for of in zip(*ideal, strict=True))
    by_float32, certified, right = np.concatenate(moved), by_refinement > 0, _answered_right(snapshot)
    q = len(explanation.Q)
    proofs = [
        Proof("idealised by answer", _share(of_class), shared.total + by_class.total, q),
        Proof("idealised", _share(of_pair), shared.total + by_pair.total, q),
        Proof("projected", _share(by_projection), shared.total + projected.total, q),
    ]
    if used:
        total = shared.total + projected.total + refined.total
        proofs.append(Proof("refined", _share(by_refinement), total, q + used))
    return Certificate(
        keys=keys,
        proofs=tuple(proofs),
        certified=certified,
        certified_float32=by_refinement > by_float32,
        margins=_least_by_answer(by_refinement, task),
        idealised_margins=_least_by_answer(of_pair, task),
        accuracy=brute_force_accuracy(snapshot),
        accuracy_float32=float(right.mean()),
        overturned=int((certified & ~right).sum()),
        brute_force=brute.total,
        amplitudes=amplitudes,
        rounding=rounding,
        rounding_float32=float(by_float32.max()),
        says="",
    )


def _blocks(snapshot: Snapshot) -> Iterator[slice]:
    n_a, n_b = snapshot.task.table.shape
    rows = max(1, _BLOCK // (n_b * max(snapshot.config.d_mlp, snapshot.task.n_answers)))
    return (slice(first, min(first + rows, n_a)) for first in range(0, n_a, rows))


def _share(lower: Float[np.ndarray, " pair"]) -> float:
    return float((lower > 0).mean())


def _least_by_answer(lower: Float[np.ndarray, " pair"], task: Task) -> Float[np.ndarray, " answer"]:
    least = np.full(task.n_answers, np.inf)
    np.minimum.at(least, task.answers, lower)
    return np.where(np.bincount(task.answers, minlength=task.n_answers) > 0, least, np.nan)


@torch.no_grad()
def brute_force_accuracy(snapshot: Snapshot) -> float:
    """The share of all inputs whose answer has the largest logit, every logit evaluated in float64."""
    task, right = snapshot.task, 0
    if not_covered_by_fast_forward(snapshot.config, task) is None:
        fast = FastForward(snapshot.config, {name: weight.double() for name, weight in snapshot.weights.items()})

        def logits(chosen: torch.Tensor) -> torch.Tensor:
            return fast.activations(fast.batch(*(symbols[chosen] for symbols in task.inputs))).logits
    else:
        model = torch.nn.Module.double(hooked_network(snapshot.config, task, snapshot.weights))

        def logits(chosen: torch.Tensor) -> torch.Tensor:
            return model(task.tokens[chosen])[:, -1]

    for chosen in torch.arange(task.n_pairs).split(2048):
        answered = logits(chosen)[:, : task.n_answers].argmax(dim=1)
        right += int((answered == torch.from_numpy(task.answers)[chosen]).sum())
    return right / task.n_pairs


def _answered_right(snapshot: Snapshot) -> Bool[np.ndarray, " pair"]:
    """Of the network as it runs, in float32; an undefined logit is no answer."""
    right = np.empty(snapshot.task.n_pairs, dtype=bool)
    for start in range(0, len(right), FAST_CHUNK):
        pairs = np.arange(start, min(start + FAST_CHUNK, len(right)))
        logits = snapshot.logits_of(pairs)
        right[pairs] = (logits.argmax(axis=1) == snapshot.task.answers[pairs]) & ~np.isnan(logits).any(axis=1)
    return right
