"""What a comparison says in sentences and in its table, as the page and the terminal write them."""

from dataclasses import dataclass

from grokinterp.analysis import ComparedRun, Comparison
from grokinterp.wording import listed, number, percent, step_named

from ._compare import run_colours

MOST_KEYS = 12


@dataclass(frozen=True)
class Cell:
    """A cell: what counts, and what stands below it in small."""

    text: str
    small: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """A run of the table; `kind` of its label's cell is the label's class on the page."""

    name: str
    about: str
    colour: str
    cells: tuple[Cell, ...]


COMPARED_COLUMNS = (
    "verdict",
    "keys",
    "knows train pairs",
    "knows test pairs",
    "test loss",
    "cosine or character share of the keys",
)


def runs_table(comparison: Comparison) -> list[Row]:
    """A row per run, a cell per column of `COMPARED_COLUMNS`."""
    colours = run_colours(comparison)
    return [Row(run.name, _about(run), colours[run.name], _cells(run)) for run in comparison.runs]


def comparison_sentences(comparison: Comparison) -> list[str]:
    """What one would say of the runs: a headline, then when they grokked."""
    runs = comparison.runs
    tasks = list(dict.fromkeys(run.task for run in runs))
    found = [f"{len(runs)} runs of {tasks[0]}" if len(tasks) == 1 else f"{len(runs)} runs of {len(tasks)} tasks"]
    if any(run.verdict for run in runs):
        found.append(_verdicts(comparison))
    steps = {run.name: run.phases.test_accuracy_sustained for run in runs}
    grokked = sorted((step, name) for name, step in steps.items() if step is not None)
    if grokked:
        when = listed([f"{name} from step {step:,} on" for step, name in grokked])
        found.append(f"At least 99 % of the unseen pairs are right for good in {when}.")
    single = [run.name for run in runs if len(run.measures) == 1 and run.phases.train_accuracy_first is None]
    if single:
        they = "it learned what it knows" if len(single) == 1 else "they learned what they know"
        found.append(f"Of {listed(single)} there is one checkpoint only, which does not say when {they}.")
    return found


def _verdicts(comparison: Comparison) -> str:
    by_label: dict[str, list[str]] = {}
    for run in comparison.runs:
        by_label.setdefault(run.verdict.label if run.verdict else "not judged", []).append(run.name)
    if len(by_label) == 1:
        return f"All have the verdict {next(iter(by_label))}."
    return f"Their verdicts: {'; '.join(f'{label} for {listed(names)}' for label, names in by_label.items())}."


def _about(run: ComparedRun) -> str:
    checkpoints = f"{len(run.measures)} checkpoint{'' if len(run.measures) == 1 else 's'}"
    return f"{run.task}, {step_named(run.known_step)}, {checkpoints}"


def _cells(run: ComparedRun) -> tuple[Cell, ...]:
    final, phases = run.final, run.phases
    return (
        _verdict(run),
        _keys(run),
        _reached(phases.train_accuracy_first, phases.train_accuracy_sustained, final["train_accuracy"]),
        _reached(phases.test_accuracy_first, phases.test_accuracy_sustained, final["test_accuracy"])
        if final["test_accuracy"] == final["test_accuracy"]
        else Cell("–", f"{percent(final['all_accuracy'])} of all pairs"),
        _loss(final),
        Cell(percent(final["logit_variance_explained"])),
    )


def _verdict(run: ComparedRun) -> Cell:
    if run.verdict is None:
        return Cell("–", run.how_far.predicate)
    word = run.verdict.label.partition(" (")[0]
    if not run.how_far.is_learned:
        return Cell(word, run.how_far.predicate, word.replace(" ", "-"))
    return Cell(word, f"{run.verdict.share_name} {percent(run.verdict.explained)}", word.replace(" ", "-"))


def _keys(run: ComparedRun) -> Cell:
    if run.group is None:
        return Cell("–", "no group is known")
    word = ("frequencies" if run.is_cyclic else "irreps") + f" of {run.group}"
    more = len(run.key_titles) - MOST_KEYS
    text = ", ".join(run.key_titles[:MOST_KEYS]) or "none"
    return Cell(f"{text} and {more} more" if more > 0 else text, word)


def _loss(final: dict[str, float]) -> Cell:
    if final["test_loss"] != final["test_loss"]:
        return Cell("–", f"all pairs {number(final['all_loss'])}")
    return Cell(number(final["test_loss"]), f"train {number(final['train_loss'])}")


def _reached(first: int | None, sustained: int | None, accuracy: float) -> Cell:
    """When 99 % were known for good, with the first time where that was earlier; else how many are known at the end."""
    if sustained is None:
        return Cell("–", f"{percent(accuracy)} at the end" if accuracy == accuracy else "")
    return Cell(f"from {sustained:,}", "" if first == sustained or first is None else f"first at {first:,}")
