"""What a file says of a network: its weights, and all that stands beside them, in the file or in JSON next to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs._folder import Tensors

from ._beside import flattened, settings_beside, unread_beside
from ._foreign import tensors_of
from ._records import cut
from ._state import find_state, twins_of, without_wrappers
from ._told import told

# Trainers' names for what stands beside the weights. The first that a file has counts.
_CONFIGS = (
    "config", "cfg", "model_config", "model_args", "hyper_parameters", "hparams", "hyperparameters", "args", "opt",
    "settings", "training_config", "train_config",
)  # fmt: skip
# Names of a count of optimizer calls, before those of epochs, of which a call may be a part.
_STEPS = (
    "step", "global_step", "iteration", "iter", "iter_num", "train_step", "training_step", "current_step", "it",
    "epoch", "current_epoch", "last_epoch",
)  # fmt: skip
_OPTIMIZERS = (
    "optimizer_state_dict", "optimizer", "optimizer_state", "optimizer_states", "optim", "optim_state_dict",
)  # fmt: skip
_INDICES = ("train_indices", "train_idx", "train_index", "train_ids", "train_inds", "idx_train", "train_mask")
_PAIRS = ("train_data", "train_pairs")
# What says nothing of the network: where training stood when it was interrupted, and which program wrote the file.
_OF_TRAINING = (
    "scheduler", "lr_scheduler", "scaler", "rng", "random_state", "callbacks", "loops", "hparams_name", "timestamp",
    "pytorch-lightning_version", "state_dict_version", "git", "wandb", "version", "python", "numpy_rng", "torch_rng",
)  # fmt: skip
# What a module that was saved whole holds beside its weights and settings.
_OF_MODULE = ("training", "is_caching", "context_level", "mod_dict", "hook_dict", "tokenizer")

_MOST_NAMES = 6


@dataclass(frozen=True, eq=False)
class Contents:
    """What one file says of a network, before anybody decides which layout it has.

    - `content`: the file as plain values; `state`: the weights in it as they are stored, their names without wrappers'
      prefixes, empty where it has none; `tensors()`: the same as detached float32.
    - `config`: settings that the file holds under `config`, `args`, … or beside the weights, and those of a JSON file
      in its folder; the file's own come first. Settings in groups stand under their own names.
    - `step`: the optimizer step that the file states (`step_is_stated`) or its name marks, None where neither does;
      `step_note` says where it comes from, if not from the file.
    - `series`: lists of `train_loss`, `test_loss`, `train_accuracy`, `test_accuracy`, with the `step` they were taken
      at where the file lists them; `stated`: the same as numbers for these weights: single ones, or a list's last.
    - `train_indices`: numbers of the pairs trained on; `train_pairs`: the same by (a, b); None where not listed.
    - `optimizer`: the state dict of the optimizer, with its `param_groups`; empty where it has none.
    - `notes`: what was chosen in finding all this; `unused`: names of entries that are none of it.
    """

    path: Path
    content: Any
    state: Mapping[str, torch.Tensor] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    step: int | None = None
    step_is_stated: bool = False
    step_note: str = ""
    series: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    stated: Mapping[str, float] = field(default_factory=dict)
    train_indices: tuple[int, ...] | None = None
    train_pairs: tuple[tuple[int, int], ...] | None = None
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def leftover(self) -> str:
        """A sentence on the entries that nobody reads; nothing where there are none."""
        if not self.unused:
            return ""
        more = f" and {len(self.unused) - _MOST_NAMES} more" if len(self.unused) > _MOST_NAMES else ""
        return f"Not used, of what the file holds: {', '.join(self.unused[:_MOST_NAMES])}{more}."

    def tensors(self) -> Tensors:
        """The weights as detached, contiguous float32 tensors; raises where they are not finite or no numbers."""
        return tensors_of(self.state, self.path)


def contents_of(path: Path, content: Any) -> Contents:
    """What the file at `path`, which holds `content`, says, and the configuration beside it.

    Raises `GrokinterpError` if the file holds several networks and nothing says which is meant.
    """
    found, place = find_state(content)
    if (twins := twins_of(content, place)) and not _is_series(content):
        names = ", ".join(cut("/".join(name) or "the top level") for name in (place, *twins))
        raise GrokinterpError(
            f"{path} holds {1 + len(twins)} sets of weights ({names}), and nothing says which is the network; save one "
            "in a file of its own"
        )
    entries = _beside_the_weights(content, place, found)
    optimizer = next((x for key in _OPTIMIZERS if (x := _first(entries.get(key)))), {})
    series, stated, of_losses = told(entries, {*_OPTIMIZERS, *_CONFIGS})
    settings, name = settings_beside(path)
    config: dict[str, Any] = {}
    own = [entries[key] for key in _CONFIGS if isinstance(entries.get(key), Mapping)]
    read = {*_STEPS, *of_losses, *_OF_MODULE}
    for said in (*own, _settings(entries, read), settings):
        config = {**flattened(said), **config}
    steps = (_count(entries.get(key)) for key in _STEPS)
    step = next((count for count in steps if count is not None), _calls(optimizer))
    used = {*_CONFIGS, *_OPTIMIZERS, *_STEPS, *_INDICES, *_PAIRS, *_OF_MODULE, *of_losses}
    return Contents(
        path=path,
        content=content,
        state=without_wrappers(found),
        config=config,
        step=step,
        step_is_stated=step is not None,
        series=series,
        stated=stated,
        train_indices=next((x for key in _INDICES if (x := _indices(entries.get(key)))), None),
        train_pairs=next((x for key in _PAIRS if (x := _pairs(entries.get(key)))), None),
        optimizer=optimizer,
        notes=_of_configuration(path, name),
        unused=tuple(
            cut(key)
            for key, x in entries.items()
            if key not in used and not _is_setting(x) and not key.lower().startswith(_OF_TRAINING)
        ),
    )


def _settings(entries: Mapping[str, Any], read: set[str]) -> dict[str, Any]:
    """Entries beside the weights that are settings of the network, perhaps."""
    return {
        key: x
        for key, x in entries.items()
        if _is_setting(x) and key not in read and not key.lower().startswith(_OF_TRAINING)
    }


def _of_configuration(path: Path, read: str | None) -> tuple[str, ...]:
    """Which configuration beside the file was read, and which were not."""
    notes = [f"{cut(read)}, beside the file, is read as its configuration."] if read else []
    unread = unread_beside(path, read)
    if unread:
        are, say = ("are", "they say") if len(unread) > 1 else ("is", "it says")
        why = f"since {cut(read)} is" if read else "since only a JSON object of settings is"
        names = ", ".join(cut(name, 60) for name in unread)
        how = f"give what {say} with --set, or save it as config.json"
        notes.append(f"{names}, beside the file, {are} not read, {why}: {how}.")
    return tuple(notes)


def _is_series(content: Any) -> bool:
    """Whether it is one run's checkpoints in one file, as TransformerLens' demo and Nanda et al. keep them."""
    return isinstance(content, Mapping) and any(
        isinstance(content.get(name), list | tuple) for name in ("checkpoints", "state_dicts")
    )


def _beside_the_weights(content: Any, place: tuple[str, ...], state: Mapping[str, Any]) -> dict[str, Any]:
    """The entries on every level on the way to the weights; those nearer to the weights come first."""
    entries: dict[str, Any] = {}
    for name in place:
        if isinstance(content, Mapping):
            level = {str(key): x for key, x in content.items()}
            inner = level.pop(name)
            entries = level | entries
        else:
            inner = content[int(name)]
            for number, other in enumerate(content):
                if number != int(name) and isinstance(other, Mapping):
                    entries = {str(key): x for key, x in other.items()} | entries
        content = inner
    if isinstance(content, Mapping) and not all(isinstance(x, torch.Tensor | Mapping | list) for x in content.values()):
        entries = {str(key): x for key, x in content.items() if key not in state} | entries
    elif isinstance(content, Mapping) and not state:
        entries = {str(key): x for key, x in content.items()} | entries
    return entries


def _is_setting(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _first(value: Any) -> Mapping[str, Any]:
    """An optimizer's state, also where several stand in a list, as Lightning keeps them."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    """A whole number ≥ 0 however it was kept, None for everything else."""
    if isinstance(value, torch.Tensor | np.ndarray) and value.ndim < 2 and len(value.reshape(-1)) == 1:
        value = value.reshape(-1)[0].item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def _calls(optimizer: Mapping[str, Any]) -> int | None:
    """How many calls Adam counted."""
    state = optimizer.get("state")
    of_one = next(iter(state.values()), None) if isinstance(state, Mapping) else None
    return _count(of_one.get("step")) if isinstance(of_one, Mapping) else None


def _rows(value: Any) -> Any:
    return value.tolist() if isinstance(value, torch.Tensor | np.ndarray) else value


def _indices(value: Any) -> tuple[int, ...] | None:
    """Numbers of pairs: a list of them, or a mask over all."""
    rows = _rows(value)
    if isinstance(rows, list) and rows and all(isinstance(row, list) for row in rows):
        rows = [entry for row in rows for entry in row]  # A mask with a row per a.
    if not isinstance(rows, list | tuple) or not rows:
        return None
    if all(isinstance(entry, bool) for entry in rows):
        return tuple(number for number, entry in enumerate(rows) if entry)
    return tuple(rows) if all(type(entry) is int for entry in rows) else None


def _pairs(value: Any) -> tuple[tuple[int, int], ...] | None:
    """The first two of each row: (a, b), perhaps with more behind it."""
    rows = _rows(value)
    if not isinstance(rows, list | tuple) or not rows:
        return None
    if not all(
        isinstance(row, list | tuple) and len(row) >= 2 and all(type(x) is int for x in row[:2]) for row in rows
    ):
        return None
    return tuple((row[0], row[1]) for row in rows)
