"""What the rules look at, measured on one network: the judged one, or a null control with the same key irreps."""

from dataclasses import dataclass

import numpy as np

from grokinterp.analysis import (
    HowFar,
    Spectrum,
    answers_given,
    distance_irrelevance,
    embedding_spectrum,
    gradient_symmetricity,
    how_far_of,
    logit_map_spectrum,
    losses_by_pair,
    neuron_irreps,
    share_right,
)
from grokinterp.runs import Snapshot

from ._circles_alone import CircleAlone, circles_alone
from ._replaced import with_averaged_embeddings
from .accounts import Account, Kept, accounts, accounts_without_product, kept_by_layer
from .stages import Stages, find_stages

# All triples where they are fewer; else a sample of so many, whose standard error is below .003.
MOST_TRIPLES, SAMPLED_TRIPLES = 250_000, 20_000
# Below this spread the right answer's logit is the same for all pairs but for rounding, and no share of it is anything.
FLAT = 1e-3


@dataclass(frozen=True, eq=False)
class Measured:
    """One network, taken apart by `keys`.

    `accounts`, `circles` are empty where the task's group has none; the three numbers of clocks and pizzas are NaN
    outside cyclic groups (see `distance_irrelevance`, `gradient_symmetricity`, `with_averaged_embeddings`), and the two
    that compare E_a with E_b also where b counts by its inverse, as in a subtraction. `stages` is None outside cyclic
    groups, and for null controls. `kept` and `even_embedding`, the share of the embedding's variance that is the same
    for x and −x, are of tasks that are no product in a cyclic group; empty and NaN for others.
    """

    keys: tuple[int, ...]
    how_far: HowFar
    train_accuracy: float
    test_accuracy: float
    all_accuracy: float
    loss: float
    clustered_neurons: float
    embedding_in_keys: float
    W_L_in_keys: float
    accounts: dict[str, Account]
    circles: tuple[CircleAlone, ...]
    gradient_symmetricity: float
    triples: int
    distance_irrelevance: float
    averaged_embeddings: float
    stages: Stages | None = None
    kept: tuple[Kept, ...] = ()
    even_embedding: float = float("nan")

    @property
    def clock_share(self) -> float:
        """Σ_k share_k · clockness_k / Σ_k share_k, each clockness between 0 and 1: 1 clock … 0 pizza.

        Over the circles that have an amplitude at equal inputs, and points enough to tell one from the other.
        """
        found = [circle.clockness if circle.has_shape else float("nan") for circle in self.circles]
        return self._weighted([float(np.clip(clockness, 0, 1)) for clockness in found])

    @property
    def works_alone(self) -> float:
        """Σ_k share_k · works_alone_k / Σ_k share_k."""
        return self._weighted([circle.works_alone for circle in self.circles])

    def _weighted(self, values: list[float]) -> float:
        shares, found = np.array([circle.share for circle in self.circles]), np.array(values)
        known = np.isfinite(found)
        weight = float(shares[known].sum()) if len(found) else 0.0
        return float(shares[known] @ found[known]) / weight if weight > 0 else float("nan")


def measure_network(
    snapshot: Snapshot,
    keys: tuple[int, ...],
    *,
    triples: int | None = None,
    with_stages: bool = True,
    only_patterns: bool = False,
) -> Measured:
    """Measure a network; `triples` of the gradient symmetricity: by default all, or 20,000 where there are more.

    `with_stages`: in cyclic groups; null controls do without. `only_patterns`: see `accounts`.
    """
    task, structure = snapshot.task, snapshot.task.structure
    circular = structure is not None and structure.is_cyclic and structure.is_product
    of_squares = structure is not None and structure.is_cyclic and not structure.is_product
    tried: tuple[Account, ...] = ()
    if keys:
        tried = accounts(snapshot, keys, only_patterns=only_patterns)
        if of_squares and not only_patterns:
            tried = accounts_without_product(snapshot, keys)
    found = {account.name: account for account in tried}
    alike = structure is not None and circular and not structure.inverts_b
    shares = found["mixed"].by_irrep if found and circular else {}
    stages = find_stages(snapshot, keys, shares=shares) if shares and with_stages else None
    circles = tuple(one.alone for one in stages.circles) if stages else ()
    if shares and not stages:
        circles = circles_alone(snapshot, shares, shares)
    every = task.n_pairs * task.n_answers
    if triples is None and every > MOST_TRIPLES:
        triples = SAMPLED_TRIPLES
    if triples is not None and triples >= every:
        triples = None
    return Measured(
        keys=keys,
        how_far=how_far_of(snapshot),
        train_accuracy=share_right(answers_given(snapshot), task, "train"),
        test_accuracy=share_right(answers_given(snapshot), task, "test"),
        all_accuracy=share_right(answers_given(snapshot), task, "all"),
        loss=float(losses_by_pair(snapshot).mean()),
        clustered_neurons=_clustered(snapshot, keys) if structure else float("nan"),
        embedding_in_keys=_share(embedding_spectrum(snapshot), keys) if structure else float("nan"),
        W_L_in_keys=_share(logit_map_spectrum(snapshot), keys) if structure else float("nan"),
        accounts=found,
        circles=circles,
        gradient_symmetricity=gradient_symmetricity(snapshot, triples=triples) if alike else float("nan"),
        triples=triples or every,
        distance_irrelevance=_distance_irrelevance(snapshot) if circular else float("nan"),
        averaged_embeddings=with_averaged_embeddings(snapshot).explained if alike else float("nan"),
        stages=stages,
        kept=kept_by_layer(snapshot) if of_squares and with_stages else (),
        even_embedding=_even_embedding(snapshot) if of_squares else float("nan"),
    )


def _clustered(snapshot: Snapshot, keys: tuple[int, ...]) -> float:
    clusters = neuron_irreps(snapshot).clusters()
    return sum(len(members) for irrep, members in clusters.items() if irrep in keys) / snapshot.config.d_mlp


def _even_embedding(snapshot: Snapshot) -> float:
    W_E = snapshot.W_E - snapshot.W_E.mean(axis=0)
    even = (W_E + W_E[-np.arange(len(W_E)) % len(W_E)]) / 2
    total = float((W_E**2).sum())
    return float((even**2).sum()) / total if total else float("nan")


def _share(spectrum: Spectrum, keys: tuple[int, ...]) -> float:
    """Of the squares without the constant, those in the key irreps."""
    squares = spectrum.irrep_norms**2
    total = float(squares[1:].sum())
    return float(squares[list(keys)].sum()) / total if total else 0.0


def _distance_irrelevance(snapshot: Snapshot) -> float:
    """NaN where it is not defined (groups of even order), or where the right logit does not vary."""
    task = snapshot.task
    right = snapshot.logits[np.arange(task.n_pairs), task.answers].astype(np.float64)
    if right.std() <= FLAT * np.abs(snapshot.logits).max(initial=0.0):
        return float("nan")
    # Asked beforehand: an error of the measure itself is no "not defined".
    order = task.structure.n if task.structure else 0
    return distance_irrelevance(snapshot.logits, task) if order >= 3 and order % 2 else float("nan")
