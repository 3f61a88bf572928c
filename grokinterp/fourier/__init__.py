"""Finite groups, their irreducible representations, and Fourier bases of the functions on them.

Networks that learn to add modulo n do it with a few frequencies (Nanda et al. 2023, arXiv 2301.05217), and those that
learn to compose in another group with a few of its irreps (Chughtai et al. 2023, arXiv 2302.03025). This room is the
change of basis that shows them, for NumPy, torch and JAX arrays alike:

- `FourierBasis(n)`: the orthonormal cosines and sines on Z_n, by the FFT.
- `GroupBasis(group)`: the same interface for any `FiniteGroup`, its blocks the entries of `irreps(group)`.
- `gini` says how few components carry the weight.
- `fit_helix` says how far activations hold a number on circles or on a helix of given periods, and whether they do.
"""

from ._basis import FourierBasis as FourierBasis
from ._gini import gini as gini
from ._group import FiniteGroup as FiniteGroup
from ._group_basis import GroupBasis as GroupBasis
from ._helix import CircleFit as CircleFit
from ._helix import HelixFit as HelixFit
from ._helix import fit_helix as fit_helix
from ._helix_judgement import HelixJudgement as HelixJudgement
from ._irrep import Irrep as Irrep
from ._irreps import character_table as character_table
from ._irreps import irreps as irreps
from ._irreps import require_irreps_in_reach as require_irreps_in_reach
from ._subgroups import Subgroup as Subgroup
from ._units import powers_of_primitive_root as powers_of_primitive_root
from ._units import primitive_root as primitive_root
