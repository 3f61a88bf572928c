"""docs/verdict.md holds the table of bounds as it is."""

import re
from pathlib import Path

from grokinterp.verdict import THRESHOLDS

TEXT = (Path(__file__).parents[2] / "docs" / "verdict.md").read_text()


def test_every_bound_is_documented_as_it_is():
    rows = re.findall(r"^\| `(\w+)` \| ([≥≤] [\d.]+) \| (.*) \| (.*) \|$", TEXT, flags=re.MULTILINE)
    assert rows == [(name, str(bound), bound.says, bound.why) for name, bound in THRESHOLDS.items()]
