"""Configuration → network, whatever its architecture."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float

from grokinterp.tasks import Task

from ._config import ModelConfig
from ._mlp import hooked_mlp
from ._transformer import hooked_transformer


def hooked_network(
    config: ModelConfig,
    task: Task,
    weights: Mapping[str, Float[torch.Tensor, "..."]] | None = None,
    *,
    device: str | torch.device = "cpu",
) -> Any:
    """`hooked_transformer` or `hooked_mlp`, as `config.architecture` says."""
    make = hooked_mlp if config.architecture == "mlp" else hooked_transformer
    return make(config, task, weights, device=device)
