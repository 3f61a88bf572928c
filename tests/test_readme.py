"""What the README shows is what happens.

All of its code is found, in blocks and between the lines, and is run or looked up. What is added there and is of no
kind known here makes a test fail: it is to be run, too.
"""

import ast
import contextlib
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
import urllib.request
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from hub_here import hub_here

import grokinterp
from grokinterp import fourier
from grokinterp.analysis import STAGES
from grokinterp.cli import app
from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FiniteGroup
from grokinterp.models import ModelConfig, hooked_network, initial_weights
from grokinterp.report import browser_needed
from grokinterp.runs import LAYOUTS, PRESETS, RunConfig
from grokinterp.tasks import OPERATIONS, Task, TaskConfig
from grokinterp.training._optimizers import optimizers
from grokinterp.verdict._mechanism import RELATED
from grokinterp.verdict._verdict import HOW, HOW_OF_SQUARES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
BLOCKS = [code for language, code in FENCES if language == "python"]
SHELL = [code for language, code in FENCES if language == "sh"]
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
SPANS = list(dict.fromkeys(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", PROSE)))


# Blocks of Python.


@pytest.mark.long
def test_the_example_of_a_notebook_runs():
    notebook = BLOCKS[0]
    (printed,) = (code for language, code in FENCES if language == "text")
    label, finding = printed.splitlines()
    more = "print(verdict.headline)"
    ran = subprocess.run(
        [sys.executable, "-c", notebook + more], check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout.splitlines()
    # What `make demo` prints is said of the same run.
    assert (f"filled pizza: {ran[-1]}", ran[0]) == (label, finding)
    assert ran[1] == "filled pizza | by the published criterion: clock"
    circles = [
        re.fullmatch(r"(\d+) (\w* ?pizza) keeps ([\d.]+) of its amplitude with attention held", r) for r in ran[2:-1]
    ]
    assert [(int(found[1]), found[2]) for found in circles if found] == [
        (14, "pizza"),
        (35, "filled pizza"),
        (41, "pizza"),
        (42, "overfilled pizza"),
        (52, "filled pizza"),
    ]


def test_the_example_with_a_library_runs(capsys):
    _, library, _ = BLOCKS
    exec(library, {})
    shown = re.findall(r"^print\(.*\)  # (.*)$", library, flags=re.MULTILINE)
    assert len(shown) == 2
    assert capsys.readouterr().out.splitlines() == shown


@pytest.mark.long
def test_the_example_with_other_peoples_networks_runs(shared_data: Path, tmp_path: Path, capsys):
    for name in ("pizza", "chughtai"):
        if not (shared_data / name).is_dir():
            pytest.skip(f"{shared_data / name} is absent")
        (tmp_path / name).symlink_to(shared_data / name)
    shown = re.sub(r"^((?:distance|gradient).*?)  +# (.*):.*$", r"print(\1)", BLOCKS[2], flags=re.MULTILINE)
    with contextlib.chdir(tmp_path):
        exec(shown, {})
    assert [f"{float(line):.3f}" for line in capsys.readouterr().out.splitlines()] == ["0.172", "0.994"]


# Command lines: of blocks one after the other, their comments' included, and those between the lines.

PROGRAMS = ("grokinterp", ".venv/bin/grokinterp", "make", "pip")


def lines_of(block: str) -> list[str]:
    """Its command lines, and those that its comments name after a colon."""
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        command, _, comment = line.partition(" #")
        found += [command.strip(), *re.findall(r": (grokinterp .*)$", comment)]
    return [command for command in found if command]


INLINE = [span for span in SPANS if span.split()[0] in PROGRAMS]
COMMANDS = [lines_of(block) for block in SHELL] + [[command] for command in INLINE]
ALL_LINES = [line for lines in COMMANDS for line in lines]


@pytest.fixture
def workplace(tmp_path: Path, tiny_run, monkeypatch) -> Path:
    """The current folder, with what the README's commands are given; presets are those of a tiny network."""
    tiny = {name: getattr(tiny_run.config, name) for name in ("task", "model", "training")}
    for preset in list(PRESETS):
        monkeypatch.setitem(PRESETS, preset, tiny)
    shutil.copytree(tiny_run.path, tmp_path / "runs" / "quick")
    (tmp_path / "mine.csv").write_text("0,1,1\n1,,2\n1,2,0\n")
    torch.save(in_the_layout_of_nanda(tiny_run), tmp_path / "wd_10-1_mod_addition_loss_curve.pth")
    torch.save(tiny_run.to_state_dict(40), tmp_path / "state_dict.pth")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def in_the_layout_of_nanda(run: grokinterp.Run) -> dict[str, object]:
    theirs = {"blocks.0.attn.mask": torch.ones(3, 3)}
    for name, tensor in run.weights(run.last_step).items():
        if name.endswith(("W_Q", "W_K", "W_V")):
            theirs[name] = tensor.transpose(1, 2).contiguous()
        elif name.endswith("W_O"):
            theirs[name] = torch.cat([head.T for head in tensor], dim=1)
        elif ".mlp." in name or name == "embed.W_E":
            theirs[name] = tensor.T.contiguous() if tensor.ndim == 2 else tensor
        elif name in ("pos_embed.W_pos", "unembed.W_U"):
            theirs[name] = tensor
    return {"model": theirs, "train_losses": [1.0] * 40, "test_losses": [2.0] * 4, "epoch": 40}


@pytest.fixture
def asked_once(monkeypatch) -> list[bytes]:
    """A server answers once and is then stopped, as by Ctrl-C; what it answered."""
    answers: list[bytes] = []
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    handle = ThreadingHTTPServer.handle_request

    def serve_once(server: ThreadingHTTPServer) -> None:
        def ask() -> None:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=120) as answer:
                answers.append(answer.read())

        asking = threading.Thread(target=ask)
        asking.start()
        handle(server)
        asking.join()
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", serve_once)
    return answers


def with_placeholders(command: str) -> list[str]:
    """Its words, with a run folder for RUN and DIR."""
    words = [word for word in shlex.split(command) if word != "…"]
    return ["runs/quick" if word in ("RUN", "RUN_DIR", "DIR") else word for word in words]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Kaleido's.
@pytest.mark.parametrize("lines", COMMANDS, ids=lambda lines: "; ".join(lines))
@pytest.mark.usefixtures("workplace")
def test_the_command_lines_run(lines: list[str], run_command, asked_once: list[bytes]):
    for line in lines:
        program, *words = with_placeholders(line)
        if program == "make":
            is_a_target(words)
        elif program == "pip":
            is_an_extra(words)
        elif len(words) == 1:
            # A command named without its arguments; it runs elsewhere.
            assert any(len(other.split()) > 2 and other.split()[1] == words[0] for other in ALL_LINES), line
        else:
            runs(line, words, run_command)
        if words[0] == "open":
            assert len(asked_once) == 1 and b"<html" in asked_once[0]


def is_a_target(words: list[str]) -> None:
    (target,) = words
    asked = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.strip(), f"make {target} does nothing"


def is_an_extra(words: list[str]) -> None:
    install, requirement = words
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found = re.fullmatch(r"grokinterp\[(\w+)\]", requirement)
    assert install == "install" and found and found[1] in extras


def runs(line: str, words: list[str], run_command: Callable[..., tuple[int, str, str]]) -> None:
    if words[0] in ("train", "import") and "--resume" not in words:
        shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
    if words[0] == "figures":
        try:
            browser_needed()
        except GrokinterpError as error:
            pytest.skip(str(error))
    # Steps of the README would take minutes; the last number given counts.
    status, out, error = run_command(*words, *(["--steps", "2"] if "--steps" in words else []))
    assert (status, error) == (0, ""), f"{line}: {error}"
    assert out
    for written in re.findall(rf"{re.escape(line)} +# writes ([\w/]+)", TEXT):
        assert any(Path(written).iterdir()), line


@pytest.mark.usefixtures("workplace")
def test_a_line_that_cannot_run_is_found(run_command):
    """Of the tests above: they can fail."""
    for line in ("grokinterp analyse RUN", "grokinterp info RUN --all", "grokinterp verdict absent"):
        with pytest.raises(AssertionError):
            runs(line, with_placeholders(line)[1:], run_command)
    with pytest.raises(AssertionError):
        is_a_target(["cofee"])
    with pytest.raises(AssertionError):
        is_an_extra(["install", "grokinterp[all]"])


def test_the_installed_program_is_the_one_that_is_run():
    program = Path(sys.executable).with_name("grokinterp")
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f" {command.name} " in told for command in app.registered_commands)
    assert {line.split()[1] for line in ALL_LINES if "grokinterp " in line} == {
        command.name for command in app.registered_commands
    }


def test_make_demo_reads_and_writes_what_is_said():
    asked = subprocess.run(["make", "--dry-run", "demo", "docs"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "grokinterp analyze checkpoints/nanda-mainline --out build/demo" in asked.stdout
    assert WRITTEN["build/site/index.html"] in asked.stdout.splitlines()


# Code between the lines.

LABELS = (*HOW, *HOW_OF_SQUARES, "irrep (…)", "coset (…)", "memorised", "not generalised", "unexplained")
WRITTEN = {
    "build/demo/report.html": "report.html",
    "report.json": "report.json",
    "measures.csv": "measures.csv",
    "build/site/index.html": "echo build/site/index.html",
}
# Of other people, or a sign.
OTHERS = {
    "=",
    "HookedTransformer",
    "TransformerBridge",
    "grok_<time>",
    "full_run_data.pth",
    "cfg.json",
    "model.pt",
    "model_<run>.pt",
    "config_<run>.json",
    ".pth",
    ".safetensors",
    "tok_emb",
    "qkv",
    "fc1",
    "lm_head",
}


def is_call(span: str) -> bool:
    with contextlib.suppress(SyntaxError):
        return isinstance(ast.parse(span, mode="eval").body, ast.Call)
    return False


def is_group(span: str) -> bool:
    return bool(re.fullmatch(r"[A-Z]\d+(?:x[A-Z]\d+)*", span))


OPTIONS = [span for span in SPANS if span.startswith("--")]
SETTINGS = [span for span in SPANS if re.match(r"(?:task|model|training)\.", span) and span not in OTHERS]
CALLS = [span for span in SPANS if is_call(span)]


def test_all_code_is_of_a_kind_that_is_checked():
    assert {language for language, _ in FENCES} <= {"sh", "python", "text"}, "a block of a language that no test runs"
    assert not re.search(r"(?m)^(?: {4}|\t|~~~)|<code|<pre|``", PROSE), "code that is not found here"
    assert all(line.split()[0] in PROGRAMS for line in ALL_LINES), ALL_LINES
    named = {
        *INLINE,
        *OPTIONS,
        *SETTINGS,
        *CALLS,
        *PRESETS,
        *OPERATIONS,
        *optimizers.names,
        *LAYOUTS,
        *LABELS,
        *RELATED,
        *WRITTEN,
        *OTHERS,
    }
    named |= {f"grokinterp.{room}" for room in grokinterp._ROOMS}
    assert [span for span in SPANS if not (span in named or is_group(span) or (ROOT / span).exists())] == []


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.usefixtures("workplace")
def test_the_options_are_taken(options: str, run_command):
    row = next(line for line in TEXT.splitlines() if options in line)
    how = "import state_dict.pth" if row.startswith("| transformer-lens |") else "train --preset quick"
    line = f"grokinterp {how} --out out {options}"
    runs(line, shlex.split(line)[1:], run_command)


def test_the_settings_are_taken():
    for setting in SETTINGS:
        section, name = setting.partition("=")[0].split(".")
        assert hasattr(getattr(RunConfig(), section), name)
        if "=" in setting:
            Task(RunConfig.preset("quick").with_settings([setting]).task)


@pytest.mark.usefixtures("workplace")
def test_the_calls_run(tiny_run, tmp_path: Path, monkeypatch):
    values = np.arange(24)
    task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
    of_the_reader = {
        "task": task,
        "keys": [1, 2],
        "model": hooked_network(config, task, initial_weights(config, task)),
        "out": tmp_path / "recorded",
        "run": tiny_run,
        "report": grokinterp.analyze(tiny_run),
        "step": 40,
        "group": FiniteGroup.cyclic(5),
        "values": values,
        "periods": [4],
        "activations": np.stack([np.cos(2 * np.pi * values / 4), np.sin(2 * np.pi * values / 4)], axis=1),
    }
    public = {name: getattr(grokinterp, name) for name in grokinterp._WHERE} | vars(fourier)
    names = public | {"grokinterp": grokinterp} | of_the_reader
    with hub_here(tmp_path / "here", monkeypatch):
        assert all(eval(call, dict(names)) is not None for call in CALLS)


def test_the_labels_are_those_of_a_verdict():
    source = (ROOT / "grokinterp" / "verdict" / "_judge.py").read_text()
    known = {*LABELS[:-5], *(words.label for words in STAGES.values())}
    assert all(label in known or f'"{label}"' in source or f'"{label.partition("…")[0]}' in source for label in LABELS)
    assert set(LABELS) <= set(SPANS)


def test_the_population_is_counted_as_its_page_counts_it():
    page = (ROOT / "docs" / "population.md").read_text()
    circular, explained = re.findall(r"(\d+ of \d+)\b", " ".join(TEXT.split("[a\npopulation]")[1][:300].split()))[:2]
    assert f"Of these, {circular} (" in page
    assert f"at least one that is an explanation {explained} (" in page


def test_the_files_are_those_that_are_written(workplace: Path, run_command):
    run_command("analyze", "runs/quick")
    written = {path.name for path in (workplace / "runs" / "quick" / "report").iterdir()}
    assert written == {name for name in WRITTEN.values() if "/" not in name}


def test_the_links_lead_to_files():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if not link.startswith("https://")]
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link.partition("#")[0]).is_file()] == []


def test_the_notebooks_are_as_many_as_are_said():
    assert "`notebooks/` has six" in TEXT
    assert len(list((ROOT / "notebooks").glob("*.ipynb"))) == 6


# Lists of names.


def test_the_layouts_are_all_described():
    described = TEXT[TEXT.index("| layout |") : TEXT.index("Folders of many checkpoints")]
    assert set(re.findall(r"^\| ([\w-]+) \|", described, flags=re.MULTILINE)) - {"layout"} == set(LAYOUTS)


def test_the_operations_are_all_named():
    described = TEXT[TEXT.index("`task.operation` is one of") : TEXT.index("A task knows the group")]
    assert set(OPERATIONS) <= set(re.findall(r"`([^`\s]+)`", described))
    for name in filter(is_group, SPANS):
        FiniteGroup.named(name)


def test_the_presets_are_all_described():
    rows = re.findall(r"^\| (`[^|]*) \|", TEXT, flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == set(PRESETS)
