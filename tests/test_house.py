"""The house: which room may import which, and what importing the package must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import grokinterp

PACKAGE = Path(grokinterp.__file__).parent
FLOORS = {
    "guard": -2,
    "errors": -1,
    "wording": -1,
    "registry": 0,
    "config": 0,
    "fourier": 1,
    "tasks": 2,
    "models": 3,
    "runs": 4,
    "training": 5,
    "analysis": 6,
}
FLOORS |= {"verdict": 7, "report": 8, "cli": 9}
# Packages that one floor alone may import.
RESERVED = {
    "transformer_lens": {"models/_bridge.py", "models/_mlp.py", "models/_transformer.py"},
    "plotly": {"report"},
    "jinja2": {"report"},
    "sklearn": {"verdict"},
    "typer": {"cli"},
    "safetensors": {"runs"},
}


def modules_imported_by(source: str, place: Path, *, for_types: bool = True) -> list[str]:
    """Absolute names of what `source` at `place` in the package imports; `for_types`: under TYPE_CHECKING too."""
    package = ["grokinterp", *place.parent.parts]
    tree = ast.parse(source)
    if not for_types:
        tree.body = [
            node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        ]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from grokinterp import report` names a room, or something that a room holds, in its names.
            names = [grokinterp._WHERE.get(alias.name, alias.name) for alias in node.names]
            found += [f"{module}.{name}" for name in names] if module == "grokinterp" else [module]
    return found


def imports_upwards(source: str, place: Path) -> list[str]:
    """Modules of higher floors that `source` imports."""
    room = place.parts[0].removesuffix(".py")
    rooms = {module: module.split(".")[1] for module in modules_imported_by(source, place) if module.startswith("grok")}
    return [module for module, other in rooms.items() if other != room and FLOORS[other] >= FLOORS[room]]


FILES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(file):
    assert imports_upwards(file.read_text(), file.relative_to(PACKAGE)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import grokinterp.report",
        "from grokinterp import report",
        "from grokinterp import analyze",
        "from .. import report",
        "from ..report import write_report",
        "def f():\n    from grokinterp.analysis import analyze",
    ],
)
def test_an_import_upwards_is_seen_however_it_is_written(source):
    assert len(imports_upwards(source, Path("tasks") / "_task.py")) == 1
    assert imports_upwards(source, Path("cli.py")) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_by_their_own_room_alone(file):
    place = file.relative_to(PACKAGE)
    for module in modules_imported_by(file.read_text(), place, for_types=False):
        allowed = RESERVED.get(module.split(".")[0])
        assert allowed is None or any(str(place).startswith(room) for room in allowed), f"{place} imports {module}"


def test_every_module_is_short():
    lengths = {str(file.relative_to(PACKAGE)): len(file.read_text().splitlines()) for file in FILES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


@pytest.mark.parametrize("module", ["grokinterp", "grokinterp.fourier", "grokinterp.cli"])
def test_importing_loads_nothing_heavy(module):
    heavy = ("torch", "transformer_lens", "plotly", "pandas", "jax")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_public_names_are_all_there():
    names = [
        "GrokinterpError",
        "Report",
        "Run",
        "RunConfig",
        "Snapshot",
        "analyze",
        "load_run",
        "train",
        "write_report",
    ]
    assert set(names) <= set(dir(grokinterp))
    assert all(getattr(grokinterp, name) is not None for name in dir(grokinterp))
    with pytest.raises(AttributeError, match="module 'grokinterp' has no attribute 'anlyze'"):
        grokinterp.anlyze  # noqa: B018
