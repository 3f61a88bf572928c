"""The verdict in stages: the sum is formed, each circle forms it in its way, and it is read out."""

from ._circle import CircleStage as CircleStage
from ._companions import WithoutCircle as WithoutCircle
from ._companions import without_circles as without_circles
from ._content import over_training_content as over_training_content
from ._content import stages_content as stages_content
from ._content import without_content as without_content
from ._of_circles import ADDING as ADDING
from ._of_circles import OfCircles as OfCircles
from ._over_training import StagesAt as StagesAt
from ._over_training import StagesOverTraining as StagesOverTraining
from ._over_training import stages_over_training as stages_over_training
from ._read_out import CircleReadOut as CircleReadOut
from ._read_out import ReadOut as ReadOut
from ._stages import Stages as Stages
from ._stages import find_stages as find_stages
from ._sum import SumSite as SumSite
from ._sum import SumStage as SumStage
