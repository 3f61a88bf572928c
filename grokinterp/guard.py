"""What comes from outside, within bounds: JSON of other people, and text on its way to a terminal."""

import json
import math
import unicodedata
from typing import Any

MOST_DEPTH = 64
# Lists and objects, which take fifty times as much memory as the two signs they are written with.
MOST_CONTAINERS = 1_000_000
_INT64 = range(-(2**63), 2**63)


def printable(text: str) -> str:
    """One line that a terminal can show: line breaks, escape codes and signs that turn the direction become `?`.

    >>> printable("step 5\\x1b[31m, \\u202eread\\n")
    'step 5?[31m, ?read?'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or unicodedata.category(sign) == "Zs" else "?" for sign in text)


def whole_characters(value: Any) -> Any:
    """A value of JSON that every reader of UTF-8 can hold: in its texts `?` stands for half a character.

    Names of files have such halves, where the system keeps bytes that are no UTF-8.

    >>> whole_characters({"source": "run\\udcff.pt"})
    {'source': 'run?.pt'}
    """
    return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def read_json(text: str | bytes, *, nan: bool = False) -> Any:
    """The value of JSON that others wrote.

    **Raises** `ValueError`, which says what is wrong, for what is no JSON, and for what JSON allows and nothing here
    can hold: whole numbers beyond 64 bits, numbers beyond float64, NaN and infinity unless `nan`, a name twice in one
    object, half a character (a lone surrogate), more than 64 levels, and more than a
    million lists and objects.

    >>> read_json('{"p": 113}')
    {'p': 113}
    >>> read_json("1e999")
    Traceback (most recent call last):
    ValueError: the number 1e999 is beyond float64
    """
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        if decoded.count("[") + decoded.count("{") > MOST_CONTAINERS:
            raise ValueError(f"it has more than {MOST_CONTAINERS:,} lists and objects")
        value = json.loads(
            decoded,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=float if nan else _no_number,
            object_pairs_hook=_once,
        )
    except RecursionError:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep") from None
    _require_bounds(value)
    return value


def _whole(text: str) -> int:
    # Before it is converted, which takes long for many digits.
    if len(text) > 20 or int(text) not in _INT64:
        raise ValueError(f"the whole number {_short(text)} is beyond 64 bits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {_short(text)} is beyond float64")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {_short(twice)!r} stands twice in one object")
    return found


def _require_bounds(value: Any) -> None:
    """Depth and characters, without recursion."""
    level, depth = [value], 0
    while level:
        below = []
        for entry in level:
            if isinstance(entry, str):
                _require_whole_characters(entry)
            elif isinstance(entry, dict):
                for name in entry:
                    _require_whole_characters(name)
                below += entry.values()
            elif isinstance(entry, list):
                below += entry
        level, depth = below, depth + 1
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} deep")


def _require_whole_characters(text: str) -> None:
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("a text holds half a character (a lone surrogate)")


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:21]}..."
