"""Other people's checkpoints, read as ordinary runs: a module per layout."""

from ._chughtai import chughtai_snapshot as chughtai_snapshot
from ._import import import_run as import_run
from ._own_model import OwnModel as OwnModel
from ._own_model import snapshot as snapshot
from ._route import LAYOUTS as LAYOUTS
