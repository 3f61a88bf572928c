"""Everything there is to say about a run: the analyses of its last checkpoint and the curves over all of them."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, Snapshot, load_run

from ._attention import AttentionSummary, attention
from ._curves import Curves, curves
from ._finding import finding
from ._key_frequencies import RULES, KeyFrequencies, key_frequencies
from ._logit_map import LogitMap, logit_map
from ._logits import LogitDecomposition, decompose_logits
from ._neurons import CLUSTER_THRESHOLD, BestFrequencies, neuron_frequencies
from ._phases import Phases, find_phases
from ._progress import ProgressMeasures
from ._spectra import SingularValues, Spectrum, embedding_singular_values, embedding_spectrum, logit_map_spectrum

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class Report:
    """The analyses of a run; `to_dict()` is what `report.json` holds.

    All but `curves` and `phases` are of `snapshot`, the run's last checkpoint. `excluded_by_frequency` has the 2-D
    excluded loss on the train pairs for every frequency, key or not.
    """

    run: Run
    snapshot: Snapshot
    rule: str
    key_frequencies_by_rule: KeyFrequencies
    embedding: Spectrum
    logit_map_spectrum: Spectrum
    singular_values: SingularValues
    neurons: BestFrequencies
    logit_map: LogitMap
    logits: LogitDecomposition
    attention: AttentionSummary
    curves: Curves
    phases: Phases
    final: dict[str, int | float]
    excluded_by_frequency: dict[int, float]

    @property
    def key_frequencies(self) -> tuple[int, ...]:
        return self.key_frequencies_by_rule.by_rule(self.rule)

    @cached_property
    def finding(self) -> list[str]:
        """The result in words: a headline, then the sentences that support it."""
        return finding(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and dictionaries, NaN and infinity as None."""
        task, keys = self.run.task, self.key_frequencies
        clusters = {
            str(k): {
                "neurons": members,
                "count": len(members),
                "mean_variance_explained": float(self.neurons.variance_explained[members].mean()),
            }
            for k, members in self.neurons.clusters().items()
        }
        content = {
            "schema_version": SCHEMA_VERSION,
            "finding": self.finding,
            "run": {
                "name": self.run.path.resolve().name,
                "task": task.name,
                "step": self.snapshot.step,
                "checkpoints": len(self.curves.measures),
                "split_hash": task.split.hash,
                "config": self.run.config.model_dump(mode="json"),
                "environment": self.run.environment.model_dump(mode="json"),
            },
            "dtype": {"weights": "float32", "losses": "float64", "fourier": "float64", "fractions": "float64"},
            "final": self.final,
            "key_frequencies": list(keys),
            "key_frequencies_rule": self.rule,
            "key_frequencies_by_rule": asdict(self.key_frequencies_by_rule),
            "neuron_clusters": {**clusters, "unclustered": self.neurons.unclustered()},
            "neuron_clusters_threshold": CLUSTER_THRESHOLD,
            "neurons": {
                "frequency": self.neurons.frequency,
                "variance_explained": self.neurons.variance_explained,
            },
            "logits": {
                "variance_explained": self.logits.variance_explained,
                "variance_explained_by_frequency": {k: self.logits.share[k] for k in keys},
                "coefficients": {k: self.logits.coefficients[k] for k in keys},
                "amplitudes": {k: self.logits.amplitudes[k] for k in keys},
                "cosine_similarity": {k: self.logits.cosine_similarity[k] for k in keys},
                "residual": self.logits.residual,
            },
            "embedding": asdict(self.embedding),
            "embedding_singular_values": asdict(self.singular_values),
            "logit_map": {
                **asdict(self.logit_map_spectrum),
                "rank": self.logit_map.rank,
                "residual_fraction": self.logit_map.residual_fraction,
                "singular_values": self.logit_map.singular_values,
                "variance_explained": self.logit_map.variance_explained,
                "norm_by_cluster": self.logit_map.norm_by_cluster,
            },
            "attention": {
                "mean": self.attention.mean,
                **{
                    name: {"frequency": best.frequency, "variance_explained": best.variance_explained}
                    for name, best in (("to_a", self.attention.to_a), ("to_b", self.attention.to_b))
                },
            },
            "excluded_loss_by_frequency": self.excluded_by_frequency,
            "phases": {name: getattr(self.phases, name) for name in ("memorization", "circuit_formation", "cleanup")},
            "accuracy_99": {
                data: {
                    "first": getattr(self.phases, f"{data}_accuracy_first"),
                    "sustained": getattr(self.phases, f"{data}_accuracy_sustained"),
                }
                for data in ("train", "test")
            },
        }
        return plain(content)


def analyze(run: Run | str | Path, *, rule: str = "W_L", on_step: Callable[[int], object] | None = None) -> Report:
    """Analyse the last checkpoint of a run and measure all of them.

    **Arguments:**

    - `run`: a `Run` or the path of its folder.
    - `rule`: how key frequencies are chosen, see `KeyFrequencies`.
    - `on_step`: called after each measured checkpoint, for a progress bar.
    """
    run = run if isinstance(run, Run) else load_run(run)
    if rule not in RULES:
        raise GrokinterpError(f"rule {rule!r}: unknown; choose one of {', '.join(RULES)}")
    # Read once: a run that is still training grows meanwhile.
    steps, metrics = run.steps, run.metrics
    snapshot = run.snapshot(steps[-1] if steps else None)
    embedding, map_spectrum = embedding_spectrum(snapshot), logit_map_spectrum(snapshot)
    neurons = neuron_frequencies(snapshot)
    by_rule = key_frequencies(map_spectrum, embedding, neurons)
    keys = by_rule.by_rule(rule)
    measured = curves(run, keys, steps=steps, on_step=on_step)
    last_row = measured.measures.iloc[-1].to_dict()
    progress = ProgressMeasures.of(snapshot)
    return Report(
        run=run,
        snapshot=snapshot,
        rule=rule,
        key_frequencies_by_rule=by_rule,
        embedding=embedding,
        logit_map_spectrum=map_spectrum,
        singular_values=embedding_singular_values(snapshot),
        neurons=neurons,
        logit_map=logit_map(snapshot, keys, neurons.clusters()),
        logits=decompose_logits(snapshot.logits, snapshot.task, keys),
        attention=attention(snapshot),
        curves=measured,
        phases=find_phases(measured.measures, metrics, snapshot.task.p),
        final={"step": snapshot.step} | {str(name): float(x) for name, x in last_row.items() if name != "step"},
        excluded_by_frequency=progress.excluded_by_frequency(),
    )


def plain(value: Any) -> Any:
    """NumPy → Python, tuples → lists, keys → text, numbers that JSON cannot hold → None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
