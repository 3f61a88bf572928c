"""What `verdict.json` holds."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ._thresholds import THRESHOLDS
from .causal import circuit_to_dict, with_totals
from .stages import over_training_content, stages_content, without_content

if TYPE_CHECKING:
    from ._verdict import Verdict

SCHEMA_VERSION = 1


def verdict_content(verdict: "Verdict") -> dict[str, Any]:
    """The verdict as dictionaries and numbers."""
    judgement, measured, run = verdict.judgement, verdict.measured, verdict.run
    content: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "name": run.path.resolve().name if run else None,
            "task": verdict.snapshot.task.name,
            "step": verdict.known_step,
            **({"provenance": dict(run.provenance)} if run and run.provenance else {}),
        },
        "verdict": {
            "label": judgement.label,
            "stage": verdict.how_far.stage,
            "headline": verdict.headline,
            "explained": verdict.explained,
            "share_name": verdict.share_name,
            "loss_recovered": verdict.loss_recovered,
            "account": judgement.account.name if judgement.account else None,
            "keys": list(verdict.key_names),
            "key_frequencies": list(measured.keys) if _cyclic(verdict) else [],
            "keys_rule": verdict.keys.rule if verdict.keys else None,
            "keys_near_bound": _near_bound(verdict),
            "keys_doubts": verdict.key_doubts,
            "clock_share": measured.clock_share,
            "published": judgement.published or None,
            "published_says": judgement.published_says or None,
            "supported_by": judgement.supported_by,
            "reasons_for": judgement.reasons_for,
            "reasons_against": judgement.reasons_against,
            "would_change": judgement.would_change,
            "unexplained": judgement.unexplained,
            "nearest_account": judgement.nearest.name if judgement.nearest else None,
        },
        "evidence": [asdict(row) for row in verdict.evidence],
        "accounts": [_account(verdict, account) for account in verdict.accounts],
        "circles": [
            {
                "freq": circle.freq,
                "share": circle.share,
                "clockness": circle.clockness,
                "works_alone": circle.works_alone,
                "amplitude_at_equal": circle.at_equal,
                "amplitude_at_opposite": circle.at_opposite,
                "fit": circle.fit,
            }
            for circle in measured.circles
        ],
        "stages": stages_content(measured.stages) if measured.stages else None,
        "kept": [asdict(place) for place in measured.kept],
        "controls": {"logits_explained": asdict(verdict.keys.control) if verdict.keys else None},
        "sampled_pairs": verdict.sampled_pairs,
        "gradient_symmetricity": {"value": measured.gradient_symmetricity, "triples": measured.triples},
        "thresholds": {name: asdict(threshold) for name, threshold in THRESHOLDS.items()},
    }
    return content | _examined(verdict)


def _account(verdict: "Verdict", account: Any) -> dict[str, Any]:
    structure = verdict.snapshot.task.structure
    named = (
        {structure.basis.irrep_names[irrep]: share for irrep, share in account.by_irrep.items()} if structure else {}
    )
    return asdict(account) | {"by_irrep": named, "share_name": account.share_name}


def _near_bound(verdict: "Verdict") -> list[dict[str, Any]]:
    structure = verdict.snapshot.task.structure
    if verdict.keys is None or structure is None:
        return []
    return [asdict(one) | {"irrep": structure.basis.irrep_names[one.irrep]} for one in verdict.keys.near_bound]


def _cyclic(verdict: "Verdict") -> bool:
    structure = verdict.snapshot.task.structure
    return structure is not None and structure.is_cyclic


def _examined(verdict: "Verdict") -> dict[str, Any]:
    found: dict[str, Any] = {}
    if examination := verdict.examination:
        found |= {
            "replacements": [asdict(part) | {"change": part.change} for part in examination.replacements],
            "structure": asdict(examination.structure) if examination.structure else None,
            "ablations": [asdict(part) for part in (*examination.parts, *examination.frequencies)],
            "patching": [asdict(part) for part in examination.patching],
            "interventions": [asdict(part) for part in examination.interventions],
            "no_interventions": examination.no_interventions or None,
            "predictions": [one.to_dict() for one in with_totals(examination.predictions)],
            "no_predictions": examination.no_predictions or None,
            "circuit": circuit_to_dict(examination.circuit),
        }
        found["without_circles"] = [without_content(one) for one in verdict.without]
        found["stages_over_training"] = over_training_content(verdict.over_training) if verdict.over_training else None
    if certificate := verdict.certificate:
        found["guarantee"] = {
            "lower_bound": certificate.lower_bound,
            "explained_bound": certificate.explained_bound,
            "float32_lower_bound": certificate.lower_bound_float32,
            "accuracy": certificate.accuracy,
            "float32_accuracy": certificate.accuracy_float32,
            "overturned": certificate.overturned,
            "chance": certificate.chance,
            "is_vacuous": certificate.is_vacuous,
            "says": certificate.says,
            "proofs": [asdict(proof) for proof in certificate.proofs],
            "brute_force_multiplications": certificate.brute_force,
            "rounding": certificate.rounding,
            "float32_rounding": certificate.rounding_float32,
        }
    if probes := verdict.probes:
        found["probes"] = probes.best_r2.to_dict("records")
    if verdict.not_applicable:
        names = {"certificate": "guarantee", "probes": "probes"}
        found["not_applicable"] = {names[name]: reason for name, reason in verdict.not_applicable.items()}
    return found
