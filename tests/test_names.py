"""Names that systems allow and texts do not, folders that cannot be, numbers as text: done, or one line, status 2."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from test_fuzz import CHUGHTAI, chughtai_state, lens_state

from grokinterp.runs import Run, import_run, load_run, model_card

LONG = "x" * 300
DEEP = "/".join(["y" * 200] * 25)
HALF = os.fsdecode(b"run\xff")
ADDS = ("--set", "task.operation=add")


def one_line(answer: tuple[int, str, str], says: str) -> None:
    status, out, error = answer
    assert (status, out) == (2, "")
    assert error.startswith("grokinterp: ")
    assert error.count("\n") == 1
    assert says in error
    assert error.rstrip("\n").isprintable()


@pytest.mark.usefixtures("without_work")
@pytest.mark.parametrize("out", [LONG, DEEP])
@pytest.mark.parametrize(
    "command",
    [
        ("import", "{file}", *ADDS, "--out"),
        ("train", "--preset", "quick", "--out"),
        ("analyze", "{run}", "--no-verdict", "--out"),
        ("verdict", "{run}", "--quick", "--out"),
        ("verdict", "{run}", "--csv"),
        pytest.param(("figures", "{run}", "--no-verdict", "--only", "losses", "--out"), marks=pytest.mark.long),
        ("compare", "{run}", "{run}", "--no-verdict", "--out"),
    ],
    ids=" ".join,
)
def test_a_name_that_is_too_long_is_one_line(
    command: tuple[str, ...], out: str, tiny_run: Run, tmp_path: Path, run_command, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.save(lens_state(), tmp_path / "model.pt")
    given = [part.format(run=tiny_run.path, file=tmp_path / "model.pt") for part in command]
    one_line(run_command(*given, out), ": the name is too long; what was written before is intact")


@pytest.fixture
def without_work(monkeypatch: pytest.MonkeyPatch, tiny_run: Run) -> None:
    """Analyses and verdicts of the run are made once."""
    from grokinterp.analysis import analyze
    from grokinterp.verdict import compare, find_verdict

    def once(name: str, make):
        def found(*_: object, **__: object) -> object:
            if name not in _MADE:
                _MADE[name] = make()
            return _MADE[name]

        return found

    monkeypatch.setattr("grokinterp.analysis.analyze", once("report", lambda: analyze(tiny_run)))
    monkeypatch.setattr("grokinterp.verdict.find_verdict", once("verdict", lambda: find_verdict(tiny_run, full=False)))
    both = [tiny_run, tiny_run]
    monkeypatch.setattr("grokinterp.verdict.compare", once("comparison", lambda: compare(both, verdict=False)))


_MADE: dict[str, object] = {}


@pytest.mark.usefixtures("without_work")
def test_the_folder_one_stands_in(tiny_run: Run, tmp_path: Path, run_command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(lens_state(), tmp_path / "model.pt")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    one_line(run_command("import", "../model.pt", *ADDS, "--out", "."), ". is no name of a new folder")
    for command in (
        ("analyze", tiny_run.path, "--no-verdict"),
        ("verdict", tiny_run.path, "--quick"),
        ("compare", tiny_run.path, tiny_run.path, "--no-verdict"),
    ):
        status, _, error = run_command(*command, "--out", ".")
        assert (status, error) == (0, "")
    written = {file.name for file in Path().iterdir()}
    assert written >= {"report.html", "verdict.html", "comparison.html"}
    one_line(run_command("verdict", tiny_run.path, "--csv", "."), ". cannot be read as a table of verdicts")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("task.train_fraction=1/3", "task.train_fraction = '1/3': needs a number"),
        ("task.train_fraction=²", "task.train_fraction = '²': needs a number"),
        ("model.attention_rate=1/2", "model.attention_rate = '1/2': needs a number"),
        ("task.p=²", "task.p = '²': needs an integer"),
        ("task.p=7/1", "task.p = '7/1': needs an integer"),
    ],
)
def test_fractions_and_signs_are_no_numbers(setting: str, says: str, tiny_run: Run, tmp_path: Path, run_command):
    torch.save(lens_state(), tmp_path / "model.pt")
    one_line(run_command("train", "--preset", "quick", "--out", tmp_path / "out", "--set", setting), says)
    one_line(run_command("import", tmp_path / "model.pt", *ADDS, "--out", tmp_path / "out", "--set", setting), says)
    theirs = Path(shutil.copytree(tiny_run.path, tmp_path / "theirs"))
    record = json.loads((theirs / "run.json").read_text())
    name, value = setting.split("=")
    section, key = name.split(".")
    record["config"][section][key] = value
    (theirs / "run.json").write_text(json.dumps(record))
    for command in (("info",), ("watch",), ("analyze",), ("compare", tiny_run.path)):
        one_line(run_command(*command, theirs), says)


def test_fractions_beside_the_weights_are_no_numbers(tmp_path: Path, run_command):
    torch.save(chughtai_state(), tmp_path / "model.pt")
    for given in ("1/3", "²"):
        (tmp_path / "cfg.json").write_text(json.dumps(CHUGHTAI | {"frac_train": given}))
        answer = run_command("import", tmp_path, "--out", tmp_path / "out")
        one_line(answer, f"task.train_fraction = '{given}': needs a number")


def test_raised_digits_in_names_are_no_steps(tmp_path: Path):
    for name in ("model²", "step_²", "epoch¹²"):
        torch.save(lens_state(), tmp_path / f"{name}.pt")
        run = import_run(tmp_path / f"{name}.pt", tmp_path / name, settings=ADDS[1:])
        assert run.known_step(run.last_step) is None


@pytest.mark.parametrize("command", ["info", "watch", "analyze", "verdict", "figures", "open"])
def test_names_of_no_characters_that_lead_nowhere(command: str, run_command):
    one_line(run_command(command, HALF), "run?: no such folder; give a run folder")


def test_settings_of_no_characters_are_one_line(run_command, tmp_path: Path):
    out = ("--out", tmp_path / "out")
    one_line(run_command("import", HALF, *out), "cannot read run?: there is no such file or folder")
    one_line(run_command("compare", HALF, HALF), ": no such folder; give a run folder")
    for given in (("--preset", HALF), ("--preset", "quick", "--set", HALF), ("--preset", "quick", "--device", HALF)):
        one_line(run_command("train", *out, *given), "run")


@pytest.mark.skipif(os.name != "posix", reason="names are bytes where the system is Unix")
def test_a_folder_whose_name_is_no_text_is_read_like_another(tiny_run: Run, tmp_path: Path, run_command):
    try:
        theirs = Path(shutil.copytree(tiny_run.path, tmp_path / HALF))
    except OSError:
        pytest.skip("this file system takes no such name")
    for command in (("info",), ("watch",)):
        status, out, error = run_command(command[0], theirs, *command[1:])
        assert (status, error) == (0, "")
        assert all(line.isprintable() for line in out.split("\n"))
    made = run_command("compare", theirs, tiny_run.path, "--no-verdict", "--out", tmp_path / "compared")
    assert (made[0], made[2]) == (0, "")
    told = json.loads((tmp_path / "compared" / "comparison.json").read_text())
    assert "run?" in json.dumps(told)
    torch.save(lens_state(), tmp_path / f"{HALF}.pt")
    run = import_run(tmp_path / f"{HALF}.pt", tmp_path / "out", settings=ADDS[1:])
    assert run.provenance["source"] == "run?.pt"


# What a stored run may not set for its reader.


@pytest.mark.parametrize("device", ["cuda:99", "meta", "mps"])
def test_a_stored_run_sets_neither_device_nor_threads_of_its_reader(
    device: str, tiny_run: Run, tmp_path: Path, run_command
):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    theirs = Path(shutil.copytree(tiny_run.path, tmp_path / "theirs"))
    record = json.loads((theirs / "run.json").read_text())
    record["config"]["training"] |= {"device": device, "threads": 64}
    record["environment"] |= {"device": device, "threads": 64}
    (theirs / "run.json").write_text(json.dumps(record))
    threads, weights = torch.get_num_threads(), torch.get_default_device()
    run = load_run(theirs)
    assert {parameter.device.type for parameter in run.model(40).parameters()} == {"cpu"}
    if device == "meta":
        assert run_command("analyze", theirs, "--no-verdict")[0] == 0
    assert run_command("info", theirs)[0] == 0
    assert (torch.get_num_threads(), torch.get_default_device()) == (threads, weights)
    answer = run_command("train", "--out", theirs, "--resume")
    one_line(answer, f"training.device = '{device}': not available here; this machine has cpu")
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "[click](https://evil.example)",
        "![](https://evil.example/x.png)",
        "https://evil.example",
        "www.evil.example",
        "`</code><script>`",
        "a | b\n\n# heading <b>",
        "me@evil.example",
        "&lt;b&gt;",
    ],
)
def test_markup_of_a_stranger_is_code_in_the_model_card(text: str, tiny_run: Run, tmp_path: Path):
    theirs = Path(shutil.copytree(tiny_run.path, tmp_path / "theirs"))
    record = json.loads((theirs / "run.json").read_text())
    record["provenance"] = {"source": text, "layout": text, "notes": [text, text]}
    (theirs / "run.json").write_text(json.dumps(record))
    rows = [
        line for line in model_card(load_run(theirs), "a/b").splitlines() if line.startswith(("| source", "| note"))
    ]
    assert len(rows) == 3
    for row in rows:
        cell = row.split("|", 2)[2].strip().removesuffix("|").strip()
        assert cell.startswith("`")
        assert cell.endswith("`")
        assert "`" not in cell[1:-1]
