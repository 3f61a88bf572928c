"""Inputs that nobody meant: whatever a file or a setting holds, the answer is a value or one line, soon and in little
memory. Inputs are drawn from seeds; each failure names its seed, which draws the same input again."""

import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bounds import TookTooLong, bounded, needs_linux, soon

from grokinterp.cli._following import RunFollower
from grokinterp.cli._runs import info
from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig, initial_weights
from grokinterp.runs import Run, RunConfig, import_run, load_run
from grokinterp.runs.importers._foreign import read_foreign
from grokinterp.tasks import Task, TaskConfig

pytestmark = pytest.mark.filterwarnings("ignore")

# Values.

TEXTS = (
    "",
    " ",
    "²",
    "１２",
    "1/3",
    "nan",
    "-1",
    "1e999",
    "x" * 5000,
    "\x1b[31mred\x07",
    "\u202eevil",
    "\x00",
    "../../../etc/passwd",
    "/dev/zero",
    "hf://a/b",
    "add",
    "compose",
    "S5",
    "S99",
    "Z999999999999",
    "D0",
    "Z5xZ5xZ5xZ5xZ5xZ5xZ5",
    "self",
    "[red]",
    "cuda:99",
    "🙂" * 9,
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    113,
    2**31,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    10**9,
    0.5,
    -0.0,
    1e-300,
    1e300,
    3.0,
    True,
    False,
)
BEYOND = (2**63, -(2**64), 10**400, float("nan"), float("inf"), float("-inf"))


def nested(depth: int) -> Any:
    value: Any = 0
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def value(chance: random.Random) -> Any:
    """Something that may stand anywhere."""
    kind = chance.randrange(9)
    if kind < 3:
        return chance.choice(NUMBERS)
    if kind < 5:
        return chance.choice(TEXTS)
    if kind == 5:
        return chance.choice(BEYOND)
    if kind == 6:
        return chance.choice((None, [], {}, "\ud800", nested(chance.choice((3, 70, 400)))))
    if kind == 7:
        return [value(chance) for _ in range(chance.randrange(4))]
    return {chance.choice(TEXTS): value(chance) for _ in range(chance.randrange(4))}


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in nested dictionaries and lists."""
    yield at
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    for key, below in list(inside)[:40]:
        yield from places(below, (*at, key))


def changed(tree: Any, chance: random.Random, value: Callable[[random.Random], Any] = value) -> Any:
    """A copy of nested dictionaries and lists with a few entries replaced, removed, added, renamed or moved."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        # What stands deeper is more, and would be all that changes.
        at = chance.choice(sorted({place[: chance.randint(1, 4)] for place in places(tree)} - {()}, key=repr) or [()])
        tree = _changed_at(tree, at, chance, value)
    return tree


def _changed_at(tree: Any, at: tuple[Any, ...], chance: random.Random, value: Callable[[random.Random], Any]) -> Any:
    if not at:
        return value(chance)
    copy = list(tree) if isinstance(tree, list | tuple) else dict(tree)
    key = at[0]
    if len(at) > 1 or chance.random() < 0.5:
        copy[key] = _changed_at(copy[key], at[1:], chance, value)
    elif isinstance(copy, list):
        copy[key : key + chance.randrange(2)] = [value(chance)] * chance.randrange(3)
    else:
        entry = copy.pop(key)
        copy |= chance.choice(({}, {chance.choice(TEXTS): entry}, {key: [entry]}, {key: {key: entry}}))
    return copy if not isinstance(tree, tuple) else tuple(copy)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bytes cut, flipped, repeated, removed or with others among them."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 10))):
        if not found:
            break
        at, length = chance.randrange(len(found)), chance.choice((1, 2, 8, 100))
        kind = chance.randrange(6)
        if kind == 0:
            found[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            found[at : at + length] = chance.randbytes(length)
        elif kind == 2:
            del found[at : at + length]
        elif kind == 3:
            found[at:at] = found[at : at + length]
        elif kind == 4:
            found[at : at + 1] = chance.choice(
                (b"\x00", b"\xff" * 8, b"9" * 30, b"\xed\xa0\x80", b'"', b"[" * 99, b"NaN")
            )
        else:
            del found[at:]
    return bytes(found)


def as_json(tree: Any, chance: random.Random) -> bytes:
    """JSON, sometimes damaged, or with a name twice."""
    text = json.dumps(tree, indent=chance.choice((None, 2)), ensure_ascii=chance.random() < 0.5)
    data = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        data = data.replace(b": ", b': 1, "p": ', 1)
    return damaged(data, chance) if chance.random() < 0.3 else data


# What is given to whom: each takes a folder, a run to damage, and chance.

Subject = Callable[[Path, Run, random.Random], object]


def of_run_json(folder: Path, run: Run, chance: random.Random) -> None:
    record = json.loads(run.folder.record_path.read_text())
    place = copied(run, folder)
    (place / "run.json").write_bytes(as_json(changed(record, chance), chance))
    read_again(place)


def of_metrics(folder: Path, run: Run, chance: random.Random) -> None:
    lines = [json.loads(line) for line in run.folder.metrics_path.read_text().splitlines()][-4:]
    place = copied(run, folder)
    rows = changed(lines, chance)
    whole = b"\n".join(as_json(row, chance).replace(b"\n", b"") for row in (rows if isinstance(rows, list) else [rows]))
    (place / "metrics.jsonl").write_bytes(whole + b"\n")
    read_again(place)


def of_safetensors(folder: Path, run: Run, chance: random.Random) -> None:
    data = run.folder.checkpoint_path(40).read_bytes()
    length = int.from_bytes(data[:8], "little")
    if chance.random() < 0.6:
        header = as_json(changed(json.loads(data[8 : 8 + length]), chance), chance)
        data = len(header).to_bytes(8, "little") + header + data[8 + length :]
    else:
        data = damaged(data, chance)
    place = copied(run, folder)
    (place / "checkpoints" / "step_000040.safetensors").write_bytes(data)
    refused(lambda: load_run(place).weights(40))
    (folder / "theirs.safetensors").write_bytes(data)
    refused(lambda: read_foreign(folder / "theirs.safetensors"))


def of_pth(folder: Path, run: Run, chance: random.Random) -> None:
    del run
    content = changed(chance.choice(CONTENTS)(), chance, tensor_or_value)
    out = io.BytesIO()
    torch.save(content, out, _use_new_zipfile_serialization=chance.random() < 0.7)
    data = damaged(out.getvalue(), chance) if chance.random() < 0.3 else out.getvalue()
    file = folder / chance.choice(
        ("model.pt", "final.pth", "step_000100.pth", "model².pt", "1/3.pth".replace("/", "∕"))
    )
    file.write_bytes(data)
    asked = chance.choice(((), ("task.operation=add",), ("task.operation=add", "task.p=7", "model.attention_rate=0.5")))
    source = chance.choice((file, folder))
    import_run(source, folder / "out", settings=asked, layout=chance.choice(("auto", "auto", "auto", *LAYOUT_NAMES)))
    read_again(folder / "out")


LAYOUT_NAMES = ("nanda", "transformer-lens-demo", "chughtai", "pizza", "transformer-lens")


def of_settings_beside(folder: Path, run: Run, chance: random.Random) -> None:
    """cfg.json of Chughtai et al. and TransformerLens, config_*.json of Zhong et al."""
    del run
    kind = chance.randrange(3)
    said, state = (CHUGHTAI, chughtai_state) if kind == 0 else (PIZZA, pizza_state) if kind == 1 else (LENS, lens_state)
    settings_name, model = ("config_x.json", "model_x.pt") if kind == 1 else ("cfg.json", "model.pt")
    torch.save(state(), folder / model)
    (folder / settings_name).write_bytes(as_json(changed(said, chance), chance))
    asked = ("task.operation=add",) if kind == 2 else ()
    import_run(folder if kind == 0 else folder / model, folder / "out", settings=asked)
    read_again(folder / "out")


def of_table(folder: Path, run: Run, chance: random.Random) -> None:
    del run
    rows = [[chance.choice((0, 1, 2, "", "-", 3.0, *TEXTS, *BEYOND[:3])) for _ in range(4)] for _ in range(4)]
    regular = [[(a + b) % 4 for b in range(4)] for a in range(4)]
    table = chance.choice((rows, changed(regular, chance)))
    if chance.random() < 0.5:
        lines = [",".join(map(str, row)) if isinstance(row, list) else str(row) for row in table]
        text = "\n".join(lines).encode("utf-8", "surrogatepass")
        table = folder / "table.csv"
        table.write_bytes(damaged(text, chance) if chance.random() < 0.5 else text)
    operation = chance.choice(("table", "compose"))
    task = Task(TaskConfig(operation=operation, table=table))
    _ = (task.split, task.structure, task.name, task.n_answers)


def of_set(folder: Path, run: Run, chance: random.Random) -> None:
    del folder, run
    settings = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        section = chance.choice(("task", "model", "training", "", "taskk"))
        keys = {"task": TaskConfig, "model": ModelConfig}.get(section, RunConfig().training.__class__).model_fields
        given = value(chance)
        text = given if isinstance(given, str) else json.dumps(given) if chance.random() < 0.9 else str(given)
        settings.append(f"{section}.{chance.choice((*keys, *TEXTS[-3:]))}={text}")
    config = RunConfig().with_settings(settings)
    if config.task.p < 200:
        _ = Task(config.task).split.hash


SUBJECTS: dict[str, Subject] = {
    "run.json": of_run_json,
    "metrics.jsonl": of_metrics,
    "safetensors": of_safetensors,
    "pth": of_pth,
    "settings beside": of_settings_beside,
    "table": of_table,
    "--set": of_set,
}


def copied(run: Run, folder: Path) -> Path:
    """A run folder with what is small of a run."""
    place = folder / "run"
    (place / "checkpoints").mkdir(parents=True)
    for name in ("run.json", "metrics.jsonl", "checkpoints/step_000040.safetensors"):
        shutil.copyfile(run.path / name, place / name)
    return place


def read_again(folder: Path) -> None:
    """What `info` and `watch` read of a run, and what `analyze` reads first."""
    for read in (lambda: info(str(folder)), lambda: RunFollower(folder).state().line, lambda: first_of_analyze(folder)):
        refused(read)


def first_of_analyze(folder: Path) -> None:
    run = load_run(folder)
    _ = (run.metrics, run.task.name, run.weights(run.last_step), run.task.structure, run.task.split.hash)


def refused(read: Callable[[], object]) -> None:
    """Call, or be refused in one line."""
    try:
        read()
    except GrokinterpError as error:
        assert str(error).isprintable() or "\u00a0" in str(error)
        assert 0 < len(str(error)) <= 4000


# Files of others, small.

WIDTHS = {"n_heads": 2, "d_head": 4, "d_model": 8, "d_mlp": 12}


def lens_state() -> dict[str, torch.Tensor]:
    return initial_weights(ModelConfig(**WIDTHS), Task(TaskConfig(p=7)))


def neel_state() -> dict[str, torch.Tensor]:
    from runs.test_importers import neel

    return neel(lens_state())


def chughtai_state() -> dict[str, torch.Tensor]:
    task = TaskConfig(operation="compose", group="S3", split_scheme="torch", train_fraction=0.5)
    return initial_weights(ModelConfig(**WIDTHS, outputs="answers", biases="none"), Task(task))


def pizza_state() -> dict[str, torch.Tensor]:
    from runs.test_importers import neel

    return neel(initial_weights(ModelConfig(**WIDTHS), Task(TaskConfig(p=7, equals_token=False))))


CHUGHTAI = {
    "model": "Transformer",
    "group": "SymmetricGroup",
    "group_parameter": 3,
    "frac_train": 0.5,
    "seed": 1,
    "num_epochs": 50,
    "lr": 1e-3,
    "weight_decay": 1.0,
}
PIZZA = {
    "C": 7,
    "funcs": "lambda x: (x[0]+x[1])%7",
    "attn_coeff": 0.5,
    "eqn_sign": False,
    "diff_vocab": False,
    "epoch": 100,
    "lr": 1e-3,
    "weight_decay": 2.0,
    "frac": 0.8,
    "act_fn": "ReLU",
    "d_model": 8,
}
LENS = {"n_layers": 1, "d_model": 8, "n_ctx": 3, "d_head": 4, "n_heads": 2, "d_mlp": 12, "act_fn": "relu", "d_vocab": 8}
LENS |= {
    "normalization_type": None,
    "attention_dir": "causal",
    "use_attn_scale": True,
    "positional_embedding_type": "s",
}


def nanda_file() -> dict[str, Any]:
    config = {
        "lr": 1e-3,
        "weight_decay": 1.0,
        "p": 7,
        "fn_name": "add",
        "frac_train": 0.5,
        "seed": 0,
        "act_type": "ReLU",
    }
    losses = {"train_losses": [2.0, 1.0, 0.5], "test_losses": [2.1, 2.0, 1.9], "epoch": 2}
    pairs = [(a, b, 7) for a in range(7) for b in range(3)]
    return {"model": neel_state(), "config": config, **losses, "train_data": pairs}


def nanda_run() -> dict[str, Any]:
    return {"state_dicts": [neel_state(), neel_state()], "epochs": [0, 10], "train_losses": [1.0] * 11, "config": {}}


def demo_file() -> dict[str, Any]:
    content: dict[str, Any] = {"model": lens_state(), "config": dict(LENS), "checkpoints": [lens_state()]}
    content |= {"checkpoint_epochs": [99], "train_losses": [np.float64(1.0)] * 4, "test_losses": [2.0] * 4}
    return content | {"train_indices": torch.arange(20), "test_indices": torch.arange(20, 49)}


def trainers_file() -> dict[str, Any]:
    groups = [{"lr": 1e-3, "betas": (0.9, 0.98), "weight_decay": 1.0}]
    return {
        "state_dict": lens_state(),
        "optimizer": {"param_groups": groups},
        "step": 100,
        "args": {"p": 7, "lr": 1e-3},
    }


CONTENTS = (nanda_file, nanda_run, demo_file, trainers_file, lens_state, neel_state, pizza_state)


def tensor_or_value(chance: random.Random) -> Any:
    if chance.random() < 0.5:
        return value(chance)
    shape = [chance.choice((0, 1, 2, 7, 8, 12)) for _ in range(chance.randrange(4))]
    drawn = torch.full(shape, chance.choice((0.0, 1.0, float("nan"), 1e38)))
    return chance.choice(
        (
            drawn,
            drawn.double() * 1e300,
            drawn.to(torch.int64),
            drawn.to(torch.complex64),
            torch.zeros(1).expand(10**6),
            torch.zeros(1).expand(10**8),
            torch.ones(2, 2).to_sparse(),
            np.arange(6.0).reshape(2, 3),
            np.int64(3),
            np.array(["a"]),
            (1, 2),
            {1, 2},
            b"bytes",
            bytearray(b"ab"),
            torch.float32,
            torch.device("cpu"),
            1j,
        )
    )


# The test.


def fuzz(name: str, run: Run, folder: Path, seeds: range) -> list[str]:
    """Seeds of which the input made something else than a value or a refusal, with what it made."""
    faults = []
    with bounded():
        for seed in seeds:
            place = folder / f"{seed}"
            place.mkdir()
            try:
                with soon():
                    refused(lambda: SUBJECTS[name](place, run, random.Random(f"{name} {seed}")))  # noqa: B023
            except (Exception, TookTooLong) as error:
                where = error.__traceback__
                while where and where.tb_next:
                    where = where.tb_next
                line = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
                faults.append(f"{name} {seed}: {type(error).__name__}: {str(error)[:150]} at {line}")
            shutil.rmtree(place)
    return faults


@needs_linux
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_few_inputs_are_read_or_refused(name: str, tiny_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    assert fuzz(name, tiny_run, tmp_path, range(10)) == []
    out, error = capfd.readouterr()
    assert all(line.isprintable() for line in out.split("\n"))
    assert error == ""


@needs_linux
@pytest.mark.long
@pytest.mark.parametrize("name", SUBJECTS)
def test_many_inputs_are_read_or_refused(name: str, tiny_run: Run, tmp_path: Path):
    assert fuzz(name, tiny_run, tmp_path, range(1000, 2000)) == []
