"""Small files that ask for gigabytes, or for minutes: each is refused before anything of the kind is made."""

import io
import json
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from bounds import bounded, needs_linux, soon
from test_foreign_files import archive, storage, tensor

from grokinterp.errors import GrokinterpError
from grokinterp.runs.importers._content import numbers
from grokinterp.runs.importers._foreign import read_foreign
from grokinterp.runs.importers._pickled import followed


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def memo(number: int) -> bytes:
    return b"j" + struct.pack("<I", number)


def many(times: int, part: bytes, first: bytes = b"") -> bytes:
    """A list of what `part` makes, so many times."""
    return b"\x80\x02" + first + b"](" + part * times + b"e."


LONG = "a" * 1_000_000
# Text of a million signs under number 0, to be used again and again.
KEPT = text(LONG) + b"r" + struct.pack("<I", 0)


def dictionary(entries: int) -> bytes:
    """A dictionary under number 1."""
    return b"}r" + memo(1)[1:] + b"(" + b"".join(b"J" + struct.pack("<i", n) + b"N" for n in range(entries)) + b"u"


LARGE_DICT = dictionary(30_000)
COPY = b"ccollections\nOrderedDict\n" + memo(1) + b"\x85R"


def quantized(numel: int) -> bytes:
    size = b"J" + struct.pack("<i", numel) + b"\x85"
    return (
        b"ctorch._utils\n_rebuild_qtensor\n(" + storage("0", 2) + b"K\x00" + size + b"K\x01\x85"
        b"(ctorch\nper_tensor_affine\nG?\xe0\x00\x00\x00\x00\x00\x00K\x00t\x89NtR"
    )  # fmt: skip


def rebuilt_by(function: bytes, arguments: bytes) -> bytes:
    return b"ctorch._tensor\n_rebuild_from_type_v2\n(" + function + b"ctorch\nTensor\n" + arguments + b"}tR"


BIG = b"\x8a\x05" + (8 * 10**9).to_bytes(5, "little")
PICKLES: dict[str, bytes] = {
    "bytearray": b"\x80\x02cbuiltins\nbytearray\n" + BIG + b"\x85R.",
    "bytearray of python 2": b"\x80\x02c__builtin__\nbytearray\n" + BIG + b"\x85R.",
    "bytes": b"\x80\x02c__builtin__\nbytes\n" + BIG + b"\x85R.",
    "a slow codec": b"\x80\x02c_codecs\nencode\n" + text("é" * 400_000) + text("punycode") + b"\x86R.",
    "a wide codec": many(3000, b"c_codecs\nencode\n" + memo(0) + text("utf-32") + b"\x86R", KEPT),
    "copies of bytes": many(3000, b"c_codecs\nencode\n" + memo(0) + text("latin1") + b"\x86R", KEPT),
    "a tensor of no numbers": b"\x80\x02ctorch\nDoubleTensor\nJ\xff\xff\xff\x7f\x85R.",
    "a new tensor of no numbers": b"\x80\x02ctorch\nDoubleTensor\nJ\xff\xff\xff\x7f\x85\x81.",
    "torch.Tensor": b"\x80\x02ctorch\nTensor\nJ\xff\xff\xff\x7f\x85R.",
    "a storage": b"\x80\x02ctorch.storage\nUntypedStorage\n" + BIG + b"\x85R.",
    "rebuilt by a tensor type": b"\x80\x02" + rebuilt_by(b"ctorch\nFloatTensor\n", b"J\xff\xff\xff\x7f\x85") + b".",
    "rebuilt by a codec": b"\x80\x02" + rebuilt_by(b"c_codecs\nencode\n", text("é") + text("idna") + b"\x86") + b".",
    "copies of a dictionary": many(500, COPY, LARGE_DICT),
    "copies of a set": many(500, b"c__builtin__\nset\n" + memo(1) + b"\x85R", LARGE_DICT),
    "copies in an object": many(500, b"ccollections\nOrderedDict\n)R" + memo(1) + b"b", LARGE_DICT),
    "an object's fields": many(500, b"cmine\nArgs\n)R" + memo(1) + b"b", LARGE_DICT),
    "repeated numbers": b"\x80\x02" + tensor(storage("0", 1), 2**31 - 1, stride=0) + b".",
    "a quantized tensor": b"\x80\x02" + quantized(2**31 - 1) + b".",
    "many instructions": b"\x80\x02](" + b"}" * 5_000_000 + b"e.",
    "a long text that is not there": b"\x80\x02X\xff\xff\xff\xff.",
    "a far number of the memo": b"\x80\x02Nr\xff\xff\xff\xffj\xfe\xff\xff\xff.",
    "bytes of protocol 3": b"\x80\x02B\xff\xff\xff\x7f.",
    "bytes of protocol 4": b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "a bytearray of protocol 5": b"\x80\x02\x96\x00\x00\x00\x00\x02\x00\x00\x00.",
    "a long number": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "keys that grow": b"\x80\x02" + KEPT + b"".join(b"}" + memo(0) for _ in range(300)) + b"N" + b"s" * 300 + b"\x86.",
}  # fmt: skip


def legacy(content: bytes, keys: bytes = b"]q\x00.", after: bytes = b"") -> bytes:
    """A file of torch.save before version 1.6."""
    start = io.BytesIO()
    torch.save(1, start, _use_new_zipfile_serialization=False)
    head = start.getvalue()[: start.getvalue().index(b"\x80\x02K\x01.")]
    return head + content + b"\x80\x02" + keys + after


def two_of_one_name() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("archive/version", b"3\n")
        file.writestr("archive/data.pkl", PICKLES["bytearray"])
        file.writestr("archive/data.pkl", b"\x80\x02N.")
    return out.getvalue()


def packed() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/version", b"3\n")
        file.writestr("archive/data.pkl", b"\x80\x02N.")
    return out.getvalue()


def bombs(folder: Path, names: Sequence[str] = tuple(PICKLES)) -> dict[str, Path]:
    files = {name: folder / f"{number}.pth" for number, name in enumerate(names) if name in PICKLES}
    for name, file in files.items():
        archive(file, PICKLES[name], **{"data/0": bytes(8)})
    others = {
        "legacy storage": legacy(b"\x80\x02" + tensor(storage("0", 2**31 - 1), 2) + b"."),
        "legacy tensor": legacy(b"\x80\x02" + tensor(storage("0", 2), 2**31 - 1) + b"."),
        "legacy bytearray": legacy(PICKLES["bytearray"]),
        "two of one name": two_of_one_name(),
        "compressed": packed(),
    }
    for name, content in others.items():
        files[name] = folder / f"{len(files)}.pth"
        files[name].write_bytes(content)
    return files


CHILD = """
import json, sys, time
from pathlib import Path
sys.path.append(sys.argv[2])
from bounds import peak_memory
from grokinterp.errors import GrokinterpError
from grokinterp.runs.importers._foreign import read_foreign

found = {}
before = peak_memory()
for name, path in json.loads(sys.argv[1]).items():
    start = time.process_time()
    try:
        read_foreign(Path(path))
        said = "read"
    except GrokinterpError as error:
        said = str(error)
    found[name] = (said, time.process_time() - start, (peak_memory() - before) / 2**20)
print(json.dumps(found))
"""


@pytest.mark.long
def test_small_bombs_take_neither_memory_nor_time(tmp_path: Path):
    files = {name: str(path) for name, path in bombs(tmp_path).items()}
    command = [sys.executable, "-c", CHILD, json.dumps(files), str(Path(__file__).parents[1])]
    child = subprocess.run(command, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr[-2000:]
    found = json.loads(child.stdout)
    # Of this the memory is bounded: it holds what it holds.
    read = {name for name, (said, _, _) in found.items() if said == "read"}
    assert read == {"keys that grow"}
    for name, (said, seconds, megabytes) in found.items():
        assert said.isprintable(), name
        assert seconds < 10, (name, seconds)
        # The whole process so far, all files before it included.
        assert megabytes < 700, (name, megabytes)


# One of each kind that costs nothing to refuse, and for what it is refused: that the memory did not suffice is another
# reason, and none. All of them are read in a process of their own, above.
FEW = {
    "bytearray": "bytes that are written in another way",
    "a slow codec": "bytes that are written in another way",
    "a tensor of no numbers": "it calls torch.DoubleTensor, which makes a tensor of no stored numbers",
    "a storage": "it calls torch.storage.UntypedStorage, which makes a tensor of no stored numbers",
    "rebuilt by a codec": "it rebuilds a tensor by another function than torch's",
    "repeated numbers": "its tensors repeat stored numbers",
    "a quantized tensor": "is larger than the 2 numbers that are stored",
    "a bytearray of protocol 5": "none that torch.save writes",
    "legacy storage": "its storages take more than the [0-9]+ bytes that the file has",
    "legacy tensor": "is larger than the 2 numbers that are stored",
    "legacy bytearray": "bytes that are written in another way",
    "two of one name": "two entries of one name",
    "compressed": "compressed entries",
}


@needs_linux
def test_a_few_small_bombs_are_refused_within_the_bounds(tmp_path: Path):
    files = bombs(tmp_path, tuple(FEW))
    with bounded(), soon():
        for name, says in FEW.items():
            with pytest.raises(GrokinterpError, match=says):
                read_foreign(files[name])


@pytest.mark.parametrize(
    ("pickled", "says"),
    [
        (PICKLES["a tensor of no numbers"], "it calls torch.DoubleTensor, which makes a tensor of no stored numbers"),
        (PICKLES["a storage"], "it calls torch.storage.UntypedStorage, which makes a tensor of no stored numbers"),
        (PICKLES["repeated numbers"], "its tensors repeat stored numbers more often than any network does"),
        (PICKLES["a quantized tensor"], r"a tensor of shape \(2147483647,\) is larger than the 2 numbers that are sto"),
        (many(500, COPY, dictionary(30)), "its calls copy more than 1,000 entries"),
        (PICKLES["rebuilt by a codec"], "it rebuilds a tensor by another function than torch's"),
        (b"\x80\x02](" + b"}" * 3000 + b"e.", "it has more than 2,000 instructions"),
        (PICKLES["bytes of protocol 4"], "the instruction 142 is none that torch.save writes"),
        (PICKLES["a long text that is not there"], "it ends within an instruction"),
        (b"\x80\x02cx", "it ends within an instruction"),
        (PICKLES["a far number of the memo"], "its instructions refer to what they have not made"),
        (b"\x80\x02\x85.", "its instructions take more than they have put down"),
        (b"\x80\x02" + tensor(storage("0", 2), 2) + b"}b.", "it changes a tensor that was made"),
        (b"\x80\x02K\x01Q.", "it refers to something else than a storage"),
        (b"\x80\x02" + storage("0", 2).replace(b"X\x01\x00\x00\x000", b"]") + b".", "to a storage of no name"),
        (b"\x80\x02" + storage("0", 200) + b".", "its storages take more than the .* bytes that the file has"),
        (b"\x80\x02" + tensor(b"N", 2) + b".", "it rebuilds a tensor from something else than a storage"),
        (b"\x80\x02" + tensor(storage("0", 1), -1) + b".", "it rebuilds a tensor of an impossible shape"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor\n(" + storage("0", 1) + b"K\x00K\x01\x85)tR.", "an impossible shape"),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_held_against_what_is_stored(pickled: bytes, says: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("grokinterp.runs.importers._pickled.MOST_INSTRUCTIONS", 2000)
    monkeypatch.setattr("grokinterp.runs.importers._pickled.MOST_COPIED", 1000)
    with pytest.raises(ValueError, match=says):
        followed(pickled)


def test_an_archive_that_two_readers_read_differently(tmp_path: Path):
    file = tmp_path / "theirs.pth"
    file.write_bytes(two_of_one_name())
    with pytest.raises(GrokinterpError, match="is a zip archive with two entries of one name, which"):
        read_foreign(file)
    file.write_bytes(packed())
    with pytest.raises(GrokinterpError, match="is a zip archive with compressed entries, which"):
        read_foreign(file)


def test_torch_reads_what_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An archive whose entry is one thing by its own header, and another by the table of contents."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in (("version", b"3\n"), ("byteorder", b"little"), ("data.pkl", b"\x80\x02K\x07.")):
            file.writestr(f"archive/{name}", data)
    content = out.getvalue()
    local = content.index(b"data.pkl")
    hidden = content[:local] + b"othe.pkl" + content[local + 8 :]
    given: list[bytes] = []
    load = torch.load

    def seen(file: io.BytesIO, **how: object) -> object:
        given.append(file.getvalue())
        return load(file, **how)

    monkeypatch.setattr(torch, "load", seen)
    for whole in (content, b"before the archive " * 100 + content):
        (tmp_path / "theirs.pth").write_bytes(whole if whole.startswith(b"PK") else b"PK" + whole)
        given.clear()
        assert read_foreign(tmp_path / "theirs.pth") == 7
        with zipfile.ZipFile(io.BytesIO(given[0])) as ours:
            assert ours.namelist() == ["archive/version", "archive/byteorder", "archive/data.pkl"]
    (tmp_path / "theirs.pth").write_bytes(hidden)
    with pytest.raises(GrokinterpError, match="truncated, corrupt or no torch"):
        read_foreign(tmp_path / "theirs.pth")


def test_bytes_and_byte_arrays_come_back(tmp_path: Path):
    file = tmp_path / "theirs.pth"
    value = {"a": bytes(range(256)), "b": bytearray(b"\xff\x00b"), "c": bytearray(), "d": b""}
    for modern in (True, False):
        torch.save(value, file, _use_new_zipfile_serialization=modern)
        assert read_foreign(file) == value


def test_bytes_of_another_codec_are_refused(tmp_path: Path):
    archive(tmp_path / "theirs.pth", PICKLES["a slow codec"])
    with pytest.raises(GrokinterpError, match="bytes that are written in another way than Python writes them"):
        read_foreign(tmp_path / "theirs.pth")
    archive(tmp_path / "theirs.pth", PICKLES["copies of bytes"])
    with pytest.raises(GrokinterpError, match="is one of many copies of the same bytes"):
        read_foreign(tmp_path / "theirs.pth")


def test_numbers_beyond_64_bits_and_half_characters_are_text(tmp_path: Path):
    file = tmp_path / "theirs.pth"
    torch.save({"seed": 2**64, "\ud800": "\udfffx", "least": -(2**63)}, file)
    assert read_foreign(file) == {"seed": str(2**64), "?": "?x", "least": -(2**63)}


def test_a_list_of_too_many_numbers_is_refused(monkeypatch: pytest.MonkeyPatch):
    said = {"train_losses": torch.zeros(11)}
    monkeypatch.setattr("grokinterp.runs.importers._content.MOST_NUMBERS", 10)
    with pytest.raises(GrokinterpError, match=re.escape("is a tensor of shape (11,); at most 10 numbers are read")):
        numbers(said, "train_losses", Path("final.pth"))
