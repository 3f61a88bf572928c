"""One process at a time where something is written, on every system."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from grokinterp.errors import GrokinterpError

from ._files import awaits_finish, finish_together, make_folder, refusals_explained


@contextmanager
def only_process(path: Path, *, writes: str, wait: int = 0) -> Iterator[None]:
    """Be the only process that writes the file or makes the folder `path`, or wait so many seconds to become it.

    The lock is a file beside `path`. It ends with the process that holds it, however that ends.
    """
    lock = path.with_name(f".{path.name}.lock")
    with _held(lock, path, writes, wait):
        yield


@contextmanager
def only_process_in(folder: Path, *, writes: str, wait: int = 0) -> Iterator[None]:
    """Make `folder` and be the only process that writes into it; if nothing was written, it is not left behind."""
    with refusals_explained(folder):
        made = [place for place in (folder, *folder.parents) if not place.exists()]
    make_folder(folder)
    try:
        with _held(folder / ".lock", folder, writes, wait):
            yield
    finally:
        # Only empty folders can be removed.
        with suppress(OSError):
            for place in made:
                place.rmdir()


def finish_killed(folder: Path) -> None:
    """Finish a `write_together` that was killed when all of it was on the disk, so that the files in `folder` agree."""
    if awaits_finish(folder):
        with only_process_in(folder, writes="is writing a report there", wait=60):
            finish_together(folder)


@contextmanager
def _held(lock: Path, held: Path, writes: str, wait: int) -> Iterator[None]:
    mutex = FileLock(lock, timeout=wait)
    with refusals_explained(lock):
        try:
            mutex.acquire()
        except Timeout:
            raise GrokinterpError(f"{held}: another process {writes}; wait for it or stop it") from None
    try:
        yield
    finally:
        # While it is held: whoever locks a file that has lost its name begins again with a new one.
        with suppress(OSError):
            lock.unlink()
        mutex.release()
