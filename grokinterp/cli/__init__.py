"""Floor 9: the commands. They parse, call and print; heavy rooms are imported inside them."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from grokinterp.errors import GrokinterpError

from ._comparing import compare
from ._findings import analyze, figures, verdict
from ._live import open_, watch
from ._runs import import_, info, train

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train networks that grok, keep their checkpoints, and read the algorithm out of them.",
)
# In the order in which the help lists them.
for command in (train, watch, analyze, open_, verdict, compare, figures, import_, info):
    app.command(name=command.__name__.rstrip("_"))(command)


def main() -> None:
    """Run the command line: exit status 0 done, 2 wrong input (one clear line), 1 a fault, 130 interrupted.

    SIGTERM, which `kill` and batch systems send, interrupts as Ctrl-C does.
    """
    with _sigterm_as_ctrl_c():
        try:
            app()
        except GrokinterpError as error:
            sys.stderr.write(f"grokinterp: {error}\n")
            sys.exit(2)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
