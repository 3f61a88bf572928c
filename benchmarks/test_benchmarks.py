"""The cases under pytest-benchmark: `pytest benchmarks --benchmark-only`."""

import pytest
from cases import fast_step, measured_checkpoint, plain_step


@pytest.mark.parametrize("case", [plain_step, fast_step, measured_checkpoint], ids=lambda case: case.__name__)
def test_case(benchmark, case):
    benchmark.pedantic(case(), rounds=10, iterations=1, warmup_rounds=2)
