"""The accounts a verdict chooses between, each scored by the network that is replaced by it.

In a cyclic group: the logits as Σ_k g_k(i − j) cos(w_k(s − c)) with the amplitudes of clocks, of pizzas, or of both
(`_amplitudes`); the logits as a function of the answer, however it is read out (`_read_out`); neurons that see one
frequency each (`_simple_neurons`). In other groups: the logits as a sum of characters, and the neurons seeing irreps or
cosets (`_group_accounts`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from grokinterp.analysis import (
    Places,
    character_component,
    largest_logits,
    logit_decomposition,
    losses_by_pair,
    losses_by_row,
    mean_logits_by_answer,
)
from grokinterp.runs import Snapshot
from grokinterp.wording import share_of_account

from ._amplitudes import PatternFit, fit_patterns
from ._group_accounts import GroupAccount, coset_account, irrep_account
from ._meeting import Meeting, meetings
from ._quadrature import integral_account, quadrature_of
from ._read_out import ReadOut, average_over_sums, read_out, restricted
from ._residues import is_prime, residues
from ._scored import InGroup, Scores, recovered
from ._simple_neurons import NUMBERS, NeuronAccount, neuron_accounts
from ._squares import square_accounts


@dataclass(frozen=True)
class Account:
    """How well one account stands in for the network.

    - `explained`: the fraction of the variance of the centred logits that it gives, over the pairs in the group; for
      accounts of the neurons see `GroupAccount`. `share_name` is what it is called.
    - `loss`, `accuracy`: of the network replaced by it; `loss_recovered` = (ln n − loss) / (ln n − the network's loss):
      0 for a uniform guess, 1 for the network's own loss, more for a lower loss than the network's.
    - `by_irrep`: the share of each key frequency or irrep in `explained`, where they add up.
    - `numbers`: how many numbers describe a neuron's input, for accounts of the neurons, where n² would describe any.
    - `subgroups`: as of `GroupAccount`.
    - `parameters`: how many numbers the account's logits are made of, for accounts of the logits.
    - `parts`: named shares of the variance of the logits that the account tells apart.
    - `is_explanation`: False for what would give any network's answers: a table of them, or more than n²/2 numbers.
    - `source`: who proposed it.
    - `tempered`: `loss_recovered` with the logits of network and account made smaller where the network is surer than
      right, by the factor of its least loss, so that their scale does not matter; None if it was not measured.
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
    parameters: int | None = None
    parts: dict[str, float] = field(default_factory=dict)
    is_explanation: bool = True
    source: str = ""
    tempered: float | None = None

    @property
    def share_name(self) -> str:
        """What `explained` is called: not every account's is the same quantity (`grokinterp.wording.QUANTITIES`)."""
        return share_of_account(self.name)


SAYS = {
    "clock": "logits are Σ_k α_k cos(w_k({answer} − c)), the same for all pairs with one answer",
    "pizza": "logits are Σ_k (α_k |cos(w_k d/2)| − β_k cos(w_k d)) cos(w_k({answer} − c)), d the inputs' distance",
    "mixed": "logits are cosines of {answer} − c whose amplitudes are a clock's and a pizza's together",
    "restricted": "logits are read from circles of {answer} by circles or ellipses of c, one for each frequency, and a "
    "mean per answer",
    "read_out": "logits are read from circles of {answer} by any curves over the answers c",
    "sum": "logits are the same for all pairs with one answer, in n² numbers: it says what is forgotten, no more",
    "chinese_remainder": "each neuron sees cos(w_f a + φ) + cos(w_f b + φ′), one frequency f, and neurons vote",
    "neurons_add": "each neuron sees a function of a and one of b, at one frequency and its double, added",
    "neurons_multiply": "each neuron sees a and b at one frequency and its double, products included",
    "quadrature": "neurons sum up an integral over the phases of a circle, so that their weights say the amplitudes at "
    "every distance, without a fit",
    "cosets": "logits depend on {answer} and c only modulo divisors of the group's order",
    "lookup": "logits single out the answer and say nothing else",
    "characters": "logits are a sum of characters χ(ab c⁻¹) of the key irreps",
    "irrep": "neurons see a and b through the key irreps alone",
    "coset": "neurons see of a and b only their cosets, each neuron those of two subgroups",
    "even": "neurons see of a and b only what is the same for x and −x",
    "squares": "each neuron sees cos(w_f a² + φ) + cos(w_f b² + φ′), one frequency f, and neurons vote",
    "products": "each neuron sees a² and b² at one frequency, products included",
    "norm": "neurons see a function of a − ωb and one of a − ω²b, of which the answer is the product",
    "characters_of_squares": "neurons see of a and b only whether they are zero, squares or neither",
}
_CLOCK_AND_PIZZA = "Zhong et al. 2023, arXiv 2306.17844"
SOURCES = {
    "clock": "Nanda et al. 2023, arXiv 2301.05217",
    "pizza": _CLOCK_AND_PIZZA,
    "mixed": _CLOCK_AND_PIZZA,
    "chinese_remainder": "McCracken et al. 2025, arXiv 2505.18266",
    "quadrature": "Yip et al. 2024, arXiv 2412.03773",
    "cosets": "Stander et al. 2024, arXiv 2312.06581",
    "characters": "Chughtai et al. 2023, arXiv 2302.03025",
    "irrep": "Chughtai et al. 2023, arXiv 2302.03025",
    "coset": "Stander et al. 2024, arXiv 2312.06581",
}
# More of n² numbers make a table of any logits.
MOST_NUMBERS = 0.5
# Of a neuron in a quadrature: its frequency, phase and size, the secondary's size, the constant, and what it writes.
NUMBERS_OF_QUADRATURE = 6.0


def accounts(snapshot: Snapshot, keys: tuple[int, ...], *, only_patterns: bool = False) -> tuple[Account, ...]:
    """Every account there is for the task's group; none where the answer is no product of a's and b's elements.

    `only_patterns`: of a cyclic group clock, pizza and mixed alone, which are those that null controls are compared by.
    """
    places = Places.of(snapshot.task)
    if not places.structure.is_product:
        return ()
    if places.structure.is_cyclic:
        patterns = _of_patterns(snapshot, keys)
        return patterns if only_patterns else (*patterns, *_of_cyclic(snapshot, keys))
    found = [_of_characters(snapshot, places, keys), _of_neurons("irrep", snapshot, irrep_account(snapshot, keys))]
    cosets = coset_account(snapshot)
    return (*found, _of_neurons("coset", snapshot, cosets)) if cosets else tuple(found)


def _of_patterns(snapshot: Snapshot, keys: tuple[int, ...]) -> tuple[Account, ...]:
    group = InGroup.of(snapshot)
    return tuple(_of_pattern(group, *fit) for fit in fit_patterns(snapshot, keys).items())


def _of_cyclic(snapshot: Snapshot, keys: tuple[int, ...]) -> tuple[Account, ...]:
    group = InGroup.of(snapshot)
    met: Iterable[Meeting] = meetings(snapshot, group)
    found = _of_answer(group, keys)
    if snapshot.config.n_layers == 1:
        (only,) = met = tuple(met)
        integrals = integral_account(group, quadrature_of(only, keys))
        found.append(replace(_account("quadrature", group, integrals), numbers=NUMBERS_OF_QUADRATURE))
    found += [_of_simple_neurons(group, one) for one in neuron_accounts(met, group).values()]
    if not is_prime(group.n):
        found += _of_cosets(snapshot, group)
    return (*found, _of_lookup(group))


def accounts_without_product(snapshot: Snapshot, keys: tuple[int, ...]) -> tuple[Account, ...]:
    """Accounts of a task such as a² + b² mod p, whose answers lie in Z_p and are no sum there; else none.

    How the answer is read out, as in `accounts`; and what its neurons see of a and of b (`_squares`). Keys are those of
    the answer, from `find_keys`.
    """
    places = Places.of(snapshot.task)
    if places.structure.is_product or not places.structure.is_cyclic:
        return ()
    group = InGroup.of(snapshot)
    neurons = [
        replace(
            _account(one.name, group, one.scores), numbers=one.numbers, is_explanation=_are_few(one.numbers, group.n)
        )
        for one in square_accounts(snapshot, group)
    ]
    return (*_of_answer(group, keys), *neurons, _of_lookup(group))


def _are_few(numbers: float | int, n: int) -> bool:
    return numbers <= MOST_NUMBERS * n**2


def _of_answer(group: InGroup, keys: tuple[int, ...]) -> list[Account]:
    found = {
        "restricted": restricted(group, keys),
        "read_out": read_out(group),
        "sum": average_over_sums(group, keys),
    }
    return [_of_read_out(name, group, one) for name, one in found.items()]


def _of_cosets(snapshot: Snapshot, group: InGroup) -> list[Account]:
    by_residues, neurons, found = residues(group), coset_account(snapshot), []
    if by_residues:
        account = _account("cosets", group, by_residues.scores)
        found.append(replace(account, parameters=by_residues.parameters, parts=by_residues.parts))
    if neurons:
        few = _are_few(neurons.numbers, group.n)
        found.append(replace(_of_neurons("coset", snapshot, neurons), is_explanation=few))
    return found


def _account(name: str, group: InGroup, scores: Scores) -> Account:
    return Account(
        name,
        SAYS[name].format(answer=group.places.structure.combination),
        scores.explained,
        scores.loss,
        scores.accuracy,
        scores.loss_recovered,
        by_irrep={},
        source=SOURCES.get(name, ""),
        tempered=scores.tempered,
    )


def _of_pattern(group: InGroup, kind: str, fit: PatternFit) -> Account:
    scores = group.of_distances(fit.table, fit.explained)
    return replace(_account(kind, group, scores), by_irrep=fit.by_freq, parameters=fit.parameters)


def _of_read_out(name: str, group: InGroup, found: ReadOut) -> Account:
    few = _are_few(found.parameters, group.n)
    account = _account(name, group, found.scores)
    return replace(account, parameters=found.parameters, parts=found.parts, is_explanation=few)


def _of_simple_neurons(group: InGroup, found: NeuronAccount) -> Account:
    few = _are_few(NUMBERS[found.kind], group.n)
    return replace(_account(found.kind, group, found.scores), numbers=float(NUMBERS[found.kind]), is_explanation=few)


def _of_lookup(group: InGroup) -> Account:
    """L = α [c = answer], α by least squares: a table of n² answers, which is a clock of all frequencies at once."""
    table = np.eye(group.n) - 1 / group.n
    counts = group.weights * group.places.counts
    alpha = float(counts @ (group.by_answer * table).sum(axis=1) / (counts @ (table**2).sum(axis=1)))
    scores = group.of_table(alpha * table)
    return replace(_account("lookup", group, scores), parameters=group.n**2, is_explanation=False)


def _of_characters(snapshot: Snapshot, places: Places, keys: tuple[int, ...]) -> Account:
    structure, group, decomposition = places.structure, InGroup.of(snapshot), logit_decomposition(snapshot, keys)
    component = character_component(mean_logits_by_answer(snapshot), keys, structure)[:, structure.outputs]
    # A row per answer stands for all pairs: each answer has as many.
    answers = np.arange(structure.n)
    loss, right = float(losses_by_row(component, answers).mean()), largest_logits(component) == answers
    has_every_answer = structure.n == snapshot.task.n_answers
    own = float(losses_by_pair(snapshot)[places.grid].mean()) if has_every_answer else group.own_loss
    scores = Scores(decomposition.variance_explained, loss, float(right.mean()), recovered(loss, own, structure.n))
    by_irrep = {irrep: float(decomposition.share[irrep]) for irrep in keys}
    return replace(_account("characters", group, scores), by_irrep=by_irrep)


def _of_neurons(name: str, snapshot: Snapshot, account: GroupAccount) -> Account:
    task = snapshot.task
    own = float(losses_by_pair(snapshot).mean())
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
        source=SOURCES[name],
    )
