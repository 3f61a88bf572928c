"""Floor 2: operations, their tables, tokens and splits."""

from ._operation import ABSENT as ABSENT
from ._operation import MODULAR as MODULAR
from ._operation import OPERATIONS as OPERATIONS
from ._operation import operation_table as operation_table
from ._split import Split as Split
from ._split import make_split as make_split
from ._structure import Structure as Structure
from ._task import Task as Task
from ._task import TaskConfig as TaskConfig
