"""Objects that strangers keep beside their weights: read as their fields, by nobody's code."""

import argparse
import collections
import dataclasses
import datetime
import enum
import functools
import pathlib
import struct
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_foreign_files import archive, refused

from grokinterp.runs.importers._foreign import read_foreign


@dataclasses.dataclass
class Dataclass:
    width: int
    activation: type = threading.Event


class Slotted:
    __slots__ = ("lr", "p")

    def __init__(self) -> None:
        self.lr, self.p = 0.5, 7


class Attributes(dict):
    """Settings that are reached as attributes, as Lightning's and many others'."""


class Numbers(list):
    pass


class Operation(enum.Enum):
    ADD = "a + b"


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(3, 2)
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, 4, bias=False), torch.nn.ReLU())
        self.register_buffer("mask", torch.ones(2, 2))
        self.act = torch.nn.functional.gelu
        self.p = 7


Point = collections.namedtuple("Point", "a b")
OBJECTS = {
    "namespace": (argparse.Namespace(p=7, lr=1e-3), {"p": 7, "lr": 1e-3}),
    "simple namespace": (types.SimpleNamespace(p=7), {"p": 7}),
    "dataclass": (Dataclass(3), {"width": 3, "activation": "threading.Event"}),
    "slots": (Slotted(), {"lr": 0.5, "p": 7}),
    "nested": (argparse.Namespace(inner=Dataclass(1, int)), {"inner": {"width": 1, "activation": "builtins.int"}}),
    "defaultdict": (collections.defaultdict(list, {"loss": [1.0]}), {"loss": [1.0]}),
    "defaultdict of defaultdicts": (
        collections.defaultdict(functools.partial(collections.defaultdict, list), {"a": {"b": 1}}),
        {"a": {"b": 1}},
    ),
    "a dictionary's class": (Attributes(p=7), {"p": 7}),
    "a list's class": (Numbers([1, 2]), [1, 2]),
    "deque": (collections.deque([1, 2], maxlen=5), [1, 2]),
    "path": (pathlib.PurePosixPath("runs/x.pt"), "runs/x.pt"),
    "enum": (Operation.ADD, "a + b"),
    "named tuple": (Point(1, 2), [1, 2]),
    "class": (threading.Event, "threading.Event"),
    "function": (torch.nn.functional.gelu, None),
    "date": (datetime.date(2024, 1, 2), None),
    "generator": (np.random.default_rng(0), None),
    "frozenset as a name": ({(torch.Size([1]), (frozenset, 1)): 1}, {((1,), ("builtins.frozenset", 1)): 1}),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_is_read_as_what_it_holds(tmp_path: Path, kind: str, legacy: bool) -> None:
    value, plain = OBJECTS[kind]
    file = tmp_path / "theirs.pth"
    torch.save({"w": torch.ones(2), "x": value}, file, _use_new_zipfile_serialization=not legacy)
    read = read_foreign(file)
    assert torch.equal(read["w"], torch.ones(2))
    if plain is not None:
        assert read["x"] == plain
        assert type(read["x"]) is type(plain)


def test_a_module_saved_whole_is_its_state_dict_and_settings(tmp_path: Path) -> None:
    network = Network()
    torch.save(network, tmp_path / "whole.pth")
    read = read_foreign(tmp_path / "whole.pth")
    assert read["state_dict"].keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(read["state_dict"][name], tensor)
    assert (read["p"], read["act"]) == (7, "torch._C._nn.gelu")


@pytest.mark.parametrize("base", [object, dict, list])
@pytest.mark.parametrize("call", [b")R", b")\x81", b"(X\x01\x00\x00\x00atR", b")R}X\x01\x00\x00\x00aK\x01sb"])
def test_a_class_that_would_act_is_neither_imported_nor_called(tmp_path: Path, base: type, call: bytes) -> None:
    proof, module = tmp_path / "code ran", types.ModuleType("evil_module")

    def act(*_: Any, **__: Any) -> Any:
        proof.touch()

    acts: Callable[..., Any] = type("Config", (base,), dict.fromkeys(("__new__", "__init__", "__setstate__"), act))
    module.Config = acts  # type: ignore[attr-defined]
    module.__getattr__ = act  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        archive(tmp_path / "x.pth", b"\x80\x02cevil_module\nConfig\n" + call + b".")
        read_foreign(tmp_path / "x.pth")
    finally:
        del sys.modules[module.__name__]
    assert not proof.exists()


def test_a_call_in_place_of_a_tensor_is_no_tensor(tmp_path: Path) -> None:
    name = b"X" + struct.pack("<I", 1) + b"w"
    archive(tmp_path / "x.pth", b"\x80\x02}" + name + b"csomebody\nrebuild\nK\x01\x85Rs.")
    assert read_foreign(tmp_path / "x.pth") == {"w": 1}


def test_classes_of_containers_are_few(tmp_path: Path) -> None:
    made = b"".join(b"csomebody\nDict%d\n)\x81X\x01\x00\x00\x00aK\x01s" % number for number in range(9))
    archive(tmp_path / "x.pth", b"\x80\x02(" + made + b"t.")
    refused(lambda: read_foreign(tmp_path / "x.pth"), "holds containers of more than 8 classes of its own; save the")
