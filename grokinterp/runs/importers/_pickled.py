"""A pickle's instructions, followed with stand-ins before torch's unpickler follows them in earnest.

What the unpickler may call is harmless, but not always small: a few bytes can ask for a tensor of gigabytes, for a copy
of a long text a thousand times over, or for a slow codec. So the instructions are run here first, on stand-ins that
know how much is stored and how much is asked for; what asks for more than the file holds is refused before anything is
made. Two calls are renamed on the way, so that records take their place: `codecs.encode` and `bytearray`.
"""

import gc
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

# Each makes an object of a hundred bytes or so: numbers of a long training, 200 checkpoints, and more.
MOST_INSTRUCTIONS = 4_000_000
# Entries that calls copy from what exists, and numbers of tensors that repeat those of others.
MOST_COPIED, MOST_REPEATED = 1_000_000, 1_000_000
# A file of torch.save before version 1.6 is several pickles, of which the fourth holds the content.
_PICKLES = 5
RENAMED = {"_codecs.encode": "grokinterp.encoded", "builtins.bytearray": "grokinterp.bytearray"}
_COPIES = ("collections.OrderedDict", "collections.Counter", "builtins.set", "builtins.complex", "torch.Size")
_REBUILDS = tuple(f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3"))
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
# They copy a tensor to another type or device.
_REFUSED = ("torch._utils._rebuild_device_tensor_from_numpy", "torch._utils._rebuild_device_tensor_from_cpu_tensor")
_BYTES = {"Double": 8, "Float": 4, "Long": 8, "Int": 4, "ComplexDouble": 16, "ComplexFloat": 8, "QInt32": 4}
_BYTES |= dict.fromkeys(("Half", "BFloat16", "Short"), 2)
# Instructions with arguments of a fixed length, and those that push something of no consequence.
_FIXED = {"K": 1, "M": 2, "J": 4, "G": 8, "h": 1, "j": 4, "q": 1, "r": 4, "\x80": 1}
_PLAIN: dict[str, Callable[[], Any]] = {
    "N": lambda: None,
    "\x88": lambda: None,
    "\x89": lambda: None,
    ")": tuple,
    "]": lambda: Held(),
    "}": lambda: Held(),
    "\x8f": lambda: Held(),
}


@dataclass(frozen=True)
class Named:
    """A class or function, by its name."""

    name: str


@dataclass
class Held:
    """A list, a dictionary or a set, by how many entries it has."""

    entries: int = 0


@dataclass(frozen=True)
class Stored:
    """A storage of so many numbers."""

    numel: int


@dataclass
class Pickled:
    """What the instructions turned out to be.

    - `names`: of the classes and functions, as torch's unpickler spells them, in their order.
    - `content`: the instructions with the renamed calls, and what follows them in the file.
    """

    names: list[str]
    content: bytes


def followed(data: bytes, *, several: bool = False, size: int | None = None) -> Pickled:
    """Follow the pickle at the start of `data`, or `several` in a row; `size` is how many bytes the whole file has.

    **Raises** `ValueError`, which says what is wrong, for instructions that are cut, unknown, or ask for more than the
    file holds. What is wrong otherwise the unpickler will say.
    """
    machine = _Machine(data, len(data) if size is None else size)
    collects = gc.isenabled()
    gc.disable()  # Nothing here refers to itself, and looking for what does takes longer than all else.
    try:
        for _ in range(_PICKLES if several else 1):
            if machine.at < len(data):
                machine.follow()
    finally:
        if collects:
            gc.enable()
    machine.pieces.append(data[machine.copied_to :])
    return Pickled(list(dict.fromkeys(machine.names)), b"".join(machine.pieces))


class _Machine:
    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size, self.at = data, size, 0
        self.names: list[str] = []
        self.stored: dict[Any, int] = {}
        self.pieces: list[bytes] = []
        self.copied_to = 0
        self.instructions = self.copied = self.repeated = self.claimed = 0

    def follow(self) -> None:
        """Up to and with the next STOP."""
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        while True:
            code = chr(self._take(1)[0])
            self.instructions += 1
            if self.instructions > MOST_INSTRUCTIONS:
                raise ValueError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
            if code == ".":
                return
            try:
                self._step(code)
            except IndexError:
                raise ValueError("its instructions take more than they have put down") from None

    def _step(self, code: str) -> None:
        if code in _PLAIN:
            self.stack.append(_PLAIN[code]())
        elif code in _FIXED:
            self._with_argument(code, self._take(_FIXED[code]))
        elif code == "X":
            self.stack.append(str(self._take(struct.unpack("<I", self._take(4))[0]), "utf-8", "surrogatepass"))
        elif code in "U\x8a":
            value = self._take(self._take(1)[0])
            self.stack.append(value if code == "U" else int.from_bytes(value, "little", signed=True))
        elif code == "c":
            self._name()
        elif code == "(":
            self.marks.append(self.stack)
            self.stack = []
        elif code in "tue":
            self._to_mark(code)
        elif code in "\x85\x86\x87":
            many = ord(code) - 0x84
            if len(self.stack) < many:
                raise IndexError
            self.stack[-many:] = [tuple(self.stack[-many:])]
        elif code in "as":
            del self.stack[-1 if code == "a" else -2 :]
            self._grow(1)
        elif code in "R\x81":
            arguments = self.stack.pop()
            self.stack[-1] = self._called(self.stack[-1], arguments)
        elif code == "b":
            self._copies(self.stack.pop())
            if isinstance(self.stack[-1], Stored):
                raise ValueError("it changes a tensor that was made")
        elif code == "Q":
            self.stack.append(self._storage(self.stack.pop()))
        else:
            raise ValueError(f"the instruction {ord(code)} is none that torch.save writes")

    def _take(self, many: int) -> bytes:
        taken = self.data[self.at : self.at + many]
        if len(taken) < many:
            raise ValueError("it ends within an instruction")
        self.at += many
        return taken

    def _with_argument(self, code: str, argument: bytes) -> None:
        number = int.from_bytes(argument, "little", signed=code == "J")
        if code in "KMJ":
            self.stack.append(number)
        elif code == "G":
            self.stack.append(None)
        elif code in "qr":
            self.memo[number] = self.stack[-1]
        elif code in "hj":
            if number not in self.memo:
                raise ValueError("its instructions refer to what they have not made")
            self.stack.append(self.memo[number])

    def _name(self) -> None:
        start = self.at
        lines = []
        for _ in range(2):
            end = self.data.find(b"\n", self.at)
            if end < 0:
                raise ValueError("it ends within an instruction")
            lines.append(self.data[self.at : end].decode())
            self.at = end + 1
        module, name = lines
        # Protocol 2 spells the modules of Python 2.
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"
        if other := RENAMED.get(full):
            module, _, name = other.partition(".")
            self.pieces += [self.data[self.copied_to : start], f"{module}\n{name}\n".encode()]
            self.copied_to, full = self.at, other
        self.names.append(full)
        self.stack.append(Named(full))

    def _to_mark(self, code: str) -> None:
        items, self.stack = self.stack, self.marks.pop()
        if code == "t":
            self.stack.append(tuple(items))
        else:
            self._grow(len(items))

    def _grow(self, by: int) -> None:
        if isinstance(held := self.stack[-1], Held):
            held.entries += by

    def _called(self, called: Any, arguments: Any) -> Any:
        """What a call makes."""
        name = called.name if isinstance(called, Named) else ""
        given = arguments if isinstance(arguments, tuple) else ()
        if name == "torch._tensor._rebuild_from_type_v2" and len(given) > 2:
            if not (isinstance(given[0], Named) and given[0].name in (*_REBUILDS, *_PARAMETERS)):
                raise ValueError("it rebuilds a tensor by another function than torch's")
            self._copies(given[3:])
            return self._called(given[0], given[2])
        if name in _REBUILDS or name == "torch._utils._rebuild_qtensor":
            return self._tensor(given)
        if name in _PARAMETERS or name == "torch.nn.parameter.Parameter":
            return given[0] if given and isinstance(given[0], Stored) else None
        if name in _REFUSED or (name.startswith("torch.") and name.endswith(("Tensor", "Storage"))):
            raise ValueError(f"it calls {name}, which makes a tensor of no stored numbers")
        if name in _COPIES:
            self._copies(given)
            return Held(sum(_entries(value) for value in given))
        return None

    def _copies(self, values: Any) -> None:
        """Count what is copied from what exists."""
        self.copied += sum(map(_entries, values)) if isinstance(values, tuple) else _entries(values)
        if self.copied > MOST_COPIED:
            raise ValueError(f"its calls copy more than {MOST_COPIED:,} entries")

    def _tensor(self, given: tuple[Any, ...]) -> Stored:
        match given:
            case (Stored(numel), int(offset), tuple(shape), tuple(strides), *_):
                pass
            case _:
                raise ValueError("it rebuilds a tensor from something else than a storage")
        if len(shape) != len(strides) or len(shape) > 64 or not all(type(x) is int for x in (*shape, *strides)):
            raise ValueError("it rebuilds a tensor of an impossible shape")
        if min((offset, *shape, *strides)) < 0:
            raise ValueError("it rebuilds a tensor of an impossible shape")
        size = prod(shape)
        last = offset + sum((axis - 1) * stride for axis, stride in zip(shape, strides, strict=True))
        if size and last >= numel:
            raise ValueError(f"a tensor of shape {shape} is larger than the {numel} numbers that are stored for it")
        self.repeated += max(0, size - numel)
        if self.repeated > MOST_REPEATED:
            raise ValueError("its tensors repeat stored numbers more often than any network does")
        return Stored(size)

    def _storage(self, identity: Any) -> Stored:
        match identity:
            case ("storage" | b"storage", Named(kind), key, _, int(numel), *_) if numel >= 0:
                pass
            case _:
                raise ValueError("it refers to something else than a storage")
        try:
            width = _BYTES.get(kind.rpartition(".")[2].removesuffix("Storage"), 1)
            before = self.stored.get(key, 0)
            self.stored[key] = max(before, numel * width)
        except TypeError:
            raise ValueError("it refers to a storage of no name") from None
        self.claimed += self.stored[key] - before
        if self.claimed > self.size:
            raise ValueError(f"its storages take more than the {self.size:,} bytes that the file has")
        return Stored(numel)


def _entries(value: Any) -> int:
    if isinstance(value, Held):
        return value.entries
    return len(value) if isinstance(value, str | bytes | tuple) else 0
