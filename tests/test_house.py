"""The house: which room may import which, and what importing the package must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import grokinterp

PACKAGE = Path(grokinterp.__file__).parent
FLOORS = {
    "errors": -1,
    "wording": -1,
    "config": 0,
    "fourier": 1,
    "tasks": 2,
    "models": 3,
    "runs": 4,
    "training": 5,
    "analysis": 6,
}
FLOORS |= {"report": 7, "cli": 8}
# Packages that one floor alone may import.
RESERVED = {
    "transformer_lens": {"models/_transformer.py"},
    "plotly": {"report"},
    "jinja2": {"report"},
    "typer": {"cli.py"},
    "safetensors": {"runs"},
}


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules_imported_by(file: Path, *, for_types: bool = True) -> list[str]:
    """Absolute names of what a file imports, wherever in the file it does; `for_types`: under TYPE_CHECKING too."""
    package = ["grokinterp", *file.relative_to(PACKAGE).parent.parts]
    tree = ast.parse(file.read_text())
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
            found.append(".".join([*base, *([node.module] if node.module else [])]))
    return found


FILES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(file):
    floor = FLOORS[room_of(file)]
    for module in modules_imported_by(file):
        parts = module.split(".")
        if parts[0] == "grokinterp" and len(parts) > 1 and parts[1] != room_of(file):
            assert FLOORS[parts[1]] < floor, f"{file.name} (floor {floor}) imports {module}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_by_their_own_room_alone(file):
    place = str(file.relative_to(PACKAGE))
    for module in modules_imported_by(file, for_types=False):
        allowed = RESERVED.get(module.split(".")[0])
        assert allowed is None or any(place.startswith(room) for room in allowed), f"{place} imports {module}"


def test_the_floors_are_enforced_on_a_violation():
    """The check above can fail: an import upwards is seen for what it is."""
    source = PACKAGE / "tasks" / "_task.py"
    upwards = modules_imported_by(PACKAGE / "analysis" / "_analyze.py")
    assert any(
        FLOORS[module.split(".")[1]] > FLOORS[room_of(source)] for module in upwards if module.startswith("grok")
    )


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
