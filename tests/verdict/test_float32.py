"""What is proved of float32 and of exact arithmetic, on networks where the two differ."""

import numpy as np
import pytest
from stress_networks import exact_logits, float32_logits, stress_network

from grokinterp.verdict import Certificate, certify
from grokinterp.verdict.certificate._float32 import Float32Bound
from grokinterp.verdict.certificate._table_forward import TableForward


def answered_right(logits: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The answer's logit is larger than every other."""
    pairs, others = np.arange(len(answers)), logits.copy()
    others[pairs, answers] = -np.inf
    return np.array([logits[pair, answers[pair]] > max(others[pair]) for pair in pairs], dtype=bool)


def check(seed: int) -> Certificate:
    snapshot = stress_network(seed)
    with np.errstate(all="ignore"):
        certificate, answers = certify(snapshot, (1, 2)), snapshot.task.answers
        exact, single = exact_logits(snapshot), float32_logits(snapshot, seed)
        bound = Float32Bound.of(snapshot, TableForward.of(snapshot)).logits(slice(0, 5)).reshape(25, 5)
    assert answered_right(exact, answers)[certificate.certified].all()
    assert not (certificate.certified_float32 & ~certificate.certified).any()
    for order, logits in single.items():
        assert answered_right(logits, answers)[certificate.certified_float32].all(), (seed, order)
        off = np.array([abs(value - truth) for value, truth in zip(logits.ravel(), exact.ravel(), strict=True)])
        is_bounded = np.isfinite(bound.ravel())
        assert (off.reshape(-1)[is_bounded] <= bound.ravel()[is_bounded]).all(), (seed, order)
    right = answered_right(single["as it runs"], answers)
    assert certificate.accuracy_float32 >= right.mean()
    assert certificate.overturned <= (certificate.certified & ~right).sum()
    assert ("rounding of float32 decides" in certificate.says) == (certificate.overturned > 0)
    return certificate


def check_many(seeds: range) -> None:
    found = [check(seed) for seed in seeds]
    # The networks are hard, and not hopeless: in some float32 decides otherwise, of many much is proved all the same.
    assert sum(certificate.overturned > 0 for certificate in found) >= len(seeds) / 100
    assert sum(certificate.lower_bound_float32 == 1 for certificate in found) >= len(seeds) / 10
    assert sum(0 < c.lower_bound_float32 < c.lower_bound for c in found) >= len(seeds) / 50


def test_no_claim_is_wrong_on_stress_networks():
    check_many(range(20, 40))


@pytest.mark.long
@pytest.mark.parametrize("start", range(1000, 2000, 250))
def test_no_claim_is_wrong_on_1000_stress_networks(start):
    check_many(range(start, start + 250))
