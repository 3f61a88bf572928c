"""What the frequencies, or irreps, of its task's group say of one checkpoint."""

from dataclasses import dataclass

from grokinterp.fourier import irreps
from grokinterp.runs import Snapshot
from grokinterp.tasks import Structure

from ._attention import AttentionSummary, attention
from ._components import Places, structure_needed
from ._cosets import CosetConcentration, neuron_cosets
from ._hidden import HiddenLosses, HiddenShares, hidden_losses, hidden_shares
from ._key_irreps import KeyIrreps, LogitControl, key_irreps, logit_control
from ._logit_map import LogitMap, logit_map
from ._logits import LogitDecomposition, decompose_logits
from ._neurons import BestIrreps, neuron_irreps
from ._progress import ProgressMeasures
from ._spectra import Spectrum, embedding_spectrum, logit_map_spectrum


@dataclass(frozen=True, eq=False)
class Keys:
    """The key irreps of a checkpoint, with what they were chosen by.

    `chosen` are those that `rule` names and that explain more of the logits than chance does.
    """

    rule: str
    by_rule: KeyIrreps
    chosen: tuple[int, ...]
    embedding: Spectrum
    logit_map_spectrum: Spectrum
    neurons: BestIrreps
    control: LogitControl


def find_keys(snapshot: Snapshot, rule: str | None = None) -> Keys:
    """Choose the key irreps by `rule`: by default `W_L` in a cyclic group and `logits` in others."""
    structure = structure_needed(snapshot.task)
    rule = rule or ("W_L" if structure.is_cyclic else "logits")
    embedding, map_spectrum, neurons = (
        embedding_spectrum(snapshot),
        logit_map_spectrum(snapshot),
        neuron_irreps(snapshot),
    )
    places, logits = Places.of(snapshot.task), snapshot.logits
    control = logit_control(logits, places, decompose_logits(logits, places, ()))
    by_rule = key_irreps(map_spectrum, embedding, neurons, control, structure.basis)
    chosen = tuple(irrep for irrep in by_rule.by_rule(rule) if irrep in control.above_chance)
    return Keys(rule, by_rule, chosen, embedding, map_spectrum, neurons, control)


@dataclass(frozen=True, eq=False)
class Circuit:
    """The analyses of one checkpoint in its task's group.

    - `keys`: indices of the key irreps, for a cyclic group the key frequencies; `found` says how they were chosen.
    - `excluded_by_irrep`: the 2-D excluded loss on the train pairs for every irrep, key or not.
    - `cosets`: coset concentration of the neurons' input from a and from b; None in a cyclic group, and in one with
      too many subgroups.
    """

    structure: Structure
    found: Keys
    logit_map: LogitMap
    logits: LogitDecomposition
    attention: AttentionSummary
    hidden: HiddenShares
    hidden_losses: HiddenLosses
    cosets: tuple[CosetConcentration, CosetConcentration] | None
    excluded_by_irrep: dict[int, float]

    @property
    def keys(self) -> tuple[int, ...]:
        return self.found.chosen

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(self.structure.basis.irrep_names[irrep] for irrep in self.keys)

    @property
    def key_titles(self) -> tuple[str, ...]:
        """The names as a reader knows them: `standard (4,1)` where the name is the partition alone."""
        if self.structure.is_cyclic:
            return self.key_names
        return tuple(irreps(self.structure.group)[irrep].title for irrep in self.keys)

    @property
    def embedding(self) -> Spectrum:
        return self.found.embedding

    @property
    def logit_map_spectrum(self) -> Spectrum:
        return self.found.logit_map_spectrum

    @property
    def neurons(self) -> BestIrreps:
        return self.found.neurons


def find_circuit(snapshot: Snapshot, keys: Keys) -> Circuit:
    """Take a checkpoint apart by the key irreps."""
    structure, progress = structure_needed(snapshot.task), ProgressMeasures.of(snapshot)
    return Circuit(
        structure=structure,
        found=keys,
        logit_map=logit_map(snapshot, keys.chosen, keys.neurons.clusters()),
        logits=decompose_logits(snapshot.logits, progress.places, keys.chosen),
        attention=attention(snapshot),
        hidden=hidden_shares(snapshot),
        hidden_losses=hidden_losses(progress, snapshot.neurons, keys.chosen),
        cosets=None if structure.is_cyclic else neuron_cosets(snapshot),
        excluded_by_irrep=progress.excluded_by_irrep(),
    )
