"""Networks without attention: embeddings of a and b, one hidden layer or more, and an unembedding.

Chughtai et al. 2023 and Stander et al. 2024 train them on groups, Zhong et al. 2023 on modular addition (their models
α to δ). Hooks and weights are called as in a transformer wherever they mean the same.
"""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float

from grokinterp.tasks import Task

from ._activations import ACTIVATIONS
from ._config import ModelConfig
from ._weights import initial_weights

if TYPE_CHECKING:
    from transformer_lens import HookedRootModule


def hooked_mlp(
    config: ModelConfig,
    task: Task,
    weights: Mapping[str, Float[torch.Tensor, "..."]] | None = None,
    *,
    device: str | torch.device = "cpu",
) -> "HookedRootModule":
    """The network of ``architecture = "mlp"`` as a hooked module with `weights`, or with its initial ones.

    With x = E[a] + E[b], or both behind one another (`mlp_inputs`), h_1 = act(x W_in + b_in), h_l of h_{l−1} likewise,
    the logits are h W_U + b_U. Hooks: `hook_embed` [pair, pos, d_model], `blocks.l.mlp.hook_pre` and `hook_post`
    [pair, 1, d_mlp]; logits are ``model(task.tokens)[:, -1]``.

    >>> from grokinterp.tasks import TaskConfig
    >>> config, task = ModelConfig(architecture="mlp"), Task(TaskConfig(p=5, equals_token=False))
    >>> hooked_mlp(config, task)(task.tokens)[:, -1].shape
    torch.Size([25, 5])
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformer_lens import HookedRootModule
        from transformer_lens.hook_points import HookPoint

    values = initial_weights(config, task) if weights is None else weights

    class Part(torch.nn.Module):
        """Holds the weights `names` of the part of the network called `prefix`."""

        W_E: torch.nn.Parameter
        W_in: torch.nn.Parameter
        b_in: torch.nn.Parameter
        W_U: torch.nn.Parameter
        b_U: torch.nn.Parameter

        def __init__(self, prefix: str, *names: str) -> None:
            super().__init__()
            for name in names:
                full = f"{prefix}.{name}"
                self.register_parameter(name, torch.nn.Parameter(values[full].clone(), config.trains(full)))

    class Layer(Part):
        def __init__(self, prefix: str) -> None:
            super().__init__(prefix, "W_in", "b_in")
            self.hook_pre, self.hook_post = HookPoint(), HookPoint()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            pre = self.hook_pre(x @ self.W_in + self.b_in)
            return self.hook_post(ACTIVATIONS[config.act_fn].of(pre))

    class HookedMLP(HookedRootModule):
        def __init__(self) -> None:
            super().__init__()
            self.embed = Part("embed", "W_E")
            layers = [torch.nn.ModuleDict({"mlp": Layer(f"blocks.{layer}.mlp")}) for layer in range(config.n_layers)]
            self.blocks = torch.nn.ModuleList(layers)
            self.unembed = Part("unembed", "W_U", "b_U")
            self.hook_embed = HookPoint()
            self.setup()

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            embedded = self.hook_embed(self.embed.W_E[tokens])
            joined = embedded.flatten(1) if config.mlp_inputs == "concatenation" else embedded.sum(dim=1)
            x = joined[:, None]
            for block in self.blocks:
                x = block.get_submodule("mlp")(x)
            return x @ self.unembed.W_U + self.unembed.b_U

    return HookedMLP().to(device)
