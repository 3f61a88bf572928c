"""Results that several analyses of one checkpoint ask for: found once, kept as long as the checkpoint is."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from grokinterp.runs import Snapshot

Found = TypeVar("Found")


def remembered(function: Callable[[Snapshot], Found]) -> Callable[[Snapshot], Found]:
    """`function` of a snapshot, evaluated once for each; for results that are small beside logits or neurons."""
    found: WeakKeyDictionary[Snapshot, Found] = WeakKeyDictionary()

    @wraps(function)
    def once(snapshot: Snapshot) -> Found:
        if snapshot not in found:
            found[snapshot] = function(snapshot)
        return found[snapshot]

    return once
