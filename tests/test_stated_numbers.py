"""What README, tutorial and notebooks state of the preset `quick` is what the commands print.

Rounding differs between processors, and a run can then grow other frequencies: sentences are compared word by word, and
numbers within a factor; the ranges in prose are those of several seeds.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from docs_script import docs_script

from grokinterp.runs import Run, RunConfig, load_run
from grokinterp.training import train

ROOT = Path(__file__).parent.parent
tutorial_outputs = docs_script("tutorial_outputs")
TUTORIAL, blocks, printed = tutorial_outputs.TUTORIAL, tutorial_outputs.blocks, tutorial_outputs.printed

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?: × 10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?")
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
FACTOR = 1.35
# Losses near 1e-7 differ more: they are sums over few pairs.
FACTOR_OF_SMALL, SMALL = 3.0, 1e-3


def value(text: str) -> float:
    mantissa, _, exponent = text.replace(",", "").partition(" × 10")
    return float(mantissa) * 10.0 ** float(exponent.translate(SUPERSCRIPTS) or 0)


def apart(stated: str, printed: str) -> list[str]:
    """How two texts differ: in their words, or in a number by more than the factor."""
    if NUMBER.sub("#", stated) != NUMBER.sub("#", printed):
        return [f"words: {stated!r} is stated, {printed!r} is printed"]
    found = []
    for one, other in zip(NUMBER.findall(stated), NUMBER.findall(printed), strict=True):
        low, high = sorted((value(one), value(other)))
        factor = FACTOR_OF_SMALL if high < SMALL else FACTOR
        if high > low * factor:
            found.append(f"{one} is stated, {other} is printed")
    return found


@pytest.mark.parametrize(
    ("stated", "printed", "differ"),
    [
        ("step 110, loss 3.51 × 10⁻⁷", "step 120, loss 2.0 × 10⁻⁷", False),
        ("step 110", "step 620", True),
        ("loss 3.51 × 10⁻⁷", "loss 3.51 × 10⁻⁵", True),
        ("it memorised by step 110", "it generalised by step 110", True),
        ("It has 3 keys", "It has 4 keys", False),
    ],
)
def test_what_counts_as_different(stated: str, printed: str, differ: bool) -> None:
    assert bool(apart(stated, printed)) == differ


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str, str]]]:
    """The folder in which the tutorial's commands ran, and for each block: commands, stated, printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    stated = blocks(TUTORIAL.read_text())
    assert len(stated) >= 3
    return folder, [(commands, output, printed(commands, folder)) for commands, output in stated]


@pytest.fixture(scope="module")
def quick(outputs: tuple[Path, list[tuple[str, str, str]]]) -> Run:
    return load_run(outputs[0] / "runs/quick")


@pytest.mark.long
def test_the_tutorial_shows_what_its_commands_print(outputs: tuple[Path, list[tuple[str, str, str]]]) -> None:
    grown = json.loads((outputs[0] / "runs/quick/report/report.json").read_text())["key_frequencies"]
    wanted = re.search(r"key frequencies (.+) of \(a \+ b\) mod 59", TUTORIAL.read_text())
    assert wanted
    if [int(word) for word in re.findall(r"\d+", wanted[1])] != grown:
        pytest.skip(f"this processor's rounding grew the frequencies {grown}, the tutorial's has {wanted[1]}")
    for commands, stated, shown in outputs[1]:
        assert not apart(stated, shown), commands


def reached(run: Run, column: str) -> int:
    """The first evaluation from which on all are at least 99 %."""
    metrics = run.metrics.dropna(subset=[column])
    last_below = (metrics[column] < 0.99).to_numpy().nonzero()[0][-1]
    return int(metrics["step"].iloc[last_below + 1])


def at(run: Run, step: int, column: str) -> float:
    return float(run.metrics.set_index("step").loc[step, column])


def restricted(run: Run, step: int) -> float:
    measures = pd.read_csv(run.path / "report" / "measures.csv").set_index("step")
    return float(measures.loc[step, "restricted_loss"])


README_SAYS = re.compile(r"by step (\d+) to (\d+) and 99 % of the others by step (\d+) to (\d+) \(seeds 0 to 3\)")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_the_preset_groks_when_the_readme_says(seed: int, tmp_path: Path) -> None:
    found = README_SAYS.search((ROOT / "README.md").read_text())
    assert found, "the README states the steps of the preset quick in other words: state them here as they are there"
    know_from, know_to, grok_from, grok_to = map(int, found.groups())
    config = RunConfig.preset("quick").with_settings(
        [f"model.seed={seed}", "training.steps=1100", "training.threads=1"]
    )
    run = train(config, tmp_path, progress=False)
    assert know_from / FACTOR <= reached(run, "train_accuracy") <= know_to * FACTOR
    assert grok_from / FACTOR <= reached(run, "test_accuracy") <= grok_to * FACTOR


# What the tutorial says around its table: a sentence with its numbers, and what each of them is of the run.
TUTORIAL_SAYS: list[tuple[str, list[Callable[[Run], float]]]] = [
    (
        r"At step (\d+) the network knows its train pairs, and answers (\d+) % of the others: .* test loss of (\S+) is",
        [
            lambda run: reached(run, "train_accuracy"),
            lambda run: 100 * at(run, reached(run, "train_accuracy"), "test_accuracy"),
            lambda run: at(run, reached(run, "train_accuracy"), "test_loss"),
        ],
    ),
    (
        r"From step (\d+) on it answers 99 % of the pairs that it was never shown",
        [lambda run: reached(run, "test_accuracy")],
    ),
    (
        r"At step 150, where the test loss is still (\S+), restricted loss is down to (\S+):",
        [lambda run: at(run, 150, "test_loss"), lambda run: restricted(run, 150)],
    ),
]


@pytest.mark.long
@pytest.mark.parametrize(("sentence", "measured"), TUTORIAL_SAYS, ids=range(len(TUTORIAL_SAYS)))
def test_numbers_in_the_tutorial_are_those_of_its_run(quick: Run, sentence: str, measured: list) -> None:
    found = re.search(sentence, " ".join(TUTORIAL.read_text().split()))
    assert found, f"the tutorial no longer says {sentence!r}: state it here as it is there now"
    for stated, of in zip(found.groups(), measured, strict=True):
        low, high = sorted((value(stated), of(quick)))
        assert high <= FACTOR * low, f"{stated} is stated, {of(quick)} is measured"
