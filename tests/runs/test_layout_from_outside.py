"""A layout that grokinterp does not have, in a file of its own: that of docs/howto/add-a-layout.md."""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

import pytest
import torch

from grokinterp.analysis import analyze
from grokinterp.errors import GrokinterpError
from grokinterp.registry import Registry
from grokinterp.runs import LAYOUTS, import_run
from grokinterp.runs.importers import Contents, Layout, register_layout
from grokinterp.runs.importers._route import layouts

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "add-a-layout.md"
CODE = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def registry():
    """The layouts as they were, afterwards."""
    # A page of the documentation registers one, too.
    before = {name: kind for name, kind in layouts._kinds.items() if name in LAYOUTS}
    layouts._kinds = dict(before)
    yield
    layouts._kinds, layouts._is_loaded = before, True


@pytest.fixture
def squares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    assert CODE is not None
    (tmp_path / "squares.py").write_text(CODE[1])
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("squares", None)
    import squares

    return squares.squares


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    layers = [torch.randn(16, 24), torch.randn(24, 7)]
    torch.save({"tables": torch.randn(7, 16), "layers": layers, "modulus": 7}, tmp_path / "step_000300.pth")
    return tmp_path / "step_000300.pth"


ADD = ("task.operation=add",)


@pytest.mark.usefixtures("registry")
def test_it_is_imported_analysed_and_named(squares: Layout, file: Path, tmp_path: Path):
    with pytest.raises(GrokinterpError, match="is of no layout known"):
        import_run(file, tmp_path / "before", settings=ADD)
    register_layout(squares)
    run = import_run(file, tmp_path / "run", settings=ADD)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["provenance"]["layout"] == "squares"
    assert run.steps == [300]
    stored = torch.load(file)
    a, b = run.task.inputs
    first, second = stored["layers"]
    expected = torch.relu((stored["tables"][a] + stored["tables"][b]) @ first) @ second
    torch.testing.assert_close(torch.from_numpy(run.snapshot().logits), expected, atol=1e-4, rtol=1e-4)
    assert analyze(run).run.provenance["layout"] == "squares"
    assert import_run(file, tmp_path / "named", layout="squares", settings=ADD).steps == [300]


@pytest.mark.usefixtures("registry")
def test_an_installed_package_brings_its_own(squares: Layout, file: Path, tmp_path: Path, monkeypatch):
    entry = importlib.metadata.EntryPoint("squares", "squares:squares", "grokinterp.layouts")
    monkeypatch.setattr("grokinterp.registry.entry_points", lambda group: [entry] if group == entry.group else [])
    layouts._is_loaded = False
    assert import_run(file, tmp_path / "run", settings=ADD).provenance["layout"] == squares.name


@pytest.mark.usefixtures("registry")
def test_what_goes_wrong_is_said_in_one_line(squares: Layout, file: Path, tmp_path: Path, monkeypatch):
    register_layout(squares)
    with pytest.raises(GrokinterpError, match="layout 'squares' is registered already; give it another name"):
        register_layout(squares)
    with pytest.raises(GrokinterpError, match="layout 'auto': that is no name of a layout"):
        register_layout(Layout("auto", squares.reads, squares.read))
    with pytest.raises(GrokinterpError, match=r"layout 'squars': unknown; choose auto or one of nanda, .*, squares"):
        import_run(file, tmp_path / "run", layout="squars", settings=ADD)

    def broken(said: Contents) -> bool:
        return said.content["nothing"]

    register_layout(Layout("broken", broken, squares.read))
    with pytest.raises(
        GrokinterpError, match=r"step_000300\.pth: the layout broken raised KeyError \('nothing'\); mend"
    ):
        import_run(file, tmp_path / "run", settings=ADD)
    entry = importlib.metadata.EntryPoint("odd", "no_such_module:odd", "grokinterp.layouts")
    monkeypatch.setattr("grokinterp.registry.entry_points", lambda group: [entry])  # noqa: ARG005
    says = r"layout 'odd' of an installed package \(no_such_module:odd\) cannot be loaded \(ModuleNotFoundError: "
    with pytest.raises(GrokinterpError, match=says):
        _ = Registry("layout", []).names


def test_a_registry_says_what_there_is():
    kinds = Registry("layout", [*layouts])
    with pytest.raises(GrokinterpError, match="layout 'nada': unknown; choose one of chughtai, pizza, nanda, "):
        _ = kinds["nada"]
    kinds.remove("nanda")
    assert "nanda" not in kinds
    assert kinds["pizza"].name == "pizza"
