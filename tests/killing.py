"""Processes that are killed at a chosen moment of their writing."""

import os
import signal
import warnings
from collections.abc import Callable


def fork() -> int:
    """`os.fork`, also where JAX, which another test imported, warns of its threads: the child never uses it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return os.fork()


def killed_at(moment: int, work: Callable[[], object]) -> bool:
    """Do `work` in a fork of this process, which SIGKILL ends before its nth flush, rename or deletion.

    Whether it was killed; False once `moment` is beyond all of them.
    """
    child = fork()
    if child == 0:
        left = moment

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **named: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **named)

            return call

        for name in ("fsync", "replace", "unlink", "rmdir"):
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0
