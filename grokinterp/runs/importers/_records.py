"""What a foreign pickle says to build beyond tensors: records that do nothing, and plain values made of them."""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grokinterp.errors import GrokinterpError

_NUMPY_TYPE = re.compile(r"[biufc]\d{1,2}")
_OPEN = object()
Allowed = list[Callable[..., Any] | tuple[Callable[..., Any], str]]


class Record:
    """What a pickle said to build, kept and never acted upon: the arguments of the call and the state set on it.

    Without `__dict__` and `__call__`, so that no later instruction of the pickle can make it do anything.
    """

    __slots__ = ("arguments", "state")
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "Record":
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state


class ConfigRecord(Record):
    __slots__ = ()


class NumpyType(Record):
    __slots__ = ()


class NumpyArray(Record):
    __slots__ = ()


class NumpyScalar(Record):
    __slots__ = ()


def _no_bytes() -> bytes:
    """How protocol 2 spells the bytes of an empty array; `bytes` itself would reserve any size it is asked for."""
    return b""


# NumPy 2 renamed the module; files of both spellings are about.
NUMPY_RECORDS: Allowed = [
    (_no_bytes, "builtins.bytes"),
    (NumpyType, "numpy.dtype"),
    (NumpyArray, "numpy.ndarray"),
    *[(NumpyArray, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")],
    *[(NumpyScalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")],
]


class Plain:
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
            raise GrokinterpError(f"{self.path}: {shown(name)} contains itself; save the state_dict() alone")
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
        if kind is ConfigRecord:
            return self._config(value, name)
        if kind is NumpyArray:
            return self._array(value, name)
        if kind is NumpyScalar:
            return self._scalar(value, name)
        raise self._refusal(name, f"an object of {kind.__module__}.{kind.__qualname__.lstrip('_')}")

    def _refusal(self, name: str, what: str) -> GrokinterpError:
        return GrokinterpError(
            f"{self.path}: {shown(name)} is {what}; only tensors, numbers, text and their containers are read: "
            "save the state_dict() alone"
        )

    def _mapping(self, mapping: Mapping[Any, Any], name: str) -> dict[Any, Any]:
        plain = {}
        for key, value in mapping.items():
            if not (key is None or type(key) in (str, int, float, bool, bytes, tuple)):
                raise self._refusal(f"{name}/…" if name else "a key", f"named by {kind_of(key)}")
            key = self._convert(key, name)
            try:
                plain[key] = self._convert(value, f"{name}/{key}" if name else str(key))
            except TypeError:  # A frozen key may hold what becomes a list.
                raise self._refusal(name, "named by what cannot be a name") from None
        return plain

    def _config(self, record: ConfigRecord, name: str) -> dict[Any, Any]:
        # Classes with __slots__ pickle a pair: what is in __dict__, what is in the slots.
        parts = record.state if type(record.state) is tuple and len(record.state) == 2 else (record.state,)
        fields: dict[Any, Any] = {}
        for part in parts:
            if part is not None and type(part) is not dict:
                raise self._refusal(name, f"a configuration whose state is {kind_of(part)}")
            fields |= part or {}
        return self._mapping(fields, name)

    def _tensor(self, tensor: torch.Tensor, name: str) -> torch.Tensor:
        # A pickle can hang attributes on a tensor, over its methods and as hooks; what detach returns has none.
        plain = torch.Tensor.detach(tensor)
        refuse_unusual(plain, name, self.path)
        storage = plain.untyped_storage()
        if storage.data_ptr() not in self.storages:
            self.storages.add(storage.data_ptr())
            self.budget -= storage.nbytes()
        if self.budget < 0:
            raise GrokinterpError(
                f"{self.path}: {shown(name)} of shape {tuple(plain.shape)} is larger than what the file holds; "
                "it is damaged: download or copy it again"
            )
        return plain.resolve_conj().resolve_neg()

    def _array(self, record: NumpyArray, name: str) -> np.ndarray:
        match record.state:
            case (int(), tuple(shape), NumpyType() as kind, fortran, bytes(data)):
                flat = self._numbers(kind, data, name)
            case _:
                raise self._refusal(name, "a NumPy array of objects or without numbers")
        try:
            array = flat.reshape(shape, order="F" if fortran else "C")
        except (TypeError, ValueError):
            raise self._refusal(name, f"a NumPy array of {flat.size} numbers with another shape") from None
        return array.copy()

    def _scalar(self, record: NumpyScalar, name: str) -> bool | int | float | complex:
        match record.arguments:
            case (NumpyType() as kind, bytes(data)):
                numbers = self._numbers(kind, data, name)
            case _:
                raise self._refusal(name, "a NumPy scalar without a number")
        if numbers.size != 1:
            raise self._refusal(name, f"a NumPy scalar of {numbers.size} numbers")
        return numbers[0].item()

    def _numbers(self, record: NumpyType, data: bytes, name: str) -> np.ndarray:
        """The numbers that `data` holds, in this machine's byte order."""
        code = record.arguments[0] if record.arguments else None
        order = record.state[1] if type(record.state) is tuple and len(record.state) > 1 else "|"
        if type(code) is not str or not _NUMPY_TYPE.fullmatch(code) or order not in ("<", ">", "|", "="):
            raise self._refusal(name, f"a NumPy array of type {shown(code)}")
        try:
            kind = np.dtype(order + code)
            return np.frombuffer(data, kind).astype(kind.newbyteorder("="))
        except (TypeError, ValueError):
            raise self._refusal(name, f"a NumPy array of type {code} that does not fit its bytes") from None


def refuse_unusual(tensor: torch.Tensor, name: str, path: Path) -> None:
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
    raise GrokinterpError(f"{path}: tensor {shown(name)} is {kind}; a dense one is needed: convert it and save again")


def kind_of(value: Any) -> str:
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


def shown(name: Any) -> str:
    return f"'{cut(name)}'" if isinstance(name, str) and name else cut(repr(name)) if name != "" else "the content"


def cut(text: str, most: int = 160) -> str:
    """One printable line of a file's text, which may hold line breaks and a terminal's escape codes."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= most else f"{line[: most - 1]}…"
