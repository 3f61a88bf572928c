"""The circles in the embeddings: how round they are, by frequency and by principal component, and each one alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from grokinterp.analysis import Places
from grokinterp.errors import GrokinterpError
from grokinterp.fourier import FourierBasis
from grokinterp.runs import Snapshot
from grokinterp.tasks import Structure, Task

# Zhong et al. 2023 judge an embedding by as many.
COMPONENTS = 4


def require_keys(keys: Sequence[int], structure: Structure) -> tuple[int, ...]:
    """The keys, each once, in ascending order; refused where one is the constant or no irrep of the group."""
    last = len(structure.basis.irrep_names) - 1
    if any(not 1 <= key <= last for key in keys):
        raise GrokinterpError(
            f"keys = {tuple(map(int, keys))}: needs {structure.irrep_words} of {structure.group_name} other than the "
            f"constant, 1 … {last}; give `find_keys(snapshot).chosen`"
        )
    return tuple(sorted({int(key) for key in keys}))


def frequency_circularity(snapshot: Snapshot, keys: Sequence[int]) -> dict[int, float]:
    """Frequency → σ₂/σ₁ of the embedding's component there: 1 for a circle, 0 for a line.

    σ are the singular values of the two d_model vectors √(2/n) Σ_x cos(w_k x) W_E[x] and the same with sin: the half
    axes of the ellipse that x ↦ W_E[x] runs through at this frequency (but for a factor). It depends neither on where
    the angle starts nor on a rotation of the residual stream. float64; NaN where W_E has nothing of the frequency.

    Other groups have an entry for each key whose functions are a cosine and a sine. The others have none: a matrix
    coefficient of a larger irrep may be used in part, and a sign is no circle.

    **Raises** `GrokinterpError` for a task without a group, and for keys that its group does not have.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=5)), ModelConfig(d_model=4, n_heads=1, d_head=4, d_mlp=4)
    >>> weights, angle = initial_weights(config, task), 2 * torch.pi * torch.arange(5) / 5
    >>> weights["embed.W_E"][:5] = torch.stack([angle.cos(), 0.5 * angle.sin(), 0 * angle, 0 * angle], dim=1)
    >>> round(frequency_circularity(Snapshot(0, task, config, weights), (1,))[1], 6)
    0.5
    """
    structure = Places.of(snapshot.task).structure
    basis = structure.basis
    coefficients = basis.transform(snapshot.W_E[structure.inputs_a], axis=0)
    grain = np.finfo(np.float32).eps * np.linalg.norm(coefficients)
    circularity = {}
    for key in require_keys(keys, structure):
        rows = list(basis.rows(key))
        if len(rows) == basis.dimensions[key] == 2:
            values = np.linalg.svd(coefficients[rows], compute_uv=False)
            long, short = float(values[0]), float(values[1:].sum())
            circularity[key] = short / long if long > grain else float("nan")
    return circularity


@dataclass(frozen=True, eq=False)
class PrincipalCircles:
    """The principal components of the embeddings of a cyclic group, each with the frequency it holds most of.

    - `circularity`: mean of `share` over the first four; from .995 on Zhong et al. 2023 call an embedding circular.
    - `share`: per component, the share of its squared scores in its best frequency.
    - `frequency`: that frequency k, 1 … ⌊n/2⌋.
    - `step`: their δ, with δk ≡ ±1 (mod n), 1 … ⌊n/2⌋: neighbours on the circle are δ apart. 0 where k has no inverse.
    - `variance_explained`: per component, its share of the variance of the embeddings.
    """

    circularity: float
    share: Float[np.ndarray, " component"]
    frequency: Int[np.ndarray, " component"]
    step: Int[np.ndarray, " component"]
    variance_explained: Float[np.ndarray, " component"]


def principal_circles(snapshot: Snapshot) -> PrincipalCircles:
    """Judge the principal components of the embeddings (Zhong et al. 2023, arXiv 2306.17844, appendix).

    With v the scores of a component at unit length, its share is max_k (2/n) |Σ_x v[x] e^{2πikx/n}|² (half that for the
    Nyquist frequency of an even n). Their code takes max_δ (2/n) |Σ_t v[δt mod n] e^{2πit/n}|², the same for a prime n,
    where k = δ⁻¹; for other n, where δt may miss elements, this is defined by k. `circularity` is the mean of the first
    four. float64; NaN where the embeddings of all elements are the same. Where b has tokens of its own, those of a.

    **Raises** `GrokinterpError` for a task whose group is not cyclic, and for fewer than four components.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=11)), ModelConfig(d_model=4, n_heads=1, d_head=4, d_mlp=4)
    >>> weights, w = initial_weights(config, task), 2 * torch.pi * torch.arange(11) / 11
    >>> weights["embed.W_E"][:11] = torch.stack([(3 * w).cos(), (3 * w).sin(), (w).cos() / 2, (w).sin() / 2], dim=1)
    >>> circles = principal_circles(Snapshot(0, task, config, weights))
    >>> round(circles.circularity, 6), circles.frequency, circles.step
    (1.0, array([3, 3, 1, 1]), array([4, 4, 1, 1]))
    """
    structure, basis = _cyclic(snapshot.task)
    scores, values, _ = _principal_components(snapshot, structure)
    if len(values) < COMPONENTS:
        raise GrokinterpError(
            f"{len(scores)} embeddings of width {snapshot.config.d_model}: the circularity needs {COMPONENTS} "
            f"principal components, there are {len(values)}; give a wider network or a larger group"
        )
    n, total = basis.n, float((values**2).sum())
    if total == 0:
        empty, none = np.full(len(values), np.nan), np.zeros(len(values), dtype=np.int64)
        return PrincipalCircles(float("nan"), empty, none, none, empty)
    power = basis.power(scores, axis=0)[1:]
    share, frequency = power.max(axis=0), power.argmax(axis=0) + 1
    return PrincipalCircles(
        circularity=float(np.clip(share[:COMPONENTS], 0, 1).mean()),
        share=share,
        frequency=frequency,
        step=np.array([_step(int(k), n) for k in frequency]),
        variance_explained=values**2 / total,
    )


def isolate_circle(snapshot: Snapshot, circle: int) -> Snapshot:
    """The network with one circle of its embeddings alone (Zhong et al. 2023, §4 and appendix).

    Of the principal components of the embeddings of the group's elements it keeps number 2·circle and 2·circle + 1, and
    their mean: W_E[x] ← mean + Σ (W_E[x] − mean)·d d over these two directions d. All other weights, `=` and symbols
    outside the group stay. The result computes its logits when asked for, like any snapshot. float32 weights.

    **Raises** `GrokinterpError` for a task whose group is not cyclic, for tokens of b's own, whose components need not
    be in the same order, and for a circle that is not there.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=11)), ModelConfig(d_model=8, n_heads=1, d_head=8, d_mlp=4)
    >>> alone = isolate_circle(Snapshot(0, task, config, initial_weights(config, task)), 1)
    >>> int(np.linalg.matrix_rank(alone.W_E - alone.W_E.mean(axis=0), tol=1e-5)), alone.logits.shape
    (2, (121, 11))
    """
    task = snapshot.task
    structure, _ = _cyclic(task)
    if task.config.own_tokens_for_b:
        raise GrokinterpError(
            f"{task.name} with tokens of b's own: isolating a circle needs one embedding for a and b; give a network "
            "with task.own_tokens_for_b = false"
        )
    scores, values, directions = _principal_components(snapshot, structure)
    circles = len(values) // 2
    if not 0 <= circle < circles:
        raise GrokinterpError(
            f"circle = {circle}: the {len(scores)} embeddings have {len(values)} principal components, which makes "
            f"circles 0 … {circles - 1}; choose one of them"
        )
    kept = slice(2 * circle, 2 * circle + 2)
    alone = (scores[:, kept] * values[kept]) @ directions[kept] + snapshot.W_E[structure.inputs_a].mean(axis=0)
    W_E = snapshot.weights["embed.W_E"].clone()
    W_E[torch.from_numpy(structure.inputs_a)] = torch.from_numpy(alone).to(W_E.dtype)
    return replace(snapshot, weights={**snapshot.weights, "embed.W_E": W_E})


def _cyclic(task: Task) -> tuple[Structure, FourierBasis]:
    structure = Places.of(task).structure
    if not isinstance(structure.basis, FourierBasis):
        raise GrokinterpError(
            f"{task.name}: principal circles need a cyclic group, and {structure.group_name} is none; give a task such "
            "as addition modulo p, or `frequency_circularity` for the circles among its irreps"
        )
    return structure, structure.basis


def _principal_components(
    snapshot: Snapshot, structure: Structure
) -> tuple[Float[np.ndarray, "n component"], Float[np.ndarray, " component"], Float[np.ndarray, "component d_model"]]:
    """Scores at unit length, singular values and directions of the centred embeddings, in the group's order."""
    W_E = snapshot.W_E[structure.inputs_a]
    return np.linalg.svd(W_E - W_E.mean(axis=0), full_matrices=False)


def _step(frequency: int, n: int) -> int:
    if np.gcd(frequency, n) != 1:
        return 0
    inverse = pow(frequency, -1, n)
    return min(inverse, n - inverse)
