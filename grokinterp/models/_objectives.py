"""What networks are trained on: the losses by name, and the accuracy they are judged by."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

from grokinterp.registry import Registry

Logits = Float[torch.Tensor, "pair out"]
Labels = Int[torch.Tensor, " pair"]


@dataclass(frozen=True)
class Objective:
    """A loss: one object.

    - `name`: that of `training.objective`.
    - `loss`: of the logits, in the precision of `training.loss_dtype`, and the labels.
    """

    name: str
    loss: Callable[[Logits, Labels], Float[torch.Tensor, ""]]

    def of(self, logits: Logits, labels: Labels, dtype: torch.dtype) -> Float[torch.Tensor, ""]:
        """The loss in `dtype`. Where the device has no float64 (mps) it is taken on the CPU; gradients flow either way.

        >>> objectives["mse"].of(torch.tensor([[1.0, 0.0]]), torch.tensor([1]), torch.float64)
        tensor(1., dtype=torch.float64)
        """
        if logits.device.type == "mps" and dtype == torch.float64:
            logits, labels = logits.cpu(), labels.cpu()
        return self.loss(logits.to(dtype), labels)


def _squared_error(logits: Logits, labels: Labels) -> Float[torch.Tensor, ""]:
    """Mean over pairs and outputs of (logit − 1)² at the label and logit² elsewhere."""
    wanted = torch.nn.functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return torch.nn.functional.mse_loss(logits, wanted)


objectives = Registry(
    "objective",
    [Objective("cross-entropy", torch.nn.functional.cross_entropy), Objective("mse", _squared_error)],
)


def cross_entropy(logits: Logits, answers: Labels) -> Float[torch.Tensor, ""]:
    """Mean cross-entropy −log softmax(logits)[answer] in float64.

    In float32 the loss of a network that is sure of itself rounds to zero, its gradient with it, and training stops
    short of what the paper shows ("softmax collapse", Prieto et al. 2025).

    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([0]))
    tensor(1.3863, dtype=torch.float64)
    """
    return objectives["cross-entropy"].of(logits, answers, torch.float64)


def accuracy(logits: Logits, answers: Labels) -> float:
    """Share of the pairs whose largest logit is the answer's."""
    # On the CPU, since not all devices have float64 (mps).
    return (logits.argmax(dim=-1) == answers).cpu().double().mean().item()
