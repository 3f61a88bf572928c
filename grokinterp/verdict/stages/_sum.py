"""Stage one: where in the network the sum s of a and b is formed and their distance forgotten.

At a site (the residual stream after a layer's attention or MLP, or the neurons of a network without attention) all
positions are replaced by their average over the pairs of equal s. What comes behind then knows s and nothing else of a
and b; if the network still answers, the sum was formed there.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float

from grokinterp.analysis import Places, accuracy, answers_given, loss, share_right
from grokinterp.models import ACTIVATIONS
from grokinterp.runs import CHUNK, Snapshot
from grokinterp.verdict.causal import LastLayer, cached

# Of all pairs, as a network that generalises.
ANSWERS = 0.99
# Of the logits' variance: half, where the network itself does not answer.
OF_SUMS = 0.5


@dataclass(frozen=True)
class SumSite:
    """One place in the network.

    - `layer`, `part`: 0 …, and `attention` or `MLP`: what has been added to the residual stream last. Without
      attention, `input` of the hidden layer's neurons or `MLP`, their activations.
    - `share`: position → the share of the variance of the activations there that is a function of s. For one layer only
      the last position, the only one that is read on.
    - `accuracy`, `loss`: of all pairs with this place replaced by its averages over equal s, at all positions.
    """

    layer: int
    part: str
    share: dict[str, float]
    accuracy: float
    loss: float

    @property
    def name(self) -> str:
        return {"attention": "attention", "MLP": "the MLP", "input": "the neurons' input"}[self.part]


@dataclass(frozen=True)
class SumStage:
    """The places in their order, and the logits.

    - `formed_at`: the first place behind which s alone gives 99 % of the answers; None if there is none, not even the
      logits averaged over equal s.
    - `own_accuracy`: of the network as it is.
    - `logits_share`, `logits_accuracy`, `logits_loss`: of the logits averaged over the pairs of equal s: the share of
      their variance over all pairs, and what they answer.
    """

    sites: tuple[SumSite, ...]
    formed_at: SumSite | None
    logits_share: float
    logits_accuracy: float
    logits_loss: float
    own_accuracy: float

    @property
    def is_formed(self) -> bool:
        """Whether the logits averaged over equal s answer as a network that generalises, and are the network's own.

        The average of a table that is right on a third of the pairs answers all of them: what it adds to is the answer.
        So the network must answer them itself, or most of its logits be a function of s.
        """
        is_its_own = self.own_accuracy >= ANSWERS or self.logits_share >= OF_SUMS
        return is_its_own and self.logits_accuracy >= ANSWERS

    @property
    def layer(self) -> int | None:
        """Whose neurons form the sum, None where nothing does: behind them others have nothing but it as input."""
        return self.formed_at.layer if self.formed_at else None

    @property
    def before_neurons(self) -> bool:
        """Whether attention alone forms the sum, so that a and b were multiplied before any neuron."""
        return self.formed_at is not None and (self.formed_at.layer, self.formed_at.part) == (0, "attention")


def sum_stage(snapshot: Snapshot) -> SumStage:
    """Measure stage one of a network on a task whose answer is a product in a group.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
    >>> found = sum_stage(Snapshot(0, task, config, initial_weights(config, task)))
    >>> [(site.layer, site.part) for site in found.sites], found.is_formed
    ([(0, 'attention'), (0, 'MLP')], False)
    """
    element = torch.from_numpy(Places.of(snapshot.task).element)
    logits = torch.from_numpy(snapshot.logits).double()
    averaged = _averaged(logits, element).numpy()
    sites = _of_one_layer(snapshot, element) if snapshot.config.n_layers == 1 else _of_layers(snapshot, element)
    found = SumStage(
        sites=tuple(sites),
        formed_at=next((site for site in sites if site.accuracy >= ANSWERS), None),
        logits_share=share_of_sum(snapshot),
        logits_accuracy=accuracy(averaged, snapshot.task, "all"),
        logits_loss=loss(averaged, snapshot.task, "all"),
        own_accuracy=share_right(answers_given(snapshot), snapshot.task, "all"),
    )
    return found if found.is_formed else replace(found, formed_at=None)


def share_of_sum(snapshot: Snapshot) -> float:
    """The share of the centred logits' variance over all pairs that is a function of s."""
    logits = torch.from_numpy(snapshot.logits).double()
    element = torch.from_numpy(Places.of(snapshot.task).element)
    return _share(logits - logits.mean(dim=1, keepdim=True), element)


def _of_one_layer(snapshot: Snapshot, element: torch.Tensor) -> list[SumSite]:
    last, position = LastLayer.of(snapshot), snapshot.task.positions[-1]
    if last.resid_pre is None:
        pre, post = last.pre, last.neurons
        of_pre = last.after_neurons(ACTIVATIONS[snapshot.config.act_fn].of(_averaged(pre, element)))
        of_post = last.after_neurons(_averaged(post, element))
        found = [("input", pre, of_pre), ("MLP", post, of_post)]
    else:
        mid, post = last.resid_mid, last.resid_mid + last.mlp_out
        found = [("MLP", post, last.after_mlp(_averaged(post, element)))]
        if not last.is_parallel:
            found.insert(0, ("attention", mid, last.after_attention(_averaged(mid, element))))
    return [_site(snapshot, 0, part, {position: _share(values, element)}, out) for part, values, out in found]


def _of_layers(snapshot: Snapshot, element: torch.Tensor) -> list[SumSite]:
    """With hooks, at all positions."""
    config, sites = snapshot.config, []
    parts = [("attention", "hook_resid_mid"), ("MLP", "hook_resid_post")]
    if config.parallel_attn_mlp:
        parts = parts[1:]
    if config.architecture == "mlp":
        parts = [("input", "mlp.hook_pre"), ("MLP", "mlp.hook_post")]
    for layer in range(config.n_layers):
        for part, hook in parts:
            name = f"blocks.{layer}.{hook}"
            (values,) = cached(snapshot, [name], snapshot.task.tokens)
            shares = {
                position: _share(values[:, place], element)
                for place, position in enumerate(snapshot.task.positions[-values.shape[1] :])
            }
            sites.append(_site(snapshot, layer, part, shares, _run_with(snapshot, name, _averaged(values, element))))
    return sites


@torch.no_grad()
def _run_with(snapshot: Snapshot, name: str, values: torch.Tensor) -> torch.Tensor:
    found = []
    for rows in torch.arange(snapshot.task.n_pairs).split(CHUNK):

        def put(activation: torch.Tensor, hook: object, rows: torch.Tensor = rows) -> torch.Tensor:  # noqa: ARG001
            return values[rows]

        out = snapshot.model.run_with_hooks(snapshot.task.tokens[rows], fwd_hooks=[(name, put)])
        found.append(out[:, -1, : snapshot.task.n_answers])
    return torch.cat(found)


def _site(
    snapshot: Snapshot, layer: int, part: str, share: dict[str, float], logits: Float[torch.Tensor, "pair answer"]
) -> SumSite:
    out = logits.detach().numpy()
    return SumSite(layer, part, share, accuracy(out, snapshot.task, "all"), loss(out, snapshot.task, "all"))


def _averaged(values: Float[torch.Tensor, "pair ..."], element: torch.Tensor) -> Float[torch.Tensor, "pair ..."]:
    """Every pair's values replaced by their mean over the pairs with the same answer; pairs without a place stay."""
    placed = element >= 0
    count = torch.bincount(element[placed]).clamp(min=1)
    flat = values.flatten(1)
    sums = torch.zeros(len(count), flat.shape[1], dtype=torch.float64)
    sums.index_add_(0, element[placed], flat[placed].double())
    out = flat.clone()
    out[placed] = (sums / count[:, None])[element[placed]].to(flat.dtype)
    return out.reshape(values.shape)


def _share(values: Float[torch.Tensor, "pair width"], element: torch.Tensor) -> float:
    """Share of the variance over the pairs with a place that lies between the answers."""
    is_placed = element >= 0
    # A network's own pairs all have places, and their numbers need no copy.
    placed = (values if bool(is_placed.all()) else values[is_placed]).double()
    of_answer = element[is_placed]
    centred = placed - placed.mean(dim=0)
    count = torch.bincount(of_answer)
    sums = torch.zeros(len(count), centred.shape[1], dtype=torch.float64).index_add_(0, of_answer, centred)
    total = torch.linalg.vector_norm(centred).square().item()
    between = (torch.linalg.vector_norm(sums, dim=1).square() / count.clamp(min=1)).sum().item()
    return between / total if total > 0 else 0.0
