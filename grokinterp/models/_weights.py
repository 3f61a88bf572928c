"""The weights' names and shapes, and the named schemes that draw their first values.

Names and layouts are those of TransformerLens 3, so a state dict from here loads into a `HookedTransformer`.
"""

import math
from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float

from grokinterp.errors import GrokinterpError
from grokinterp.tasks import Task

from ._config import ModelConfig
from ._normalization import PARTS

Weights = dict[str, Float[torch.Tensor, "..."]]


def n_outputs(config: ModelConfig, task: Task) -> int:
    """Width of the unembedding: the answers, and all other tokens where the network may answer those too."""
    return task.n_tokens if config.outputs == "vocabulary" else task.n_answers


def weight_shapes(config: ModelConfig, task: Task) -> dict[str, tuple[int, ...]]:
    """Name → shape of every parameter, in module order.

    >>> from grokinterp.tasks import TaskConfig
    >>> weight_shapes(ModelConfig(), Task(TaskConfig()))["blocks.0.mlp.W_in"]
    (128, 512)
    """
    c, out = config, n_outputs(config, task)
    if c.architecture == "mlp":
        return _mlp_shapes(c, task, out)
    shapes: dict[str, tuple[int, ...]] = {
        "embed.W_E": (task.n_tokens, c.d_model),
        "pos_embed.W_pos": (len(task.positions), c.d_model),
    }
    of_norm = PARTS[c.normalization]
    # TransformerLens' parameter order: its initialisation draws in it.
    layer = {
        "attn.W_Q": (c.n_heads, c.d_model, c.d_head),
        "attn.W_O": (c.n_heads, c.d_head, c.d_model),
        "attn.b_Q": (c.n_heads, c.d_head),
        "attn.b_O": (c.d_model,),
        "attn.W_K": (c.n_heads, c.d_model, c.d_head),
        "attn.W_V": (c.n_heads, c.d_model, c.d_head),
        "attn.b_K": (c.n_heads, c.d_head),
        "attn.b_V": (c.n_heads, c.d_head),
        "mlp.W_in": (c.d_model, c.d_mlp),
        "mlp.b_in": (c.d_mlp,),
        "mlp.W_out": (c.d_mlp, c.d_model),
        "mlp.b_out": (c.d_model,),
    }
    layer = {f"{ln}.{part}": (c.d_model,) for ln in ("ln1", "ln2") for part in of_norm} | layer
    for index in range(c.n_layers):
        shapes |= {f"blocks.{index}.{name}": shape for name, shape in layer.items()}
    shapes |= {f"ln_final.{part}": (c.d_model,) for part in of_norm}
    return shapes | {"unembed.W_U": (c.d_model, out), "unembed.b_U": (out,)}


def misfit(weights: Mapping[str, Float[torch.Tensor, "..."]], config: ModelConfig, task: Task) -> str | None:
    """How the names or the shapes of `weights` differ from those that `config` needs on `task`; None if they do not.

    >>> from grokinterp.tasks import TaskConfig
    >>> config, task = ModelConfig(biases="none"), Task(TaskConfig(p=5))
    >>> misfit(initial_weights(config, task), config, Task(TaskConfig(p=7)))
    'embed.W_E has shape (6, 128), needs (8, 128)'
    """
    expected = weight_shapes(config, task)
    missing, unexpected = sorted(expected.keys() - weights), sorted(weights.keys() - expected)
    if missing or unexpected:
        return f"missing {missing or 'none'}, unexpected {unexpected or 'none'}"
    for name, shape in expected.items():
        if tuple(weights[name].shape) != shape:
            return f"{name} has shape {tuple(weights[name].shape)}, needs {shape}"
    return None


def _mlp_shapes(config: ModelConfig, task: Task, out: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"embed.W_E": (task.n_tokens, config.d_model)}
    width = config.d_model * (len(task.positions) if config.mlp_inputs == "concatenation" else 1)
    for layer in range(config.n_layers):
        shapes |= {f"blocks.{layer}.mlp.W_in": (width, config.d_mlp), f"blocks.{layer}.mlp.b_in": (config.d_mlp,)}
        width = config.d_mlp
    return shapes | {"unembed.W_U": (width, out), "unembed.b_U": (out,)}


def initial_weights(config: ModelConfig, task: Task) -> Weights:
    """Float32 weights at step 0, drawn on the CPU from `config.seed`; biases are zero, scales of normalizations one.

    - `nanda`: W_U ~ N(0, 1/outputs), all other matrices ~ N(0, 1/d_model), drawn in the module order and layout of
      the released code of Nanda et al. 2023; seed 0 is the paper's mainline network.
    - `pizza`: the same but W_in ~ N(0, 1/d_mlp) and W_U ~ N(0, 1/tokens) (Zhong et al. 2023), with a generator of ours.
    - `transformer-lens`: every matrix ~ N(0, 0.64/d_model) in TransformerLens 3's parameter order.

    An `mlp` has every matrix ~ N(0, 1/rows) and its embedding ~ N(0, 1/d_model), whatever the scheme. The caller's
    random state is left alone.

    **Raises** `GrokinterpError` where the scheme or the seed is unknown, as of an imported network.

    >>> from grokinterp.tasks import TaskConfig
    >>> initial_weights(ModelConfig(), Task(TaskConfig()))["embed.W_E"].shape
    torch.Size([114, 128])
    """
    if config.seed is None or config.initialisation is None:
        unknown = "model.seed" if config.seed is None else "model.initialisation"
        raise GrokinterpError(f"{unknown} = null: initial weights need it; name one, such as seed 0 and 'nanda'")
    shapes = weight_shapes(config, task)
    weights = {name: torch.zeros(shape) for name, shape in shapes.items()}
    for name in weights:
        if name.endswith(".w"):
            weights[name].fill_(1.0)
    generator = torch.Generator().manual_seed(config.seed)
    if config.architecture == "mlp":
        for name, shape in shapes.items():
            if ".W_" in name:
                width = config.d_model if name == "embed.W_E" else shape[0]
                weights[name].normal_(std=width**-0.5, generator=generator)
        return weights
    draw = _draw_transformer_lens if config.initialisation == "transformer-lens" else _draw_nanda
    for name, value in draw(config, shapes, generator):
        weights[name].copy_(value)
    return weights


Drawn = Iterator[tuple[str, Float[torch.Tensor, "..."]]]


def _draw_nanda(config: ModelConfig, shapes: dict[str, tuple[int, ...]], generator: torch.Generator) -> Drawn:
    def normal(*shape: int, width: int = config.d_model) -> Float[torch.Tensor, "..."]:
        return torch.randn(*shape, generator=generator) / math.sqrt(width)

    d_model, heads, d_head = config.d_model, config.n_heads, config.d_head
    vocab, (_, out) = shapes["embed.W_E"][0], shapes["unembed.W_U"]
    # The released code keeps output dimensions first; each matrix is drawn that way and then turned.
    yield "embed.W_E", normal(d_model, vocab).T
    yield "pos_embed.W_pos", normal(shapes["pos_embed.W_pos"][0], d_model)
    for layer in range(config.n_layers):
        block = f"blocks.{layer}"
        for name in ("W_K", "W_Q", "W_V"):
            yield f"{block}.attn.{name}", normal(heads, d_head, d_model).transpose(1, 2)
        yield f"{block}.attn.W_O", normal(d_model, heads * d_head).T.reshape(heads, d_head, d_model)
        width = config.d_mlp if config.initialisation == "pizza" else d_model
        yield f"{block}.mlp.W_in", normal(config.d_mlp, d_model, width=width).T
        yield f"{block}.mlp.W_out", normal(d_model, config.d_mlp).T
    yield "unembed.W_U", normal(d_model, out, width=out)


def _draw_transformer_lens(
    config: ModelConfig, shapes: dict[str, tuple[int, ...]], generator: torch.Generator
) -> Drawn:
    for name, shape in shapes.items():
        if ".W_" in name:
            yield name, torch.empty(shape).normal_(std=0.8 / math.sqrt(config.d_model), generator=generator)
