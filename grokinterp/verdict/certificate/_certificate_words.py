"""The certificate in words: what is proved, in which arithmetic, what is measured, and what no proof here says."""

from typing import TYPE_CHECKING

from grokinterp.tasks import Structure, Task
from grokinterp.wording import listed, percent

if TYPE_CHECKING:
    from ._certificate import Certificate

# Said wherever something is proved: a certificate is no evidence for an algorithm.
NO_TEST = "This proves the answers, not how they are computed: a look-up table can be proved in the same way."


def certificate_words(found: "Certificate", structure: Structure, task: Task) -> str:
    """Sentences for the terminal and the report."""
    measured = f"measured in float32: {percent(found.accuracy_float32)}"
    if not found.keys:
        return f"No accuracy is proved: there is no key {structure.irrep_word} to prove it with ({measured})."
    names = [structure.basis.irrep_names[irrep] for irrep in found.keys]
    word = structure.irrep_word if len(names) == 1 else structure.irrep_words
    source = f"the key {word} {listed(names)}"
    if found.is_vacuous:
        return (
            f"No accuracy above guessing is proved: with {source} {percent(found.lower_bound)} of all "
            f"{task.n_pairs:,} inputs are proved to be answered right in exact arithmetic ({measured}; guessing gives "
            f"{percent(found.chance)}).{_overturned(found)}"
        )
    last = found.proofs[-1]
    if last.name == "refined":
        more = last.directions - found.proofs[0].directions
        source += f" and {more} directions that they do not name ({percent(found.explained_bound)} without these)"
    by_ideal = next(proof.lower_bound for proof in found.proofs if proof.name == "idealised")
    return (
        f"With {source} it is proved that exact arithmetic on the stored weights answers {_share(found.lower_bound)} "
        f"{task.n_pairs:,} inputs right, and float32 {_in_float32(found)} ({measured}).{_overturned(found)} The proof "
        f"takes {percent(found.ratio)} of the multiplications of evaluating every logit; idealised logits with the "
        f"deviation from them prove {percent(by_ideal)}. {NO_TEST}"
    )


def _share(bound: float) -> str:
    return "all" if bound == 1 else f"at least {percent(bound)} of all"


def _in_float32(found: "Certificate") -> str:
    if not found.certified_float32.any():
        return "none of them for certain, as its rounding may be larger than what is proved of the logits' distance"
    return "all of them" if found.lower_bound_float32 == 1 else f"at least {percent(found.lower_bound_float32)}"


def _overturned(found: "Certificate") -> str:
    """What is proved of exact arithmetic and measured of float32 may differ, and then the reader must know."""
    if not found.overturned:
        return ""
    what = "input that is" if found.overturned == 1 else "inputs that are"
    return (
        f" The network as it runs answers {found.overturned:,} {what} proved for exact arithmetic wrong: there the "
        "rounding of float32 decides."
    )
