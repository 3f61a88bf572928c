"""Which number in a file's name is the step, if any is."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grokinterp.errors import GrokinterpError

LARGEST_STEP = 10**9
_STEP_WORDS = {"step", "steps", "globalstep", "iter", "iters", "iteration", "iterations", "it", "update", "updates"}
_EPOCH_WORDS = {"epoch", "epochs", "ep", "e"}
# Before a number in a name these say that it is a checkpoint, so that a lone number is when it was taken.
_OF_CHECKPOINTS = {
    "", "checkpoint", "checkpoints", "ckpt", "ckpts", "chkpt", "cp", "model", "net", "network", "state", "dict", "sd",
    "weights", "params", "snapshot", "snap", "save", "saved", "grok", "grokking", "transformer", "t", "at",
}  # fmt: skip
# 2024-01-02, 20240102, 2024_01_02_10-11-12, 10:11:12; the time of day only behind a date.
_DATE = re.compile(
    r"(?<![0-9])(?:19|20)[0-9]{2}([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])(?![0-9])"
    r"(?:[-_ T]*[0-9]{2}[-_:.h]?[0-9]{2}(?:[-_:.m]?[0-9]{2})?(?![0-9]))?"
)
# A decimal fraction or a power of ten is a loss, an accuracy or a rate.
_FRACTION = re.compile(r"[0-9]+\.[0-9]+(?:e[-+]?[0-9]+)?|[0-9]+e-[0-9]+", re.IGNORECASE)
_BETWEEN = re.compile(r"([-_=., ()\[\]]+)")
_TOKEN = re.compile(r"([A-Za-z]*)([0-9]+)([A-Za-z]*)")
_UNITS = {"": 1, "k": 1000, "m": 1_000_000}


@dataclass(frozen=True)
class NamedStep:
    """What a name says: `step`, or None; `candidates`: the numbers it may be where the name does not tell which."""

    step: int | None = None
    candidates: tuple[int, ...] = ()


def step_in_name(stem: str) -> NamedStep:
    """The number that `stem` marks as a step, else as an epoch, else the only one that stands for no other thing.

    >>> step_in_name("epoch=100-val_loss=0.33").step, step_in_name("checkpoint_epoch_20000").step
    (100, 20000)
    >>> step_in_name("ckpt_100_p7").step, step_in_name("100_2024-01-02").step, step_in_name("wd_0.1_seed3").step
    (100, 100, None)
    """
    of_steps, of_epochs, alone = [], [], []
    for word, number, after in _numbers(_FRACTION.sub("~", _DATE.sub("~", stem))):
        if after in _STEP_WORDS or word in _STEP_WORDS:
            of_steps.append(number)
        elif after in _EPOCH_WORDS or word in _EPOCH_WORDS:
            of_epochs.append(number)
        elif word in _OF_CHECKPOINTS and not after and number <= LARGEST_STEP:
            alone.append(number)
    for numbers in (of_steps, of_epochs, alone):
        distinct = tuple(dict.fromkeys(numbers))
        if distinct:
            return NamedStep(distinct[0]) if len(distinct) == 1 else NamedStep(candidates=distinct)
    return NamedStep()


def step_in_folder(name: str) -> NamedStep:
    """The same for a folder of one checkpoint, whose name has a word for it: `checkpoint-100`, `step_200`.

    >>> step_in_folder("checkpoint-100").step, step_in_folder("grokking_113").step
    (100, None)
    """
    return step_in_name(name) if re.search(r"checkpoint|ckpt|step|epoch|iter", name.lower()) else NamedStep()


def _numbers(stem: str) -> Iterator[tuple[str, int, str]]:
    """Every number with the words before and after it, in ASCII letters and digits alone."""
    *parts, last = _BETWEEN.split(stem)
    tokens = [*zip(parts[::2], parts[1::2], strict=True), (last, "")]
    word = ""
    for at, (token, separator) in enumerate(tokens):
        found = _TOKEN.fullmatch(token)
        if found is None:
            word = token.lower()  # Of what is no word either, no number is the step.
            continue
        word, after = (found[1] or word).lower(), found[3].lower()
        unit = _UNITS.get(after, 0)
        follows = [name.lower() for name, _ in tokens[at + 1 : at + 3]]
        if unit and follows and follows[0] in _STEP_WORDS | _EPOCH_WORDS and not follows[-1].isdecimal():
            after = follows[0]
        yield word, int(found[2][:40]) * (unit or 1), "" if unit and after in _UNITS else after
        word = word if "-" in separator else ""  # 10-1 is one number in two parts; 3_100 is two.


def steps_in_names(stems: Sequence[str]) -> list[NamedStep]:
    """The same for the files of a folder: where their names differ in one number alone, that one is the step.

    >>> [named.step for named in steps_in_names(["run_1_100", "run_1_200"])]
    [100, 200]
    """
    named = [step_in_name(stem) for stem in stems]
    if len(stems) < 2 or not all(entry.candidates for entry in named):
        return named
    lengths = {len(entry.candidates) for entry in named}
    if len(lengths) == 1:
        columns = list(zip(*(entry.candidates for entry in named), strict=True))
        varying = [column for column in columns if len(set(column)) > 1]
        if len(varying) == 1:
            return [NamedStep(step) for step in varying[0]]
    return named


def checked_step(step: int, where: object) -> int:
    """`step`, if a run can store it."""
    if step > LARGEST_STEP:
        raise GrokinterpError(
            f"{where}: step {step:,} is more than the largest that is stored, {LARGEST_STEP:,}; if it is a time, "
            "rename the file with its step, such as step_100"
        )
    return step
