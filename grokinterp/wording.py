"""Numbers and lists as a reader writes them."""

import math
from collections.abc import Sequence

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None) -> str:
    """Three digits, as a reader writes them.

    >>> number(0.04567), number(2.4122e-7), number(None), number(0.0)
    ('0.0457', '2.41 × 10⁻⁷', '–', '0')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        return f"{value:#.3g}".rstrip(".") if abs(value) < 999.5 else f"{value:,.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def percent(fraction: float | None) -> str:
    """A fraction in percent: 100 % is said of a whole only.

    >>> percent(1.0), percent(0.99996), percent(0.5), percent(2e-9), percent(None)
    ('100 %', '99.99 %', '50.0 %', '2.00 × 10⁻⁷ %', '–')
    """
    if fraction is None or not math.isfinite(fraction):
        return "–"
    if 0.9995 <= fraction < 1:
        return f"{math.floor(fraction * 1e4) / 100:.2f} %"
    if abs(fraction) < 1e-5:
        return f"{number(100 * fraction)} %"
    return "100 %" if fraction == 1 else f"{100 * fraction:.3g} %" if fraction < 0.1 else f"{100 * fraction:.1f} %"


def listed(items: Sequence[object]) -> str:
    """A list in a sentence.

    >>> listed([14, 35, 41]), listed(["one"]), listed([])
    ('14, 35 and 41', 'one', 'none')
    """
    words = [str(item) for item in items]
    if len(words) < 2:
        return words[0] if words else "none"
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "circle"), counted(5, "frequency")
    ('1 circle', '5 frequencies')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
