"""Bounds of processor time and memory within which a test must stay, as Linux sets them."""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MOST_SECONDS, MOST_MEMORY = 10, 2**30
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded as Linux bounds it")


def peak_memory() -> int:
    """Bytes that this process held at most: a child's `ru_maxrss` begins with what its parent held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


class TookTooLong(BaseException):
    """No `except Exception` on the way takes it for something else."""


@contextmanager
def bounded() -> Iterator[None]:
    """More memory than the bound is a fault; what asks for twice as much gets none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    held = peak_memory()
    resource.setrlimit(resource.RLIMIT_AS, (taken + 2 * MOST_MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert peak_memory() - held < MOST_MEMORY


@contextmanager
def soon() -> Iterator[None]:
    """More processor time than the bound is `TookTooLong`."""

    def stop(*_: object) -> None:
        raise TookTooLong(f"more than {MOST_SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
