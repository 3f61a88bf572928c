"""What stands before attention, MLP and unembedding: LayerNorm, RMSNorm, either without its weights, or nothing.

With d numbers x at a position and ε = `ModelConfig.eps`,

    LN      (x − mean x) / √(mean (x − mean x)² + ε) · w + b        RMS     x / √(mean x² + ε) · w
    LNPre   the same without w and b                                RMSPre  the same without w

`LNPre` and `RMSPre` are what TransformerLens leaves of LN and RMS when it folds their weights into the matrices that
read them (`fold_ln`); networks can also be trained with them.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float

from ._config import ModelConfig

# The tensors that each has: `ln1.w` and so on.
PARTS: dict[str, tuple[str, ...]] = {"none": (), "LN": ("w", "b"), "LNPre": (), "RMS": ("w",), "RMSPre": ()}


def normalized(
    config: ModelConfig,
    weights: Mapping[str, Float[torch.Tensor, "..."]],
    name: str,
    x: Float[torch.Tensor, "... d_model"],
) -> Float[torch.Tensor, "... d_model"]:
    """What the normalization `name`, such as `blocks.0.ln1` or `ln_final`, makes of x.

    >>> x = torch.tensor([3.0, 4.0])
    >>> normalized(ModelConfig(normalization="RMSPre", eps=0.0), {}, "ln_final", x) * 12.5**0.5
    tensor([3., 4.])
    """
    w, b = weights.get(f"{name}.w"), weights.get(f"{name}.b")
    if config.architecture == "mlp" or config.normalization == "none":
        return x
    if config.normalization in ("LN", "LNPre"):
        return torch.layer_norm(x, x.shape[-1:], w, b, config.eps)
    scaled = x / (x.pow(2).mean(-1, keepdim=True) + config.eps).sqrt()
    return scaled if w is None else scaled * w
