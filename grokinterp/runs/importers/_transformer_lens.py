"""TransformerLens: state dicts of a `HookedTransformer` (3) or a bridge (4), and the file of its Grokking demo."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from grokinterp.errors import GrokinterpError
from grokinterp.models import ModelConfig
from grokinterp.runs._config import TrainingConfig
from grokinterp.runs._folder import Tensors
from grokinterp.tasks import Task, TaskConfig, make_split

from ._bridge import in_layout_of_3, is_bridge
from ._content import indices, numbers
from ._foreign import tensors_of
from ._layout import Asked, Found, is_state_dict, with_zero_biases
from ._splits import without_split

LAYOUT = "transformer-lens"
DEMO = "transformer-lens-demo"
# Buffers that older versions store beside the weights.
_CONSTANT = re.compile(r"blocks\.\d+\.attn\.(mask|IGNORE)")
_TELLING = {"embed.W_E": 2, "unembed.W_U": 2, "blocks.0.attn.W_Q": 3, "blocks.0.attn.W_O": 3}
# The demo's seed of the split.
_DEMO_SEED = 598


def reads(content: Any) -> bool:
    """Whether a file's content is a state dict in TransformerLens' layout: W_O has a row per head, or linear layers."""
    if not is_state_dict(content):
        return False
    if is_bridge(content):
        return True
    return all(name in content and content[name].ndim == axes for name, axes in _TELLING.items())


def reads_demo(content: Any) -> bool:
    """Whether it is the demo's file: checkpoints of that layout with their epochs."""
    if not isinstance(content, Mapping) or not {"checkpoints", "checkpoint_epochs"} <= content.keys():
        return False
    checkpoints = content["checkpoints"]
    return isinstance(checkpoints, list | tuple) and bool(checkpoints) and reads(checkpoints[0])


def read_file(path: Path, content: Any, asked: Asked, step: int = 0) -> Found:
    """A state dict of a task that the user names; nobody knows its split unless the user does."""
    if "operation" not in asked.task:
        raise GrokinterpError(
            f"{path} is a state dict, which does not say what the network computes; name the task, such as "
            "--set task.operation=add --set task.p=113"
        )
    weights = tensors_of(content, path)
    if is_bridge(weights):
        weights = in_layout_of_3(weights, asked, path)
    known = {"split_seed", "train_fraction", "split_scheme"} & asked.task.keys()
    task = asked.task_config(**_sizes_of_task(weights), split_scheme="nanda" if known else "unknown")
    model = _model(weights, task, asked, {})
    fit = _fit(model, task, path)
    note = "The split is as asked; a state dict has no losses to hold it against." if known else "The split is unknown."
    training = TrainingConfig(steps=max(step, 1))
    return Found(LAYOUT, task, model, training, lambda: iter([(step, fit(weights))]), notes=(note,))


def read_demo(path: Path, content: Mapping[str, Any], asked: Asked) -> Found:
    """The demo's file: addition mod p, its checkpoints, and the split by its indices."""
    epochs, checkpoints = indices(content, "checkpoint_epochs", path), content["checkpoints"]
    if len(epochs) != len(checkpoints):
        raise GrokinterpError(f"{path}: {len(checkpoints)} checkpoints with {len(epochs)} epochs; needs one each")
    if len(set(epochs)) != len(epochs) or min(epochs) < 0:
        raise GrokinterpError(f"{path}: checkpoint_epochs repeat or are negative; each checkpoint needs one of its own")
    last = tensors_of(checkpoints[-1], path)
    task = asked.task_config(operation="add", **_sizes_of_task(last))
    n_pairs = Task(without_split(task)).n_pairs
    if content.get("train_indices") is None:
        task, note = without_split(task), "The split is unknown: the file has no train_indices."
    else:
        task, note = _split(task, indices(content, "train_indices", path), n_pairs)
    said = content.get("config")
    model = _model(last, task, asked, said if isinstance(said, Mapping) else {})
    fit = _fit(model, task, path)
    train, test = numbers(content, "train_losses", path), numbers(content, "test_losses", path)
    metrics = [
        {"step": epoch, "train_loss": loss} | ({"test_loss": test[epoch]} if epoch < len(test) else {})
        for epoch, loss in enumerate(train)
    ]
    steps = [epoch + 1 for epoch in epochs]
    stored = dict(zip(steps, checkpoints, strict=True))
    if "model" in content and reads(content["model"]) and len(train) >= max(steps):
        stored[len(train)] = content["model"]
    return Found(
        layout=DEMO,
        task=task,
        model=model,
        training=TrainingConfig(steps=max(stored), warmup_steps=0),
        checkpoints=lambda: ((step, fit(tensors_of(state, path))) for step, state in sorted(stored.items())),
        metrics=metrics,
        notes=(note,),
    )


def _split(task: TaskConfig, listed: tuple[int, ...], n_pairs: int) -> tuple[TaskConfig, str]:
    fraction = (len(listed) + 0.5) / n_pairs
    if 0 < len(listed) < n_pairs:
        drawn = make_split("torch", n_pairs, fraction, _DEMO_SEED).train.tolist()
        for said in (0.3, fraction):
            if drawn == list(listed) and int(said * n_pairs) == len(listed):
                update = {"split_scheme": "torch", "split_seed": _DEMO_SEED, "train_fraction": said}
                return task.model_copy(update=update), f"The split is the demo's, torch.randperm at seed {_DEMO_SEED}."
    return task.model_copy(update={"split_scheme": "listed", "train_pairs": listed}), "The file lists its train pairs."


def _sizes_of_task(weights: Tensors) -> dict[str, Any]:
    """What the shapes tell of the task: p tokens, or one more for `=` where three are read."""
    n_positions = len(weights["pos_embed.W_pos"]) if "pos_embed.W_pos" in weights else 3
    extra = {2: 0, 3: 1, 4: 2}.get(n_positions, 1)
    return {
        "p": len(weights["embed.W_E"]) - extra,
        "equals_token": n_positions != 2,
        "operator_token": n_positions == 4,
    }


def _model(weights: Tensors, task: TaskConfig, asked: Asked, said: Mapping[str, Any]) -> ModelConfig:
    heads, d_model, d_head = weights["blocks.0.attn.W_Q"].shape
    of = Task(without_split(task))
    biases = {name for name, tensor in weights.items() if _is_bias(name) and bool((tensor != 0).any())}
    of_mlp = {name for name in biases if name.endswith((".mlp.b_in", ".mlp.b_out"))}
    act_fn, direction = said.get("act_fn"), said.get("attention_dir")
    return asked.model_config(
        n_layers=sum(name.endswith(".attn.W_O") for name in weights),
        n_heads=heads,
        d_model=d_model,
        d_head=d_head,
        d_mlp=weights["blocks.0.mlp.W_in"].shape[1] if "blocks.0.mlp.W_in" in weights else 1,
        act_fn=act_fn if act_fn in ("relu", "gelu") else "relu",
        attention=direction if direction in ("causal", "bidirectional") else "causal",
        normalization="LN" if "ln_final.w" in weights else "none",
        outputs="answers" if weights["unembed.W_U"].shape[1] == of.n_answers < of.n_tokens else "vocabulary",
        biases="all" if biases - of_mlp else "mlp" if of_mlp else "none",
    )


def _is_bias(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return last.startswith("b_") or last == "b"


def _fit(model: ModelConfig, task: TaskConfig, path: Path) -> Any:
    return partial(_fitted, config=model, task=Task(without_split(task)), path=path)


def _fitted(stored: Tensors, config: ModelConfig, task: Task, path: Path) -> Tensors:
    kept = {name: tensor for name, tensor in stored.items() if not _CONSTANT.fullmatch(name)}
    return with_zero_biases(kept, config, task, path)
