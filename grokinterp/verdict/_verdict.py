"""Which algorithm a network uses: the verdict over a run's checkpoint, with its evidence, controls and guarantee."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from grokinterp.analysis import Keys, Places, decompose_logits, find_keys, plain
from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, Snapshot, load_run
from grokinterp.wording import listed, percent

from ._accounts import Account
from ._certificate import Certificate, certify
from ._controls import controls
from ._evidence import Evidence, evidence
from ._examination import Examination, examination_rows, examine, losses_of
from ._judge import Judgement, judge
from ._measured import Measured, measure_network
from ._probes import SparseProbes, sparse_probes
from ._thresholds import THRESHOLDS
from ._verdict_content import verdict_content

Found = TypeVar("Found")
# Of the null controls, whose gradients need no third digit.
TRIPLES_OF_CONTROLS = 2000


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a network does, and why one should believe it.

    - `label`: `not generalised`, `memorised`, `clock`, `pizza`, `mixed`, `irrep (…)`, `coset (…)` or `unexplained`.
    - `judgement`: the label's account and reasons; `accounts` are all that were tried.
    - `measured`, `nulls`: what the rules looked at, of the network and of its null controls.
    - `evidence`: the rows, see `Evidence`.
    - `keys`: how the key irreps were chosen, None where the task has no known group.
    - `examination`, `certificate`, `probes`: None unless asked for, or where they do not apply.
    """

    run: Run | None
    snapshot: Snapshot
    judgement: Judgement
    measured: Measured
    nulls: dict[str, Measured]
    evidence: tuple[Evidence, ...]
    keys: Keys | None
    examination: Examination | None = None
    certificate: Certificate | None = None
    probes: SparseProbes | None = None

    @property
    def label(self) -> str:
        return self.judgement.label

    @property
    def key_names(self) -> tuple[str, ...]:
        structure = self.snapshot.task.structure
        return tuple(structure.basis.irrep_names[key] for key in self.measured.keys) if structure else ()

    @property
    def accounts(self) -> tuple[Account, ...]:
        return tuple(self.measured.accounts.values())

    @property
    def explained(self) -> float:
        """The fraction of the logits' variance that the label's account gives.

        For a network that has not generalised, the share of all frequencies or irreps: how far its circuit has come.
        """
        if self.judgement.account:
            return self.judgement.account.explained
        return self.keys.control.explained if self.keys else float("nan")

    @property
    def loss_recovered(self) -> float:
        return self.judgement.account.loss_recovered if self.judgement.account else float("nan")

    @property
    def headline(self) -> str:
        """The verdict in a sentence."""
        return _headline(self)

    def to_dict(self) -> dict[str, Any]:
        """What `verdict.json` holds: plain numbers, lists and dictionaries, NaN and infinity as None."""
        return plain(verdict_content(self))


def find_verdict(
    run: Run | Snapshot | str | Path,
    *,
    step: int | None = None,
    rule: str | None = None,
    full: bool = True,
    triples: int | None = None,
    seed: int = 0,
    on_part: Callable[[str], object] | None = None,
) -> Verdict:
    """Judge a checkpoint of a run, by default the last.

    The rules are in `grokinterp.verdict.judge`, their bounds in `THRESHOLDS`; docs/verdict.md explains both.

    **Arguments:**

    - `run`: a `Run`, the path of its folder, or a single `Snapshot` (which has no memorised checkpoint as control).
    - `rule`: how key irreps are chosen, see `KeyIrreps`. By default as in `find_keys`, and if these explain less of the
      logits than the bound of `THRESHOLDS`, all irreps that are above chance.
    - `full`: with the examination (replacements, ablations, patching, interventions), the guarantee and the probes;
      otherwise what the rules look at, in a fraction of the time.
    - `triples`: how many of the gradient symmetricity, see `measure_network`.
    - `seed`: of the controls and of all samples.
    - `on_part`: called with the name of each part before it is measured.

    **Raises** `GrokinterpError` for a step without a checkpoint.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
    >>> find_verdict(Snapshot(0, task, config, initial_weights(config, task)), full=False).label
    'not generalised'
    """
    tell = on_part or (lambda _: None)
    if isinstance(run, Snapshot):
        whole, snapshot = None, run
    else:
        whole = run if isinstance(run, Run) else load_run(run)
        snapshot = _checkpoint(whole, step)
    structure = snapshot.task.structure
    tell("key irreps")
    keys = find_keys(snapshot, rule) if structure else None
    chosen = _enough(snapshot, keys, rule) if keys else ()
    tell("accounts and circles")
    measured = measure_network(snapshot, chosen, triples=triples)
    tell("null controls")
    networks = controls(whole, snapshot, seed=seed)
    nulls = {name: measure_network(null, chosen, triples=TRIPLES_OF_CONTROLS) for name, null in networks.items()}
    rows = evidence(measured, nulls, structure)
    examination = certificate = probes = None
    if full:
        tell("replacements, ablations and patching")
        examination = examine(snapshot, chosen, seed=seed)
        if structure and chosen:
            losses = {name: losses_of(null, chosen) for name, null in networks.items()}
            rows += examination_rows(examination, losses, structure)
            tell("guarantee")
            certificate = _if_in_reach(lambda: certify(snapshot, chosen))
            tell("sparse probes")
            probes = _if_in_reach(lambda: sparse_probes(snapshot, chosen))
    return Verdict(
        run=whole,
        snapshot=snapshot,
        judgement=judge(measured, snapshot.task),
        measured=measured,
        nulls=nulls,
        evidence=rows,
        keys=keys,
        examination=examination,
        certificate=certificate,
        probes=probes,
    )


def _enough(snapshot: Snapshot, keys: Keys, rule: str | None) -> tuple[int, ...]:
    """The key irreps; all that are above chance where a default rule's choice leaves too much of the logits out.

    A quarter of the strongest is a clean cut for few circles of like size, and cuts off weak ones that matter.
    """
    share = decompose_logits(snapshot.logits, Places.of(snapshot.task), ()).share
    few = share[list(keys.chosen)].sum() < THRESHOLDS["explained"].bound
    return keys.control.above_chance if rule is None and few and keys.by_rule.logits else keys.chosen


def _checkpoint(run: Run, step: int | None) -> Snapshot:
    if step is not None and step not in run.steps:
        near = min(run.steps, key=lambda kept: abs(kept - step), default=None)
        raise GrokinterpError(f"step {step}: {run.path} has no such checkpoint; the nearest is {near}")
    return run.snapshot(step)


def _if_in_reach(measure: Callable[[], Found]) -> Found | None:
    """None where a network is none of those that a measurement is made for, such as one of two layers."""
    try:
        return measure()
    except GrokinterpError:
        return None


def _headline(verdict: Verdict) -> str:
    label, task = verdict.label, verdict.snapshot.task
    explained, structure = percent(verdict.explained), task.structure
    if label in ("memorised", "not generalised"):
        what = "has memorised" if label == "memorised" else "has not learned"
        circuit = f"; {structure.irrep_words} explain {explained} of its logits so far" if structure else ""
        return f"This network {what} {task.name}{circuit}."
    if label == "unexplained":
        return f"This network answers {task.name}, but no account that was tried predicts how."
    assert structure is not None
    word = structure.irrep_word if len(verdict.key_names) == 1 else structure.irrep_words
    if structure.is_cyclic:
        what = {"clock": "as a clock", "pizza": "as a pizza", "mixed": "partly as a clock and partly as a pizza"}[label]
        how = f"{what}, on {word} {listed(verdict.key_names)}"
    else:
        how = f"by the {word} {listed(verdict.key_names)}" if label.startswith("irrep") else "by cosets"
    return f"This network {task.verb} {how}: the account explains {explained} of its logits."
