"""The adapter to TransformerLens, 3 and (through `_bridge`) 4."""

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float

from grokinterp.tasks import Task

from ._activations import ACTIVATIONS
from ._config import ModelConfig
from ._weights import initial_weights, n_outputs, weight_shapes

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer


def hooked_transformer(
    config: ModelConfig,
    task: Task,
    weights: Mapping[str, Float[torch.Tensor, "..."]] | None = None,
    *,
    device: str | torch.device = "cpu",
) -> "HookedTransformer":
    """The network as a `transformer_lens.HookedTransformer` with `weights`, or with its initial ones.

    With TransformerLens 4, which has no such class, it is a `TransformerBridge` that computes the same; its parameters
    have the same names and shapes, its activations the same names.

    Logits are read at the last position: ``model(task.tokens)[:, -1]``. Parameters that the configuration does not
    train (`ModelConfig.biases`) have ``requires_grad=False``.

    >>> from grokinterp.tasks import TaskConfig
    >>> task = Task(TaskConfig(p=5))
    >>> hooked_transformer(ModelConfig(), task)(task.tokens)[:, -1].shape
    torch.Size([25, 6])
    """
    settings = {
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "d_model": config.d_model,
        "d_head": config.d_head,
        "d_mlp": config.d_mlp,
        "act_fn": "relu" if config.act_fn == "tanh" else config.act_fn,  # It knows no tanh.
        "attention_dir": config.attention,
        # It knows division by 1 as no division.
        "use_attn_scale": config.score_scale != 1,
        "attn_scale": config.score_scale,
        "parallel_attn_mlp": config.parallel_attn_mlp,
        "normalization_type": None if config.normalization == "none" else config.normalization,
        "eps": config.eps,
        "d_vocab": task.n_tokens,
        "d_vocab_out": n_outputs(config, task),
        "n_ctx": len(task.positions),
        "init_weights": False,  # Weights come from our own named schemes: a seed means the same under any version.
        "device": "cpu",
    }
    with warnings.catch_warnings():
        # What transformer_lens says of its own imports and its plans for 4.0 is not the user's affair.
        warnings.simplefilter("ignore")
        try:
            from transformer_lens import HookedTransformer, HookedTransformerConfig
        except ImportError:  # 4.0 removed them.
            from ._bridge import boot

            # To its users it is a HookedTransformer: the names they need mean the same.
            model: Any = boot(settings, weight_shapes(config, task))
        else:
            model = HookedTransformer(HookedTransformerConfig(**settings))
    for block in model.blocks:
        if config.act_fn == "tanh":
            _set_activation(block.mlp, ACTIVATIONS["tanh"].of)
        if config.attention_rate != 1:
            # Permanent, and before all others: every hook sees the mixed pattern, whose rows do not sum to 1.
            block.attn.hook_pattern.add_perma_hook(_mix_with_ones(config.attention_rate))
    values = initial_weights(config, task) if weights is None else weights
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(values[name])
            parameter.requires_grad_(config.trains(name))
    return model.to(device, print_details=False)


def _set_activation(mlp: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    if hasattr(mlp, "original_component"):
        mlp.original_component.act = function
    else:
        mlp.act_fn = function


def _mix_with_ones(rate: float) -> Callable[..., torch.Tensor]:
    return lambda tensor, hook: rate * tensor + (1 - rate)  # noqa: ARG005
