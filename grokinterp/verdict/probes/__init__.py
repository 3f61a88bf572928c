"""Sparse probes: what of a, b and their sum can be read where, from few directions."""

from ._probe_path import ProbePath as ProbePath
from ._probe_path import probe_path as probe_path
from ._probes import SparseProbes as SparseProbes
from ._probes import sparse_probes as sparse_probes
