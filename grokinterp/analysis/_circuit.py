"""What the frequencies, or irreps, of its task's group say of one checkpoint."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from grokinterp.fourier import irreps
from grokinterp.runs import Snapshot
from grokinterp.tasks import Structure

from ._attention import AttentionSummary, attention
from ._components import Places, structure_needed
from ._cosets import CosetConcentration, neuron_cosets
from ._hidden import HiddenLosses, HiddenShares, hidden_losses, hidden_shares
from ._key_doubts import NearBound, OtherRule, near_bound, other_rules
from ._key_irreps import ENOUGH, KeyIrreps, LogitControl, key_irreps, logit_control
from ._logit_map import LogitMap, logit_map
from ._logits import LogitDecomposition, logit_decomposition
from ._neurons import BestIrreps, neuron_irreps
from ._progress import ProgressMeasures
from ._spectra import Spectrum, embedding_spectrum, logit_map_spectrum


@dataclass(frozen=True, eq=False)
class Keys:
    """The key irreps of a checkpoint, with what they were chosen by and what speaks against the choice.

    - `chosen`: those that `rule` names and that explain more of the logits than chance does.
    - `instead_of`: the rule that would have chosen had its choice not left too much of the logits out, see `find_keys`;
      None where it did choose.
    - `logit_share`: the fraction of the logits' variance that is the character of each irrep, key or not.
    - `near_bound`: irreps that are only just key, or only just not; `other_rules`: rules that name others.
    """

    rule: str
    instead_of: str | None
    by_rule: KeyIrreps
    chosen: tuple[int, ...]
    embedding: Spectrum
    logit_map_spectrum: Spectrum
    neurons: BestIrreps
    control: LogitControl
    logit_share: Float[np.ndarray, " irrep"]
    near_bound: tuple[NearBound, ...]
    other_rules: tuple[OtherRule, ...]


def find_keys(snapshot: Snapshot, rule: str | None = None) -> Keys:
    """Choose the key irreps of a checkpoint: one choice for the report, the verdict, the certificate and the probes.

    Those that `rule` names and that are above chance; by default `W_L` in a cyclic group and `logits` in others. A
    quarter of the longest row is a clean cut for few circles of like size, but it cuts off weak ones that matter: where
    what `W_L` chooses makes up less than 85 % of the logits' variance, the default is `logits`, all above chance.
    """
    structure = structure_needed(snapshot.task)
    embedding, map_spectrum, neurons = (
        embedding_spectrum(snapshot),
        logit_map_spectrum(snapshot),
        neuron_irreps(snapshot),
    )
    decomposition = logit_decomposition(snapshot, ())
    control = logit_control(snapshot.logits, Places.of(snapshot.task), decomposition)
    by_rule = key_irreps(map_spectrum, embedding, neurons, control, structure.basis)
    first = rule or ("W_L" if structure.is_cyclic else "logits")
    chosen = tuple(irrep for irrep in by_rule.by_rule(first) if irrep in control.above_chance)
    too_few = rule is None and decomposition.share[list(chosen)].sum() < ENOUGH and chosen != control.above_chance
    used, chosen = ("logits", control.above_chance) if too_few else (first, chosen)
    spectra = {"W_L": map_spectrum, "W_E": embedding}
    return Keys(
        rule=used,
        instead_of=first if too_few else None,
        by_rule=by_rule,
        chosen=chosen,
        embedding=embedding,
        logit_map_spectrum=map_spectrum,
        neurons=neurons,
        control=control,
        logit_share=decomposition.share,
        near_bound=near_bound(used, by_rule, spectra, control, decomposition, structure.basis),
        other_rules=other_rules(by_rule, chosen, decomposition.share),
    )


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
        logits=logit_decomposition(snapshot, keys.chosen),
        attention=attention(snapshot),
        hidden=hidden_shares(snapshot),
        hidden_losses=hidden_losses(progress, snapshot.neurons, keys.chosen),
        cosets=None if structure.is_cyclic else neuron_cosets(snapshot),
        excluded_by_irrep=progress.excluded_by_irrep(),
    )
