"""Accounts: what a network may be replaced by, and how much of it each one gives."""

from ._accounts import Account as Account
from ._accounts import accounts as accounts
from ._accounts import accounts_without_product as accounts_without_product
from ._amplitudes import amplitude_by_distance as amplitude_by_distance
from ._amplitudes import fit_pattern as fit_pattern
from ._amplitudes import pattern_shares as pattern_shares
from ._amplitudes import pizza_pattern as pizza_pattern
from ._group_accounts import GroupAccount as GroupAccount
from ._group_accounts import coset_account as coset_account
from ._group_accounts import irrep_account as irrep_account
from ._kept import Kept as Kept
from ._kept import kept_by_layer as kept_by_layer
from ._manifold import Manifold as Manifold
from ._manifold import manifold as manifold
from ._meeting import meetings as meetings
from ._quadrature import Quadrature as Quadrature
from ._quadrature import quadrature as quadrature
from ._read_out import ReadOut as ReadOut
from ._read_out import average_over_sums as average_over_sums
from ._read_out import read_out as read_out
from ._read_out import restricted as restricted
from ._residues import Residues as Residues
from ._residues import residues as residues
from ._scored import InGroup as InGroup
from ._simple_neurons import NeuronAccount as NeuronAccount
from ._simple_neurons import neuron_accounts as neuron_accounts
