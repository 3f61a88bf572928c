"""Other libraries call this room, so it must come alone."""

import subprocess
import sys

HEAVY = ["torch", "jax", "transformer_lens", "plotly", "pandas", "scipy", "matplotlib"]


def test_importing_the_room_loads_no_heavy_library():
    code = f"import sys, grokinterp.fourier; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_numpy_work_loads_no_heavy_library():
    code = (
        "import sys, numpy as np\n"
        "from grokinterp.fourier import FiniteGroup, FourierBasis, GroupBasis, gini\n"
        "basis = FourierBasis(5)\n"
        "basis.project(basis.fold_sums(np.ones((5, 5))), [1]); gini([1, 2], axis=0); basis.sum_directions(1); "
        "GroupBasis(FiniteGroup.named('S3xQ8')).power(np.ones(48)); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
