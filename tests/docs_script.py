"""The scripts of docs/ as modules: what the pages' numbers are printed by."""

import importlib.util
from pathlib import Path
from types import ModuleType


def docs_script(name: str) -> ModuleType:
    """The script `docs/<name>.py`."""
    path = Path(__file__).parents[1] / "docs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
