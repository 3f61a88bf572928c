"""The split and the curves of a state dict, as what stands beside it says."""

import math
from collections.abc import Mapping
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task, TaskConfig, make_split

from ._contents import Contents
from ._splits import StoredLosses, recognised

_FRACTIONS = ("train_fraction", "frac_train", "train_frac", "frac", "training_fraction", "pct_train", "train_pct")
_SEEDS = ("split_seed", "data_seed", "seed", "random_seed")
_SCHEMES = ("nanda", "torch")
# The demo's seed of the split.
_DEMO_SEED = 598
# With fewer pairs, or losses nearer to each other, some wrong split has the stored losses by chance.
_FEWEST_PAIRS = 400
_LEAST_RATIO = 1.5


def split_said(said: Contents, task: TaskConfig, model: ModelConfig, weights: Tensors) -> tuple[TaskConfig, str]:
    """The split that the file lists, else the one its losses are recognised by, else an unknown one; and a note."""
    whole = Task(task.without_split())
    if (listed := _listed(said, whole)) is not None:
        return split_of(task, listed, whole.n_pairs)
    stated = [said.stated.get(name) for name in ("train_loss", "test_loss")]
    if None in stated or not all(x is not None and 0 < x < math.inf for x in stated):
        return task.without_split(), "The split is unknown."
    stored = StoredLosses(*stated)  # pyright: ignore[reportArgumentType]
    if whole.n_pairs < _FEWEST_PAIRS or stored.test < _LEAST_RATIO * stored.train:
        return task.without_split(), f"The split is unknown; the {stored} of the file would not tell one from another."
    fraction, seed = _first(said.config, _FRACTIONS), _first(said.config, _SEEDS)
    fractions = [fraction] if isinstance(fraction, float) and 0 < fraction < 1 else []
    seeds = [seed] if type(seed) is int and 0 <= seed < 2**63 else []
    first = None
    for scheme in _SCHEMES:
        found = recognised(
            task.model_copy(update={"split_scheme": scheme}),
            model,
            weights,
            stored,
            fractions=fractions or [0.3, 0.5, 0.4, 0.8],
            seeds=[*seeds, *range(6), 42, 598],
        )
        if found[0].split_scheme != "unknown":
            return found
        first = first or found
    assert first is not None
    return first


def split_of(task: TaskConfig, listed: tuple[int, ...], n_pairs: int) -> tuple[TaskConfig, str]:
    """The split by its train pairs' numbers, or as the demo of TransformerLens draws it, if they are those."""
    fraction = (len(listed) + 0.5) / n_pairs
    if 0 < len(listed) < n_pairs:
        drawn = make_split("torch", n_pairs, fraction, _DEMO_SEED).train.tolist()
        for said in (0.3, fraction):
            if drawn == list(listed) and int(said * n_pairs) == len(listed):
                update = {"split_scheme": "torch", "split_seed": _DEMO_SEED, "train_fraction": said}
                return task.model_copy(update=update), f"The split is the demo's, torch.randperm at seed {_DEMO_SEED}."
    return task.with_train_pairs(listed), "The file lists its train pairs."


def _listed(said: Contents, task: Task) -> tuple[int, ...] | None:
    """The numbers of the pairs that the file says the network was trained on."""
    if said.train_indices is not None or said.train_pairs is None:
        return said.train_indices
    numbers = {pair: number for number, pair in enumerate(map(tuple, task.pairs.tolist()))}
    strangers = [pair for pair in said.train_pairs if pair not in numbers]
    if strangers:
        raise GrokinterpError(
            f"{said.path}: its train pairs include {strangers[0]}, which {task.name} does not have; correct "
            "--set task.…, or save the weights without them"
        )
    return tuple(numbers[pair] for pair in said.train_pairs)


def curves_said(said: Contents) -> tuple[list[dict[str, int | float]], str]:
    """A row per step that the file has losses or accuracies of, and a note on lists whose steps it does not tell."""
    rows: dict[int, dict[str, int | float]] = {}
    steps = said.series.get("step", ())
    lost = []
    for name, values in said.series.items():
        if name == "step":
            continue
        at = _steps_of(len(values), steps, said.step)
        if at is None:
            lost.append(f"{name} ({len(values):,} numbers)")
            continue
        for step, value in zip(at, values, strict=True):
            if math.isfinite(value):
                rows.setdefault(step, {"step": step})[name] = value
    if said.step is not None:
        for name, value in said.stated.items():
            if math.isfinite(value):
                rows.setdefault(said.step, {"step": said.step}).setdefault(name, value)
    note = f"Not used, since the file does not tell at which steps they were taken: {', '.join(lost)}." if lost else ""
    return [rows[step] for step in sorted(rows)], note


def _steps_of(count: int, listed: tuple[float, ...], last: int | None) -> list[int] | None:
    """At which steps `count` numbers were taken: those listed, or each one up to the step of the weights."""
    whole = all(step.is_integer() and 0 <= step <= 10**9 for step in listed)
    if len(listed) == count and whole and len(set(listed)) == count:
        return [int(step) for step in listed]
    return list(range(count)) if last is not None and count in (last, last + 1) else None


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((config[name] for name in names if name in config), None)
