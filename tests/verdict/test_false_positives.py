"""Of networks that hold nothing, the rates that docs/false_positives.py prints."""

import pytest
from docs_script import docs_script


@pytest.fixture(scope="module")
def script():
    return docs_script("false_positives")


def test_two_networks_of_each_kind_have_no_key_above_chance(script):
    assert dict(script.key_rates(2)) == {"untrained": 0.0, "random answers": 0.0}


@pytest.mark.long
def test_of_200_networks_at_most_7_percent_have_a_key_above_chance(script):
    for kind, rate in script.key_rates(200):
        assert rate <= 0.07, kind


@pytest.mark.long
def test_probes_of_untrained_networks_do_not_read_the_sum(script):
    rates = {name: rates for name, *rates in script.probe_rates(60)}
    for name, (_, half, most, _) in rates.items():
        assert most == 0, name
        assert half <= 0.07, name
    for place in ("embedding a", "embedding b", "attention", "neurons"):
        assert rates[f"a+b from {place}"][0] <= 0.07
