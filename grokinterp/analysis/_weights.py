"""How large the weights are."""

from collections.abc import Mapping

import torch
from jaxtyping import Float


def sums_of_squared_weights(weights: Mapping[str, Float[torch.Tensor, "..."]]) -> dict[str, float]:
    """Σ w² per parameter, in float64; their sum is the paper's total (all parameters, biases and positions included).

    Parameters of a 1-layer network go by the field's short names.

    >>> sums_of_squared_weights({"blocks.0.mlp.W_in": torch.full((2, 2), 3.0)})
    {'W_in': 36.0}
    """
    names = {name: name.rsplit(".", 1)[-1] for name in weights}
    if len(set(names.values())) < len(names):
        names = {name: name for name in weights}
    return {names[name]: float((value.double() ** 2).sum()) for name, value in weights.items()}
