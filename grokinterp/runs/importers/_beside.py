"""Configurations that stand beside a file of weights: those in JSON are read, others named."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError

from ._layout import read_settings
from ._steps import step_in_folder

_NAMES = ("config", "cfg", "args", "hparams", "model_config", "hyperparameters", "params")


def settings_beside(path: Path) -> tuple[dict[str, Any], str | None]:
    """The settings in a JSON file that belongs to the file at `path`, and that file's name; None where there is none.

    It is named after the file (`mine.json`, `mine_config.json`, `config_mine.json`), or after nothing but what it is
    (`config.json`, `cfg.json`, `args.json`, …) in the same folder.
    """
    for name in _names_beside(path, ("json",)):
        try:
            return read_settings(path.parent / name), name
        except GrokinterpError:
            continue  # A list of results, say; it is nobody's configuration.
    return {}, None


def unread_beside(path: Path, read: str | None) -> list[str]:
    """The names of other configurations beside the file than `read`, such as `config.yaml`."""
    return [name for name in _names_beside(path, ("json", "yaml", "yml", "toml")) if name != read]


def _names_beside(path: Path, suffixes: tuple[str, ...]) -> list[str]:
    """The names of files that may be a configuration of the file at `path`, those of its own name first."""
    own = [path.stem, *(f"{path.stem}_{name}" for name in _NAMES), *(f"{name}_{path.stem}" for name in _NAMES)]
    stems = [*own, *_NAMES]
    if step_in_folder(path.absolute().parent.name).step is not None:
        stems += [f"../{name}" for name in _NAMES]  # Of a folder of one checkpoint, the run's stands around it.
    names = dict.fromkeys(f"{stem}.{suffix}" for suffix in suffixes for stem in stems)
    return [name for name in names if (path.parent / name).is_file() and path.parent / name != path]


def flattened(settings: Mapping[Any, Any]) -> dict[str, Any]:
    """Settings by their own names, those in groups too; where two have one name, the outer or the earlier counts.

    >>> flattened({"model": {"n_heads": 4, "act": "gelu"}, "act": "relu"})
    {'act': 'relu', 'n_heads': 4}
    """
    flat = {str(name): value for name, value in settings.items() if not isinstance(value, Mapping)}
    for value in settings.values():
        if isinstance(value, Mapping):
            flat = flat | {name: inner for name, inner in flattened(value).items() if name not in flat}
    return flat
