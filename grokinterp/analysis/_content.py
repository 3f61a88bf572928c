"""What `report.json` holds, with the words of the task: frequencies in a cyclic group, irreps in others."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ._circuit import Circuit
from ._neurons import CLUSTER_THRESHOLD, BestIrreps
from ._spectra import Spectrum

if TYPE_CHECKING:
    from ._analyze import Report

SCHEMA_VERSION = 1


def report_content(report: "Report") -> dict[str, Any]:
    """The report as dictionaries and arrays."""
    run = report.run
    content = {
        "schema_version": SCHEMA_VERSION,
        "finding": report.finding,
        "run": {
            "name": run.path.resolve().name,
            "task": run.task.name,
            "step": run.known_step(report.snapshot.step),
            "checkpoints": len(report.curves.measures),
            "split_hash": run.task.split_record["hash"],
            # What run.json says: settings that came later are not there.
            "config": run.config.model_dump(mode="json", exclude_unset=True),
            "environment": run.environment.model_dump(mode="json"),
            **({"provenance": dict(run.provenance)} if run.provenance else {}),
        },
        "dtype": {"weights": "float32", "losses": "float64", "fourier": "float64", "fractions": "float64"},
        "final": report.final,
        "embedding_singular_values": asdict(report.singular_values),
        "attention": {"mean": report.mean_attention},
        "phases": {name: getattr(report.phases, name) for name in ("memorization", "circuit_formation", "cleanup")},
        "open_phase": report.phases.open_phase,
        "phase_warnings": report.phases.warnings,
        "accuracy_99": {
            data: {
                what: getattr(report.phases, f"{data}_accuracy_{what}")
                for what in ("first", "sustained", "stable", "dips")
            }
            for data in ("train", "test")
        },
        "how_far": {"stage": report.how_far.stage, "says": report.how_far.sentence},
    }
    if report.in_group is None:
        return content | {"key_frequencies": [], "group": None}
    in_group = _in_group(report.in_group)
    in_group["attention"] = content["attention"] | in_group["attention"]
    return content | in_group | {"group": _group(report, report.in_group)}


def _in_group(circuit: Circuit) -> dict[str, Any]:
    structure = circuit.structure
    cyclic, names = structure.is_cyclic, structure.basis.irrep_names
    word, plural = structure.irrep_word, structure.irrep_words

    def called(irrep: int) -> int | str:
        return irrep if cyclic else names[irrep]

    def of_keys(values: Any) -> dict[int | str, Any]:
        return {called(irrep): values[irrep] for irrep in circuit.keys}

    def spectrum(of: Spectrum) -> dict[str, Any]:
        return {
            "component_norms": of.component_norms,
            f"{word}_norms": of.irrep_norms,
            "gini_components": of.gini_components,
            f"gini_{plural}": of.gini_irreps,
        }

    def best(of: BestIrreps) -> dict[str, Any]:
        return {word: [called(int(irrep)) for irrep in of.irrep], "variance_explained": of.variance_explained}

    neurons, logits, logit_map = circuit.neurons, circuit.logits, circuit.logit_map
    clusters = {
        str(called(irrep)): {
            "neurons": members,
            "count": len(members),
            "mean_variance_explained": float(neurons.variance_explained[members].mean()),
        }
        for irrep, members in neurons.clusters().items()
    }
    keys, rules = circuit.found, asdict(circuit.found.by_rule)
    return {
        "key_frequencies": list(circuit.keys) if cyclic else [],
        f"key_{plural}": [called(irrep) for irrep in circuit.keys],
        f"key_{plural}_rule": circuit.found.rule,
        f"key_{plural}_by_rule": {rule: [called(irrep) for irrep in irreps] for rule, irreps in rules.items()},
        f"key_{plural}_instead_of": keys.instead_of,
        f"key_{plural}_share_by_rule": {
            rule: float(keys.logit_share[list(irreps)].sum()) for rule, irreps in rules.items()
        },
        f"key_{plural}_near_bound": [asdict(one) | {"irrep": called(one.irrep)} for one in keys.near_bound],
        f"key_{plural}_other_rules": {
            other.rule: {
                "also": [called(irrep) for irrep in other.also],
                "lacks": [called(irrep) for irrep in other.lacks],
                "also_share": other.also_share,
                "lacks_share": other.lacks_share,
            }
            for other in keys.other_rules
        },
        "neuron_clusters": {**clusters, "unclustered": neurons.unclustered()},
        "neuron_clusters_threshold": CLUSTER_THRESHOLD,
        "neurons": best(neurons),
        "logits": {
            "variance_explained": logits.variance_explained,
            f"variance_explained_by_{word}": of_keys(logits.share),
            "coefficients": of_keys(logits.coefficients),
            "amplitudes": of_keys(logits.amplitudes),
            "cosine_similarity": of_keys(logits.cosine_similarity),
            "residual": logits.residual,
        },
        "embedding": spectrum(circuit.embedding),
        "logit_map": {
            **spectrum(circuit.logit_map_spectrum),
            "rank": logit_map.rank,
            "residual_fraction": logit_map.residual_fraction,
            "singular_values": logit_map.singular_values,
            "variance_explained": of_keys(logit_map.variance_explained),
            "norm_by_cluster": {
                called(irrep): {called(cluster) if cluster else 0: share for cluster, share in shares.items()}
                for irrep, shares in logit_map.norm_by_cluster.items()
            },
        },
        "attention": {
            "to_a": best(circuit.attention.to_a),
            "to_b": best(circuit.attention.to_b),
            "spread": circuit.attention.spread,
        },
        f"excluded_loss_by_{word}": {called(irrep): loss for irrep, loss in circuit.excluded_by_irrep.items()},
    }


def _group(report: "Report", circuit: Circuit) -> dict[str, Any]:
    """What is asked of every group alike, irrep by irrep (the trivial one left out), with the control."""
    structure, basis, control = circuit.structure, circuit.structure.basis, circuit.found.control
    hidden, losses, keys = circuit.hidden, circuit.hidden_losses, list(circuit.keys)
    irreps = range(1, len(basis.irrep_names))
    return {
        "name": structure.group_name,
        "order": structure.n,
        "key_irreps": list(circuit.key_names),
        "irreps": {
            basis.irrep_names[irrep]: {
                "dimension": basis.dimensions[irrep],
                "logit_similarity": circuit.logits.logit_similarity[irrep],
                "logit_share": circuit.logits.share[irrep],
                "embedding_share": circuit.embedding.share[irrep],
                "logit_map_share": circuit.logit_map_spectrum.share[irrep],
                "hidden_share": {
                    "a": hidden.a[irrep],
                    "b": hidden.b[irrep],
                    "answer": hidden.answer[irrep],
                },
                "excluded_loss": circuit.excluded_by_irrep[irrep],
                "learned_at": report.curves.learned_at(irrep) if irrep in keys else None,
            }
            for irrep in irreps
        },
        "logits_explained": {
            "key_irreps": circuit.logits.variance_explained,
            "all_irreps": circuit.logits.variance_explained_by_all,
            "all_irreps_by_chance": control.share,
            "largest_irrep_by_chance": control.largest_share,
            "reached_by_chance": control.reached,
        },
        "embedding_explained": circuit.embedding.share[keys].sum(),
        "logit_map_explained": circuit.logit_map_spectrum.share[keys].sum(),
        "hidden_explained": hidden.explained(keys),
        "hidden_explained_of_answer": hidden.answer[keys].sum(),
        "hidden_restricted_loss": losses.restricted,
        "hidden_excluded_loss": losses.excluded,
        "representation_map": {
            basis.irrep_names[irrep]: {"scale": found.scale, "identity_share": found.identity_share}
            for irrep, found in circuit.logit_map.representation.items()
        },
        "cosets": None if circuit.cosets is None else [_cosets(side) for side in circuit.cosets],
    }


def _cosets(found: Any) -> dict[str, Any]:
    alive = np.isfinite(found.least)
    counts = np.bincount(found.subgroup[found.is_coset_neuron], minlength=len(found.subgroups))
    return {
        "coset_neurons": int(found.is_coset_neuron.sum()),
        "live_neurons": int(alive.sum()),
        "median_concentration": float(np.median(found.least[alive])) if alive.any() else None,
        "subgroups": [
            {"name": found.subgroups[number].name, "neurons": int(counts[number])}
            for number in np.argsort(-counts, kind="stable")[:10]
            if counts[number]
        ],
    }
