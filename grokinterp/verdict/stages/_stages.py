"""The verdict's three stages: the sum is formed, each circle forms it in its way, and it is read out."""

from collections.abc import Mapping
from dataclasses import dataclass

from grokinterp.analysis import find_keys
from grokinterp.errors import GrokinterpError, NotApplicable
from grokinterp.models import ModelConfig
from grokinterp.runs import Snapshot
from grokinterp.tasks import Task
from grokinterp.verdict.accounts import pattern_shares

from ._circle import CircleStage, circle_stage
from ._held import mean_patterns
from ._neurons import neuron_parts
from ._of_circles import OfCircles
from ._read_out import ReadOut, read_out
from ._sum import SumStage, sum_stage


@dataclass(frozen=True, eq=False)
class Stages(OfCircles):
    """What the stages find in a network on a cyclic group.

    - `sum`: where s is formed and the distance d = a − b forgotten, see `SumStage`.
    - `circles`: per key frequency how it forms the sum, see `CircleStage.mechanism`; together see `OfCircles`.
    - `read_out`: rotation, ellipse, harmonics and bias, see `ReadOut`.
    - `given`, `facts`: what follows from the configuration alone and is therefore no evidence: `held` (attention is its
      mean), `additive` (the neurons' input is a(i) + b(j)), `sums` (they see E_a + E_b); and in sentences.
    """

    sum: SumStage
    read_out: ReadOut
    given: frozenset[str]
    facts: tuple[str, ...]


def find_stages(
    snapshot: Snapshot, keys: tuple[int, ...] | None = None, *, shares: Mapping[int, float] | None = None
) -> Stages:
    """Measure the three stages of a network.

    **Arguments:**

    - `keys`: the key frequencies, by default those that `find_keys` chooses.
    - `shares`: of each in the variance of the logits, by default by the clock-and-pizza fit.

    **Raises** `NotApplicable` where the task's answer is no product in a cyclic group, and `GrokinterpError` where no
    frequency stands out.

    >>> from grokinterp.models import ModelConfig, initial_weights
    >>> from grokinterp.tasks import Task, TaskConfig
    >>> task, config = Task(TaskConfig(p=7)), ModelConfig(d_model=16, n_heads=2, d_head=8, d_mlp=24)
    >>> found = find_stages(Snapshot(0, task, config, initial_weights(config, task)), (1, 2))
    >>> [circle.freq for circle in found.circles], found.sum.is_formed
    ([1, 2], False)
    """
    require_sums(snapshot.task)
    keys = find_keys(snapshot).chosen if keys is None else tuple(keys)
    if not keys:
        raise GrokinterpError(
            "stages: no frequency explains more of the logits than chance; give a network that has learned its task, "
            "or keys=(…)"
        )
    summed = sum_stage(snapshot)
    given, facts = _given(snapshot.config)
    return Stages(
        sum=summed,
        circles=circle_stages(snapshot, keys, shares, layer=summed.layer),
        read_out=read_out(snapshot, keys),
        given=given,
        facts=facts,
    )


def require_sums(task: Task) -> None:
    """Raise `NotApplicable` where the answer is no sum in a cyclic group."""
    structure = task.structure
    if structure is None or not structure.is_cyclic or not structure.is_product:
        raise NotApplicable(f"{task.name}: its answer is no sum in a cyclic group, which the stages are of")


def circle_stages(
    snapshot: Snapshot, keys: tuple[int, ...], shares: Mapping[int, float] | None = None, *, layer: int | None = None
) -> tuple[CircleStage, ...]:
    """Stage two of every key frequency; `layer`: whose neurons are looked at, by default the last."""
    if shares is None:
        shares = pattern_shares(snapshot, keys, "mixed")
    neurons = neuron_parts(snapshot, keys, layer=layer)
    patterns = mean_patterns(snapshot)
    return tuple(circle_stage(snapshot, freq, shares[freq], neurons[freq], patterns) for freq in keys)


def _given(config: ModelConfig) -> tuple[frozenset[str], tuple[str, ...]]:
    """What the configuration alone decides: names as in `Stages.given`, and sentences."""
    if config.architecture == "mlp" and config.mlp_inputs == "sum":
        return frozenset({"additive", "sums"}), ("without attention, the neurons see E_a + E_b alone",)
    if config.architecture == "mlp":
        return frozenset({"additive"}), (
            "without attention, the neurons' input is a sum of a part from a and one from b",
        )
    if config.attention_rate == 0 and config.n_layers == 1:
        return frozenset({"held", "additive", "sums"}), (
            "attention is constant, so that the neurons see E_a + E_b alone",
        )
    return frozenset(), ()
