"""Null controls: networks that an honest measurement must not find an algorithm in."""

from collections.abc import Mapping

import numpy as np
import torch

from grokinterp.analysis import how_far_of
from grokinterp.errors import GrokinterpError
from grokinterp.runs import Run, Snapshot


def with_random_weights(snapshot: Snapshot, *, seed: int = 0) -> Snapshot:
    """The same network with normal random weights of the same norms, parameter by parameter."""
    generator = torch.Generator().manual_seed(seed)

    def random(weight: torch.Tensor) -> torch.Tensor:
        drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        return (drawn * (weight.double().norm() / drawn.norm())).to(weight.dtype)

    weights = {name: random(weight) for name, weight in sorted(snapshot.weights.items())}
    return Snapshot(snapshot.step, snapshot.task, snapshot.config, weights)


def with_shuffled_answers(snapshot: Snapshot, *, seed: int = 0) -> Snapshot:
    """The same network with its answers' names exchanged at random: the columns of W_U and b_U permuted."""
    order = np.random.default_rng(seed).permutation(snapshot.task.n_answers)
    weights = dict(snapshot.weights)
    for name in ("unembed.W_U", "unembed.b_U"):
        if name in weights:
            shuffled = weights[name].clone()
            shuffled[..., : len(order)] = weights[name][..., torch.from_numpy(order)]
            weights[name] = shuffled
    return Snapshot(snapshot.step, snapshot.task, snapshot.config, weights)


def memorised_checkpoint(run: Run, snapshot: Snapshot) -> Snapshot | None:
    """The first checkpoint before `snapshot` that knows its train pairs and not the others; None if none is kept."""
    if not run.task.split_is_known:
        return None
    for step in sorted(step for step in run.steps if step < snapshot.step):
        try:
            earlier = run.snapshot(step)
        except GrokinterpError:  # A damaged file is no reason to give up a control.
            continue
        stage = how_far_of(earlier).stage
        if stage not in ("untrained", "memorising"):
            return earlier if stage == "memorised" else None
    return None


def controls(run: Run | None, snapshot: Snapshot, *, seed: int = 0) -> Mapping[str, Snapshot]:
    """Name → network of every control there is."""
    found: dict[str, Snapshot] = {
        "random_weights": with_random_weights(snapshot, seed=seed),
        "shuffled_answers": with_shuffled_answers(snapshot, seed=seed),
    }
    earlier = memorised_checkpoint(run, snapshot) if run else None
    if earlier is not None:
        found["memorised"] = earlier
    return found
