"""Fourier bases of functions on finite groups, for NumPy, torch and JAX arrays alike.

Networks that learn to add modulo n do it with a few frequencies (Nanda et al. 2023, arXiv 2301.05217). This
room is the change of basis that shows them: `FourierBasis(n)` holds the orthonormal cosines and sines on Z_n
and takes weights and activations there and back; `gini` says how few of them carry the weight.
"""

from ._basis import FourierBasis as FourierBasis
from ._gini import gini as gini
from ._group import FiniteGroup as FiniteGroup
from ._group_basis import GroupBasis as GroupBasis
from ._irrep import Irrep as Irrep
from ._irreps import character_table as character_table
from ._irreps import irreps as irreps
from ._subgroups import Subgroup as Subgroup
from ._units import powers_of_primitive_root as powers_of_primitive_root
from ._units import primitive_root as primitive_root
