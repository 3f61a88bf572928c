"""Other people's checkpoint files, read without running any of their code.

A checkpoint written by `torch.save` is a pickle, and a pickle is a program. Everything here goes through
`torch.load(weights_only=True)`, whose unpickler calls nothing but the functions on a list, and that list is replaced by
our own for the time of the call. What it must build beyond tensors becomes a *record* (`_records`): an object that
keeps what the pickle hands over and does nothing with it. Records stand for NumPy's arrays and scalars (NumPy's own
`dtype.__setstate__` is not made for hostile states), and for every class or function the file names that torch does not
build itself: none is imported, called or built. Afterwards `Plain` turns records into plain values, checking each.
"""

import re
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from grokinterp.errors import GrokinterpError
from grokinterp.runs._files import refusals_explained
from grokinterp.runs._regular import open_regular

from ._pickled import followed
from ._pickled_names import acts
from ._records import (
    KNOWN_RECORDS,
    Allowed,
    ForeignRecord,
    ListRecord,
    MappingRecord,
    Plain,
    cut,
    kind_of,
    record_for,
    refuse_unusual,
    shown,
)

_LARGEST = 4 * 2**30  # bytes; networks that grok take megabytes
_LARGEST_RATIO = 200
_LARGEST_SAFETENSORS_HEADER = 100_000_000  # the limit of the format
_MOST_CLASSES = 100
# Classes whose instances turn out to be dictionaries or lists while the file is read; each costs another reading.
_MOST_CONTAINERS = 8

_REFUSED_GLOBAL = re.compile(r"GLOBAL (.+?) (?:was not an allowed global|whose module)", re.DOTALL)
_UNIMPORTED_GLOBALS = re.compile(r"(``.+?``) must be imported")
_TAKES_ITEMS = re.compile(r"Can only (SETITEM|append|extend).*but got <class '[\w.]*\brecord_(\d+)'>")


_list_of_globals = threading.Lock()


def read_foreign(path: Path) -> Any:
    """The content of a safetensors or `torch.save` file: plain containers, tensors on the CPU, NumPy arrays.

    Ordered dictionaries become `dict`, sizes tuples, sets lists, NumPy scalars Python numbers, dtypes and devices
    strings, objects of any class dictionaries of their fields. Tensors are detached.

    Raises
    ------
    GrokinterpError
        The file cannot be read, is damaged, or would have to run code; the message names the class or function.
    """
    with refusals_explained(path, "read"):
        if path.is_dir():
            raise GrokinterpError(f"{path} is a folder; give the checkpoint file itself")
        if not path.is_file() and path.exists():
            raise GrokinterpError(f"{path} is not a regular file; give a checkpoint file")
        size = path.stat().st_size
        with open_regular(path) as file:
            return _read_open(file, size, path)


def tensors_of(state: Any, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a state dict that came from `path`: detached, contiguous, on the CPU, floats as finite float32.

    Wider floats are rounded, integers and booleans kept. Values that must be finite are all but `IGNORE`, the constant
    −∞ that TransformerLens keeps beside its attention weights.
    """
    if not isinstance(state, Mapping):
        raise GrokinterpError(f"{path} holds {kind_of(state)}; a state dict (names with tensors) is needed")
    if not state:
        raise GrokinterpError(f"{path} holds an empty state dict; one with tensors is needed")
    for name, tensor in state.items():
        if not isinstance(name, str):
            raise GrokinterpError(
                f"{path}: {shown(name)} is {kind_of(name)}, not a name; a state dict (names with tensors) is needed"
            )
        if not isinstance(tensor, torch.Tensor):
            raise GrokinterpError(
                f"{path}: {shown(name)} is {kind_of(tensor)}, not a tensor; a state dict (names with tensors) is needed"
            )
        refuse_unusual(tensor, name, path)
    # A stored number can be repeated by a stride of 0: the file may be small.
    if sum(tensor.numel() * max(tensor.element_size(), 4) for tensor in state.values()) > _LARGEST:
        raise GrokinterpError(f"{path} holds tensors of more than 4 GiB; give the state dict of a smaller network")
    return {name: _float32(tensor, name, path) for name, tensor in state.items()}


def _read_open(file: BinaryIO, size: int, path: Path) -> Any:
    if size == 0:
        raise GrokinterpError(f"{path} is empty (0 bytes); download or copy it again")
    start = file.read(64)
    file.seek(0)
    if start.startswith(b"version https://git-lfs"):
        raise GrokinterpError(
            f"{path} is a Git LFS pointer, not the file it stands for; fetch that with `git lfs pull`"
        )
    if size > _LARGEST:
        raise GrokinterpError(f"{path} has {size / 2**30:.1f} GiB; files up to 4 GiB are read: save the weights alone")
    if _is_safetensors(start):
        try:
            tensors = load_safetensors(file.read())
        except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
            raise _damaged(path, error) from None
        return Plain(path, size).convert(tensors, "")
    if start.startswith(b"PK"):
        return _read_torch(*_our_archive(file, size, path), path, size)
    if start.startswith(b"\x80"):
        _require_protocol(start[1:2], path)
        return _read_torch(*_our_pickles(file, path), path, size)
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise GrokinterpError(f"{path} is a web page, not a checkpoint; download the raw file")
    raise GrokinterpError(f"{path} is neither a torch.save file nor safetensors; give a file of one of these kinds")


def _is_safetensors(start: bytes) -> bool:
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _LARGEST_SAFETENSORS_HEADER


def _our_archive(file: BinaryIO, size: int, path: Path) -> tuple[BytesIO, list[str]]:
    """An archive of our own with the entries of a zip file, and the names in its pickle: torch reads what was checked.

    Two readers can read one archive differently: by its table of contents or by the headers of its entries, the first
    or the last of two of one name, from its start or from where its entries begin.
    """
    ours = BytesIO()
    try:
        with zipfile.ZipFile(file) as archive, zipfile.ZipFile(ours, "w") as out:
            entries = archive.infolist()
            _check_entries(entries, size, path)
            (pickle,) = [entry for entry in entries if entry.filename.rpartition("/")[2] == "data.pkl"]
            instructions = archive.read(pickle)
            _require_protocol(instructions[1:2], path)
            pickled = followed(instructions, size=size)
            folder = pickle.filename.removesuffix("data.pkl")
            for entry in entries:
                if entry.filename.startswith(folder):
                    content = pickled.content if entry is pickle else archive.read(entry)
                    out.writestr(f"archive/{entry.filename.removeprefix(folder)}", content)
    except GrokinterpError:
        raise
    except Exception as error:
        # A table of contents can be wrong in more ways than BadZipFile: struct.error, ValueError, zlib.error …
        raise _damaged(path, error) from None
    return ours, pickled.names


def _our_pickles(file: BinaryIO, path: Path) -> tuple[BytesIO, list[str]]:
    """The same of a file of torch.save before version 1.6, which is pickles and then the numbers."""
    try:
        pickled = followed(file.read(), several=True)
    except ValueError as error:
        raise _damaged(path, error) from None
    return BytesIO(pickled.content), pickled.names


def _require_protocol(protocol: bytes, path: Path) -> None:
    if protocol not in (b"\x02", b""):
        raise GrokinterpError(
            f"{path} is pickled with protocol {protocol[0]}; protocol 2 is read: save it again with torch.save and "
            "without pickle_protocol"
        )


def _check_entries(entries: list[zipfile.ZipInfo], size: int, path: Path) -> None:
    unpacked = sum(entry.file_size for entry in entries)
    largest = max((entry.file_size for entry in entries), default=0)
    if unpacked > _LARGEST or largest > _LARGEST_RATIO * size:
        raise GrokinterpError(
            f"{path} has {size:,} bytes and would unpack to {unpacked:,}; at most {_LARGEST:,} and "
            f"{_LARGEST_RATIO} times the file for one entry are read: save it again with torch.save"
        )
    names = [entry.filename for entry in entries]
    ends = [name.rpartition("/")[2] for name in names]
    if "constants.pkl" in ends:
        raise GrokinterpError(
            f"{path} is a TorchScript archive, which is a program; save its state_dict() with torch.save"
        )
    if "data.pkl" not in ends:
        raise GrokinterpError(
            f"{path} is a zip archive without data.pkl, so torch.save did not write it; "
            "give a torch.save file or safetensors"
        )
    if len(set(names)) < len(names) or ends.count("data.pkl") > 1:
        raise GrokinterpError(
            f"{path} is a zip archive with two entries of one name, which torch.save never writes; save it again"
        )
    packed = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise GrokinterpError(
            f"{path} is a zip archive with compressed entries, which torch.save never writes; save it again"
        )


def _read_torch(file: BytesIO, names: list[str], path: Path, size: int) -> Any:
    bases: dict[str, type[ForeignRecord]] = dict.fromkeys(_foreign_names(names, path), ForeignRecord)
    for _ in range(_MOST_CONTAINERS + 1):
        records = [(record_for(name, number, base), name) for number, (name, base) in enumerate(bases.items())]
        file.seek(0)
        try:
            with _allowed([*records, *KNOWN_RECORDS]), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                content = torch.load(file, map_location="cpu", weights_only=True, mmap=False)
        except Exception as error:
            # What a damaged or hostile pickle makes the unpickler raise is not bounded: IndexError, TypeError …
            if (name := _refused_global(error)) is not None:
                raise _runs_code(path, name) from None
            container = _TAKES_ITEMS.search(str(error))
            if container is None:
                raise _damaged(path, error) from None
            wanted: type[Any] = MappingRecord if container[1] == "SETITEM" else ListRecord
            bases[records[int(container[2])][1]] = wanted
        else:
            return Plain(path, size).convert(content, "")
    raise GrokinterpError(
        f"{path} holds containers of more than {_MOST_CONTAINERS} classes of its own; save the state_dict() alone"
    )


def _foreign_names(names: list[str], path: Path) -> list[str]:
    """The names that become records; a file with one that acts when called is refused, although none would be."""
    for name in names:
        if acts(name):
            raise _runs_code(path, name)
    known = {allowed[1] for allowed in KNOWN_RECORDS if isinstance(allowed, tuple)}
    foreign = [name for name in names if name not in known]
    if len(foreign) > _MOST_CLASSES:
        raise GrokinterpError(f"{path} holds objects of more than {_MOST_CLASSES} classes; save the state_dict() alone")
    return foreign


def _runs_code(path: Path, name: str) -> GrokinterpError:
    return GrokinterpError(
        f"{path} calls or holds an object of {cut(name.removeprefix('builtins.'))}; only tensors, numbers, text and "
        "their containers are read, because a pickle can run code: save the state_dict() alone"
    )


@contextmanager
def _allowed(records: Allowed) -> Iterator[None]:
    """Let the unpickler build `records` and torch's own types: nothing that others in this process have allowed."""
    with _list_of_globals:
        before = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        try:
            torch.serialization.add_safe_globals(records)
            yield
        finally:
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(before)


def _refused_global(error: Exception) -> str | None:
    """The class or function that torch's unpickler would not touch; it says so in its message only."""
    found = _REFUSED_GLOBAL.search(str(error)) or _UNIMPORTED_GLOBALS.search(str(error))
    return found[1] if found else None


def _float32(tensor: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    plain = tensor.detach().cpu()
    if plain.is_complex():
        raise GrokinterpError(f"{path}: tensor {shown(name)} is complex; real weights are needed")
    if plain.is_floating_point():
        rounded = plain.to(torch.float32)
        wrong = int((~torch.isfinite(rounded)).sum())
        if wrong and name.rpartition(".")[2] != "IGNORE":
            raise GrokinterpError(
                f"{path}: tensor {shown(name)} has {wrong} of {plain.numel()} values that are NaN, infinite or too "
                "large for float32; take a checkpoint from before the training diverged"
            )
        plain = rounded
    return plain.contiguous()


def _damaged(path: Path, error: BaseException) -> GrokinterpError:
    # torch's messages go on for paragraphs, with escape codes and the advice to load unsafely.
    said = str(error).split("WeightsUnpickler error: ")[-1].strip().partition("\n")[0]
    return GrokinterpError(
        f"{path} is truncated, corrupt or no torch.save file ({cut(said) or type(error).__name__}); "
        "download or copy it again"
    )
