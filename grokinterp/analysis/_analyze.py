"""Everything there is to say about a run: the analyses of its last checkpoint and the curves over all of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, Snapshot, load_run, require_memory

from ._attention import mean_attention
from ._circuit import Circuit, find_circuit, find_keys
from ._components import structure_needed
from ._content import report_content
from ._curves import Curves, curves
from ._finding import finding
from ._how_far import HowFar, final_how_far
from ._key_irreps import RULES
from ._phases import Phases, find_phases
from ._spectra import SingularValues, embedding_singular_values


@dataclass(frozen=True, eq=False)
class Report:
    """The analyses of a run; `to_dict()` is what `report.json` holds.

    All but `curves` and `phases` are of `snapshot`, the run's last checkpoint. `in_group` is what the frequencies or
    irreps of the task's group say of it, None where no group is known; `circuit` is the same, or an error that says so.
    `metrics` is what the training wrote, `curves` what was measured here.
    """

    run: Run
    snapshot: Snapshot
    in_group: Circuit | None
    singular_values: SingularValues
    mean_attention: Float[np.ndarray, "head pos"]
    metrics: pd.DataFrame
    curves: Curves
    phases: Phases
    final: dict[str, int | float]

    @property
    def circuit(self) -> Circuit:
        if self.in_group is None:
            structure_needed(self.run.task)
        assert self.in_group is not None
        return self.in_group

    @property
    def key_frequencies(self) -> tuple[int, ...]:
        """The key frequencies of a task in a cyclic group; empty for others, see `key_irreps`."""
        circuit = self.in_group
        return circuit.keys if circuit and circuit.structure.is_cyclic else ()

    @property
    def key_irreps(self) -> tuple[str, ...]:
        """The names of the key irreps; those of a cyclic group are its frequencies."""
        return self.in_group.key_names if self.in_group else ()

    @cached_property
    def how_far(self) -> HowFar:
        """How far the network of the last checkpoint is."""
        return final_how_far(self.run.task, self.final, self.metrics, self.curves.measures)

    @cached_property
    def finding(self) -> list[str]:
        """The result in words: a headline, then the sentences that support it."""
        return finding(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and dictionaries, NaN and infinity as None."""
        return plain(report_content(self))


def analyze(
    run: Run | str | Path, *, rule: str | None = None, on_step: Callable[[int], object] | None = None
) -> Report:
    """Analyse the last checkpoint of a run and measure all of them.

    **Arguments:**

    - `run`: a `Run` or the path of its folder.
    - `rule`: how key frequencies or irreps are chosen, see `KeyIrreps`; by default `W_L` in a cyclic group and `logits`
      in others, or where `W_L` leaves too much out (`find_keys`). Whatever the rule, an irrep whose share of the logits
      is not above chance (`LogitControl`) does not count.
    - `on_step`: called after each measured checkpoint, for a progress bar.
    """
    run = run if isinstance(run, Run) else load_run(run)
    if rule is not None and rule not in RULES:
        raise GrokinterpError(f"rule {rule!r}: unknown; choose one of {', '.join(RULES)}")
    require_memory("analysis", run.task, run.config.model)
    # Read once: a run that is still training grows meanwhile.
    steps, metrics = run.steps, run.metrics
    snapshot = run.snapshot(steps[-1] if steps else None)
    keys = find_keys(snapshot, rule) if snapshot.task.structure else None
    measured = curves(run, keys.chosen if keys else (), steps=steps, on_step=on_step)
    last_row = measured.measures.iloc[-1].to_dict()
    return Report(
        run=run,
        snapshot=snapshot,
        in_group=find_circuit(snapshot, keys) if keys else None,
        singular_values=embedding_singular_values(snapshot),
        mean_attention=mean_attention(snapshot),
        metrics=metrics,
        curves=measured,
        phases=find_phases(measured.measures, metrics, snapshot.task.n_answers),
        final={"step": snapshot.step} | {str(name): float(x) for name, x in last_row.items() if name != "step"},
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
