"""Floor 4: what is on disk and what is read back from it."""

from ._config import PRESETS as PRESETS
from ._config import Environment as Environment
from ._config import RunConfig as RunConfig
from ._config import TrainingConfig as TrainingConfig
from ._files import make_folder as make_folder
from ._files import refusals_explained as refusals_explained
from ._files import write_whole as write_whole
from ._folder import RunFolder as RunFolder
from ._folder import Tensors as Tensors
from ._folder import read_tensors as read_tensors
from ._folder import write_tensors as write_tensors
from ._interchange import ForDevinterp as ForDevinterp
from ._interchange import LabelledPairs as LabelledPairs
from ._interchange import as_devinterp as as_devinterp
from ._interchange import last_position_loss as last_position_loss
from ._model_card import model_card as model_card
from ._run import Run as Run
from ._run import checked_weights as checked_weights
from ._run import load_run as load_run
from ._snapshot import CHUNK as CHUNK
from ._snapshot import Snapshot as Snapshot
from .importers import LAYOUTS as LAYOUTS
from .importers import chughtai_snapshot as chughtai_snapshot
from .importers import import_run as import_run
