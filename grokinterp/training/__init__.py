"""Floor 5: the loop, optimizer, losses and callbacks."""

from ._callbacks import Callback as Callback
from ._loss import accuracy as accuracy
from ._loss import cross_entropy as cross_entropy
from ._optimizers import Optimizer as Optimizer
from ._optimizers import register_optimizer as register_optimizer
from ._record import Recorder as Recorder
from ._record import record as record
from ._train import train as train
from ._trainer import Trainer as Trainer
