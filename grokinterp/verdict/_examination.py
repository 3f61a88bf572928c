"""The long examination: what suffices, what is needed, where it sits; each row beside its null controls."""

from collections.abc import Mapping
from dataclasses import dataclass

from grokinterp.errors import NotApplicable
from grokinterp.runs import Snapshot
from grokinterp.tasks import Structure

from ._evidence import Evidence, Kind
from ._sufficiency import KeyStructure, Replacement, key_structure, replacements
from .causal import (
    Ablation,
    CircuitPath,
    Intervention,
    Patching,
    Prediction,
    ablate_frequencies,
    ablate_parts,
    has_two_inputs,
    interventions,
    patch,
    paths,
    predictions,
    why_no_two_inputs,
)

_REPLACED: dict[str, tuple[Kind, str]] = {
    "characters": ("sufficiency", "Loss with the logits replaced by {form}, by least squares"),
    "answer_functions": ("sufficiency", "Loss with the logits' key {irreps} of the answer alone (restricted loss)"),
    "blocks": ("sufficiency", "Loss with the logits' key blocks in a and b alone"),
    "polynomials": ("sufficiency", "Loss with every clustered neuron replaced by functions of its own {irrep}"),
    "W_L_directions": ("sufficiency", "Loss with the MLP's output projected on the key directions of W_L"),
    "embedding_keys": ("sufficiency", "Loss with the embeddings projected on the key {irreps}"),
    "W_L_null_space": ("necessity", "Loss with the MLP's output projected on their null space"),
    "embedding_without_keys": ("necessity", "Loss with the embeddings' key {irreps} taken out"),
}


@dataclass(frozen=True)
class Examination:
    """Results by part: see `replacements`, `key_structure`, `ablate_parts`, `ablate_frequencies`, `patch`,
    `interventions`, `predictions` and `paths` (`circuit`); `no_interventions` and `no_predictions`, which is of the
    circuit too, say why these are none. What needs key irreps is empty without them."""

    replacements: tuple[Replacement, ...]
    structure: KeyStructure | None
    parts: tuple[Ablation, ...]
    frequencies: tuple[Ablation, ...]
    patching: tuple[Patching, ...]
    interventions: tuple[Intervention, ...]
    no_interventions: str = ""
    predictions: tuple[Prediction, ...] = ()
    no_predictions: str = ""
    circuit: tuple[CircuitPath, ...] = ()


def examine(snapshot: Snapshot, keys: tuple[int, ...], *, seed: int = 0) -> Examination:
    """Examine a network."""
    predicted, circuit, no_predictions = _of_circles(snapshot, keys)
    return Examination(
        replacements=replacements(snapshot, keys) if keys else (),
        structure=key_structure(snapshot, keys) if keys else None,
        parts=ablate_parts(snapshot, seed),
        frequencies=ablate_frequencies(snapshot, keys) if keys else (),
        patching=patch(snapshot, seed=seed),
        interventions=interventions(snapshot, seed) if has_two_inputs(snapshot.config) else (),
        no_interventions=why_no_two_inputs(snapshot.config),
        predictions=predicted,
        no_predictions=no_predictions,
        circuit=circuit,
    )


def _of_circles(
    snapshot: Snapshot, keys: tuple[int, ...]
) -> tuple[tuple[Prediction, ...], tuple[CircuitPath, ...], str]:
    """Predictions, the circuit, and why there are none."""
    try:
        return predictions(snapshot, keys), paths(snapshot, keys), ""
    except NotApplicable as reason:
        return (), (), str(reason)


def losses_of(snapshot: Snapshot, keys: tuple[int, ...]) -> dict[tuple[str, str], float]:
    """(part, how) → loss, of what is cheap enough to be measured on every control."""
    if not keys:
        return {}
    found = {(part.name, ""): part.loss for part in replacements(snapshot, keys)}
    return found | {(part.part, part.how): part.loss for part in ablate_frequencies(snapshot, keys)}


def examination_rows(
    examination: Examination, nulls: Mapping[str, Mapping[tuple[str, str], float]], structure: Structure
) -> tuple[Evidence, ...]:
    """The replacements and the removals of key irreps as evidence."""
    form = f"cosines of {structure.combination} − c" if structure.is_cyclic else "characters"
    words = {"irrep": structure.irrep_word, "irreps": structure.irrep_words, "form": form}

    def beside(key: tuple[str, str]) -> dict[str, float]:
        return {name: losses[key] for name, losses in nulls.items() if key in losses}

    rows = []
    for replacement in examination.replacements:
        kind, question = _REPLACED[replacement.name]
        name, question = f"loss_{replacement.name}", question.format(**words)
        rows.append(Evidence(name, kind, question, replacement.loss, beside((replacement.name, ""))))
    for removal in examination.frequencies:
        if removal.part == "nothing":
            continue
        question = f"Loss without {removal.part} ({_where(removal.how)})"
        name = f"loss_without_{removal.part}_{removal.how}".replace(" ", "_")
        rows.append(Evidence(name, "necessity", question, removal.loss, beside((removal.part, removal.how))))
    return tuple(rows)


def _where(how: str) -> str:
    return {"logits": "taken off the logits", "neurons": "taken off the neurons"}.get(how, f"{how} ablation")
