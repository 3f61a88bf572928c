"""By which way each circle gets from the embeddings to the logits, in measured strengths.

The mean amplitude of circle k, F_k = mean over all pairs of Σ_c L(a, b, c) cos(w_k(s − c)) · 2/n, is linear in the
logits. With the scale of the final normalization frozen at what it is for each pair, the logits are linear in what the
embedding at the last position, every head and every MLP add to the residual there, so that F_k is exactly the sum of
what these **write** (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"). What a part writes says
nothing of what it read. For that, its outputs are changed (path patching, Wang et al. 2022):

| kind | edge | amount |
|---|---|---|
| writes | part → logits | its summand of F_k; all together are F_k |
| carries | head → MLP | by how much F_k falls if the neurons do not get circle k from the head |
| reads | a, b or a + b → head | the size of circle k there, in functions of a alone, of b alone, of the sum |
| fills | head → logits | by how much f_k at opposite inputs falls if the head's attention is held at its mean |

"Circle k in an output" are its components, over all pairs, at cos and sin of w_k a and w_k b and their products. Of a
network of several layers, what earlier layers carry is measured by removing circle k from their output at every
position and running the network on, less what they write: the target is then `later layers`.
"""

from collections.abc import Iterable

import torch

from grokinterp.runs import Snapshot

from ._circuit import CircuitPath
from ._circuit_networks import MlpPaths, TransformerPaths
from ._predictions import require_circles


def paths(snapshot: Snapshot, keys: Iterable[int]) -> tuple[CircuitPath, ...]:
    """Measure the edges of every key circle; ``pandas.DataFrame(list(paths(…)))`` makes a table.

    Nodes are `a`, `b`, `a + b`, `embedding` (what stands at the last position before the first layer), `head h` and
    `MLP` (`head l.h` and `MLP l` in networks of several layers) and `logits`. Without attention the MLP reads a and b
    itself, and each layer hands all it has to the next.

    Activations float32, sums float64.

    **Raises** `NotApplicable` as `predictions` does.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=8, n_heads=2, d_head=4, d_mlp=16)
    >>> found = paths(Snapshot(0, task, config, initial_weights(config, task)), (1,))
    >>> [(path.source, path.target) for path in found if path.kind == "writes"]
    [('embedding', 'logits'), ('head 0', 'logits'), ('head 1', 'logits'), ('MLP', 'logits')]
    >>> round(sum(path.share for path in found if path.kind == "writes"), 4)
    1.0
    """
    chosen = tuple(keys)
    require_circles(snapshot, chosen)
    with torch.no_grad():
        network = MlpPaths.of(snapshot) if snapshot.config.architecture == "mlp" else TransformerPaths.of(snapshot)
        return tuple(path for freq in chosen for path in network.paths(freq))
