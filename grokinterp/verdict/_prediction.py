"""What an account predicts of the network in whose place it stands, by one rule.

| what | number | bound |
|---|---|---|
| the logits | the share of their variance that it gives, `Account.explained` | ≥ 85 % |
| the loss | the loss recovered: 0 % for guessing, 100 % for the network's own loss, more for a lower one | ≥ 90 % |
| the answers | the pairs that it answers right alone | ≥ 99 % |

A label needs an account that predicts the logits and the loss. `unexplained` says in which of these an account failed:
a sum of a few cosines that gives the loss and the answers and leaves half of the logits over has the right form, but no
account says what the rest is.
"""

from collections.abc import Mapping
from typing import Literal

from grokinterp.tasks import Structure
from grokinterp.wording import loss_recovered, percent

from ._thresholds import THRESHOLDS
from .accounts import Account

Unexplained = Literal["residue", "table", "form", "numbers", "nothing", "no keys", "no account"]


def predicts_network(account: Account) -> bool:
    """Whether an account predicts the logits and the loss, as a label needs."""
    return THRESHOLDS["explained"].holds(account.explained) and predicts_loss(account)


def predicts_loss(account: Account) -> bool:
    """Whether it predicts the loss, by its logits as they are or tempered (`Account.tempered`)."""
    holds = THRESHOLDS["loss_recovered"].holds
    return holds(account.loss_recovered) or (account.tempered is not None and holds(account.tempered))


def predicts_answers(account: Account) -> bool:
    """Whether it predicts the loss and the answers, whatever it leaves of the logits."""
    return predicts_loss(account) and THRESHOLDS["answers_alone"].holds(account.accuracy)


# What an account says of the form, from the simplest; a table and the average over equal answers explain nothing.
SIMPLEST_FIRST = (
    "clock",
    "pizza",
    "mixed",
    "restricted",
    "quadrature",
    "chinese_remainder",
    "neurons_add",
    "cosets",
    "read_out",
    "neurons_multiply",
)
NO_EXPLANATION = ("lookup", "sum")


def explaining(accounts: Mapping[str, Account]) -> list[Account]:
    """The accounts that would explain something if they predicted the network."""
    return [account for name, account in accounts.items() if account.is_explanation and name not in NO_EXPLANATION]


def predicting_account(accounts: Mapping[str, Account]) -> Account | None:
    """The simplest account that predicts logits, loss and answers; else one of logits and loss; None if none does."""
    known = sorted(explaining(accounts), key=lambda one: _place(one.name))
    found = [account for account in known if predicts_network(account)]
    return next((account for account in found if predicts_answers(account)), found[0] if found else None)


def _place(name: str) -> int:
    return SIMPLEST_FIRST.index(name) if name in SIMPLEST_FIRST else len(SIMPLEST_FIRST)


def told(account: Account) -> str:
    """The three numbers of the rule, in words."""
    return (
        f"{account.share_name} {percent(account.explained)}, {loss_recovered(account.loss_recovered)}, "
        f"{percent(account.accuracy)} of the pairs right"
    )


def why_unexplained(
    accounts: dict[str, Account], keys: tuple[int, ...], structure: Structure
) -> tuple[Unexplained, Account]:
    """What is missing, and the account that comes nearest, where none predicts both logits and loss.

    - `table`: the logits are those of a table, which single out the answer and say nothing else.
    - `residue`: the right form with much left over: a few frequencies or irreps give loss and answers, not the logits.
      A few are those with at most half of the functions on the group: all of them together are a table.
    - `form`: an account gives the logits, and not the loss.
    - `nothing`: none gives either.
    """
    lookup = accounts.get("lookup")
    best = max(explaining(accounts), key=lambda one: one.explained)
    if lookup and THRESHOLDS["lookup"].holds(lookup.explained):
        return "table", lookup
    few, n = THRESHOLDS["few_numbers"], structure.n
    are_few = few.holds(sum(len(structure.basis.rows(key)) for key in keys) / n)
    simple = [one for one in explaining(accounts) if are_few and few.holds((one.numbers or 0) / n**2)]
    answering = [one for one in simple if predicts_answers(one)]
    if answering:
        return "residue", max(answering, key=lambda one: one.explained)
    return ("form" if THRESHOLDS["explained"].holds(best.explained) else "nothing"), best


def what_is_missing(missing: Unexplained | None, nearest: Account | None) -> str:
    """Why a network that answers its task is unexplained, as the end of a sentence."""
    if missing == "no account":
        return "and there is no account of such a task that could be tested"
    if missing == "no keys" or nearest is None:
        return "but no frequency or irrep says more of its logits than chance"
    share = f"{nearest.share_name} {percent(nearest.explained)}"
    alone = f"{percent(nearest.accuracy)} of the pairs right, {loss_recovered(nearest.loss_recovered)}"
    return {
        "residue": f"and the account {nearest.name} has the right form, with much left over: alone it gives {alone}, "
        f"but it leaves the rest of the logits ({share}), which no account that was tried predicts",
        "table": f"but its logits only single out the answer, as a table does ({share})",
        "form": f"and the account {nearest.name} predicts its logits ({share}), but not its answers: {alone}",
        "numbers": "but its neurons are predicted only in so many numbers that any network's would be",
        "nothing": f"but no account that was tried predicts its logits or its loss ({share} at best)",
    }[missing or "nothing"]
