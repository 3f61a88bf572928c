"""From measurements to a label, by the bounds of `THRESHOLDS` and nothing else.

1. Fewer than 99 % of unseen pairs right (of all pairs, where nobody knows the split): `memorised` if it knows its train
   pairs and few others, else `not generalised`.
2. No key irreps, no account for the task, or none that predicts the logits and the answers: `unexplained`.
3. Cyclic groups. Circles that do their work alone are clocks or pizzas by their amplitude at opposite inputs; the label
   is `clock` or `pizza` if most of what they explain is one of them and, of the three other lines of evidence
   (gradients, distances, averaged embeddings), at most one contradicts and no fewer support it. Else `mixed`.
   Circles that do not act alone are judged by the whole logits' form: `unexplained` if they single out the answer and
   say nothing else, `clock` or `pizza` if that leaves no doubt, else `mixed`.
4. Other groups. `irrep` if neurons that see the key irreps alone give the same network, `coset` if only neurons that
   see cosets alone do, or leave ten times less unexplained with no more numbers; either with fewer numbers than half
   of the pairs, since all irreps together see everything. Else `unexplained`.
"""

import math
from dataclasses import dataclass, field

from grokinterp.tasks import Structure, Task
from grokinterp.wording import number, percent

from ._accounts import Account
from ._measured import Measured
from ._thresholds import THRESHOLDS


@dataclass(frozen=True)
class Judgement:
    """A label, the account it stands on, and the reasons in words: for it, against it, and what would change it."""

    label: str
    account: Account | None
    reasons_for: list[str] = field(default_factory=list)
    reasons_against: list[str] = field(default_factory=list)
    would_change: list[str] = field(default_factory=list)


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
        return Judgement("unexplained", None, reasons_against=[why])
    if not measured.accounts:
        why = (
            f"no {structure.irrep_word} explains more of the logits than chance"
            if not measured.keys
            else f"{task.name} is no product of a's and b's elements: there is no account of how it is computed"
        )
        return Judgement("unexplained", None, reasons_against=[why])
    return _circles(measured) if structure.is_cyclic else _irreps(measured, structure)


def _not_generalised(measured: Measured, task: Task) -> Judgement | None:
    known = task.split_is_known and not math.isnan(measured.test_accuracy)
    unseen, data = (measured.test_accuracy, "unseen pairs") if known else (measured.all_accuracy, "all pairs")
    bound = THRESHOLDS["generalises"]
    if bound.holds(unseen):
        return None
    seen = f"it answers {percent(unseen)} of {data} right; needs {percent(bound.bound)}"
    change = [f"{percent(bound.bound)} of {data} answered right"]
    if known and holds("knows_train", measured.train_accuracy) and holds("memorised", unseen):
        knows = f"it answers {percent(measured.train_accuracy)} of its train pairs right"
        return Judgement("memorised", None, [knows, seen], [], change)
    against = [] if known else ["nobody knows its train pairs, so memorising cannot be told from failing"]
    return Judgement("not generalised", None, [seen], against, change)


def _predicts(account: Account) -> bool:
    return holds("explained", account.explained) and holds("loss_recovered", account.loss_recovered)


def _unexplained(account: Account) -> Judgement:
    found = f"{account.says}: that gives {percent(account.explained)} of the logits' variance"
    lost = f"and {percent(account.loss_recovered)} of the loss" if math.isfinite(account.loss_recovered) else ""
    bound = THRESHOLDS["explained"]
    return Judgement(
        "unexplained",
        account,
        reasons_against=[f"{found} {lost}".strip()],
        would_change=[f"an account that gives {percent(bound.bound)} of the logits' variance and the answers with it"],
    )


def _circles(measured: Measured) -> Judgement:
    mixed = measured.accounts["mixed"]
    if not _predicts(mixed):
        return _unexplained(mixed)
    if not holds("works_alone", measured.works_alone):
        return _by_form(measured)
    share = measured.clock_share
    leaning = "clock" if holds("clock", share) else "pizza" if holds("pizza", share) else "mixed"
    votes = _votes(measured)
    clocks = round(share, 3)
    circles = (
        f"of what the circles explain, {percent(clocks)} is a clock's and {percent(round(1 - clocks, 3))} a pizza's"
    )
    if leaning == "mixed":
        bounds = f"circles of which at least {percent(THRESHOLDS['clock'].bound)} is one of the two"
        return Judgement("mixed", mixed, [circles], [text for _, text in votes], [bounds])
    support = [text for vote, text in votes if vote == leaning]
    contradict = [text for vote, text in votes if vote not in (leaning, "")]
    if len(contradict) > 1 or len(support) < len(contradict):
        return Judgement("mixed", mixed, [circles, *support], contradict, ["lines of evidence that agree"])
    account = measured.accounts[leaning]
    undecided = [text for vote, text in votes if not vote]
    change = [_change(leaning)]
    if not _predicts(account):
        return Judgement("mixed", mixed, [circles, *support], [_short(account), *contradict], change)
    return Judgement(
        leaning, account, [circles, *support], [*contradict, *undecided, *_other_circles(measured, leaning)], change
    )


def _change(leaning: str) -> str:
    if leaning == "clock":
        return f"circles with less than {percent(THRESHOLDS['clock'].bound)} of their amplitude at opposite inputs"
    return f"circles with more than {percent(THRESHOLDS['pizza'].bound)} of their amplitude at opposite inputs"


def _short(account: Account) -> str:
    return f"as {account.name} alone: {percent(account.explained)} of the logits' variance"


def _other_circles(measured: Measured, leaning: str) -> list[str]:
    other = "pizza" if leaning == "clock" else "clock"
    found = [
        f"{circle.freq} ({percent(circle.share)} of the logits)"
        for circle in measured.circles
        if math.isfinite(circle.clockness) and holds(other, circle.clockness)
    ]
    return (
        [f"circle{'s' if len(found) > 1 else ''} {', '.join(found)} work{'' if len(found) > 1 else 's'} as a {other}'s"]
        if found
        else []
    )


def _votes(measured: Measured) -> list[tuple[str, str]]:
    """Each line of evidence as ('clock', 'pizza' or '' for neither, words)."""
    lines = [
        ("GS", measured.gradient_symmetricity, "gradient symmetricity"),
        ("DI", measured.distance_irrelevance, "distance irrelevance"),
        ("averaged", measured.averaged_embeddings, "logits explained with E_a and E_b averaged"),
    ]
    votes = []
    for name, value, words in lines:
        if not math.isfinite(value):
            continue
        vote = next((kind for kind in ("clock", "pizza") if holds(f"{name}_{kind}", value)), "")
        says = THRESHOLDS[f"{name}_{vote}"].says if vote else "between the two"
        votes.append((vote, f"{words} {number(value)}: {says}"))
    return votes


def _by_form(measured: Measured) -> Judgement:
    """Circles that do not act alone: the whole logits decide if they leave no doubt."""
    clock, pizza, mixed, lookup = (measured.accounts[name] for name in ("clock", "pizza", "mixed", "lookup"))
    if holds("lookup", lookup.explained):
        return _unexplained(lookup)
    alone = f"alone, its circles keep only {percent(measured.works_alone)} of their amplitude: it may look answers up"
    for best, rival in ((clock, pizza), (pizza, clock)):
        left = 1 - best.explained
        if holds("form", best.explained) and left <= THRESHOLDS["rival"].bound * (1 - rival.explained):
            form = f"its logits have a {best.name}'s form: {percent(best.explained)} of their variance"
            return Judgement(best.name, best, [form], [alone], ["circles that act alone, and otherwise"])
    return Judgement("mixed", mixed, [f"{mixed.says}: {percent(mixed.explained)}"], [alone], ["circles that act alone"])


def _irreps(measured: Measured, structure: Structure) -> Judgement:
    irrep, coset = measured.accounts["irrep"], measured.accounts.get("coset")
    names = ", ".join(structure.basis.irrep_names[key] for key in measured.keys)
    told = [_of_neurons(account) for account in (irrep, coset) if account]
    characters = measured.accounts["characters"]
    excessive = [account for account in (irrep, coset) if account and not _few(account, structure)]
    against = [f"characters of ab c⁻¹ alone give {percent(characters.explained)} of the logits' variance"]
    by_irreps = _predicts(irrep) and irrep not in excessive
    by_cosets = coset is not None and _predicts(coset) and coset not in excessive
    if coset and by_cosets and (not by_irreps or _clearly_better(coset, irrep)):
        orders = ", ".join(str(order) for order, _ in coset.subgroups[:3])
        change = ["key irreps that predict as much with as few numbers"]
        return Judgement(f"coset (subgroups of order {orders})", coset, told[1:], told[:1] + against, change)
    if by_irreps:
        change = ["cosets that leave a tenth of what the irreps leave unexplained, with no more numbers"]
        return Judgement(f"irrep ({names})", irrep, told[:1], told[1:] + against, change)
    if any(_predicts(account) for account in excessive):
        bound = THRESHOLDS["few_numbers"]
        return Judgement(
            "unexplained",
            irrep,
            told,
            ["with that many numbers any network is predicted"],
            [f"an account with {bound} of {structure.n}² numbers per neuron that predicts as much"],
        )
    return _unexplained(max([irrep, *([coset] if coset else [])], key=lambda account: account.explained))


def _few(account: Account, structure: Structure) -> bool:
    return holds("few_numbers", (account.numbers or math.inf) / structure.n**2)


def _clearly_better(coset: Account, irrep: Account) -> bool:
    rival = THRESHOLDS["rival"].bound * (1 - irrep.explained)
    return 1 - coset.explained <= rival and (coset.numbers or math.inf) <= (irrep.numbers or 0)


def _of_neurons(account: Account) -> str:
    return (
        f"{account.says}: {percent(account.explained)} of what they tell the logits, loss {number(account.loss)}, with "
        f"{account.numbers:,.0f} numbers per neuron"
    )
