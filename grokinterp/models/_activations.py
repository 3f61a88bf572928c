"""The activations that an MLP can have, by TransformerLens' names."""

from collections.abc import Callable
from typing import NamedTuple

import torch


class Activation(NamedTuple):
    """An activation, entry by entry, and the largest slope that it has anywhere (its Lipschitz constant)."""

    of: Callable[[torch.Tensor], torch.Tensor]
    steepest: float


def _gelu_new(x: torch.Tensor) -> torch.Tensor:
    """½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), GPT-2's approximation of `gelu`."""
    return torch.nn.functional.gelu(x, approximate="tanh")


# The slopes are rounded up: gelu 1.1290 at √2, gelu_new 1.1290 at 1.42, silu 1.0999 at 2.40.
ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(torch.relu, 1.0),
    "gelu": Activation(torch.nn.functional.gelu, 1.13),
    "gelu_new": Activation(_gelu_new, 1.13),
    "silu": Activation(torch.nn.functional.silu, 1.1),
    "tanh": Activation(torch.tanh, 1.0),
}
