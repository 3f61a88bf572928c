"""Accounts that describe a network without saying how it works: what they predict of changed networks must be wrong."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from grokinterp.runs import Snapshot
from grokinterp.verdict import CircleAccount
from grokinterp.verdict.causal import centred


@dataclass(frozen=True)
class LabelOfConfiguration:
    """A label read off the configuration alone: summed or averaged inputs make pizzas, attention makes clocks.

    All else is given to it: the network's own logits, how strong each circle is, and how it reads out the sum.
    """

    account: CircleAccount
    is_pizza: bool

    @classmethod
    def of(cls, snapshot: Snapshot, keys: Collection[int]) -> "LabelOfConfiguration":
        config = snapshot.config
        adds = config.attention_rate == 0 or (config.architecture == "mlp" and config.mlp_inputs == "sum")
        return cls(CircleAccount.of(snapshot, keys), adds)

    def logits(self, without: Collection[int] = (), turned: Mapping[int, float] | None = None) -> np.ndarray:
        found = self.account.own.copy()
        for freq in without:
            found -= self.circle(freq, 0.0)
        for freq, angle in (turned or {}).items():
            found += self.circle(freq, angle) - self.circle(freq, 0.0)
        return found

    def circle(self, freq: int, angle: float) -> np.ndarray:
        n = len(self.account.own)
        size, w = self.account.amplitude(freq).mean(), 2 * np.pi * freq / n
        i, j, c = np.ogrid[:n, :n, :n]
        pattern = np.abs(np.cos((w * (i - j) + angle) / 2)) * np.pi / 2 if self.is_pizza else 1.0
        return size * pattern * np.cos(w * (i + j - c) + angle)


@dataclass(frozen=True)
class SmoothFit:
    """The logits as a sum of a few products of a function of the pair and one of the answer.

    It has no circles to delete; a circle of a that is turned by δ is to it an a that has moved by δ / w_k.
    """

    fitted: np.ndarray

    @classmethod
    def of(cls, snapshot: Snapshot, rank: int) -> "SmoothFit":
        """The best fit of so many products u(a, b) v(c)."""
        own = centred(snapshot)
        left, values, right = np.linalg.svd(own.reshape(len(own) ** 2, -1), full_matrices=False)
        return cls(((left[:, :rank] * values[:rank]) @ right[:rank]).reshape(own.shape))

    def logits(self, without: Collection[int] = (), turned: Mapping[int, float] | None = None) -> np.ndarray:  # noqa: ARG002
        n = len(self.fitted)
        moves = [angle * n / (2 * np.pi * freq) for freq, angle in (turned or {}).items()]
        frequencies = np.fft.fftfreq(n, 1 / n)[:, None, None]
        moved = np.fft.fft(self.fitted, axis=0) * np.exp(
            2j * np.pi * frequencies / n * (np.mean(moves) if moves else 0)
        )
        return np.fft.ifft(moved, axis=0).real
