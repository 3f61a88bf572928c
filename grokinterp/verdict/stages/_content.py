"""The stages as plain dictionaries, for `verdict.json`."""

from dataclasses import asdict
from typing import Any

from ._companions import WithoutCircle
from ._over_training import StagesOverTraining
from ._stages import Stages


def stages_content(stages: Stages) -> dict[str, Any]:
    """Plain numbers, lists and dictionaries."""
    formed = stages.sum.formed_at
    return {
        "sum": {
            "sites": [asdict(site) for site in stages.sum.sites],
            "formed_at": {"layer": formed.layer, "part": formed.part} if formed else None,
            "logits_share": stages.sum.logits_share,
            "logits_accuracy": stages.sum.logits_accuracy,
            "logits_loss": stages.sum.logits_loss,
        },
        "circles": [
            {
                "freq": circle.freq,
                "points": circle.points,
                "mechanism": circle.mechanism,
                "fill": circle.fill,
                "phase": circle.fitted.phase,
                "kept_with_attention_held": circle.kept,
                "fill_with_attention_held": circle.held.fill if circle.held else None,
                "multiplied": circle.multiplied,
                "filled_by_attention": circle.filled_by_attention,
                "neurons": asdict(circle.neurons),
            }
            for circle in stages.circles
        ],
        "read_out": asdict(stages.read_out)
        | {
            "rotation": stages.read_out.rotation,
            "reflection": stages.read_out.reflection,
            "harmonics": stages.read_out.harmonics,
        },
        "shares": dict(stages.shares),
        "fill": stages.fill,
        "kept_with_attention_held": stages.kept,
        "additive": stages.additive,
        "alignment": stages.alignment,
        "facts": list(stages.facts),
    }


def without_content(without: WithoutCircle) -> dict[str, Any]:
    """A circle taken out; frequencies are names of keys."""
    return {
        "freq": without.freq,
        "is_key": without.is_key,
        "loss": without.loss,
        "ratio": without.ratio,
        "opposite": {
            str(freq): {"without": after, "with": before} for freq, (after, before) in without.opposite.items()
        },
        "fills": list(without.fills),
        "multiples": list(without.fills.values()),
    }


def over_training_content(found: StagesOverTraining) -> dict[str, Any]:
    """A row per checkpoint."""
    return {
        "key_frequencies": list(found.keys),
        "checkpoints": [
            {
                "step": point.step,
                "accuracy": point.accuracy,
                "logits_share": point.of_sum,
                "mechanism": point.leading,
                "clock_share": point.clock_share,
                "fill": point.fill,
                "kept_with_attention_held": point.kept,
                "additive": point.additive,
                "alignment": point.alignment,
                "circles": [
                    {
                        "freq": circle.freq,
                        "share": circle.share,
                        "mechanism": circle.mechanism,
                        "fill": circle.fill,
                        "kept_with_attention_held": circle.kept,
                        "additive": circle.neurons.additive,
                    }
                    for circle in point.circles
                ],
            }
            for point in found.points
        ],
    }
