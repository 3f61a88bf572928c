"""What a foreign pickle says to build beyond tensors: records that do nothing, and plain values made of them."""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.guard import printable

from ._pickled import RENAMED

_NUMPY_TYPE = re.compile(r"[biufc]\d{1,2}")
_OPEN = object()
# Of all containers together, what is held twice counted twice.
MOST_ENTRIES = 5_000_000
_MOST_OF_NAME = 160  # signs; an error shows so many
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


class ForeignRecord(Record):
    """An instance of a class, or the call of a function, that the file names and nobody here imports."""

    __slots__ = ()
    named: ClassVar[str] = ""


class MappingRecord(Record):
    """A class whose instances take items by name, as `defaultdict`: an ordinary dictionary takes them instead."""

    __slots__ = ()

    def __new__(cls, *_: Any) -> "OrderedDict[Any, Any]":  # pyright: ignore[reportIncompatibleMethodOverride]
        return OrderedDict()


class ListRecord(Record):
    """A class whose instances take items in order, as `deque`: a list takes them instead."""

    __slots__ = ()

    def __new__(cls, *_: Any) -> list[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return []


def record_for(name: str, number: int, base: type[Record] = ForeignRecord) -> type[Record]:
    """A class of records for what the file calls `name`; torch's messages show its number."""
    return type(f"record_{number}", (base,), {"__slots__": (), "named": name})


class NumpyType(Record):
    __slots__ = ()


class NumpyArray(Record):
    __slots__ = ()


class NumpyScalar(Record):
    __slots__ = ()


class EncodedText(Record):
    """How protocol 2 spells bytes: text, and the codec that makes bytes of it."""

    __slots__ = ()


def _no_bytes() -> bytes:
    """How protocol 2 spells the bytes of an empty array; `bytes` itself would reserve any size it is asked for."""
    return b""


KNOWN_RECORDS: Allowed = [
    (_no_bytes, "builtins.bytes"),
    (EncodedText, RENAMED["_codecs.encode"]),
    (EncodedText, RENAMED["builtins.bytearray"]),
    (MappingRecord, "collections.defaultdict"),
    (ListRecord, "collections.deque"),
    (NumpyType, "numpy.dtype"),
    (NumpyArray, "numpy.ndarray"),
    # NumPy 2 renamed the module; files of both spellings are about.
    *[(NumpyArray, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")],
    *[(NumpyScalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")],
]


def _entries_of(value: Any) -> int:
    return len(value) if isinstance(value, dict | list | set | tuple) else 0


class Plain:
    """Turns what the unpickler built into plain values, and refuses what is not one.

    `budget` is how many bytes the file holds: tensors that claim more would show uninitialised memory.
    """

    def __init__(self, path: Path, budget: int) -> None:
        self.path = path
        self.budget = budget
        self.copies = 2 * budget + 2**20
        # By identity, with the original to keep it alive and how many entries it has, those of its entries included:
        # lists that hold one list twice, 15 deep, must stay small.
        self.done: dict[int, tuple[Any, Any, int]] = {}
        self.storages: set[int] = set()
        self.entries = 0

    def convert(self, value: Any, name: str) -> Any:
        try:
            return self._convert(value, name)
        except RecursionError:
            raise GrokinterpError(f"{self.path} is nested too deeply; save the state_dict() alone") from None

    def _convert(self, value: Any, name: str) -> Any:
        if value is None or type(value) in (float, bool, complex, bytes):
            return value
        if type(value) is str:
            # Half a character, which no file and no terminal takes.
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        if type(value) is int:
            # Beyond 64 bits it is no number to compute with; what needs one will say that this is text.
            return value if -(2**63) <= value < 2**63 else str(value)
        known, before = self.done.get(id(value)), self.entries
        if known is None:
            self.done[id(value)] = (value, _OPEN, 0)
            plain = self._converted(value, name)
            known = self.done[id(value)] = (value, plain, self.entries - before)
        elif known[1] is _OPEN:
            raise GrokinterpError(f"{self.path}: {shown(name)} contains itself; save the state_dict() alone")
        else:
            self.entries += known[2]
        # Who looks through all of it meets what is held twice twice.
        self.entries += 1
        if self.entries > MOST_ENTRIES:
            raise GrokinterpError(
                f"{self.path}: {shown(name)} holds more than {MOST_ENTRIES:,} entries; save the state_dict() alone"
            )
        return known[1]

    def _converted(self, value: Any, name: str) -> Any:
        kind: Any = type(value)
        self.entries += _entries_of(value)
        if kind in (dict, OrderedDict, Counter):
            return self._mapping(value, name)
        if kind in (list, set):
            return [self._convert(entry, _entry(name, number)) for number, entry in enumerate(value)]
        if kind in (tuple, torch.Size):
            return tuple(self._convert(entry, _entry(name, number)) for number, entry in enumerate(value))
        if kind in (torch.Tensor, torch.nn.Parameter):
            return self._tensor(value, name)
        if kind in (torch.dtype, torch.device, torch.layout):
            return str(value)
        if kind is EncodedText:
            return self._bytes(value, name)
        if isinstance(value, ForeignRecord):
            return self._foreign(value, name)
        if kind is type and issubclass(value, Record) and (named := getattr(value, "named", "")):
            return cut(named)
        if isinstance(value, NumpyArray):
            return self._array(value, name)
        if isinstance(value, NumpyScalar):
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
                plain[key] = self._convert(value, _below(name, key))
            except TypeError:  # A frozen key may hold what becomes a list.
                raise self._refusal(name, "named by what cannot be a name") from None
        return plain

    def _foreign(self, record: ForeignRecord, name: str) -> Any:
        """An object as the mapping of its fields; what has none, such as a path or an enum's member, as its value."""
        fields = self._fields(record, name)
        if "_parameters" in fields and "_modules" in fields:
            return _module(fields)
        if fields or not record.arguments:
            return fields
        if record.named.startswith("pathlib."):
            return "/".join(str(self._convert(part, name)) for part in record.arguments)
        values = [self._convert(argument, name) for argument in record.arguments]
        return values[0] if len(values) == 1 else values

    def _fields(self, record: ForeignRecord, name: str) -> dict[Any, Any]:
        # Classes with __slots__ pickle a pair: what is in __dict__, what is in the slots.
        parts = record.state if type(record.state) is tuple and len(record.state) == 2 else (record.state,)
        if not all(part is None or type(part) in (dict, OrderedDict) for part in parts):
            return {"state": self._convert(record.state, name)}
        fields: dict[Any, Any] = {}
        for part in parts:
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
            case (int(), tuple(shape), NumpyType() as kind, fortran, bytes() | EncodedText() as data):
                flat = self._numbers(kind, self._convert(data, name), name)
            case _:
                raise self._refusal(name, "a NumPy array of objects or without numbers")
        try:
            array = flat.reshape(shape, order="F" if fortran else "C")
        except (TypeError, ValueError):
            raise self._refusal(name, f"a NumPy array of {flat.size} numbers with another shape") from None
        self._charge_copies(array.nbytes, name)
        return array.copy()

    def _bytes(self, record: EncodedText, name: str) -> bytes:
        match record.arguments:
            case ():
                return b""
            case (EncodedText() as inner,):
                return self._convert(inner, name)
            case (str(text), "latin1" | "latin-1"):
                self._charge_copies(len(text), name)
                try:
                    return text.encode("latin1")
                except UnicodeEncodeError:
                    pass
        raise self._refusal(name, "bytes that are written in another way than Python writes them")

    def _charge_copies(self, size: int, name: str) -> None:
        """Count what is made of the file's bytes: twice as much as it has is more than it can be."""
        self.copies -= size
        if self.copies < 0:
            raise self._refusal(name, "one of many copies of the same bytes")

    def _scalar(self, record: NumpyScalar, name: str) -> bool | int | float | complex:
        match record.arguments:
            case (NumpyType() as kind, bytes() | EncodedText() as data):
                numbers = self._numbers(kind, self._convert(data, name), name)
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


def _entry(name: str, number: int) -> str:
    return name if len(name) > _MOST_OF_NAME else f"{name}[{number}]"


def _below(name: str, key: Any) -> str:
    """Where the entry `key` of what `name` names is; as long as an error shows, however deep that is."""
    if len(name) > _MOST_OF_NAME:
        return name
    below = str(key)[:_MOST_OF_NAME]
    return f"{name}/{below}" if name else below


def _module(fields: dict[Any, Any]) -> dict[Any, Any]:
    """A torch module that was saved whole: its state dict under that name, and the settings it holds."""
    state: dict[str, Any] = {}
    for kind in ("_parameters", "_buffers"):
        held = fields.get(kind)
        state |= {str(name): x for name, x in dict(held or {}).items() if isinstance(x, torch.Tensor)}
    for child, of in dict(fields["_modules"] or {}).items():
        inner = of.get("state_dict") if isinstance(of, Mapping) else None
        state |= {f"{child}.{name}": x for name, x in (inner if isinstance(inner, Mapping) else {}).items()}
    kept = {name: x for name, x in fields.items() if not str(name).startswith("_")}
    return {"state_dict": state, **kept}


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
    line = printable(text[: most + 1])
    return line if len(line) <= most else f"{line[: most - 1]}…"
