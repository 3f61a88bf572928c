"""The loss networks are trained and judged by."""

import torch
from jaxtyping import Float, Int


def cross_entropy(
    logits: Float[torch.Tensor, "pair out"], answers: Int[torch.Tensor, " pair"]
) -> Float[torch.Tensor, ""]:
    """Mean cross-entropy −log softmax(logits)[answer] in float64.

    In float32 the loss of a network that is sure of itself rounds to zero, its gradient with it, and training stops
    short of what the paper shows ("softmax collapse", Prieto et al. 2025). Where the device has no float64 (mps) the
    loss is taken on the CPU; gradients flow either way.

    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([0]))
    tensor(1.3863, dtype=torch.float64)
    """
    if logits.device.type == "mps":
        logits, answers = logits.cpu(), answers.cpu()
    return torch.nn.functional.cross_entropy(logits.double(), answers)


def accuracy(logits: Float[torch.Tensor, "pair out"], answers: Int[torch.Tensor, " pair"]) -> float:
    """Share of the pairs whose largest logit is the answer's."""
    return (logits.argmax(dim=-1) == answers).double().mean().item()
