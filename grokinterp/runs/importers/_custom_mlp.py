"""MLPs of people's own PyTorch code: embeddings and linear layers, or linear layers that read one-hot inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task

from ._aliases import is_buffer, part_of, unlike_any
from ._contents import Contents
from ._described import tensors
from ._layout import Asked, Found, with_zero_biases
from ._records import cut
from ._split_said import curves_said, split_said
from ._stated import stated_training

_EMBEDDINGS = ("embed", "embed_a", "embed_b")
_OF_TRANSFORMERS = {"q", "k", "v", "o", "qkv", "pos", "gate", "ln1", "ln2", "ln_final"}


@dataclass
class Linear:
    """A linear layer by its name, as it is stored."""

    name: str
    weight: torch.Tensor
    bias: torch.Tensor | None = None

    def reading(self, width: int) -> torch.Tensor | None:
        """The matrix as in × out, if it can read `width` numbers; a square one goes by convention."""
        rows, columns = self.weight.shape
        of_module = self.name.endswith(".weight")
        if columns == width and (of_module or rows != width):
            return self.weight.T
        return self.weight if rows == width else None


def reads(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether the tensors are embeddings and linear layers alone, or linear layers that read 2p numbers and give p."""
    roles = {part.role for name in state if not is_buffer(name) and (part := part_of(name)) is not None}
    embeddings, layers, rest = parts_of(state)
    if (
        roles & _OF_TRANSFORMERS
        or rest
        or unlike_any(state)
        or len(layers) < 2
        or any(layer.weight.ndim != 2 for layer in layers)
    ):
        return False
    if embeddings:
        width = embeddings[0].shape[-1]
        return embeddings[0].ndim == 2 and any(layers[0].reading(inputs) is not None for inputs in (width, 2 * width))
    return _one_hot(layers) is not None


def read_file(said: Contents, asked: Asked) -> Found:
    """One network; a single embedding that two inputs share is added or joined, as the first matrix' width tells."""
    path, stored = said.path, said.tensors()
    embeddings, layers, _ = parts_of(stored)
    if "operation" not in asked.task:
        raise GrokinterpError(
            f"{path} is a state dict, which does not say what the network computes; name the task, such as "
            "--set task.operation=add"
        )
    activation = asked.model.get("act_fn", said.config.get("act_fn"))
    notes = []
    if embeddings:
        of_b = len(embeddings) == 2
        table = torch.cat(embeddings)
        width = table.shape[1]
        joined = _joins(layers[0], width, asked.model.get("mlp_inputs"))
        if not joined and "mlp_inputs" not in asked.model:
            notes.append(
                "Assumed, since no tensor tells it: that the embeddings of a and b are added. A network that "
                "multiplies them has the same tensors, and cannot be held here."
            )
        if activation is None:
            notes.append("The activation is taken to be relu; the file names none.")
    else:
        if activation is None:
            raise GrokinterpError(
                f"{path} is an MLP on one-hot inputs ({tensors(stored)}), whose activation the file does not name; "
                "name it, such as --set model.act_fn=relu (an activation of x² cannot be held)"
            )
        of_b, joined = True, False
        first = layers[0].reading(_one_hot(layers) or 0)
        assert first is not None
        # One-hot inputs times a matrix are the sum of two of its rows: an embedding of each input.
        table, width = first, first.shape[1]
        layers = [Linear("", torch.eye(width), layers[0].bias), *layers[1:]]
    matrices, biases = _chain(layers, width * (1 + joined), path)
    task = asked.task_config(p=matrices[-1].shape[1], equals_token=False, own_tokens_for_b=of_b, split_scheme="unknown")
    if len({x.shape[1] for x in matrices[:-1]}) > 1:
        widths = ", ".join(str(x.shape[1]) for x in matrices[:-1])
        raise GrokinterpError(f"{path}: its hidden layers have {widths} neurons; a network with one width can be read")
    model = asked.model_config(
        architecture="mlp",
        mlp_inputs="concatenation" if joined else "sum",
        n_layers=len(matrices) - 1,
        d_model=width,
        d_mlp=matrices[0].shape[1],
        act_fn=activation or "relu",
        outputs="answers",
        biases="all" if biases[-1] is not None else "mlp" if any(x is not None for x in biases) else "none",
    )
    weights: Tensors = {"embed.W_E": table, "unembed.W_U": matrices[-1]}
    weights |= {f"blocks.{layer}.mlp.W_in": x for layer, x in enumerate(matrices[:-1])}
    names = [*(f"blocks.{layer}.mlp.b_in" for layer in range(len(matrices) - 1)), "unembed.b_U"]
    weights |= {name: x for name, x in zip(names, biases, strict=True) if x is not None}
    of = Task(task.without_split())
    weights = with_zero_biases({name: x.contiguous() for name, x in weights.items()}, model, of, path)
    split_note = ""
    if not {"split_seed", "split_scheme"} & asked.task.keys():
        task, split_note = split_said(said, task, model, weights)
    metrics, of_curves = curves_said(said)
    notes.insert(0, f"Read as an MLP: {_taken(stored, embeddings, joined)}.")
    return Found(
        layout="pytorch",
        task=task,
        model=model,
        training=stated_training(said.step, said.config, said.optimizer),
        checkpoints=lambda: iter([(said.step or 0, weights)]),
        metrics=metrics,
        notes=tuple(x for x in (split_note, *notes, *said.notes, said.step_note, of_curves, said.leftover) if x),
        said=said,
        step_is_known=said.step is not None,
    )


def _joins(first: Linear, width: int, asked: str | None) -> bool:
    """Whether the first matrix reads two embeddings one after the other, and not their sum.

    Where its shape allows for both, as 128 × 256 of embeddings with 128 numbers, a module's is out × in.
    """
    if asked is not None:
        return asked == "concatenation"
    rows, columns = first.weight.shape
    return first.reading(width) is None or (first.name.endswith(".weight") and columns == 2 * width and rows == width)


def _taken(stored: Tensors, embeddings: list[torch.Tensor], joined: bool) -> str:
    inputs = (
        "one-hot inputs" if not embeddings else f"embeddings of a and b {'one after the other' if joined else 'added'}"
    )
    return f"{inputs}, then {tensors(stored)} in this order"


def _chain(layers: list[Linear], width: int, path: Path) -> tuple[list[torch.Tensor], list[torch.Tensor | None]]:
    """The matrices as in × out, each reading what the one before gives."""
    matrices = []
    for layer in layers:
        x = layer.reading(width)
        if x is None:
            raise GrokinterpError(
                f"{path}: {cut(layer.name)} of shape {tuple(layer.weight.shape)} cannot read the {width} numbers that "
                "the layer before gives; a chain of linear layers in the file's order is needed"
            )
        matrices.append(x)
        width = x.shape[1]
    return matrices, [layer.bias for layer in layers]


def _one_hot(layers: list[Linear]) -> int | None:
    """How many numbers the first layer reads, if it is twice as many as the last gives."""
    for inputs in layers[0].weight.shape:
        for outputs in layers[-1].weight.shape:
            if inputs == 2 * outputs and layers[0].reading(inputs) is not None:
                return inputs
    return None


def parts_of(state: Mapping[str, torch.Tensor]) -> tuple[list[torch.Tensor], list[Linear], list[str]]:
    """The embeddings, a's before b's, the linear layers in the order of the file, the unembedding last, and the rest.

    The rest are vectors that are no layer's bias, such as a norm's weights, by their names.
    """
    embeddings: dict[str, torch.Tensor] = {}
    layers: dict[str, Linear] = {}
    vectors: dict[str, tuple[str, torch.Tensor]] = {}
    last = ""
    for name, x in state.items():
        if is_buffer(name):
            continue
        part = part_of(name)
        if part is not None and part.role in _EMBEDDINGS and part.kind == "weight":
            embeddings[part.role] = x
            continue
        module = name.rpartition(".")[0] if name.endswith((".weight", ".bias")) else name
        if part is not None and module == name:
            module = f"{part.role} {part.layer}"  # A bare matrix and its bias have different names.
        if x.ndim == 1:
            vectors[name] = (module, x)
        else:
            layers[module] = Linear(name, x)
        if part is not None and part.role == "unembed":
            last = module
    rest = []
    for name, (module, x) in vectors.items():  # In a safetensors file a bias comes before its matrix.
        if module in layers and layers[module].bias is None:
            layers[module].bias = x
        else:
            rest.append(name)
    ordered = [layer for module, layer in layers.items() if module != last]
    found = [embeddings[role] for role in _EMBEDDINGS if role in embeddings]
    return found, [*ordered, *([layers[last]] if last in layers else [])], rest
