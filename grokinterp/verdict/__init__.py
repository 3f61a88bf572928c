"""Floor 7: which algorithm a network uses, with the evidence for and against it, controls and a guarantee."""

from ._ablations import Ablation as Ablation
from ._ablations import ablate_frequencies as ablate_frequencies
from ._ablations import ablate_parts as ablate_parts
from ._certificate import Certificate as Certificate
from ._certificate import Proof as Proof
from ._certificate import certify as certify
from ._circles import PrincipalCircles as PrincipalCircles
from ._circles import frequency_circularity as frequency_circularity
from ._circles import isolate_circle as isolate_circle
from ._circles import principal_circles as principal_circles
from ._interventions import Intervention as Intervention
from ._interventions import interventions as interventions
from ._patching import Patching as Patching
from ._patching import patch as patch
from ._probe_path import ProbePath as ProbePath
from ._probe_path import probe_path as probe_path
from ._probes import SparseProbes as SparseProbes
from ._probes import sparse_probes as sparse_probes
from ._sufficiency import KeyStructure as KeyStructure
from ._sufficiency import Replacement as Replacement
from ._sufficiency import key_structure as key_structure
from ._sufficiency import replacements as replacements
