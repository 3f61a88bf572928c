"""What run.json keeps of an import, in words. The record may be a stranger's: what is not of its shape is left out."""

from collections.abc import Mapping
from typing import Any

from grokinterp.config import Config
from grokinterp.wording import number, percent, step_named

from ._stated import StatedTraining

_UNKNOWN = {"seed", "initialisation", "split_seed", "train_fraction"}
_DATA = ("all", "train", "test")
# In the order in which a reader asks.
_PLAIN = {"source": "source", "layout": "layout", "imported_with": "imported with grokinterp", "sha256": "sha256"}


def about_import(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rows of an import: name and value; empty for a run that was trained here.

    >>> about_import({"source": "mine.pth", "notes": ["The split is unknown."]})
    [('source', 'mine.pth'), ('note', 'The split is unknown.')]
    """
    rows = [(words, str(provenance[key])) for key, words in _PLAIN.items() if provenance.get(key) is not None]
    rows += [("measured", text) for text in [measured_words(provenance)] if text]
    rows += [("stated", text) for text in [stated_words(provenance)] if text]
    named = [(name.removesuffix("s"), text) for name in ("notes", "warnings") for text in _texts(provenance.get(name))]
    # Rows have names of their own, since a page keeps them by name.
    return rows + [(f"{name} {at}" if at > 1 else name, text) for name, at, text in _numbered(named)]


def settings_words(section: Config) -> dict[str, str]:
    """The settings of a section that are set, in words: lists, as long as a table, by their length, unknown as a dash.

    >>> settings_words(StatedTraining(learning_rate=0.001))["weight_decay"]
    '–'
    """
    values = section.model_dump(exclude={"kind"})
    # What no file stated is unknown; elsewhere None is a setting that this network does not have.
    unknown = set(values) if isinstance(section, StatedTraining) else _UNKNOWN
    return {
        name: "–" if value is None else f"{len(value)} entries" if isinstance(value, list | tuple) else str(value)
        for name, value in values.items()
        if value is not None or name in unknown
    }


def warnings_of(provenance: Mapping[str, Any]) -> list[str]:
    """What a reader must know before believing anything about the network."""
    return _texts(provenance.get("warnings"))


def measured_words(provenance: Mapping[str, Any]) -> str:
    """What the import measured of the last checkpoint, in a line; empty where it measured nothing.

    >>> measured_words({"measured": {"step": None, "pairs": 49, "all": {"accuracy": 1.0, "loss": 0.25}}})
    '100 % of all 49 pairs right, loss 0.250 (step unknown)'
    """
    measured = _mapping(provenance.get("measured"))
    parts = []
    for data in _DATA:
        numbers = _mapping(measured.get(data))
        accuracy, loss = (_number(numbers.get(name)) for name in ("accuracy", "loss"))
        if accuracy is not None:
            pairs, among = measured.get("pairs"), measured.get("sampled_from")
            counted = f"{pairs:,} " if type(pairs) is int and data == "all" else ""
            which = f"{counted}pairs drawn from {among:,}" if type(among) is int else f"{data} {counted}pairs"
            parts.append(f"{percent(accuracy)} of {which} right, loss {number(loss)}")
    step = measured.get("step")
    return f"{'; '.join(parts)} ({step_named(step if type(step) is int else None)})" if parts else ""


def stated_words(provenance: Mapping[str, Any]) -> str:
    """What the file itself says of its network, and whether that is so; empty where it says nothing.

    >>> stated_words({"stated": {"train_loss": 0.25, "agrees": True, "tolerance": 0.001}})
    'train loss 0.250: as measured, within 0.1 %'
    """
    stated = _mapping(provenance.get("stated"))
    parts = []
    for name in (f"{data}_{kind}" for data in _DATA for kind in ("loss", "accuracy")):
        value = _number(stated.get(name))
        if value is not None:
            parts.append(f"{name.replace('_', ' ')} {percent(value) if name.endswith('accuracy') else number(value)}")
    if not parts:
        return ""
    within = _number(stated.get("tolerance"))
    tolerance = "" if within is None else f" within {percent(within).replace('.00 ', ' ')}"
    verdicts: dict[object, str] = {True: f"as measured,{tolerance}", False: f"not what was measured{tolerance}"}
    return f"{', '.join(parts)}: {verdicts.get(stated.get('agrees'), 'not compared, since the split is unknown')}"


def _numbered(rows: list[tuple[str, str]]) -> list[tuple[str, int, str]]:
    seen: dict[str, int] = {}
    found = []
    for name, text in rows:
        seen[name] = seen.get(name, 0) + 1
        found.append((name, seen[name], text))
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []


def _number(value: Any) -> float | None:
    try:
        return float(value) if type(value) in (int, float) else None
    except OverflowError:
        return None
