"""Floor 3: configuration → hooked transformer, named initialisations, the exact fast forward."""

from ._activations import ACTIVATIONS as ACTIVATIONS
from ._config import ModelConfig as ModelConfig
from ._fast import FastActivations as FastActivations
from ._fast import FastForward as FastForward
from ._fast import FastInputs as FastInputs
from ._fast import FastProducts as FastProducts
from ._fast import FastTables as FastTables
from ._fast import not_covered_by_fast_forward as not_covered_by_fast_forward
from ._layouts import in_shape_of_3 as in_shape_of_3
from ._layouts import name_in_3 as name_in_3
from ._mlp import hooked_mlp as hooked_mlp
from ._network import hooked_network as hooked_network
from ._normalization import normalized as normalized
from ._objectives import Objective as Objective
from ._objectives import accuracy as accuracy
from ._objectives import cross_entropy as cross_entropy
from ._objectives import objectives as objectives
from ._transformer import hooked_transformer as hooked_transformer
from ._weights import initial_weights as initial_weights
from ._weights import misfit as misfit
from ._weights import n_outputs as n_outputs
from ._weights import weight_shapes as weight_shapes
