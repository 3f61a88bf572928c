"""Which algorithm a network uses: the verdict over a run's checkpoint, with its evidence, controls and guarantee."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from grokinterp.analysis import HowFar, Keys, find_keys, how_far_of, key_doubts, plain
from grokinterp.errors import GrokinterpError, NotApplicable
from grokinterp.runs import Run, Snapshot, load_run, require_memory
from grokinterp.wording import OF_ACCOUNTS, character_share, listed, percent, why_they_differ

from ._controls import controls
from ._evidence import Evidence, evidence
from ._examination import Examination, examination_rows, examine, losses_of
from ._judge import Judgement, judge
from ._measured import Measured, measure_network
from ._prediction import what_is_missing
from ._verdict_content import verdict_content
from .accounts import Account
from .certificate import Certificate, certify
from .probes import SparseProbes, sparse_probes
from .stages import StagesOverTraining, WithoutCircle, stages_over_training, without_circles

Found = TypeVar("Found")
# Of the null controls, whose gradients need no third digit.
TRIPLES_OF_CONTROLS = 2000


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a network does, and why one should believe it.

    - `label`: the mechanism, `pizza`, `filled pizza`, `overfilled pizza`, `torus`, `product`, `table`, `circles`,
      `mixed`; of tasks that are no product in a group one of `HOW_OF_SQUARES`; `irrep (…)` or `coset (…)`; or
      `not generalised`, `memorised`, `unexplained`.
    - `judgement`: the label's account and reasons; `accounts` are all that were tried.
    - `measured`, `nulls`: what the rules looked at, of the network and of its null controls.
    - `evidence`: the rows, see `Evidence`.
    - `keys`: how the key irreps were chosen, None where the task has no known group.
    - `examination`, `certificate`, `probes`: None unless asked for, or where they do not apply.
    - `without`: every circle of the embedding taken out in turn; `over_training`: the stages at several checkpoints of
      the run. Of full verdicts on networks that have learned a sum in a cyclic group.
    - `not_applicable`: of `certificate` and `probes`, those that were asked for and do not apply, with the reason.
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
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    without: tuple[WithoutCircle, ...] = ()
    over_training: StagesOverTraining | None = None

    @property
    def known_step(self) -> int | None:
        """The step that was judged; None where the files of an imported run do not say which it is."""
        return self.run.known_step(self.snapshot.step) if self.run else self.snapshot.step

    @property
    def label(self) -> str:
        return self.judgement.label

    @property
    def how_far(self) -> HowFar:
        return self.measured.how_far

    @property
    def key_names(self) -> tuple[str, ...]:
        structure = self.snapshot.task.structure
        return tuple(structure.basis.irrep_names[key] for key in self.measured.keys) if structure else ()

    @property
    def sampled_pairs(self) -> int | None:
        """On how many pairs the network is judged where it is changed; None for all, see `Snapshot.some_of`."""
        n_pairs = self.snapshot.task.n_pairs
        some = len(self.snapshot.some_of(np.arange(n_pairs)))
        return some if some < n_pairs else None

    @property
    def key_doubts(self) -> list[str]:
        """What speaks against the choice of the key irreps, in sentences; of a network that has learned its task."""
        structure = self.snapshot.task.structure
        learned = self.label not in ("memorised", "not generalised")
        return key_doubts(self.keys, structure) if self.keys and structure and learned else []

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
    def share_name(self) -> str:
        """What `explained` is called: see `grokinterp.wording.QUANTITIES`."""
        if self.judgement.account:
            return self.judgement.account.share_name
        structure = self.snapshot.task.structure
        return f"{character_share(structure.is_cyclic)} of all {structure.irrep_words}" if structure else ""

    @property
    def why_shares_differ(self) -> list[str]:
        """Why `explained` is not the cosine or character share that the analysis gives, where it is not."""
        account, structure = self.judgement.account, self.snapshot.task.structure
        if account is None or structure is None:
            return []
        return why_they_differ(
            ["cosines" if structure.is_cyclic else "characters", OF_ACCOUNTS.get(account.name, account.name)]
        )

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
    every_step: bool = False,
    triples: int | None = None,
    seed: int = 0,
    on_part: Callable[[str], object] | None = None,
) -> Verdict:
    """Judge a checkpoint of a run, by default the last.

    The rules are in `grokinterp.verdict.judge`, their bounds in `THRESHOLDS`; docs/verdict.md explains both.

    **Arguments:**

    - `run`: a `Run`, the path of its folder, or a single `Snapshot` (which has no memorised checkpoint as control).
    - `rule`: how key irreps are chosen, see `find_keys`: report and verdict have the same.
    - `full`: with the examination (replacements, ablations, patching, interventions), the guarantee and the probes;
      otherwise what the rules look at, in a fraction of the time.
    - `every_step`: with the stages of every checkpoint of the run, not of 12 at most; for a full verdict.
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
    require_memory("verdict" if full else "quick verdict", snapshot.task, snapshot.config)
    structure = snapshot.task.structure
    tell("key irreps")
    keys = find_keys(snapshot, rule) if structure else None
    chosen = keys.chosen if keys else ()
    tell("accounts and circles")
    measured = replace(measure_network(snapshot, chosen, triples=triples), how_far=how_far_of(snapshot, whole))
    snapshot.release()
    tell("null controls")
    networks = controls(whole, snapshot, seed=seed)
    nulls = {name: _of_control(null, chosen) for name, null in networks.items()}
    rows = evidence(measured, nulls, structure)
    judgement = judge(measured, snapshot.task)
    examination = certificate = probes = over_training = None
    without: tuple[WithoutCircle, ...] = ()
    reasons: dict[str, str] = {}
    if full and measured.stages and measured.how_far.is_learned:
        tell("circles taken out")
        without = without_circles(snapshot, chosen, measured.stages)
        if whole:
            tell("stages over training")
            known = (snapshot.step, measured.stages)
            over_training = stages_over_training(whole, chosen, whole.steps if every_step else None, known=known)
    if full:
        tell("replacements, ablations and patching")
        examination = examine(snapshot, chosen, seed=seed)
        if structure and chosen:
            losses = {name: losses_of(null, chosen) for name, null in networks.items()}
            rows += examination_rows(examination, losses, structure)
            tell("guarantee")
            certificate = _if_it_applies("certificate", lambda: certify(snapshot, chosen), reasons)
            tell("sparse probes")
            probes = _if_it_applies("probes", lambda: sparse_probes(snapshot, chosen), reasons)
        else:
            missing = f"no key {structure.irrep_word} stands out" if structure else "no group is known for this task"
            reasons = dict.fromkeys(("certificate", "probes"), missing)
    return Verdict(
        run=whole,
        snapshot=snapshot,
        judgement=judgement,
        measured=measured,
        nulls=nulls,
        evidence=rows,
        keys=keys,
        examination=examination,
        certificate=certificate,
        probes=probes,
        not_applicable=reasons,
        without=without,
        over_training=over_training,
    )


def _of_control(null: Snapshot, chosen: tuple[int, ...]) -> Measured:
    """A control's measurement, its logits given up before those of the next are made."""
    measured = measure_network(null, chosen, triples=TRIPLES_OF_CONTROLS, with_stages=False, only_patterns=True)
    null.release()
    return measured


def _checkpoint(run: Run, step: int | None) -> Snapshot:
    if step is not None and step not in run.steps:
        near = min(run.steps, key=lambda kept: abs(kept - step), default=None)
        raise GrokinterpError(f"step {step}: {run.path} has no such checkpoint; the nearest is {near}")
    return run.snapshot(step)


def _if_it_applies(name: str, measure: Callable[[], Found], reasons: dict[str, str]) -> Found | None:
    """None where a measurement is not made for such networks, as of two layers; `reasons` then says why."""
    try:
        return measure()
    except NotApplicable as reason:
        reasons[name] = str(reason)
        return None


# What a network of a cyclic group does, by the label, as the end of "This network adds a and b mod p".
HOW = {
    "pizza": "as a pizza",
    "filled pizza": "as a filled pizza",
    "overfilled pizza": "as an overfilled pizza",
    "torus": "on a torus",
    "product": "by a product",
    "table": "by a table",
    "circles": "on circles, how is undecided",
    "mixed": "in several ways",
}
# The same where the answer is no product in the group, as the end of "This network answers a^2 + b^2 mod p".
HOW_OF_SQUARES = {
    "quadratic characters": "by whether a and b are squares",
    "squares": "by neurons that see one cosine of a² and of b²",
    "products of squares": "by neurons that multiply cosines of a² and of b²",
    "norm": "by the factors a − ωb and a − ω²b",
    "even functions": "by functions that are the same for x and −x",
}


def _headline(verdict: Verdict) -> str:
    label, task = verdict.label, verdict.snapshot.task
    structure, explained = task.structure, percent(verdict.explained)
    if not verdict.how_far.is_learned:
        circuit = f"; the {verdict.share_name} is {explained} so far" if structure else ""
        return f"This network {verdict.how_far.short}{circuit}."
    if label == "unexplained":
        judgement = verdict.judgement
        return f"This network answers {task.name}, {what_is_missing(judgement.unexplained, judgement.nearest)}."
    assert structure is not None
    word = structure.irrep_word if len(verdict.key_names) == 1 else structure.irrep_words
    if label in HOW_OF_SQUARES:
        how = f"{HOW_OF_SQUARES[label]}, the answer on {word} {listed(verdict.key_names)}"
    elif structure.is_cyclic:
        what = "by cosets" if label.startswith("coset") else HOW[label]
        how = f"{what}, on {word} {listed(verdict.key_names)}"
    else:
        how = f"by the {word} {listed(verdict.key_names)}" if label.startswith("irrep") else "by cosets"
    account = verdict.judgement.account
    # Accounts of the neurons are not of all logits, but of what the neurons give to them.
    of_logits = " of its logits" if account and account.numbers is None else ""
    lines = verdict.judgement.supported_by
    support = f", supported by {listed(lines)}" if lines else ""
    does = f"answers {task.name}" if label in HOW_OF_SQUARES else task.verb
    return f"This network {does} {how}: the {verdict.share_name}{of_logits} is {explained}{support}."
