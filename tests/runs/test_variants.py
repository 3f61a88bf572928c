"""No network is read wrong without a warning: variants drawn by a seed, made and saved by TransformerLens itself."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from grokinterp.errors import GrokinterpError
from grokinterp.runs import import_run

pytest.importorskip("transformer_lens.HookedTransformer", reason="TransformerLens 4 has no HookedTransformer")
from variants import TOLD, Variant, variant

# What a refusal tells its reader to do.
_ADVICE = re.compile(
    r"--set|import a network without|add zeros|save |name |correct |give |which all networks here have|restore"
)


def outcome(one: Variant, out: Path) -> str:
    """What came of it: `exact`, `refused`, or `warned`; anything else fails."""
    try:
        run = import_run(one.path, out, settings=one.settings)
    except GrokinterpError as error:
        assert "\n" not in str(error)
        assert _ADVICE.search(str(error)), f"{one.words}\n{error}"
        assert one.must_refuse or one.unstated, f"what could be read is refused: {one.words}\n{error}"
        return "refused"
    notes = " ".join(run.provenance["notes"])
    assert not one.must_refuse, f"what no network here has is read: {one.words}\n{notes}"
    found = np.asarray(run.snapshot().logits, dtype=np.float64)
    if found.shape == tuple(one.logits.shape):
        off = float(np.abs(found - one.logits.numpy()).max())
        if off <= 1e-5 * max(one.scale, 1.0):
            return "exact"
    assert one.unstated, f"what is stated is read wrong: {one.words}\n{notes}"
    config = run.config.model
    read = {"normalization": config.normalization, "act_fn": config.act_fn, "attention_dir": config.attention}
    wrong = [name for name in one.unstated if name not in read or read[name] != one.model[name]]
    untold = [name for name in wrong if TOLD[name] not in notes]
    assert not untold, f"read wrong, and nothing is said of {untold}: {one.words}\n{notes}"
    return "warned"


def outcomes(numbers: range, folder: Path) -> dict[str, int]:
    counts = dict.fromkeys(("exact", "refused", "warned"), 0)
    for number in numbers:
        torch.manual_seed(number)
        counts[outcome(variant(number, folder / f"{number}"), folder / f"{number}" / "run")] += 1
    return counts


def test_thirty_variants_are_exact_refused_or_warned_of(tmp_path):
    counts = outcomes(range(30), tmp_path)
    assert sum(counts.values()) == 30
    assert counts["exact"] >= 10


@pytest.mark.long
def test_two_hundred_variants_are_exact_refused_or_warned_of(tmp_path):
    counts = outcomes(range(1000, 1200), tmp_path)
    assert sum(counts.values()) == 200
    assert counts["exact"] >= 80 and counts["refused"] >= 10
