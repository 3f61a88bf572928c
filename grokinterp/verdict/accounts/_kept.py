"""What each layer keeps of a, of b and of the answer, whatever the task."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.runs import Snapshot


@dataclass(frozen=True)
class Kept:
    """One place of the network at the last position: shares of the variance of its activations over all pairs.

    - `of_a`, `of_b`: that is a function of a alone, of b alone; `of_answer`: of the right answer alone. A function of a
      is one of the answer as well where they go together, so that the three need not add up to 1.
    - `chance_a`, `chance_b`, `chance_answer`: what activations that are drawn at random would give.
    All NaN where the activations do not vary.
    """

    hook: str
    of_a: float
    of_b: float
    of_answer: float
    chance_a: float
    chance_b: float
    chance_answer: float


def kept_by_layer(snapshot: Snapshot) -> tuple[Kept, ...]:
    """The residual stream or the neurons' inputs and activations of every layer, then the logits, in order.

    A share is Σ over the classes (of equal a, equal b, or equal answer) of size · ‖mean − whole mean‖² over the total.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task = Task(TaskConfig(p=5, operation="x2+y2"))
    >>> config = ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
    >>> kept = kept_by_layer(Snapshot(0, task, config, initial_weights(config, task)))
    >>> [place.hook for place in kept]
    ['blocks.0.hook_resid_mid', 'blocks.0.mlp.hook_pre', 'blocks.0.mlp.hook_post', 'logits']
    """
    task, config = snapshot.task, snapshot.config
    classes = (*task.pairs.T, task.answers)
    found = []
    for layer in range(config.n_layers):
        names = ["mlp.hook_pre", "mlp.hook_post"]
        # Attention and MLP in parallel have no stream between them.
        if config.architecture != "mlp" and not config.parallel_attn_mlp:
            names.insert(0, "hook_resid_mid")
        for name in names:
            hook = f"blocks.{layer}.{name}"
            found.append(_kept(hook, snapshot.activation(hook).double().numpy(), classes))
    centred = snapshot.logits - snapshot.logits.mean(axis=1, keepdims=True)
    return (*found, _kept("logits", centred.astype(np.float64), classes))


def _kept(hook: str, values: Float[np.ndarray, "pair width"], classes: tuple[np.ndarray, ...]) -> Kept:
    centred = values - values.mean(axis=0)
    total, shares, chances = float((centred**2).sum()), [], []
    for labels in classes:
        counts = np.bincount(labels)
        members = np.zeros((len(counts), len(labels)))
        members[labels, np.arange(len(labels))] = 1.0
        sums = members @ centred
        between = float(((sums**2).sum(axis=1)[counts > 0] / counts[counts > 0]).sum())
        shares.append(between / total if total > 0 else float("nan"))
        chances.append((np.count_nonzero(counts) - 1) / (len(labels) - 1) if len(labels) > 1 else float("nan"))
    return Kept(hook, *shares, *chances)
