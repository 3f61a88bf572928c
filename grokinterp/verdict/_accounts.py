"""The accounts a verdict chooses between, each scored by the network that is replaced by it.

In a cyclic group (`_amplitudes`): the logits as Σ_k g_k(i − j) cos(w_k(s − c)) with the amplitudes of clocks, of
pizzas, or of both. In other groups: the logits as a sum of characters, and the neurons seeing irreps or cosets
(`_group_accounts`).
"""

import math
from dataclasses import dataclass

import numpy as np

from grokinterp.analysis import Places, character_component, decompose_logits, losses_by_row, mean_by_answer
from grokinterp.runs import Snapshot

from ._amplitudes import PatternFit, fit_patterns
from ._group_accounts import GroupAccount, coset_account, irrep_account


@dataclass(frozen=True)
class Account:
    """How well one account stands in for the network.

    - `explained`: the fraction of the variance of the centred logits that it gives, over the pairs in the group; for
      accounts of the neurons see `GroupAccount`.
    - `loss`, `accuracy`: of the network replaced by it; `loss_recovered` = (ln n − loss) / (ln n − the network's loss),
      1 if nothing is lost, 0 for a uniform guess.
    - `by_irrep`: the share of each key frequency or irrep in `explained`, where they add up.
    - `numbers`: how many numbers describe a neuron's input, for accounts of the neurons.
    """

    name: str
    says: str
    explained: float
    loss: float
    accuracy: float
    loss_recovered: float
    by_irrep: dict[int, float]
    numbers: float | None = None
    subgroups: tuple[tuple[int, int], ...] = ()


SAYS = {
    "clock": "logits are Σ_k α_k cos(w_k({answer} − c)), the same for all pairs with one answer",
    "pizza": "logits are Σ_k (α_k |cos(w_k d/2)| − β_k cos(w_k d)) cos(w_k({answer} − c)), d the inputs' distance",
    "mixed": "logits are cosines of {answer} − c whose amplitudes are a clock's and a pizza's together",
    "lookup": "logits single out the answer and say nothing else",
    "characters": "logits are a sum of characters χ(ab c⁻¹) of the key irreps",
    "irrep": "neurons see a and b through the key irreps alone",
    "coset": "neurons see of a and b only their cosets, each neuron those of two subgroups",
}


def accounts(snapshot: Snapshot, keys: tuple[int, ...]) -> tuple[Account, ...]:
    """Every account there is for the task's group; none where the answer is no product of a's and b's elements."""
    places = Places.of(snapshot.task)
    if not places.structure.is_product:
        return ()
    if places.structure.is_cyclic:
        fits = fit_patterns(snapshot.logits, places, keys)
        return (*(_of_pattern(snapshot, places, *fit) for fit in fits.items()), _of_lookup(snapshot, places))
    found = [_of_characters(snapshot, places, keys), _of_neurons("irrep", snapshot, irrep_account(snapshot, keys))]
    cosets = coset_account(snapshot)
    return (*found, _of_neurons("coset", snapshot, cosets)) if cosets else tuple(found)


def _of_pattern(snapshot: Snapshot, places: Places, kind: str, fit: PatternFit) -> Account:
    loss, accuracy, recovered = _in_group(snapshot, places, fit.logits.reshape(-1, places.structure.n))
    says = SAYS[kind].format(answer=places.structure.combination)
    return Account(kind, says, fit.explained, loss, accuracy, recovered, fit.by_freq)


def _of_lookup(snapshot: Snapshot, places: Places) -> Account:
    """L = α [c = answer], α by least squares: a table, which is a clock of all frequencies at once."""
    structure = places.structure
    own = snapshot.logits[places.grid.reshape(-1)][:, structure.outputs].astype(np.float64)
    own -= own.mean(axis=1, keepdims=True)
    table = np.eye(structure.n)[structure.group.table.reshape(-1)] - 1 / structure.n
    alpha = float((own * table).sum() / (table**2).sum())
    total = float((own**2).sum())
    explained = min(1.0, alpha**2 * float((table**2).sum()) / total) if total else 0.0
    loss, accuracy, recovered = _in_group(snapshot, places, alpha * table)
    return Account("lookup", SAYS["lookup"], explained, loss, accuracy, recovered, {})


def _of_characters(snapshot: Snapshot, places: Places, keys: tuple[int, ...]) -> Account:
    decomposition, structure = decompose_logits(snapshot.logits, places, keys), places.structure
    component = character_component(mean_by_answer(snapshot.logits, places), keys, structure)[:, structure.outputs]
    loss, accuracy, recovered = _in_group(snapshot, places, component[structure.group.table.reshape(-1)])
    by_irrep = {irrep: float(decomposition.share[irrep]) for irrep in keys}
    return Account(
        "characters", SAYS["characters"], decomposition.variance_explained, loss, accuracy, recovered, by_irrep
    )


def _in_group(snapshot: Snapshot, places: Places, logits: np.ndarray) -> tuple[float, float, float]:
    """Loss, accuracy and loss recovered of logits over the pairs and answers of the group, by their elements."""
    structure = places.structure
    answers = structure.group.table.reshape(-1)
    loss = float(losses_by_row(logits, answers).mean())
    own = snapshot.logits[places.grid.reshape(-1)][:, structure.outputs]
    return (
        loss,
        float((logits.argmax(axis=1) == answers).mean()),
        recovered(loss, float(losses_by_row(own, answers).mean()), structure.n),
    )


def _of_neurons(name: str, snapshot: Snapshot, account: GroupAccount) -> Account:
    task = snapshot.task
    own = float(losses_by_row(snapshot.logits, task.answers).mean())
    return Account(
        name,
        SAYS[name],
        account.explained,
        account.loss,
        account.accuracy,
        recovered(account.loss, own, task.n_answers),
        {},
        account.numbers,
        account.subgroups,
    )


def recovered(loss: float, own_loss: float, n: int) -> float:
    """(ln n − loss) / (ln n − own loss): how much of what the network knows beyond a uniform guess is left."""
    known = math.log(n) - own_loss
    return (math.log(n) - loss) / known if known > 0 else float("nan")
