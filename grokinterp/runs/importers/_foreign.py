"""Other people's checkpoint files, read without running any of their code.

A checkpoint written by `torch.save` is a pickle, and a pickle is a program. Everything here goes through
`torch.load(weights_only=True)`, whose unpickler calls nothing but the functions on a list, and that list is replaced by
our own for the time of the call. What it must build beyond tensors becomes a *record*: an object of this module that
keeps what the pickle hands over and does nothing with it. Three things become records: NumPy's arrays, its scalars
(NumPy's own `dtype.__setstate__` is not made for hostile states), and the instance of `HookedTransformerConfig` in the
files of TransformerLens' Grokking demo. Afterwards `_Plain` turns records into plain values, checking each.
"""

import re
import threading
import warnings
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from grokinterp.errors import GrokinterpError
from grokinterp.runs._files import refusals_explained

_LARGEST = 4 * 2**30  # bytes; networks that grok take megabytes
_LARGEST_RATIO = 200
_LARGEST_SAFETENSORS_HEADER = 100_000_000  # the limit of the format
_MOST_CONFIG_CLASSES = 8

_REFUSED_GLOBAL = re.compile(r"GLOBAL (.+?) (?:was not an allowed global|whose module)", re.DOTALL)
_UNIMPORTED_GLOBALS = re.compile(r"(``.+?``) must be imported")
_CONFIG_CLASS = re.compile(r"(?:transformer_lens|easy_transformer)\.[\w.]*Config|[\w.]+\.HookedTransformerConfig")
_NUMPY_TYPE = re.compile(r"[biufc]\d{1,2}")
_OPEN = object()
_Allowed = list[Callable[..., Any] | tuple[Callable[..., Any], str]]


class _Record:
    """What a pickle said to build, kept and never acted upon: the arguments of the call and the state set on it.

    Without `__dict__` and `__call__`, so that no later instruction of the pickle can make it do anything.
    """

    __slots__ = ("arguments", "state")
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "_Record":
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Config(_Record):
    __slots__ = ()


class _NumpyType(_Record):
    __slots__ = ()


class _NumpyArray(_Record):
    __slots__ = ()


class _NumpyScalar(_Record):
    __slots__ = ()


def _no_bytes() -> bytes:
    """How protocol 2 spells the bytes of an empty array; `bytes` itself would reserve any size it is asked for."""
    return b""


# NumPy 2 renamed the module; files of both spellings are about.
_NUMPY_RECORDS: _Allowed = [
    (_no_bytes, "builtins.bytes"),
    (_NumpyType, "numpy.dtype"),
    (_NumpyArray, "numpy.ndarray"),
    *[(_NumpyArray, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")],
    *[(_NumpyScalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")],
]
_list_of_globals = threading.Lock()


def read_foreign(path: Path) -> Any:
    """The content of a safetensors or `torch.save` file: plain containers, tensors on the CPU, NumPy arrays.

    Ordered dictionaries become `dict`, sizes tuples, sets lists, NumPy scalars Python numbers, dtypes and devices
    strings, TransformerLens' configuration objects dictionaries of their fields. Tensors are detached.

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
        with path.open("rb") as file:
            return _read_open(file, size, path)


def tensors_of(state: Any, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a state dict that came from `path`: detached, contiguous, on the CPU, floats as finite float32.

    Wider floats are rounded, integers and booleans kept. Values that must be finite are all but `IGNORE`, the constant
    −∞ that TransformerLens keeps beside its attention weights.
    """
    if not isinstance(state, Mapping):
        raise GrokinterpError(f"{path} holds {_kind(state)}; a state dict (names with tensors) is needed")
    if not state:
        raise GrokinterpError(f"{path} holds an empty state dict; one with tensors is needed")
    for name, tensor in state.items():
        if not isinstance(name, str):
            raise GrokinterpError(
                f"{path}: {_shown(name)} is {_kind(name)}, not a name; a state dict (names with tensors) is needed"
            )
        if not isinstance(tensor, torch.Tensor):
            raise GrokinterpError(
                f"{path}: {_shown(name)} is {_kind(tensor)}, not a tensor; a state dict (names with tensors) is needed"
            )
        _refuse_unusual(tensor, name, path)
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
        return _Plain(path, size).convert(tensors, "")
    if start.startswith(b"PK"):
        return _read_torch(file, path, *_checked_archive(file, size, path))
    if start.startswith(b"\x80"):
        return _read_torch(file, path, start[1:2], size)
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise GrokinterpError(f"{path} is a web page, not a checkpoint; download the raw file")
    raise GrokinterpError(f"{path} is neither a torch.save file nor safetensors; give a file of one of these kinds")


def _is_safetensors(start: bytes) -> bool:
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _LARGEST_SAFETENSORS_HEADER


def _checked_archive(file: BinaryIO, size: int, path: Path) -> tuple[bytes, int]:
    """Refuse a zip file by its table of contents; the protocol of its pickle and how much it unpacks to."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            largest = max((entry.file_size for entry in entries), default=0)
            if unpacked > _LARGEST or largest > _LARGEST_RATIO * size:
                raise GrokinterpError(
                    f"{path} has {size:,} bytes and would unpack to {unpacked:,}; at most {_LARGEST:,} and "
                    f"{_LARGEST_RATIO} times the file for one entry are read: save it again with torch.save"
                )
            names = {name.rpartition("/")[2]: name for name in archive.namelist()}
            if "constants.pkl" in names:
                raise GrokinterpError(
                    f"{path} is a TorchScript archive, which is a program; save its state_dict() with torch.save"
                )
            if "data.pkl" not in names:
                raise GrokinterpError(
                    f"{path} is a zip archive without data.pkl, so torch.save did not write it; "
                    "give a torch.save file or safetensors"
                )
            with archive.open(names["data.pkl"]) as pickled:
                protocol = pickled.read(2)[1:]
    except GrokinterpError:
        raise
    except Exception as error:
        # A table of contents can be wrong in more ways than BadZipFile: struct.error, ValueError, zlib.error …
        raise _damaged(path, error) from None
    file.seek(0)
    return protocol, unpacked


def _read_torch(file: BinaryIO, path: Path, protocol: bytes, unpacked: int) -> Any:
    if protocol not in (b"\x02", b""):
        raise GrokinterpError(
            f"{path} is pickled with protocol {protocol[0]}; protocol 2 is read: save it again with torch.save and "
            "without pickle_protocol"
        )
    records = list(_NUMPY_RECORDS)
    for _ in range(_MOST_CONFIG_CLASSES + 1):
        file.seek(0)
        try:
            with _allowed(records), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                content = torch.load(file, map_location="cpu", weights_only=True, mmap=False)
        except Exception as error:
            # What a damaged or hostile pickle makes the unpickler raise is not bounded: IndexError, TypeError …
            name = _refused_global(error)
            if name is None:
                raise _damaged(path, error) from None
            if not _CONFIG_CLASS.fullmatch(name):
                raise GrokinterpError(
                    f"{path} calls or holds an object of {_cut(name)}; only tensors, numbers, text and their "
                    "containers are read, because a pickle can run code: save the state_dict() alone"
                ) from None
            records.append((_Config, name))
        else:
            return _Plain(path, unpacked).convert(content, "")
    raise GrokinterpError(
        f"{path} holds objects of more than {_MOST_CONFIG_CLASSES} configuration classes; save the state_dict() alone"
    )


@contextmanager
def _allowed(records: _Allowed) -> Iterator[None]:
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


class _Plain:
    """Turns what the unpickler built into plain values, and refuses what is not one.

    `budget` is how many bytes the file holds: tensors that claim more would show uninitialised memory.
    """

    def __init__(self, path: Path, budget: int) -> None:
        self.path = path
        self.budget = budget
        # By identity, with the original to keep it alive: lists that hold one list twice, 30 deep, must stay small.
        self.done: dict[int, tuple[Any, Any]] = {}
        self.storages: set[int] = set()

    def convert(self, value: Any, name: str) -> Any:
        try:
            return self._convert(value, name)
        except RecursionError:
            raise GrokinterpError(f"{self.path} is nested too deeply; save the state_dict() alone") from None

    def _convert(self, value: Any, name: str) -> Any:
        if value is None or type(value) in (str, int, float, bool, complex, bytes):
            return value
        known = self.done.get(id(value))
        if known is None:
            self.done[id(value)] = (value, _OPEN)
            known = self.done[id(value)] = (value, self._converted(value, name))
        elif known[1] is _OPEN:
            raise GrokinterpError(f"{self.path}: {_shown(name)} contains itself; save the state_dict() alone")
        return known[1]

    def _converted(self, value: Any, name: str) -> Any:
        kind = type(value)
        if kind in (dict, OrderedDict, Counter):
            return self._mapping(value, name)
        if kind in (list, set):
            return [self._convert(entry, f"{name}[{number}]") for number, entry in enumerate(value)]
        if kind in (tuple, torch.Size):
            return tuple(self._convert(entry, f"{name}[{number}]") for number, entry in enumerate(value))
        if kind in (torch.Tensor, torch.nn.Parameter):
            return self._tensor(value, name)
        if kind in (torch.dtype, torch.device, torch.layout):
            return str(value)
        if kind is bytearray:
            return bytes(value)
        if kind is _Config:
            return self._config(value, name)
        if kind is _NumpyArray:
            return self._array(value, name)
        if kind is _NumpyScalar:
            return self._scalar(value, name)
        raise self._refusal(name, f"an object of {kind.__module__}.{kind.__qualname__.lstrip('_')}")

    def _refusal(self, name: str, what: str) -> GrokinterpError:
        return GrokinterpError(
            f"{self.path}: {_shown(name)} is {what}; only tensors, numbers, text and their containers are read: "
            "save the state_dict() alone"
        )

    def _mapping(self, mapping: Mapping[Any, Any], name: str) -> dict[Any, Any]:
        plain = {}
        for key, value in mapping.items():
            if not (key is None or type(key) in (str, int, float, bool, bytes, tuple)):
                raise self._refusal(f"{name}/…" if name else "a key", f"named by {_kind(key)}")
            key = self._convert(key, name)
            try:
                plain[key] = self._convert(value, f"{name}/{key}" if name else str(key))
            except TypeError:  # A frozen key may hold what becomes a list.
                raise self._refusal(name, "named by what cannot be a name") from None
        return plain

    def _config(self, record: _Config, name: str) -> dict[Any, Any]:
        # Classes with __slots__ pickle a pair: what is in __dict__, what is in the slots.
        parts = record.state if type(record.state) is tuple and len(record.state) == 2 else (record.state,)
        fields: dict[Any, Any] = {}
        for part in parts:
            if part is not None and type(part) is not dict:
                raise self._refusal(name, f"a configuration whose state is {_kind(part)}")
            fields |= part or {}
        return self._mapping(fields, name)

    def _tensor(self, tensor: torch.Tensor, name: str) -> torch.Tensor:
        # A pickle can hang attributes on a tensor, over its methods and as hooks; what detach returns has none.
        plain = torch.Tensor.detach(tensor)
        _refuse_unusual(plain, name, self.path)
        storage = plain.untyped_storage()
        if storage.data_ptr() not in self.storages:
            self.storages.add(storage.data_ptr())
            self.budget -= storage.nbytes()
        if self.budget < 0:
            raise GrokinterpError(
                f"{self.path}: {_shown(name)} of shape {tuple(plain.shape)} is larger than what the file holds; "
                "it is damaged: download or copy it again"
            )
        return plain.resolve_conj().resolve_neg()

    def _array(self, record: _NumpyArray, name: str) -> np.ndarray:
        match record.state:
            case (int(), tuple(shape), _NumpyType() as kind, fortran, bytes(data)):
                flat = self._numbers(kind, data, name)
            case _:
                raise self._refusal(name, "a NumPy array of objects or without numbers")
        try:
            array = flat.reshape(shape, order="F" if fortran else "C")
        except (TypeError, ValueError):
            raise self._refusal(name, f"a NumPy array of {flat.size} numbers with another shape") from None
        return array.copy()

    def _scalar(self, record: _NumpyScalar, name: str) -> bool | int | float | complex:
        match record.arguments:
            case (_NumpyType() as kind, bytes(data)):
                numbers = self._numbers(kind, data, name)
            case _:
                raise self._refusal(name, "a NumPy scalar without a number")
        if numbers.size != 1:
            raise self._refusal(name, f"a NumPy scalar of {numbers.size} numbers")
        return numbers[0].item()

    def _numbers(self, record: _NumpyType, data: bytes, name: str) -> np.ndarray:
        """The numbers that `data` holds, in this machine's byte order."""
        code = record.arguments[0] if record.arguments else None
        order = record.state[1] if type(record.state) is tuple and len(record.state) > 1 else "|"
        if type(code) is not str or not _NUMPY_TYPE.fullmatch(code) or order not in ("<", ">", "|", "="):
            raise self._refusal(name, f"a NumPy array of type {_shown(code)}")
        try:
            kind = np.dtype(order + code)
            return np.frombuffer(data, kind).astype(kind.newbyteorder("="))
        except (TypeError, ValueError):
            raise self._refusal(name, f"a NumPy array of type {code} that does not fit its bytes") from None


def _refuse_unusual(tensor: torch.Tensor, name: str, path: Path) -> None:
    """Refuse tensors without plain numbers behind them; sparse ones of a file can have indices outside themselves."""
    if tensor.is_nested:
        kind = "nested"
    elif tensor.layout is not torch.strided:
        kind = "sparse"
    elif tensor.is_quantized:
        kind = "quantized"
    elif tensor.device.type == "meta":
        kind = "without data (on the meta device)"
    else:
        return
    raise GrokinterpError(f"{path}: tensor {_shown(name)} is {kind}; a dense one is needed: convert it and save again")


def _float32(tensor: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    plain = tensor.detach().cpu()
    if plain.is_complex():
        raise GrokinterpError(f"{path}: tensor {_shown(name)} is complex; real weights are needed")
    if plain.is_floating_point():
        rounded = plain.to(torch.float32)
        wrong = int((~torch.isfinite(rounded)).sum())
        if wrong and name.rpartition(".")[2] != "IGNORE":
            raise GrokinterpError(
                f"{path}: tensor {_shown(name)} has {wrong} of {plain.numel()} values that are NaN, infinite or too "
                "large for float32; take a checkpoint from before the training diverged"
            )
        plain = rounded
    return plain.contiguous()


def _damaged(path: Path, error: BaseException) -> GrokinterpError:
    # torch's messages go on for paragraphs, with escape codes and the advice to load unsafely.
    said = str(error).split("WeightsUnpickler error: ")[-1].strip().partition("\n")[0]
    return GrokinterpError(
        f"{path} is truncated, corrupt or no torch.save file ({_cut(said) or type(error).__name__}); "
        "download or copy it again"
    )


def _kind(value: Any) -> str:
    """What a value is, in the words of an error: `a list of 3`, `a number`."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"a {'tensor' if isinstance(value, torch.Tensor) else 'NumPy array'} of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return f"a dictionary of {len(value)}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, str | bytes):
        return "text"
    return "a number" if isinstance(value, bool | int | float | complex) else f"an object ({type(value).__name__})"


def _shown(name: Any) -> str:
    return f"'{_cut(name)}'" if isinstance(name, str) and name else _cut(repr(name)) if name != "" else "the content"


def _cut(text: str, most: int = 160) -> str:
    """One printable line of a file's text, which may hold line breaks and a terminal's escape codes."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= most else f"{line[: most - 1]}…"
