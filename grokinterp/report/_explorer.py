"""The explorer's data: the page carries the weights of every checkpoint, rounded, and computes what is looked at.

The page holds the tables of the exact fast forward per checkpoint (`pack`) and runs it for the neuron, or the pair,
that is shown. Nothing as large as [pair, d_mlp] is stored, but for networks that the fast forward does not cover, of
which the activations are. Numbers in text and tables come from the analysis.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from typing import Any

import numpy as np
import pandas as pd

from grokinterp.analysis import NEAR_CONSTANT, Places, Report, plain
from grokinterp.models import not_covered_by_fast_forward
from grokinterp.tasks import Structure

from ._elements import element_labels, powers_note
from ._explorer_step import answers_grid, bytes_of_activations, group_tables, packed_step, pair_grid
from ._keys import called, key_colours, shown_keys
from ._packed import Packed, pack
from ._series import every_so_many, thinned
from ._style import DIVERGING, MEASURE_COLOURS, OTHER, SEQUENTIAL
from ._training import drawn_matrices

MOST_STEPS = 26
# Of base64; plotly.js and the figures take five more.
MOST_BYTES = 8_500_000
# A neuron over all pairs of a larger group takes the page too long, and so does decoding more activations of one step.
MOST_ELEMENTS, MOST_BYTES_OF_ACTIVATIONS = 400, 24_000_000
DENSE_POINTS, CURVE_POINTS = 800, 400
# On dark paper large values are bright: nothing is then the paper's own shade.
_SCALES = {
    "light": {"sequential": SEQUENTIAL, "diverging": DIVERGING},
    "dark": {
        "sequential": ((0.0, "#1B2027"), (0.25, "#17415F"), (0.5, "#2F7CB0"), (0.75, "#7FB2D3"), (1.0, "#F0F7FC")),
        "diverging": ((0.0, "#F4B79C"), (0.25, "#A6512F"), (0.5, "#1B2027"), (0.75, "#2F7CB0"), (1.0, "#B4DAF3")),
    },
}
_PHASES = ("memorization", "circuit_formation", "cleanup")
_CURVES = (
    "train_loss",
    "test_loss",
    "restricted_loss",
    "excluded_loss",
    "train_accuracy",
    "test_accuracy",
    "gini_W_E",
    "gini_W_L",
    "sum_of_squared_weights",
)


# Keeps a file of this name and content for the page to load, and returns its address relative to the page.
KeepBeside = Callable[[str, str], str]


@dataclass(frozen=True, eq=False)
class Explorer:
    """What the page's script reads: `content` at once, `parts` (name → base64) when a step is first shown.

    Parts that lie beside the page are not among `parts`: `content["beside"]` has their addresses.
    """

    content: dict[str, Any]
    parts: dict[str, str]

    @property
    def steps(self) -> list[int]:
        return self.content["steps"]


def explorer(report: Report, *, every_checkpoint: bool = False, keep_beside: KeepBeside | None = None) -> Explorer:
    """Gather the explorer's data: checkpoints evaluated once more, at most `MOST_STEPS` of them or all.

    Where they are too many for one page, all but the last lie beside it, by `keep_beside`; without that they are fewer.
    """
    run, shown, reason = report.run, shown_keys(report), _reason(report)
    measured = [int(step) for step in report.curves.measures["step"]]

    def packed(step: int) -> Packed:
        return packed_step(run.snapshot(step), shown, drawn=reason is None)

    last = packed(measured[-1])
    last_text = last.text
    count, room = len(measured) if every_checkpoint else MOST_STEPS, MOST_BYTES // (len(last_text) + 1)
    if keep_beside is None:
        count = min(count, max(1, room))
    rows = every_so_many(len(measured), count) if count > 1 else np.array([len(measured) - 1])
    steps = [measured[row] for row in rows]
    parts: dict[str, str] = {}
    beside: dict[str, str] = {}
    for step in steps:
        name, text = f"step-{step}", last_text if step == measured[-1] else packed(step).text
        if keep_beside and len(steps) > room and (step != measured[-1] or room < 1):
            beside[name] = keep_beside(f"{name}-{_digest(text)}.js", f'grokinterp.deliver("{name}", "{text}");\n')
        else:
            parts[name] = text
    content: dict[str, Any] = {
        "steps": steps,
        "left_out": len(measured) - len(steps),
        "layout": last.layout,
        "beside": beside,
        "reason": reason,
        "near_constant": NEAR_CONSTANT,
        "form": _form(report) if reason is None else None,
        "model": _model(report),
        "curves": _curves(report),
        "matrices": [[name, colour] for name, colour, _ in drawn_matrices(report.curves.measures)],
        "phases": {name: list(span) for name in _PHASES if len(steps) > 1 and (span := getattr(report.phases, name))},
        "open_phase": report.phases.open_phase,
        "maps": _maps(report, rows),
        "colours": {"other": OTHER, "measures": MEASURE_COLOURS} | _SCALES,
        **_elements(report),
    }
    if (group := _group(report)) and reason is None:
        content["group_layout"], parts["group"] = group.layout, group.text
    return Explorer(plain(content), parts)


def _digest(text: str) -> str:
    """A name by content: a page never reads a part that belongs to another."""
    return sha256(text.encode()).hexdigest()[:12]


def content_json(explored: Explorer) -> str:
    return json.dumps(explored.content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _reason(report: Report) -> str | None:
    """Why the page draws none of this network's neurons and logits, or None."""
    task, d_mlp = report.run.task, report.run.config.model.d_mlp
    elements = task.structure.n if task.structure else task.n_symbols
    if elements > MOST_ELEMENTS:
        return f"{elements} elements (it draws up to {MOST_ELEMENTS})"
    if _form(report) == "activations" and bytes_of_activations(task, d_mlp) > MOST_BYTES_OF_ACTIVATIONS:
        return f"{d_mlp} neurons over {task.n_pairs:,} pairs are more than it can hold of a network of this kind"
    return None


def _form(report: Report) -> str:
    """What the page draws activations from: weights, or the activations themselves."""
    return "activations" if not_covered_by_fast_forward(report.run.config.model, report.run.task) else "weights"


def _model(report: Report) -> dict[str, Any]:
    config, task = report.run.config.model, report.run.task
    return {
        "heads": config.n_heads if config.architecture == "transformer" else 0,
        "d_head": config.d_head,
        "d_mlp": config.d_mlp,
        "answers": task.n_answers,
        "act": config.act_fn,
        "positions": list(task.positions),
    }


def _elements(report: Report) -> dict[str, Any]:
    """The group's elements, which token stands at each, and the key irreps."""
    task, structure = report.run.task, report.run.task.structure
    if structure is None:
        cells = pair_grid(task)
        rows, columns = cells.shape
        n = max(rows, columns, task.n_answers)
        grid = np.where(cells < 0, -1, task.answers[cells])
        return {
            "n": n, "cyclic": False, "grouped": False, "labels": [str(token) for token in range(n)],
            "a": list(range(rows)), "b": list(range(columns)), "outputs": list(range(task.n_answers)),
            "answers": grid.ravel().tolist(), "keys": [], "irreps": [], "combination": "answer", "note": "",
        }  # fmt: skip
    places, colours = Places.of(task), key_colours(report)
    answers = answers_grid(places)
    found: dict[str, Any] = {
        "n": structure.n,
        "cyclic": structure.is_cyclic,
        "grouped": True,
        "labels": [unescape(label) for label in element_labels(task, structure)],
        "a": structure.inputs_a,
        "b": structure.inputs_b,
        "outputs": structure.outputs,
        "keys": [
            {"irrep": k, "name": unescape(called(structure, k)), "colour": colour} for k, colour in colours.items()
        ],
        "irreps": list(structure.basis.irrep_names),
        "combination": structure.combination,
        "note": powers_note(task, structure),
        "inverts_b": structure.inverts_b,
    }
    return found | ({} if _is_addition(structure, answers) else {"answers": answers.ravel()})


def _is_addition(structure: Structure, answers: np.ndarray) -> bool:
    """Whether the page can compute the answer of elements g and h as g + h."""
    places = np.arange(structure.n)
    return structure.is_cyclic and bool((answers == (places[:, None] + places) % structure.n).all())


def _group(report: Report) -> Packed | None:
    structure = report.run.task.structure
    if structure is None or structure.is_cyclic or structure.n > MOST_ELEMENTS:
        return None
    tables = group_tables(structure)
    tables["waves"] = tables["waves"][list(shown_keys(report))]
    return pack(tables, {})


def _curves(report: Report) -> dict[str, Any]:
    measures, metrics = report.curves.measures, report.metrics
    kept = measures.iloc[every_so_many(len(measures), CURVE_POINTS)]
    found: dict[str, Any] = {"step": kept["step"].tolist()}
    found |= {name: _short(kept[name]) for name in _CURVES if name in kept}
    # The smallest matrices share a line, so lines have numbers for names.
    found |= {f"matrix {i}": _short(values) for i, (_, _, values) in enumerate(drawn_matrices(kept))}
    if {"step", "train_loss", "test_loss"} <= set(metrics.columns):
        found["dense"] = {name: _dense(metrics, name) for name in ("train_loss", "test_loss")}
    return found


def _dense(metrics: pd.DataFrame, name: str) -> dict[str, list[Any]]:
    values = np.asarray(metrics[name], dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    kept = known[thinned(values[known], DENSE_POINTS)]
    return {"step": np.asarray(metrics["step"], dtype=np.int64)[kept].tolist(), "value": _short(values[kept])}


def _maps(report: Report, rows: np.ndarray) -> dict[str, Any]:
    """Norms by irrep, per step shown."""
    curves = report.curves
    norms = {"W_E": curves.embedding_norms, "W_L": curves.logit_map_norms}
    return {name: [_short(row) for row in of[rows]] for name, of in norms.items() if of.shape[1]}


def _short(values: Any) -> list[float | None]:
    """Four digits: more are not seen."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in np.asarray(values, dtype=np.float64)]
