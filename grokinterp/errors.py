"""The errors a user can meet: one line each, saying what was given, what is needed and what to do."""

from . import guard

# Characters: what a file put into a message may be of any length.
_MOST = 4000


class GrokinterpError(Exception):
    """The user's input, or the machine under it, does not allow what was asked; the command line exits with 2.

    Its message is one line that a terminal can show, whatever a file put into it.

    >>> raise GrokinterpError("modulus p = 1: needs p ≥ 2")
    Traceback (most recent call last):
    grokinterp.errors.GrokinterpError: modulus p = 1: needs p ≥ 2
    """

    def __init__(self, message: str = "") -> None:
        line = guard.printable(str(message))
        # Cut in the middle: the reason and the advice stand at the end.
        super().__init__(line if len(line) <= _MOST else f"{line[: _MOST - 1000]}…{line[-999:]}")


class NotApplicable(GrokinterpError):
    """A measurement is not made for networks or tasks of this kind; the message gives the reason.

    Whoever tries several measurements leaves this one out and passes the reason on. Any other error is an error.
    """
