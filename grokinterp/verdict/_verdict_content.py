"""What `verdict.json` holds."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ._thresholds import THRESHOLDS

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
            "step": verdict.snapshot.step,
            **({"provenance": dict(run.provenance)} if run and run.provenance else {}),
        },
        "verdict": {
            "label": judgement.label,
            "headline": verdict.headline,
            "explained": verdict.explained,
            "loss_recovered": verdict.loss_recovered,
            "account": judgement.account.name if judgement.account else None,
            "keys": list(verdict.key_names),
            "key_frequencies": list(measured.keys) if _cyclic(verdict) else [],
            "clock_share": measured.clock_share,
            "reasons_for": judgement.reasons_for,
            "reasons_against": judgement.reasons_against,
            "would_change": judgement.would_change,
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
        "controls": {"logits_explained": asdict(verdict.keys.control) if verdict.keys else None},
        "gradient_symmetricity": {"value": measured.gradient_symmetricity, "triples": measured.triples},
        "thresholds": {name: asdict(threshold) for name, threshold in THRESHOLDS.items()},
    }
    return content | _examined(verdict)


def _account(verdict: "Verdict", account: Any) -> dict[str, Any]:
    structure = verdict.snapshot.task.structure
    named = (
        {structure.basis.irrep_names[irrep]: share for irrep, share in account.by_irrep.items()} if structure else {}
    )
    return asdict(account) | {"by_irrep": named}


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
        }
    if certificate := verdict.certificate:
        found["guarantee"] = {
            "lower_bound": certificate.lower_bound,
            "explained_bound": certificate.explained_bound,
            "accuracy": certificate.accuracy,
            "chance": certificate.chance,
            "is_vacuous": certificate.is_vacuous,
            "says": certificate.says,
            "proofs": [asdict(proof) for proof in certificate.proofs],
            "brute_force_multiplications": certificate.brute_force,
            "rounding": certificate.rounding,
        }
    if probes := verdict.probes:
        found["probes"] = probes.best_r2.to_dict("records")
    return found
