"""Floor 5: the loop, optimizers and callbacks."""

from ._callbacks import Callback as Callback
from ._optimizers import Optimizer as Optimizer
from ._optimizers import register_optimizer as register_optimizer
from ._record import Recorder as Recorder
from ._record import record as record
from ._train import train as train
from ._trainer import Trainer as Trainer
