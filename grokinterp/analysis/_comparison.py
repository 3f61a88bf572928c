"""Runs side by side: what a researcher looks at first in each, measured alike and aligned by step."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from grokinterp.errors import GrokinterpError
from grokinterp.fourier import irreps
from grokinterp.guard import whole_characters
from grokinterp.runs import Run, load_run
from grokinterp.tasks import Structure

from ._analyze import plain
from ._circuit import Keys, find_keys
from ._curves import curves
from ._how_far import HowFar, final_how_far
from ._phases import Phases, find_phases

COMPARED_CURVES = (
    "train_loss",
    "test_loss",
    "all_loss",
    "train_accuracy",
    "test_accuracy",
    "all_accuracy",
    "restricted_loss",
    "excluded_loss",
    "logit_variance_explained",
    "sum_of_squared_weights",
)
_REACHED = ("train_accuracy_first", "train_accuracy_sustained", "test_accuracy_first", "test_accuracy_sustained")


@dataclass(frozen=True)
class Judged:
    """What a comparison takes from a verdict, see `grokinterp.verdict.Verdict`; `explained` is a `share_name`."""

    label: str
    headline: str
    explained: float
    loss_recovered: float
    share_name: str


Judge = Callable[[Run, int], Judged]


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """One run of a comparison.

    - `name`: the name of its folder, with as much of its path as tells it from the others.
    - `step`: its last checkpoint, which `keys` and `verdict` are of; `measures` has a row for each of its checkpoints.
    - `known_step`: the same, but None where the files of an imported run do not say which step it is.
    - `metrics`: what the training wrote, a row per step; empty for most imported runs.
    - `how_far`: how far the network of the last checkpoint is.
    - `group`: the group its answers lie in, None where none is known; `keys`, `key_titles`: its key irreps, in a cyclic
      group frequencies; `irrep_names`, `logit_share`: all irreps, and the logits' fraction of variance in each.
    - `verdict`: None where no one judged.
    """

    name: str
    path: Path
    task: str
    n_answers: int
    group: str | None
    is_cyclic: bool
    step: int
    known_step: int | None
    metrics: pd.DataFrame
    measures: pd.DataFrame
    phases: Phases
    how_far: HowFar
    keys: tuple[str, ...]
    key_titles: tuple[str, ...]
    irrep_names: tuple[str, ...]
    logit_share: Float[np.ndarray, " irrep"]
    verdict: Judged | None

    @property
    def final(self) -> dict[str, float]:
        """The measures of the last checkpoint; those that this task does not have are NaN."""
        row = self.measures.iloc[-1]
        return {name: float(row.get(name, np.nan)) for name in COMPARED_CURVES}

    @property
    def delay(self) -> int | None:
        """Steps from knowing 99 % of the train pairs for good to knowing 99 % of the test pairs for good."""
        train, test = self.phases.train_accuracy_sustained, self.phases.test_accuracy_sustained
        return None if train is None or test is None else test - train


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs side by side, in the order in which they were given."""

    runs: tuple[ComparedRun, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(run.name for run in self.runs)

    @property
    def table(self) -> pd.DataFrame:
        """A row per run: what it is, its verdict, its keys, when it grokked (see `Phases`), and its final measures.

        Verdicts that were not asked for are missing, as are numbers that a run does not have.
        """
        steps = {"step": "Int64", **dict.fromkeys(_REACHED, "Int64"), "delay": "Int64"}
        return pd.DataFrame([_row(run) for run in self.runs]).astype(steps)

    @property
    def curves(self) -> pd.DataFrame:
        """A row per run and checkpoint: `run`, `step`, and `COMPARED_CURVES`, losses over the answers in float64."""
        columns = ["step", *COMPARED_CURVES]
        tables = [run.measures.reindex(columns=columns).assign(run=run.name) for run in self.runs]
        return pd.concat(tables, ignore_index=True).loc[:, ["run", *columns]]

    def aligned(self, measure: str) -> pd.DataFrame:
        """One measure by step, a column per run; NaN where a run has no checkpoint at that step.

        **Raises** `GrokinterpError` for a measure that `curves` does not have.
        """
        if measure not in COMPARED_CURVES:
            raise GrokinterpError(f"measure {measure!r}: not compared; choose one of {', '.join(COMPARED_CURVES)}")
        return self.curves.pivot(index="step", columns="run", values=measure).loc[:, list(self.names)]

    def to_dict(self) -> dict[str, Any]:
        """What `comparison.json` holds: plain numbers, lists and dictionaries, NaN and infinity as None."""
        return plain({"schema_version": 1, "runs": [_content(run) for run in self.runs]})


def compare_runs(
    runs: Sequence[Run | str | Path], judge: Judge | None = None, *, on_part: Callable[[str], object] | None = None
) -> Comparison:
    """Measure runs alike; `judge` gives a run's verdict on its last step.

    Most callers want `grokinterp.compare`, which knows a judge. Keys are chosen as `analyze` does; a run that is given
    twice is measured once.

    **Raises** `GrokinterpError` for fewer than two runs.
    """
    if len(runs) < 2:
        given = f"only {runs[0].path if isinstance(runs[0], Run) else runs[0]} is" if runs else "no run is"
        raise GrokinterpError(f"{given} given to compare: needs two run folders or more; name another one")
    tell = on_part or (lambda _: None)
    loaded = [run if isinstance(run, Run) else load_run(run) for run in runs]
    measured: dict[Path, ComparedRun] = {}
    found = []
    for name, run in zip(run_names([_path(*both) for both in zip(runs, loaded, strict=True)]), loaded, strict=True):
        place = run.path.resolve()
        if place not in measured:
            measured[place] = _compared(run, name, judge, tell)
        found.append(replace(measured[place], name=name))
    return Comparison(tuple(found))


def run_names(paths: Sequence[Path]) -> list[str]:
    """Names that tell runs apart: their folders', with as many folders above as are needed, else with a number.

    >>> run_names([Path("a/x/run"), Path("b/x/run"), Path("a/quick"), Path("a/quick")])
    ['a/x/run', 'b/x/run', 'quick', 'quick (2)']
    """
    names: list[str] = []
    for path in paths:
        others = [other.parts for other in paths if other != path]
        depth = 1
        while depth < len(path.parts) and any(other[-depth:] == path.parts[-depth:] for other in others):
            depth += 1
        name = whole_characters("/".join(path.parts[-depth:]))
        times = sum(other == path for other in paths[: len(names)])
        names.append(f"{name} ({times + 1})" if times else name)
    return names


def _path(given: Run | str | Path, run: Run) -> Path:
    """Where a run is, as its user knows it: one that was fetched lies in a cache, and is called by its address."""
    address = "" if isinstance(given, Run) else str(given)
    return Path(address.removeprefix("hf://")) if address.startswith("hf://") else run.path.resolve()


def _compared(run: Run, name: str, judge: Judge | None, tell: Callable[[str], object]) -> ComparedRun:
    tell(f"{name}: key irreps")
    # Read once: a run that is still training grows meanwhile.
    steps, metrics, task = run.steps, run.metrics, run.task
    snapshot = run.snapshot(steps[-1] if steps else None)
    structure = task.structure
    keys = find_keys(snapshot) if structure else None
    chosen = keys.chosen if keys else ()
    measured = curves(run, chosen, steps=steps, on_step=lambda step: tell(f"{name}: step {step:,}"))
    if judge:
        tell(f"{name}: verdict")
    names = tuple(structure.basis.irrep_names) if structure else ()
    return ComparedRun(
        name=name,
        path=run.path,
        task=task.name,
        n_answers=task.n_answers,
        group=structure.group_name if structure else None,
        is_cyclic=bool(structure and structure.is_cyclic),
        step=snapshot.step,
        known_step=run.known_step(snapshot.step),
        metrics=metrics,
        measures=measured.measures,
        phases=find_phases(measured.measures, metrics, task.n_answers),
        how_far=final_how_far(task, measured.measures.iloc[-1].to_dict(), metrics, measured.measures),
        keys=tuple(names[key] for key in chosen),
        key_titles=_titles(structure, keys),
        irrep_names=names,
        logit_share=measured.logit_share[-1],
        verdict=judge(run, snapshot.step) if judge else None,
    )


def _titles(structure: Structure | None, keys: Keys | None) -> tuple[str, ...]:
    if structure is None or keys is None:
        return ()
    if structure.is_cyclic:
        return tuple(structure.basis.irrep_names[key] for key in keys.chosen)
    return tuple(irreps(structure.group)[key].title for key in keys.chosen)


def _row(run: ComparedRun) -> dict[str, Any]:
    verdict = run.verdict
    return {
        "run": run.name,
        "path": whole_characters(str(run.path)),
        "task": run.task,
        "group": run.group,
        "step": run.known_step,
        "checkpoints": len(run.measures),
        "stage": run.how_far.stage,
        "label": verdict.label if verdict else None,
        "explained": verdict.explained if verdict else np.nan,
        "loss_recovered": verdict.loss_recovered if verdict else np.nan,
        "keys": " ".join(run.keys),
        "n_keys": len(run.keys),
        **{name: getattr(run.phases, name) for name in _REACHED},
        "delay": run.delay,
        **run.final,
    }


def _content(run: ComparedRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "path": whole_characters(str(run.path)),
        "task": run.task,
        "group": run.group,
        "step": run.known_step,
        "stage": run.how_far.stage,
        "verdict": asdict(run.verdict) if run.verdict else None,
        "keys": list(run.keys),
        "key_titles": list(run.key_titles),
        "logit_share": dict(zip(run.irrep_names, run.logit_share.tolist(), strict=True)),
        "phases": asdict(run.phases),
        "delay": run.delay,
        "final": {"step": run.step, **run.final},
        "curves": run.measures.reindex(columns=["step", *COMPARED_CURVES]).to_dict(orient="list"),
    }
