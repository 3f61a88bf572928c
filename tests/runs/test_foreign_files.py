"""Checkpoints of other people: what is read, what is refused and in which words, and that no code of theirs runs."""

import dataclasses
import functools
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from grokinterp.errors import GrokinterpError
from grokinterp.runs.importers._foreign import read_foreign, tensors_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "theirs.pth"


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """A file that exists if a hostile pickle ran."""
    return tmp_path / "code ran"


def refused(read: Callable[[], Any], message: str) -> None:
    """`read` raises one printable line that matches `message`."""
    with pytest.raises(GrokinterpError, match=message) as caught:
        read()
    assert str(caught.value).isprintable()


class Calls:
    """Pickled as the call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def archive(file: Path, pickled: bytes, **records: bytes) -> None:
    """A torch.save file with a pickle of one's own."""
    with zipfile.ZipFile(file, "w") as out:
        for name, data in {"data.pkl": pickled, "version": b"3\n", "byteorder": b"little", **records}.items():
            out.writestr(f"archive/{name}", data)


def storage(key: str, numel: int) -> bytes:
    """The instructions that fetch a stored float32 array."""
    return (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX" + struct.pack("<I", len(key)) + key.encode()
        + b"X\x03\x00\x00\x00cpuJ" + struct.pack("<i", numel) + b"tQ"
    )  # fmt: skip


def tensor(source: bytes, numel: int, stride: int = 1) -> bytes:
    """The instructions that make a tensor of a storage."""
    size, step = (b"J" + struct.pack("<i", number) + b"\x85" for number in (numel, stride))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + source + b"K\x00" + size + step + b"\x89)tR"


# What is read


@pytest.mark.parametrize("legacy", [False, True])
def test_plain_values_come_back(file: Path, legacy: bool) -> None:
    weights = torch.nn.Linear(3, 2)
    content = {
        "model": weights.state_dict(),
        "parameter": weights.weight,
        "losses": [0.5, 1, True, None, "text", (1, 2)],
        3: torch.Size([4, 5]),
        "dtype": torch.float32,
        "device": torch.device("cuda:1"),
        "set": {7},
        "complex": 1j,
        "bytes": b"ab",
        "empty": b"",
    }
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    read = read_foreign(file)
    assert type(read) is dict
    assert type(read["model"]) is dict
    assert torch.equal(read["model"]["weight"], weights.weight)
    assert type(read["parameter"]) is torch.Tensor
    assert not read["parameter"].requires_grad
    assert read["losses"] == content["losses"]
    assert read[3] == (4, 5)
    assert type(read[3]) is tuple
    assert (read["dtype"], read["device"]) == ("torch.float32", "cuda:1")
    assert (read["set"], read["complex"], read["bytes"], read["empty"]) == ([7], 1j, b"ab", b"")


def test_safetensors_are_known_by_content(file: Path) -> None:
    save_file({"w": torch.arange(6.0).reshape(2, 3)}, file)
    assert torch.equal(read_foreign(file)["w"], torch.arange(6.0).reshape(2, 3))


def test_a_pickle_named_safetensors_is_read_as_a_pickle(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    torch.save({"w": torch.ones(2)}, file)
    assert torch.equal(read_foreign(file)["w"], torch.ones(2))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("spelling", ["numpy._core", "numpy.core"])
def test_numpy_arrays_and_scalars(file: Path, legacy: bool, spelling: str) -> None:
    arrays = [
        np.arange(6).reshape(2, 3).astype(kind) for kind in ("f8", "f4", "f2", "i8", "u1", ">f8", ">i2", "c16", "bool")
    ]
    arrays += [np.asfortranarray(arrays[0]), arrays[0].T, np.array(3.5), np.zeros((0, 4)), np.arange(9)[::2]]
    scalars = [np.float64(0.25), np.float32(0.5), np.int64(-3), np.bool_(True), np.complex128(1j)]
    torch.save({"arrays": arrays, "scalars": scalars}, file, _use_new_zipfile_serialization=not legacy)
    renamed = b"numpy.core" if spelling == "numpy.core" else b"numpy._core"
    data = file.read_bytes()
    if legacy:
        file.write_bytes(data.replace(b"cnumpy._core", b"c" + renamed))
    else:
        pickled = zipfile.ZipFile(file).read("theirs/data.pkl").replace(b"cnumpy._core", b"c" + renamed)
        archive(file, pickled)
    read = read_foreign(file)
    for array, expected in zip(read["arrays"], arrays, strict=True):
        assert type(array) is np.ndarray
        assert array.dtype.isnative
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype.newbyteorder("=")
        assert array.flags.writeable
    assert read["scalars"] == [0.25, 0.5, -3, True, 1j]
    assert [type(scalar) for scalar in read["scalars"]] == [float, float, int, bool, complex]


def test_cuda_storages_load_on_the_cpu(file: Path) -> None:
    archive(
        file,
        b"\x80\x02" + tensor(storage("0", 2).replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:1"), 2) + b".",
        **{"data/0": struct.pack("<2f", 1, 2)},
    )
    read = read_foreign(file)
    assert read.device.type == "cpu"
    assert read.tolist() == [1, 2]


def test_shared_lists_are_shared_and_small(file: Path) -> None:
    value: list[Any] = [1]
    for _ in range(15):
        value = [value, value]
    torch.save(value, file)
    read = read_foreign(file)
    assert read[0] is read[1]
    for _ in range(60):
        value = [value, value]
    torch.save(value, file)
    refused(lambda: read_foreign(file), "holds more than 5,000,000 entries; save the state_dict")


# The file of TransformerLens' Grokking demo


def saved_with_config(file: Path, module: str, name: str = "HookedTransformerConfig", legacy: bool = False) -> None:
    """The demo's file; the class exists while it is saved and no longer."""
    fields = {
        "d_model": 128,
        "act_fn": "relu",
        "dtype": torch.float32,
        "device": torch.device("cuda"),
        "init_range": np.float64(0.5),
    }
    parts = module.split(".")
    packages = [".".join(parts[: depth + 1]) for depth in range(len(parts))]
    before = {package: sys.modules.get(package) for package in packages}
    try:
        for package in packages:
            sys.modules[package] = types.ModuleType(package)
        config_class = type(name, (), {"__module__": module})
        setattr(sys.modules[module], name, config_class)
        config = config_class()
        config.__dict__.update(fields)
        demo = {
            "model": OrderedDict({"embed.W_E": torch.ones(2, 3)}),
            "config": config,
            "checkpoints": [{"embed.W_E": torch.zeros(2, 3)}],
            "checkpoint_epochs": [99],
            "test_losses": [np.float64(1.5)],
            "train_losses": [1.0],
            "train_indices": torch.tensor([1, 0]),
            "test_indices": torch.tensor([2]),
        }
        torch.save(demo, file, _use_new_zipfile_serialization=not legacy)
    finally:
        for package, old in before.items():
            if old is None:
                del sys.modules[package]
            else:
                sys.modules[package] = old


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("transformer_lens.HookedTransformerConfig", "HookedTransformerConfig"),
        ("transformer_lens.config.HookedTransformerConfig", "HookedTransformerConfig"),
        ("transformer_lens.config.hooked_transformer_config", "HookedTransformerConfig"),
        ("easy_transformer.EasyTransformerConfig", "EasyTransformerConfig"),
        ("my_fork.models", "HookedTransformerConfig"),
    ],
)
def test_the_demo_file_needs_no_transformer_lens(file: Path, module: str, name: str, legacy: bool) -> None:
    saved_with_config(file, module, name, legacy)
    read = read_foreign(file)
    assert read["config"] == {
        "d_model": 128,
        "act_fn": "relu",
        "dtype": "torch.float32",
        "device": "cuda",
        "init_range": 0.5,
    }
    assert type(read["config"]) is dict
    assert torch.equal(read["model"]["embed.W_E"], torch.ones(2, 3))
    assert torch.equal(read["checkpoints"][0]["embed.W_E"], torch.zeros(2, 3))
    assert read["train_indices"].tolist() == [1, 0]
    assert (read["checkpoint_epochs"], read["test_losses"]) == ([99], [1.5])


def test_a_config_with_slots_or_nothing(file: Path) -> None:
    made = b"ctransformer_lens.a\nFooConfig\n)\x81"
    archive(file, b"\x80\x02(" + made + made + b"N}X\x01\x00\x00\x00aK\x01s\x86b" + b"t.")
    assert read_foreign(file) == ({}, {"a": 1})


def test_a_state_that_is_no_dictionary_is_kept_under_that_name(file: Path) -> None:
    archive(file, b"\x80\x02ctransformer_lens.a\nFooConfig\n)\x81K\x05b.")
    assert read_foreign(file) == {"state": 5}


def test_a_config_is_never_called(file: Path, proof: Path) -> None:
    """The class named by the file exists here and would act: when imported, made, called or given its state."""
    module = types.ModuleType("transformer_lens_evil")

    class Acts:
        def __new__(cls, *_: Any) -> Any:
            proof.touch()
            return object.__new__(cls)

        def __setstate__(self, _: Any) -> None:
            proof.touch()

    module.HookedTransformerConfig = Acts  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    try:
        archive(file, b"\x80\x02ctransformer_lens_evil\nHookedTransformerConfig\n)R}X\x01\x00\x00\x00aK\x01sb.")
        assert read_foreign(file) == {"a": 1}
    finally:
        del sys.modules[module.__name__]
    assert not proof.exists()


def test_a_config_instance_cannot_be_called(file: Path) -> None:
    archive(file, b"\x80\x02ctransformer_lens.a\nFooConfig\n)R(K\x01tR.")
    refused(lambda: read_foreign(file), r"truncated, corrupt or no torch.save file \(.*unrecognized function")


def test_too_many_classes(file: Path) -> None:
    made = b"".join(b"csomebody.a\nClass%d\n)R" % number for number in range(101))
    archive(file, b"\x80\x02(" + made + b"t.")
    refused(lambda: read_foreign(file), r"objects of more than 100 classes; save the state_dict\(\) alone")


# Hostile pickles


@pytest.mark.parametrize("where", ["zip", "legacy", "bare"])
@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda proof: Calls(os.system, f"touch '{proof}'"), rf"{os.system.__module__}\.system"),
        (lambda proof: Calls(eval, f"open({str(proof)!r}, 'w')"), "eval"),
        (lambda proof: Calls(exec, f"open({str(proof)!r}, 'w')"), "exec"),
        (lambda proof: Calls(open, str(proof), "w"), r"(_?io\.)?open"),
        (lambda proof: Calls(getattr, proof, "touch"), "getattr|pathlib"),
        (lambda proof: Calls(functools.partial, open, str(proof), "w"), r"(_?io\.)?open"),
        (lambda proof: Calls(subprocess.Popen, ["touch", str(proof)]), r"(subprocess|commands)\.Popen"),
        (lambda proof: Calls(torch.load, str(proof)), r"torch\.serialization\.load"),
        (lambda proof: Calls(torch.save, {}, str(proof)), r"torch\.serialization\.save"),
        (lambda _: Calls(torch.storage._load_from_bytes, b"\x80"), r"torch\.storage\._load_from_bytes"),
        (lambda _: Calls(torch.jit.load, "x"), r"torch\.jit\._serialization\.load"),
    ],
)  # fmt: skip
def test_other_calls_and_classes_are_refused_by_name(
    file: Path, proof: Path, where: str, call: Callable[[Path], Any], named: str
) -> None:
    hostile = {"model": {"w": torch.ones(2)}, "config": call(proof)}
    if where == "bare":
        file.write_bytes(pickle.dumps({"config": call(proof)}, protocol=2))
    else:
        torch.save(hostile, file, _use_new_zipfile_serialization=where == "zip")
    refused(
        lambda: read_foreign(file),
        rf"theirs\.pth calls or holds an object of ({named})\S*; only tensors, numbers, text and their containers are "
        r"read, because a pickle can run code: save the state_dict\(\) alone",
    )
    assert not proof.exists()


@dataclasses.dataclass
class Dataclass:
    width: int


def test_hostile_calls_behind_a_config_are_refused(file: Path, proof: Path) -> None:
    """A file that needs the second attempt, for its configuration, gets no more from it."""
    command = f"touch '{proof}'".encode()
    hostile = b"cos\nsystem\n(X" + struct.pack("<I", len(command)) + command + b"tR"
    archive(file, b"\x80\x02(ctransformer_lens.a\nFooConfig\n)R}X\x01\x00\x00\x00a" + hostile + b"sbt.")
    refused(lambda: read_foreign(file), r"calls or holds an object of os\.system;")
    assert not proof.exists()


def test_what_others_allowed_is_not_allowed_here_and_stays_allowed_there(file: Path, proof: Path) -> None:
    torch.save(Calls(os.system, f"touch '{proof}'"), file)
    torch.serialization.add_safe_globals([Dataclass, (os.system, "posix.system"), np.dtype])
    before = set(torch.serialization.get_safe_globals())
    try:
        refused(lambda: read_foreign(file), "calls or holds an object of")
        torch.save(Dataclass(3), file)
        assert read_foreign(file) == {"width": 3}
        torch.save(np.ones(2), file)
        assert read_foreign(file).tolist() == [1, 1]
        assert set(torch.serialization.get_safe_globals()) == before
    finally:
        torch.serialization.clear_safe_globals()
    assert not proof.exists()


def test_a_name_with_escape_codes_is_made_printable(file: Path) -> None:
    archive(file, b"\x80\x02cos.evil\x1b[31m\rmodule\n" + b"x" * 500 + b"\n)R.")
    refused(lambda: read_foreign(file), r"object of os\.evil\?\[31m\?module\.x{100,150}…;")


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(tensor(storage("0", 1000), 1000), id="a storage larger than its record"),
        pytest.param(tensor(storage("0", 2), 1000), id="a tensor larger than its storage"),
        pytest.param(tensor(storage("0", 2), 2, stride=1000), id="a stride out of the storage"),
        pytest.param(tensor(storage("0", 2), 2, stride=-1), id="a negative stride"),
        pytest.param(tensor(storage("0", 2), -5), id="a negative size"),
        pytest.param(tensor(storage("../../secret", 2), 2), id="no such record"),
        pytest.param(tensor(b"K\x05", 2), id="no storage"),
        pytest.param(b"X\x04\x00\x00\x00evilQ", id="a persistent id of one's own"),
        pytest.param(b"(X\x06\x00\x00\x00moduletQ", id="a persistent id of a module"),
        pytest.param(b"Pevil\n", id="a persistent id in text"),
        pytest.param(b"\x82\x01", id="an extension code"),
        pytest.param(b"ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb", id="state set on a function"),
        pytest.param(b"ctorch\nSize\n}X\x01\x00\x00\x00aK\x01sb", id="state set on a class"),
        pytest.param(b"K\x01K\x01R", id="a number called"),
        pytest.param(b"2222", id="an empty stack"),
        pytest.param(b"h\x09", id="no such memo"),
        pytest.param(b"]}X\x01\x00\x00\x00aK\x01sR", id="a list called"),
    ],
)
def test_hostile_arguments_and_instructions(file: Path, pickled: bytes) -> None:
    archive(file, b"\x80\x02" + pickled + b".", **{"data/0": bytes(8)})
    refused(lambda: read_foreign(file), r"theirs\.pth is truncated, corrupt or no torch\.save file \(.+\); download or")


@pytest.mark.parametrize("numel", [1000, 2**30])
def test_memory_that_the_file_does_not_fill_is_not_shown(file: Path, numel: int) -> None:
    archive(file, b"\x80\x02ctorch\nFloatTensor\nJ" + struct.pack("<i", numel) + b"\x85R.")
    refused(lambda: read_foreign(file), r"\(it calls torch\.FloatTensor, which makes a tensor of no stored numbers\)")


def test_attributes_hung_on_a_tensor_are_dropped(file: Path) -> None:
    weights = torch.nn.Parameter(torch.ones(2))
    weights.detach = 3  # type: ignore[assignment]
    weights.evil = "yes"  # type: ignore[attr-defined]
    torch.save(weights, file)
    read = read_foreign(file)
    assert type(read) is torch.Tensor
    assert read.__dict__ == {}
    assert read.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (np.array(["a"]), r"'x' is a NumPy array of type 'U1'"),
        (np.array([{}], dtype=object), "'x' is a NumPy array of objects or without numbers"),
        (np.zeros(1, dtype=[("a", "f8")]), r"'x' is a NumPy array of type 'V8'"),
        (np.array(["2020"], dtype="datetime64[D]"), r"'x' is a NumPy array of type 'M8'"),
        (np.dtype("f8"), r"'x' is an object of grokinterp\.\S+NumpyType"),
        (torch.ones(2).untyped_storage(), r"'x' is an object of torch\.storage\.TypedStorage"),
        ({torch.float32: 1}, r"'x/…' is named by an object \(dtype\)"),
    ],
)
def test_values_that_are_not_plain_are_refused_by_name(file: Path, value: Any, what: str) -> None:
    torch.save({"x": value}, file)
    refused(lambda: read_foreign(file), f"theirs.pth.*{what}")


@pytest.mark.parametrize(
    ("instructions", "what"),
    [
        (
            b"(K\x01(K\x09tcnumpy\ndtype\n(X\x02\x00\x00\x00f8tR\x89%stb",
            "a NumPy array of 1 numbers with another shape",
        ),
        (b"(K\x01(K\x01tcnumpy\ndtype\n(X\x03\x00\x00\x00f16tR\x89%stb", "a NumPy array of type f16 that does not fit"),
        (b"(K\x01(K\x01tcnumpy\ndtype\n(X\x02\x00\x00\x00O8tR\x89%stb", "a NumPy array of type 'O8'"),
        (b"(K\x01(K\x01tcnumpy\ndtype\n)R\x89%stb", "a NumPy array of type None"),
        (b"K\x01b", "a NumPy array of objects or without numbers"),
        (b"", "a NumPy array of objects or without numbers"),
    ],
)
def test_hostile_arrays(file: Path, instructions: bytes, what: str) -> None:
    eight = b"c_codecs\nencode\n(X\x08\x00\x00\x00abcdefghX\x06\x00\x00\x00latin1tR"
    archive(file, b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n)R" + instructions.replace(b"%s", eight) + b".")
    refused(lambda: read_foreign(file), f"the content is {what}")


def test_hostile_scalars(file: Path) -> None:
    archive(file, b"\x80\x02cnumpy._core.multiarray\nscalar\n)R.")
    refused(lambda: read_foreign(file), "the content is a NumPy scalar without a number")
    eight = b"c_codecs\nencode\n(X\x08\x00\x00\x00abcdefghX\x06\x00\x00\x00latin1tR"
    kind = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4tR"
    archive(file, b"\x80\x02cnumpy._core.multiarray\nscalar\n(" + kind + eight + b"tR.")
    refused(lambda: read_foreign(file), "the content is a NumPy scalar of 2 numbers")


def test_circles_and_depth(file: Path) -> None:
    circle: list[Any] = []
    circle.append(circle)
    torch.save({"a": circle}, file)
    refused(lambda: read_foreign(file), r"'a\[0\]' contains itself; save the state_dict\(\) alone")
    archive(file, b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    refused(lambda: read_foreign(file), r"is nested too deeply; save the state_dict\(\) alone")


# Files that are something else, or damaged


def test_zip_bombs_are_refused_before_they_are_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "load", None)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("archive/data.pkl", bytes(10_000_000))
    refused(
        lambda: read_foreign(file),
        r"theirs\.pth has [\d,]+ bytes and would unpack to 10,000,000; at most 4,294,967,296 and 200 times the file",
    )


def test_a_zip_that_claims_more_than_4_gib(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"w": torch.ones(2)}, file)
    monkeypatch.setattr("grokinterp.runs.importers._foreign._LARGEST", 500)
    refused(lambda: read_foreign(file), r"has \d.* GiB; files up to 4 GiB are read: save the weights alone")
    monkeypatch.setattr("grokinterp.runs.importers._foreign._LARGEST", 10_000)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for number in range(20):
            out.writestr(f"archive/{number}", bytes(1000))
    refused(lambda: read_foreign(file), "has .* would unpack to 20,000")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\); download or copy it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "is a Git LFS pointer, not the file it stands for; fetch that with `git lfs pull`",
        ),
        (b"\n<!DOCTYPE html><html>", "is a web page, not a checkpoint; download the raw file"),
        (b"hello\nworld" * 9, "is neither a torch.save file nor safetensors; give a file of one of these kinds"),
        (b"\x80", "is truncated, corrupt or no torch.save file"),
        (b"\x80\x02", "is truncated, corrupt or no torch.save file"),
        (b"\x80\x02" + bytes(range(256)), "is truncated, corrupt or no torch.save file"),
        (pickle.dumps([1, 2], protocol=2), r"no torch.save file \(Invalid magic number; corrupt file\?\)"),
        (pickle.dumps([1, 2], protocol=4), "is pickled with protocol 4; protocol 2 is read: save it again with torch"),
        (b"PK\x03\x04" + bytes(50), "is truncated, corrupt or no torch.save file"),
        (struct.pack("<Q", 10_000) + b'{"w":', "is truncated, corrupt or no torch.save file"),
        (struct.pack("<Q", 5) + b'{"w":', "is truncated, corrupt or no torch.save file"),
    ],
)
def test_other_files(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    refused(lambda: read_foreign(file), re.escape(str(file)) + " .*" + message)


@pytest.mark.parametrize("legacy", [False, True])
def test_every_truncation_is_one_line(file: Path, legacy: bool) -> None:
    torch.save({"w": torch.ones(20), "losses": np.ones(3)}, file, _use_new_zipfile_serialization=not legacy)
    whole = file.read_bytes()
    for length in range(1, len(whole) - 1, 37):
        file.write_bytes(whole[:length])
        refused(
            lambda: read_foreign(file), "theirs.pth (is (truncated|neither)|calls or holds an object of [a-zA-Z_.]+;)"
        )


@pytest.mark.parametrize("legacy", [False, True])
def test_flipped_bytes_raise_nothing_else(file: Path, legacy: bool) -> None:
    saved_with_config(file, "transformer_lens.HookedTransformerConfig", legacy=legacy)
    whole = file.read_bytes()
    chance = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in chance.integers(0, len(whole), 3):
            damaged[place] = chance.integers(256)
        file.write_bytes(damaged)
        try:
            read_foreign(file)
        except GrokinterpError as error:
            assert str(error).isprintable()


def test_pickle_protocol_in_a_zip(file: Path) -> None:
    torch.save([1], file, pickle_protocol=4)
    refused(lambda: read_foreign(file), "is pickled with protocol 4; protocol 2 is read")


def test_zips_of_other_programs(file: Path) -> None:
    np.savez(file.with_suffix(".npz"), w=np.ones(2))
    refused(lambda: read_foreign(file.with_suffix(".npz")), "is a zip archive without data.pkl, so torch.save did not")
    archive(file, b"\x80\x02N.", **{"constants.pkl": b"\x80\x02)."})
    refused(lambda: read_foreign(file), r"is a TorchScript archive, which is a program; save its state_dict\(\) with")


def test_paths_that_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(lambda: read_foreign(tmp_path), "is a folder; give the checkpoint file itself")
    refused(lambda: read_foreign(tmp_path / "none"), "cannot read .*none: there is no such file or folder; check the")
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    refused(lambda: read_foreign(tmp_path / "one"), "cannot read .*one: its symbolic links lead in a circle; check")
    os.mkfifo(tmp_path / "pipe")
    refused(lambda: read_foreign(tmp_path / "pipe"), "is not a regular file; give a checkpoint file")
    (tmp_path / "secret").write_bytes(b"x")

    def forbid(*_: Any, **__: Any) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbid)
    refused(lambda: read_foreign(tmp_path / "secret"), "cannot read .*secret: permission denied; check the path and")


def test_nothing_is_printed_or_warned(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    saved_with_config(file, "transformer_lens.HookedTransformerConfig")
    read_foreign(file)
    assert capfd.readouterr() == ("", "")


# State dicts


def test_tensors_are_float32_contiguous_and_detached(file: Path) -> None:
    state = {
        "double": torch.tensor([0.1, 1 / 3], dtype=torch.float64),
        "half": torch.tensor([0.5], dtype=torch.float16),
        "brain": torch.tensor([0.5], dtype=torch.bfloat16),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "mask": torch.tensor([True]),
        "count": torch.tensor(3, dtype=torch.int64),
        "blocks.0.attn.IGNORE": torch.tensor(-torch.inf),
        "empty": torch.zeros(0, 3),
    }
    tensors = tensors_of(state, file)
    assert list(tensors) == list(state)
    for name, tensor in tensors.items():
        assert tensor.dtype == {"mask": torch.bool, "count": torch.int64}.get(name, torch.float32)
        assert tensor.is_contiguous()
        assert not tensor.requires_grad
        torch.testing.assert_close(tensor, state[name].detach().to(tensor.dtype), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([1, 2], "holds a list of 2; a state dict (names with tensors) is needed"),
        (torch.ones(2, 3), "holds a tensor of shape (2, 3); a state dict"),
        (np.ones(2), "holds a NumPy array of shape (2,); a state dict"),
        (3, "holds a number; a state dict"),
        ("x", "holds text; a state dict"),
        (None, "holds nothing (None); a state dict"),
        ({}, "holds an empty state dict; one with tensors is needed"),
        ({"model": {"w": 1}}, ": 'model' is a dictionary of 1, not a tensor; a state dict"),
        ({3: torch.ones(1)}, ": 3 is a number, not a name; a state dict"),
        ({"w": torch.tensor([1, float("nan")])}, ": tensor 'w' has 1 of 2 values that are NaN, infinite or too large"),
        ({"w": torch.tensor([float("inf")])}, ": tensor 'w' has 1 of 1 values that are NaN"),
        ({"w": torch.tensor([1e300], dtype=torch.float64)}, ": tensor 'w' has 1 of 1 values that are NaN"),
        ({"w": torch.tensor([1j])}, ": tensor 'w' is complex; real weights are needed"),
        ({"w": torch.ones(2).to_sparse()}, ": tensor 'w' is sparse; a dense one is needed"),
        ({"w": torch.ones(2, device="meta")}, ": tensor 'w' is without data (on the meta device)"),
        ({"w": torch.ones(1).expand(2**31)}, "holds tensors of more than 4 GiB; give the state dict of a smaller"),
        ({"a\nb": 1}, ": 'a?b' is a number, not a tensor"),
    ],
)
def test_what_is_no_state_dict_is_said(file: Path, state: Any, message: str) -> None:
    refused(lambda: tensors_of(state, file), "^" + re.escape(f"{file}") + " ?" + re.escape(message))


# Functions, because the making of some warns that they are experimental or deprecated.
UNUSUAL = {
    "sparse": lambda: torch.ones(2).to_sparse(),
    "sparse ": lambda: torch.ones(2, 2).to_sparse_csr(),
    "without data (on the meta device)": lambda: torch.ones(2, device="meta"),
    "quantized": lambda: torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.qint8),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_tensors_are_refused_by_name(file: Path, kind: str) -> None:
    state = {"w": UNUSUAL[kind]()}
    message = f"theirs.pth: tensor 'w' is {re.escape(kind.strip())}; a dense one is needed: convert it and save again"
    refused(lambda: tensors_of(state, file), message)
    torch.save(state, file)
    refused(lambda: read_foreign(file), message)
