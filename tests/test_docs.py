"""The documentation: it builds without a complaint or a network, its code runs, and it names things as they are."""

import ast
import contextlib
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pandas as pd
import pytest
from hub_here import hub_here
from typer.testing import CliRunner

import grokinterp
from grokinterp.analysis import Report, analyze
from grokinterp.cli import app
from grokinterp.report import (
    REPORT_NAMES,
    VERDICT_NAMES,
    figure_data,
    page_figures,
    verdict_figures,
    write_comparison,
    write_report,
    write_verdict,
)
from grokinterp.runs import LAYOUTS, PRESETS, RunConfig, RunFolder, TrainingConfig, import_run, load_run, read_tensors
from grokinterp.tasks import OPERATIONS
from grokinterp.training import train
from grokinterp.verdict import Verdict, find_verdict
from grokinterp.verdict._batch import COLUMNS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {str(page.relative_to(DOCS)): page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}

# The built site.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    # No proxy answers there: a plugin that asked the network would fail.
    offline = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | offline | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return out


class Page(HTMLParser):
    """What a page loads, where it leads, and the anchors it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag in ("script", "link", "img", "iframe", "source", "video", "audio", "object", "embed", "form"):
            self.loaded += [
                value for name in ("src", "href", "srcset", "data", "action") if (value := values.get(name)) is not None
            ]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_page_is_built(pages: dict[Path, Page], site: Path):
    built = {str(path.relative_to(site)) for path in pages}
    assert {name.removesuffix(".md") + ".html" for name in PAGES} <= built


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path):
    for path, page in pages.items():
        for address in page.loaded:
            assert not re.match(r"(?:[a-z]+:)?//", address), f"{path.name} loads {address}"
            # Of the page for addresses that do not exist, addresses are from the root of a server.
            if not address.startswith("data:") and path.name != "404.html":
                assert (path.parent / unquote(urldefrag(address).url)).exists(), f"{path.name}: {address}"
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(\s*['\"]?|@import\s+['\"]?)(?:https?:)?//", text), style.name


def test_every_link_leads_somewhere(pages: dict[Path, Page], site: Path):
    for path, page in pages.items():
        for link in page.links if path.name != "404.html" else ():
            if re.match(r"[a-z]+:", link):
                continue
            address, anchor = urldefrag(link)
            target = (path.parent / unquote(address)).resolve() if address else path
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{path.relative_to(site)} links to {link}"
            if anchor and target in pages:
                assert unquote(anchor) in pages[target].anchors, f"{path.relative_to(site)} links to {link}"


def test_every_public_name_has_an_entry(pages: dict[Path, Page], site: Path):
    for room in grokinterp._ROOMS:
        page = pages[site / "api" / f"{'grokinterp' if room == 'errors' else room}.html"]
        exported = vars(getattr(grokinterp, room)).items()
        names = {name for name, value in exported if not name.startswith("_") and not inspect.ismodule(value)}
        missing = {name for name in names if f"grokinterp.{room}.{name}" not in page.anchors}
        assert missing == set(), room


def test_markup_is_rendered(site: Path):
    """No raw Markdown is left where a list, table or emphasis should be."""
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        body = re.sub(r"(?s)<(pre|code|script|style|title)\b.*?</\1>", "", text)
        for paragraph in re.findall(r"(?s)<p>(.*?)</p>", body):
            for mark in (r"\*\*\w", r"^- ", r"\n- ", r"^\|", r"\n\|", r"```", r"&gt;&gt;&gt;"):
                assert not re.search(mark, paragraph), f"{path.relative_to(site)}: {paragraph[:200]}"


@pytest.mark.long
@pytest.mark.parametrize("width", [1300, 390])
def test_pages_work_from_the_disk_without_a_network(site: Path, chromium: Any, width: int):
    """In a browser: nothing is requested from elsewhere, no page is wider than the window, and the search finds."""
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    requested, faults = [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    for name in ("index", "tutorial", "mathematics", "formats", "errors", "verdict", "api/analysis", "api/fourier"):
        page.goto((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    if width > 1000:
        page.fill("input.md-search__input", "gradient symmetricity")
        page.press("input.md-search__input", "Space")
        found = page.wait_for_selector(".md-search-result__link", state="attached", timeout=90_000)
        assert found.get_attribute("href")
    context.close()
    assert faults == []
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:", "about:"))] == []


# The code on the pages.

SMALL = (
    "task.p=23",
    "task.train_fraction=0.8",
    "model.d_model=48",
    "model.d_head=12",
    "model.d_mlp=96",
    "training.learning_rate=0.005",
    "training.checkpoint_every=100",
    "training.log_checkpoints=false",
    "training.threads=1",
)
BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?```(sh|python)\n(.*?)```", flags=re.DOTALL)
BLOCKS = {name: BLOCK.findall(text) for name, text in PAGES.items()}
# Checked elsewhere, or fragments of files.
WITH_CODE = sorted(name for name, blocks in BLOCKS.items() if blocks and name != "reproduction.md")
# They start processes, each of which imports everything.
SLOW = ("howto/judge-many.md", "tutorial.md")


def small(steps: int) -> RunConfig:
    """The preset `quick` in a few seconds, grokked from 400 steps on."""
    return RunConfig.preset("quick").with_settings([*SMALL, f"training.steps={steps}"])


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(small(400), tmp_path_factory.mktemp("quick") / "run", progress=False).path


@pytest.fixture
def workplace(tmp_path: Path, quick_run: Path, request: pytest.FixtureRequest, monkeypatch) -> Iterator[Path]:
    """A folder with what the pages assume, presets made small, and the Hub on this machine."""
    name = request.node.callspec.params["name"]
    for preset, recipe in list(PRESETS.items()):
        brief = TrainingConfig(**{**recipe["training"].model_dump(), "steps": 40, "threads": 1})
        monkeypatch.setitem(PRESETS, preset, recipe | {"training": brief})
    config = small(400 if name == "tutorial.md" else 40)
    monkeypatch.setitem(PRESETS, "quick", {name: getattr(config, name) for name in ("task", "model", "training")})
    if name != "tutorial.md":
        shutil.copytree(quick_run, tmp_path / "runs" / "quick")
        for other in ("runs/other", "checkpoints/nanda-mainline"):
            if other in PAGES[name]:
                shutil.copytree(quick_run, tmp_path / other)
    with contextlib.chdir(tmp_path), hub_here(tmp_path, monkeypatch):
        yield tmp_path


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in SLOW else []) for name in WITH_CODE]
)
def test_the_code_runs(name: str, capsys: pytest.CaptureFixture[str]):
    page: dict[str, object] = {"__name__": "__main__"}
    shown: list[tuple[str, str]] = []
    for unrun, language, code in BLOCKS[name]:
        if unrun:
            continue
        if language == "python":
            exec(compile(code, f"{name}", "exec"), page)
            printed = capsys.readouterr().out.splitlines()
            expected = re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
            if name == "howto/fourier.md":
                shown += [(line, line if line in printed else str(printed)) for line in expected if line[0] in "['(04"]
        else:
            for line in code.replace("\\\n", " ").splitlines():
                command = shlex.split(line, comments=True)
                assert command[0] == "grokinterp", f"{name}: {line}"
                result = CliRunner().invoke(app, command[1:])
                assert result.exit_code == 0, f"{name}: {line}: {result.output} {result.exception}"
    assert all(said == found for said, found in shown), shown


def test_only_what_cannot_run_is_left_out():
    unrun = {(name, first) for name, blocks in BLOCKS.items() for first, *_ in blocks if first}
    assert {reason for _, reason in unrun} <= {
        "<!-- not run: it installs -->\n",
        "<!-- not run: it needs a file of TransformerLens 4 -->\n",
        "<!-- not run: it is a fragment -->\n",
        "<!-- not run: it trains for most of an hour -->\n",
    }


# What the pages say of the package.


def test_layouts_and_operations_are_all_described():
    table = re.search(r"^\| layout \|.*?\n\n", PAGES["howto/import.md"], flags=re.MULTILINE | re.DOTALL)
    assert table is not None
    assert set(re.findall(r"^\| `([\w-]+)` \|", table[0], flags=re.MULTILINE)) == set(LAYOUTS)
    assert set(OPERATIONS) <= set(re.findall(r"`([^`\s]+)`", PAGES["howto/train-your-own.md"]))


@pytest.mark.parametrize("name", PAGES)
def test_names_of_the_package_exist(name: str):
    rooms = "|".join(grokinterp._ROOMS)
    # Settings, and keys of files, look alike.
    settings = {f"training.{setting}" for setting in TrainingConfig.model_fields}
    others = settings | {"report.html", "report.json", "verdict.html", "verdict.json", *documented("verdict.json")}
    for full, room, inside in re.findall(rf"`((?:grokinterp\.)?({rooms})\.(\w+))`", PAGES[name]):
        assert full in others or hasattr(getattr(grokinterp, room), inside), f"{name}: {full}"
    for inside in re.findall(r"`grokinterp\.(\w+)(?:\([^`]*\))?`", PAGES[name]):
        assert hasattr(grokinterp, inside), f"{name}: grokinterp.{inside}"


def test_the_mathematics_names_every_analysis():
    """What `analysis` and `verdict` measure has its formula: functions, and results that no function is named for."""
    named = set(re.findall(r"`(?:\w+\.)+(\w+)`", PAGES["mathematics.md"]))
    for room in ("analysis", "verdict"):
        functions = {name for name, value in vars(getattr(grokinterp, room)).items() if inspect.isfunction(value)}
        assert functions - named - NOT_MEASURES == set(), room


# They combine, tabulate or write what others measure.
NOT_MEASURES = {
    "analyze",
    "plain",
    "as_xarray",
    "find_circuit",
    "examine",
    "verdicts",
    "one_excluded",
    "compare",
    "compare_runs",
    "remembered",
    "controls",
}


def test_the_citation_is_of_this_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = dict(re.findall(r"^(\S+): (.*)$", (ROOT / "CITATION.cff").read_text(), flags=re.MULTILINE))
    assert (said["title"], said["version"], said["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )


# The files, as they are written.

PLACEHOLDERS = {"<word>": "(?:frequency|irrep)", "<words>": "(?:frequencies|irreps)", "…": ".*", "<frequency>": r"\d+"}


def documented(heading: str) -> list[str]:
    """First cells of the table below a heading of formats.md, each with one or more names in backticks."""
    section = re.split(rf"^### {re.escape(heading)}\n", PAGES["formats.md"], flags=re.MULTILINE)[1]
    section = re.split(r"^##", section, flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def pattern(name: str) -> re.Pattern[str]:
    parts = re.split(r"(<\w+>|…)", name)
    return re.compile(
        "".join(PLACEHOLDERS.get(part, r"[^.]+" if part.startswith("<") else re.escape(part)) for part in parts)
    )


def keys_of(value: object, before: str = "") -> Iterator[str]:
    """Paths of all leaves; an empty dictionary or list is one."""
    if isinstance(value, dict) and value:
        for key, inside in value.items():
            yield from keys_of(inside, f"{before}.{key}" if before else key)
    elif isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        for entry in value:
            yield from keys_of(entry, f"{before}[]")
    else:
        yield before


def compare(heading: str, found: set[str]) -> None:
    patterns = {name: pattern(name) for name in documented(heading)}
    assert len(patterns) > 4, heading
    undescribed = {key for key in found if not any(rule.fullmatch(key) for rule in patterns.values())}
    absent = {name for name, rule in patterns.items() if not any(rule.fullmatch(key) for key in found)}
    assert (undescribed, absent) == (set(), set()), heading


IN_S3 = ["task.group=S3", "task.train_fraction=0.8", "training.steps=300"]
SQUARES = ["task.operation=x2+y2", "task.p=11", "task.noise=3", "training.steps=1"]
ROCK_PAPER_SCISSORS = ["task.operation=table", "task.table=[[0,1,0],[1,1,2],[0,2,2]]", "training.steps=20"]
OF_UNITS = ["task.operation=multiply", "task.p=11", "training.steps=30"]
TINY = ["model.d_model=32", "model.d_head=8", "model.d_mlp=64", "training.threads=1", "training.checkpoint_every=100"]


@pytest.fixture(scope="module")
def judged(quick_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Report, Verdict]]:
    """Reports and verdicts in the folders of their runs: every kind of task, with keys and without, and imported."""
    import torch

    place = tmp_path_factory.mktemp("written")
    runs = [load_run(shutil.copytree(quick_run, place / "frequencies"))]
    settings_of = (("quick-s4", IN_S3), ("quick", SQUARES), ("quick", ROCK_PAPER_SCISSORS), ("quick", OF_UNITS))
    for preset, settings in settings_of:
        config = RunConfig.preset(preset).with_settings([*TINY, *settings])
        runs.append(train(config, place / str(len(runs)), progress=False))
    torch.save({"model": runs[0].to_state_dict(runs[0].last_step), "train_loss": 1e-3}, place / "theirs.pth")
    runs.append(import_run(place / "theirs.pth", place / "imported", settings=["task.operation=add"]))
    found = [(analyze(run), find_verdict(run)) for run in runs]
    for report, verdict in found:
        write_report(report, report.run.path / "report", verdict)
        write_verdict(verdict, report.run.path / "verdict")
    return found


@pytest.fixture(scope="module")
def written(judged: list[tuple[Report, Verdict]]) -> list[Path]:
    return [report.run.path for report, _ in judged]


@pytest.mark.parametrize(
    ("heading", "file"),
    [("run.json", "run.json"), ("report.json", "report/report.json"), ("verdict.json", "verdict/verdict.json")],
)
def test_every_key_is_described_and_no_other(written: list[Path], heading: str, file: str):
    compare(heading, {key for run in written for key in keys_of(json.loads((run / file).read_text()))})


def test_every_column_is_described_and_no_other(written: list[Path]):
    measures = {column for run in written for column in pd.read_csv(run / "report" / "measures.csv").columns}
    compare("measures.csv", measures)
    metrics = {key for run in written[:-1] for row in RunFolder(run).read_metrics() for key in row}
    compare("metrics.jsonl", metrics)
    compare("The table of verdicts", set(COLUMNS))


def test_a_comparison_is_described(written: list[Path], tmp_path: Path):
    keys, columns = set(), set()
    for verdict, runs in ((True, written), (False, written[:2])):
        paths = write_comparison(grokinterp.compare(runs, verdict=verdict), tmp_path)
        keys |= set(keys_of(json.loads(paths.json.read_text())))
        columns |= set(pd.read_csv(paths.csv).columns)
    compare("comparison.json", keys)
    compare("comparison.csv", columns)
    (row,) = re.findall(r"^\| `runs\[\]\.curves\.<column>` \| (.*)$", PAGES["formats.md"], flags=re.MULTILINE)
    measured = {key.removeprefix("runs[].curves.") for key in keys if key.startswith("runs[].curves.")} - {"step"}
    assert set(re.findall(r"`(\w+)`", row)) == measured


def test_figures_and_their_numbers_are_described(judged: list[tuple[Report, Verdict]]):
    named = documented("Names of figures")
    assert named == list(dict.fromkeys((*REPORT_NAMES, *VERDICT_NAMES)))
    columns = set()
    for report, verdict in judged:
        for entries, result in ((page_figures(report), report), (verdict_figures(verdict), verdict)):
            for entry in entries:
                assert entry.name in named
                columns |= set(figure_data(entry.draw(result)).columns)
    compare("Numbers of a figure", columns)


def test_every_tensor_is_described_and_no_other(written: list[Path]):
    compare("Checkpoints", set(load_run(written[0]).weights(0)))
    parts = {name.split(".")[0] for name in read_tensors(written[0] / "trainer_state.safetensors")}
    assert parts == {"step", "weights", "exp_avg", "exp_avg_sq"}
    assert all(f"`{part}" in PAGES["formats.md"] for part in parts)


# The errors.


def template(node: ast.AST) -> str:
    """The text of an expression, NUL for what is only known when it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(value) for value in node.values)
    return "\0"


def messages() -> Iterator[tuple[str, str]]:
    """(place, template) of every message of a GrokinterpError, NotApplicable or ValueError in the package."""
    package = Path(grokinterp.__file__).parent
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                if node.func.id in ("GrokinterpError", "NotApplicable", "ValueError"):
                    yield f"{file.relative_to(package)}:{node.lineno}", template(node.args[0])
            # What config.py makes of pydantic's errors.
            elif file.name == "config.py" and isinstance(node, ast.Return) and isinstance(node.value, ast.JoinedStr):
                yield f"{file.relative_to(package)}:{node.lineno}", template(node.value)


MESSAGES = dict(messages())
DOCUMENTED = {
    text: re.compile(".*".join(map(re.escape, text.split("…"))), flags=re.DOTALL)
    for row in re.findall(r"^\| (`.*?) \|", PAGES["errors.md"], flags=re.MULTILINE)
    for text in re.findall(r"`([^`]+)`", row)
}


def is_said(text: str) -> bool:
    """Whether a message has words of its own, beside those of an error that it passes on."""
    return len(re.sub(r"[\W\d_]|task", "", text)) > 3


def test_every_error_is_described():
    undescribed = {
        f"grokinterp/{place}": text.replace("\0", "…")
        for place, text in MESSAGES.items()
        if is_said(text) and not any(rule.fullmatch(text) for rule in DOCUMENTED.values())
    }
    assert undescribed == {}, "docs/errors.md has no row for these"


def test_every_described_error_exists_and_is_told_from_others():
    met = {text: sum(bool(rule.fullmatch(said)) for said in MESSAGES.values()) for text, rule in DOCUMENTED.items()}
    assert {text: count for text, count in met.items() if not 1 <= count <= 12} == {}
