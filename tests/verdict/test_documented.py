"""docs/verdict.md holds the table of bounds as it is."""

import re
from pathlib import Path

from grokinterp.analysis import HOW_FAR_THRESHOLDS
from grokinterp.verdict import THRESHOLDS

TEXT = (Path(__file__).parents[2] / "docs" / "verdict.md").read_text()


def test_every_bound_is_documented_as_it_is():
    rows = re.findall(r"^\| `(\w+)` \| ([≥≤] [\d.]+) \| (.*) \| (.*) \|$", TEXT, flags=re.MULTILINE)
    # Those of how far a network is stand on the page of that name alone.
    own = {name: bound for name, bound in THRESHOLDS.items() if name not in HOW_FAR_THRESHOLDS}
    assert rows == [(name, str(bound), bound.says, bound.why) for name, bound in own.items()]
