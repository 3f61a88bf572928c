"""From measurements to a label, by the bounds of `THRESHOLDS` and nothing else.

1. Fewer than 99 % of unseen pairs right (of all pairs, where the split is unknown): the label follows from how far the
   network is (`grokinterp.analysis.how_far`): `memorised` if it knows its train pairs and few others, else
   `not generalised`.
2. No key irreps, no account for the task, or none that predicts the logits and the loss: `unexplained`, with what is
   missing (`_prediction`).
3. Cyclic groups: the label is the mechanism by which most of the circles form the sum (`_mechanism`, from the stages).
   It needs a line of evidence beside the one it is found by, and no more lines against it than for it; else `mixed`.
4. Tasks whose answer is no product of a's and b's elements, such as a² + b²: the label says what of a and of b the
   neurons see (`SQUARES`), where an account of that with few numbers predicts logits, loss and answers. Else
   `unexplained`, with what each layer keeps of a, of b and of the answer.
5. Other groups. `irrep` if neurons that see the key irreps alone give the same network, `coset` if only neurons that
   see cosets alone do, or leave ten times less unexplained with no more numbers; either with fewer numbers than half
   of the pairs, since all irreps together see everything. Else `unexplained`.
"""

import math
from dataclasses import dataclass, field, replace

from grokinterp.tasks import Structure, Task
from grokinterp.wording import number, percent

from ._measured import Measured
from ._mechanism import find_mechanism, published_kind
from ._prediction import (
    Unexplained,
    explaining,
    predicting_account,
    predicts_answers,
    predicts_network,
    told,
    why_unexplained,
)
from ._thresholds import THRESHOLDS
from .accounts import Account

# What neurons see of a and b in tasks that are no product in a group, from what says most: account → label.
SQUARES = {
    "characters_of_squares": "quadratic characters",
    "squares": "squares",
    "products": "products of squares",
    "norm": "norm",
    "even": "even functions",
}


@dataclass(frozen=True)
class Judgement:
    """A label, the account it stands on, and the reasons in words: for it, against it, and what would change it.

    - `supported_by`: what the lines of evidence look at that support the mechanism.
    - `published`: `clock`, `pizza` or `between` by the criterion of Zhong et al. (2023), beside the mechanism that the
      label names; empty where it is not defined. `published_says` says how the two relate.
    - `unexplained`: what is missing where that is the label, see `why_unexplained`; `nearest`: the account that comes
      nearest then. Both are None for other labels.
    """

    label: str
    account: Account | None
    reasons_for: list[str] = field(default_factory=list)
    reasons_against: list[str] = field(default_factory=list)
    would_change: list[str] = field(default_factory=list)
    unexplained: Unexplained | None = None
    nearest: Account | None = None
    supported_by: list[str] = field(default_factory=list)
    published: str = ""
    published_says: str = ""


def holds(name: str, value: float) -> bool:
    """Whether `value` reaches the bound of that name."""
    return THRESHOLDS[name].holds(value)


def judge(measured: Measured, task: Task) -> Judgement:
    """Choose the label."""
    learned = _not_generalised(measured, task)
    if learned:
        return learned
    structure = task.structure
    if structure is None:
        why = f"{task.name}: no group is known in which its answers lie, so there is no account to test"
        return Judgement("unexplained", None, reasons_against=[why], unexplained="no account")
    if not measured.accounts:
        why = (
            f"no {structure.irrep_word} explains more of the logits than chance"
            if not measured.keys
            else f"{task.name} is no product of a's and b's elements: there is no account of how it is computed"
        )
        missing: Unexplained = "no account" if measured.keys else "no keys"
        return Judgement("unexplained", None, reasons_against=[why], unexplained=missing)
    if not structure.is_cyclic:
        found = _irreps(measured, structure)
    else:
        found = _cyclic(measured, structure) if structure.is_product else _without_product(measured, structure)
    alone = THRESHOLDS["answers_alone"]
    if found.unexplained or found.account is None or alone.holds(found.account.accuracy):
        return found
    wrong = (
        f"the account alone answers {percent(found.account.accuracy)} of the pairs right, not {percent(alone.bound)}"
    )
    return replace(found, reasons_against=[*found.reasons_against, wrong])


def _not_generalised(measured: Measured, task: Task) -> Judgement | None:
    """The label that follows from how far the network is, None where an account decides."""
    far, needed = measured.how_far, percent(THRESHOLDS["generalises"].bound)
    if far.label is None:
        return None
    known = task.split_is_known and not math.isnan(far.test)
    right, data = (far.test, "the unseen pairs") if known else (far.every, "all pairs")
    says = [f"it answers {percent(right)} of {data} right; generalising needs {needed}"]
    if known and not math.isnan(far.train):
        says.insert(0, f"it answers {percent(far.train)} of its training pairs right")
    if far.lost:
        says.insert(0, far.lost)
    against = [] if known else ["its training pairs are unknown, so memorising cannot be told from failing"]
    return Judgement(far.label, None, says, against, [f"{needed} of {data} answered right"])


def _unexplained(measured: Measured, structure: Structure, account: Account) -> Judgement:
    """`account`: the one that the label would have stood on."""
    missing, nearest = why_unexplained(measured.accounts, measured.keys, structure)
    tried = {one.name: one for one in (nearest, account)}
    against = [f"{one.says}: {told(one)}" for one in tried.values()]
    if missing == "residue":
        against.append(
            "such sums are largest at the right answer in any network that answers right, so that the answers they "
            "give are weak evidence for them"
        )
    logits, loss = THRESHOLDS["explained"].bound, THRESHOLDS["loss_recovered"].bound
    change = f"an account that gives {percent(logits)} of the logits' variance and recovers {percent(loss)} of the loss"
    return Judgement("unexplained", account, [], against, [change], missing, nearest)


def _irreps(measured: Measured, structure: Structure) -> Judgement:
    irrep, coset = measured.accounts["irrep"], measured.accounts.get("coset")
    names = ", ".join(structure.basis.irrep_names[key] for key in measured.keys)
    of_neurons = [_of_neurons(account) for account in (irrep, coset) if account]
    characters = measured.accounts["characters"]
    excessive = [account for account in (irrep, coset) if account and not _few(account, structure)]
    against = [f"{characters.says}: {told(characters)}"] if not predicts_network(characters) else []
    by_irreps = predicts_network(irrep) and irrep not in excessive
    by_cosets = coset is not None and predicts_network(coset) and coset not in excessive
    if coset and by_cosets and (not by_irreps or _clearly_better(coset, irrep)):
        orders = ", ".join(str(order) for order, _ in coset.subgroups[:3])
        change = ["key irreps that predict as much with as few numbers"]
        return Judgement(
            f"coset (subgroups of order {orders})", coset, of_neurons[1:], of_neurons[:1] + against, change
        )
    if by_irreps:
        change = ["cosets that leave a tenth of what the irreps leave unexplained, with no more numbers"]
        return Judgement(f"irrep ({names})", irrep, of_neurons[:1], of_neurons[1:] + against, change)
    if any(predicts_network(account) for account in excessive):
        bound = THRESHOLDS["few_numbers"]
        return Judgement(
            "unexplained",
            irrep,
            of_neurons,
            ["with that many numbers any network is predicted"],
            [f"an account with {bound} of {structure.n}² numbers per neuron that predicts as much"],
            unexplained="numbers",
            nearest=irrep,
        )
    return _unexplained(measured, structure, max([irrep, *([coset] if coset else [])], key=lambda one: one.explained))


def _cyclic(measured: Measured, structure: Structure) -> Judgement:
    account = predicting_account(measured.accounts)
    found = find_mechanism(measured, structure) if measured.stages else None
    # A table says of its logits that they single out the answer, and needs no account that says more.
    if found is None or (account is None and found.name != "table"):
        return _unexplained(measured, structure, max(explaining(measured.accounts), key=lambda one: one.explained))
    named, lookup = measured.accounts.get(found.account), measured.accounts["lookup"]
    if found.name == "circles" and THRESHOLDS["lookup"].holds(lookup.explained):
        return _unexplained(measured, structure, lookup)
    published, says = published_kind(measured, found.name)
    return Judgement(
        found.name,
        named if named and (found.name == "table" or predicts_network(named)) else account,
        found.supports,
        found.contradicts,
        found.would_change,
        supported_by=found.supported_by,
        published=published,
        published_says=says,
    )


def _without_product(measured: Measured, structure: Structure) -> Judgement:
    known = [account for name in SQUARES if (account := measured.accounts.get(name)) and account.is_explanation]
    found = next((account for account in known if predicts_network(account) and predicts_answers(account)), None)
    kept = [
        f"of the variance at {place.hook} {percent(place.of_answer)} is a function of the answer, "
        f"{percent(place.of_a)} of a and {percent(place.of_b)} of b"
        for place in measured.kept
    ]
    if found is None:
        nearest = max(explaining(measured.accounts), key=lambda one: one.explained)
        judgement = _unexplained(measured, structure, max(known, key=lambda one: one.explained, default=nearest))
        return replace(judgement, reasons_against=[*judgement.reasons_against, *kept])
    even = f"{percent(measured.even_embedding)} of the embedding's variance is the same for x and −x"
    is_even = THRESHOLDS["even"].holds(measured.even_embedding)
    supports, against = [f"{found.says}: {told(found)}"], []
    if found.name != "norm":
        (supports if is_even else against).append(even)
    return Judgement(
        SQUARES[found.name],
        found,
        [*supports, *kept],
        against,
        ["neurons that see more of a and b than this, and answers that depend on it"],
        supported_by=["the embedding"] if found.name != "norm" and is_even else [],
    )


def _few(account: Account, structure: Structure) -> bool:
    return holds("few_numbers", (account.numbers or math.inf) / structure.n**2)


def _clearly_better(coset: Account, irrep: Account) -> bool:
    rival = THRESHOLDS["rival"].bound * (1 - irrep.explained)
    return 1 - coset.explained <= rival and (coset.numbers or math.inf) <= (irrep.numbers or 0)


def _of_neurons(account: Account) -> str:
    return f"{account.says}, in {account.numbers:,.0f} numbers per neuron: {told(account)}, loss {number(account.loss)}"
