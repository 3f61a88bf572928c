"""The modulus of a network whose vocabulary is larger than its task: by the file's words, or by what it answers.

Vocabularies are often padded (to 64, to 128), and a network with as many outputs as tokens does not tell p by shapes.
All tokens but `=` are then taken for inputs. Where the network does not bear that out, other moduli are tried: the one
that the file's name states, and every smaller one.
"""

import re
from dataclasses import dataclass

import numpy as np
import torch

from grokinterp.runs._folder import Tensors
from grokinterp.tasks import ABSENT, MODULAR, Task, operation_table
from grokinterp.wording import percent

from ._layout import Found
from ._plain import plain_logits
from ._readings import ENOUGH, MARGIN, is_far

# Pairs of each modulus that all are tried on, and that the best ones are; drawn with seed 0.
_FEW, _MANY, _BEST = 48, 1000, 5
_MOST_TOKENS = 512
# Of fewer numbers there are too few pairs to tell a network from chance.
_LEAST = 5
_IN_NAME = re.compile(
    r"(?<![A-Za-z0-9])(?:p|mod|modulus|modulo|prime)[-_=]?([0-9]{1,4})(?![0-9]|\.[0-9])", re.IGNORECASE
)


@dataclass(frozen=True)
class Modulus:
    """A modulus with what speaks for it: the share of its pairs that are answered and their loss, with token
    `equals` as `=`.

    `named`: the file's name states it; `in_place`: `=` is where a run keeps it, right after the inputs.
    """

    p: int
    equals: int
    accuracy: float
    loss: float
    guess: float
    named: bool

    @property
    def in_place(self) -> bool:
        return self.equals == self.p

    @property
    def answers(self) -> bool:
        """Whether it is the modulus: nearly all pairs are right, or the file names it and far more than by chance."""
        return self.accuracy >= ENOUGH or (self.named and is_far(self.accuracy, self.guess, _MANY))

    def note(self, task: str, accuracy: float) -> str:
        """Why it was taken, where the file read as `task`, with all tokens for inputs, gave `accuracy`."""
        return (
            f"Read with p = {self.p}{self._source}: it then answers {percent(self.accuracy)} of the pairs; as {task}, "
            f"with every token but = an input, {percent(accuracy)}. The same by hand: --set task.p={self.p}."
        )

    def warning(self, accuracy: float) -> str:
        """What to do where it fits better and was not taken: it is not sure, or `=` is not where a run keeps it."""
        better = (
            f"As it was read the network answers {percent(accuracy)} of the pairs; with p = {self.p}{self._source} it "
            f"would answer {percent(self.accuracy)}"
        )
        if self.in_place:
            return f"{better}. Nothing tells which modulus is right; choose one, such as --set task.p={self.p}."
        return (
            f"{better}, with token {self.equals} as =. Move row {self.equals} of its embedding to row {self.p}, where "
            f"a run keeps =, and import it with --set task.p={self.p}."
        )

    @property
    def _source(self) -> str:
        return ", which the file's name states" if self.named else ""


def modulus_in_name(name: str) -> int | None:
    """The modulus that a file's name states; None where it states none, or two.

    >>> modulus_in_name("grok_p113_seed4"), modulus_in_name("mod97-add"), modulus_in_name("step_100")
    (113, 97, None)
    """
    found = {int(digits) for digits in _IN_NAME.findall(name)}
    return found.pop() if len(found) == 1 else None


def is_open(found: Found) -> bool:
    """Whether the modulus was assumed, and can be smaller: each answer has an output of its own."""
    of_task = found.task
    return (
        "task.p" in found.assumed
        and of_task.operation in MODULAR
        and not of_task.own_tokens_for_b
        and found.model.architecture == "transformer"
        and Task(of_task.without_split()).n_tokens <= _MOST_TOKENS
    )


def better_modulus(found: Found, weights: Tensors, accuracy: float) -> Modulus | None:
    """The modulus that the network answers best, if by .1 more than as it was read, `accuracy`."""
    said = modulus_in_name(found.said.path.stem) if found.said else None
    tokens, outputs = len(weights["embed.W_E"]), weights["unembed.W_U"].shape[1]
    moduli = range(_LEAST, min(found.task.p, outputs + 1, tokens + 1))
    every = [
        (p, equals) for p in moduli for equals in dict.fromkeys((p, tokens - 1) if found.task.equals_token else (p,))
    ]
    rough = [_tried(found, weights, p, equals, _FEW, said) for p, equals in every]
    rough.sort(key=lambda one: (one.named, one.accuracy), reverse=True)
    best = [_tried(found, weights, one.p, one.equals, _MANY, said) for one in rough[:_BEST]]
    best.sort(key=lambda one: (one.answers, round(one.accuracy, 1), -one.loss), reverse=True)
    far = [one for one in best if one.accuracy > accuracy + MARGIN and is_far(one.accuracy, one.guess, _MANY)]
    return far[0] if far else None


def _tried(found: Found, weights: Tensors, p: int, equals: int, n_pairs: int, said: int | None) -> Modulus:
    table = operation_table(found.task.operation, p)
    inside = np.flatnonzero(table.reshape(-1) != ABSENT)
    chosen = np.random.default_rng(0).choice(inside, min(n_pairs, len(inside)), replace=False)
    wanted = table.reshape(-1)[chosen]
    task = Task(found.task.without_split())
    place = {"a": chosen // p, "b": chosen % p, "=": np.full(len(chosen), equals)}
    place["operator"] = np.full(len(chosen), min(equals + 1, len(weights["embed.W_E"]) - 1))
    rows = torch.from_numpy(np.stack([place[name] for name in task.positions], axis=1))
    logits, of_pairs = plain_logits(found.model, task, weights, rows), torch.from_numpy(wanted)
    return Modulus(
        p,
        equals,
        accuracy=float((logits.argmax(dim=1) == of_pairs).double().mean()),
        loss=float(torch.nn.functional.cross_entropy(logits.double(), of_pairs)),
        guess=float(np.bincount(wanted).max() / len(wanted)),
        named=p == said,
    )
