"""Other people's checkpoints, read as ordinary runs: a module per layout."""

from ._chughtai import chughtai_snapshot as chughtai_snapshot
from ._contents import Contents as Contents
from ._import import import_run as import_run
from ._layout import Asked as Asked
from ._layout import Found as Found
from ._own_model import OwnModel as OwnModel
from ._own_model import snapshot as snapshot
from ._route import LAYOUTS as LAYOUTS
from ._route import Layout as Layout
from ._route import register_layout as register_layout
