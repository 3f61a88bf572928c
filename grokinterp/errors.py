"""The errors a user can meet: one line each, saying what was given, what is needed and what to do."""


class GrokinterpError(Exception):
    """The user's input, or the machine under it, does not allow what was asked; the command line exits with 2.

    >>> raise GrokinterpError("modulus p = 1: needs p ≥ 2")
    Traceback (most recent call last):
    grokinterp.errors.GrokinterpError: modulus p = 1: needs p ≥ 2
    """
