"""The evidence as rows: a question, its number, the same number for the null controls, and the bound it is held to."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from grokinterp.tasks import Structure
from grokinterp.wording import QUANTITIES

from ._measured import Measured
from ._thresholds import THRESHOLDS

Kind = Literal["behaviour", "structure", "sufficiency", "necessity", "algorithm"]


@dataclass(frozen=True)
class Evidence:
    """One row.

    - `value`: the judged network's number; NaN where it is not defined.
    - `controls`: control → its number, see `controls`.
    - `threshold`: the bound in words, empty where the verdict does not hang on the row; `holds` whether it is reached.
    """

    name: str
    kind: Kind
    question: str
    value: float
    controls: dict[str, float] = field(default_factory=dict)
    threshold: str = ""
    holds: bool | None = None


@dataclass(frozen=True)
class _Row:
    name: str
    kind: Kind
    question: str
    of: Callable[[Measured], float]
    bounds: tuple[str, ...] = ()

    @property
    def has_shuffled_control(self) -> bool:
        """Answers that change names leave what does not look at the answers as it was: that is no control."""
        return self.name not in _WITHOUT_ANSWERS


def _account(name: str, what: str) -> Callable[[Measured], float]:
    return lambda measured: getattr(measured.accounts[name], what) if name in measured.accounts else float("nan")


# What the questions call the numbers: the names of `QUANTITIES`, as a row begins with them.
_NAMES = {
    **{key: quantity.name.capitalize() for key, quantity in QUANTITIES.items()},
    "irrep_account": QUANTITIES["irrep"].name.capitalize(),
    "coset_account": QUANTITIES["coset"].name.capitalize(),
    "scale": "0 % is guessing, 100 % the network's own loss, more is a lower loss",
}
_WITHOUT_ANSWERS = (
    "clustered_neurons",
    "embedding_in_keys",
    "gradient_symmetricity",
    "averaged_embeddings",
    "neurons_by_irreps",
    "neurons_by_cosets",
)
_ROWS = (
    _Row(
        "train_accuracy",
        "behaviour",
        "How many train pairs does it answer right?",
        lambda m: m.train_accuracy,
        ("knows_train",),
    ),
    _Row(
        "test_accuracy",
        "behaviour",
        "How many pairs that it has not seen?",
        lambda m: m.test_accuracy,
        ("generalises",),
    ),
    _Row("all_accuracy", "behaviour", "How many of all pairs?", lambda m: m.all_accuracy),
    _Row("clustered_neurons", "structure", "Share of neurons with a single key {irrep}", lambda m: m.clustered_neurons),
    _Row("embedding_in_keys", "structure", "Share of W_E in the key {irreps}", lambda m: m.embedding_in_keys),
    _Row("W_L_in_keys", "structure", "Share of W_L in the key {irreps}", lambda m: m.W_L_in_keys),
)
_OF_CIRCLES = (
    _Row(
        "logits_by_circles",
        "sufficiency",
        "{mixed}: logits as cosines of {answer} − c, with amplitudes of clocks and pizzas",
        _account("mixed", "explained"),
        ("explained",),
    ),
    _Row(
        "loss_by_circles",
        "sufficiency",
        "{loss} by them; {scale}",
        _account("mixed", "loss_recovered"),
        ("loss_recovered",),
    ),
    _Row("answers_by_circles", "sufficiency", "Pairs that they alone answer right", _account("mixed", "accuracy")),
    _Row(
        "logits_as_clock",
        "algorithm",
        "{cosines}: logits with a clock's amplitudes",
        _account("clock", "explained"),
    ),
    _Row("logits_as_pizza", "algorithm", "{pizza}: logits with a pizza's amplitudes", _account("pizza", "explained")),
    _Row(
        "works_alone",
        "sufficiency",
        "Amplitude that each circle keeps when it is alone in the embedding",
        lambda m: m.works_alone,
        ("works_alone",),
    ),
    _Row(
        "clock_share",
        "algorithm",
        "Share of the circles that is a clock's: amplitude at opposite inputs over that at equal ones",
        lambda m: m.clock_share,
        ("clock", "pizza"),
    ),
    _Row(
        "gradient_symmetricity",
        "algorithm",
        "Do gradients in E_a and E_b agree?",
        lambda m: m.gradient_symmetricity,
        ("GS_clock", "GS_pizza"),
    ),
    _Row(
        "distance_irrelevance",
        "algorithm",
        "Is the right logit the same at every distance of the inputs?",
        lambda m: m.distance_irrelevance,
    ),
    _Row(
        "averaged_embeddings",
        "algorithm",
        "{averaged}: E_a and E_b both replaced by their mean",
        lambda m: m.averaged_embeddings,
        ("averaged_clock", "averaged_pizza"),
    ),
)
_OF_IRREPS = (
    _Row(
        "logits_by_characters",
        "algorithm",
        "{characters}: logits as characters of ab c⁻¹",
        _account("characters", "explained"),
    ),
    _Row(
        "neurons_by_irreps",
        "sufficiency",
        "{irrep_account}, the key ones alone",
        _account("irrep", "explained"),
        ("explained",),
    ),
    _Row(
        "loss_by_irreps",
        "sufficiency",
        "{loss} by irreps; {scale}",
        _account("irrep", "loss_recovered"),
        ("loss_recovered",),
    ),
    _Row("answers_by_irreps", "sufficiency", "Pairs answered right by irreps alone", _account("irrep", "accuracy")),
    _Row(
        "neurons_by_cosets",
        "sufficiency",
        "{coset_account}, their own alone",
        _account("coset", "explained"),
        ("explained",),
    ),
    _Row(
        "loss_by_cosets",
        "sufficiency",
        "{loss} by cosets; {scale}",
        _account("coset", "loss_recovered"),
        ("loss_recovered",),
    ),
    _Row("answers_by_cosets", "sufficiency", "Pairs answered right by cosets alone", _account("coset", "accuracy")),
)


def evidence(measured: Measured, nulls: Mapping[str, Measured], structure: Structure | None) -> tuple[Evidence, ...]:
    """The rows that the verdict's rules look at."""
    words = {"irrep": "", "irreps": "", "answer": ""}
    rows = _ROWS
    if structure:
        words = {"irrep": structure.irrep_word, "irreps": structure.irrep_words, "answer": structure.combination}
        rows += (_OF_CIRCLES if structure.is_cyclic else _OF_IRREPS) if measured.accounts else ()
    return tuple(
        Evidence(
            row.name,
            row.kind,
            row.question.format(**_NAMES | words),
            row.of(measured),
            {
                name: row.of(null)
                for name, null in nulls.items()
                if row.has_shuffled_control or name != "shuffled_answers"
            },
            *_held(row, row.of(measured)),
        )
        for row in rows
        if math.isfinite(row.of(measured))
    )


def _held(row: _Row, value: float) -> tuple[str, bool | None]:
    if not row.bounds:
        return "", None
    if len(row.bounds) == 1:
        bound = THRESHOLDS[row.bounds[0]]
        return str(bound), bound.holds(value)
    words = "; ".join(f"{THRESHOLDS[name]} {name.rsplit('_', 1)[-1]}" for name in row.bounds)
    return words, any(THRESHOLDS[name].holds(value) for name in row.bounds)
