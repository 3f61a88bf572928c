"""What speaks against the choice of the key irreps, in sentences that report and verdict share."""

from grokinterp.tasks import Structure
from grokinterp.wording import character_share, listed, number, percent

from ._circuit import Keys
from ._key_doubts import NearBound, OtherRule

# More names than these are counted; more irreps near a bound than these share a sentence.
MOST_NAMED, MOST_TOLD = 6, 2
_RULES = {
    "W_L": "the rule W_L (neuron-logit map)",
    "W_E": "the rule W_E (embedding)",
    "logits": "the rule logits",
}


def key_doubts(keys: Keys, structure: Structure) -> list[str]:
    """Sentences on a choice that is not the default, on irreps near the bound, and on rules that disagree.

    Empty where there are no key irreps, and where the rules agree and no irrep is near a bound.
    """
    if not keys.chosen:
        return []
    sentences = [_instead(keys, structure)] if keys.instead_of else []
    sentences += _near(keys.near_bound, structure)
    return [*sentences, _disagreement(keys, structure)] if keys.other_rules else sentences


def _named(irreps: tuple[int, ...], structure: Structure) -> str:
    names = [structure.basis.irrep_names[irrep] for irrep in irreps]
    more = len(names) - MOST_NAMED
    return listed([*names[:MOST_NAMED], f"{more} others"] if more > 1 else names)


def _instead(keys: Keys, structure: Structure) -> str:
    left_out = next(other for other in keys.other_rules if other.rule == keys.instead_of)
    return (
        f"Its key {structure.irrep_words} are all those above chance: the rule {keys.instead_of} leaves out "
        f"{_named(left_out.lacks, structure)} ({_share(left_out.lacks_share, structure)})."
    )


def _near(found: tuple[NearBound, ...], structure: Structure) -> list[str]:
    if len(found) <= MOST_TOLD:
        return [_one_near(one, structure) for one in found]
    parts = []
    for chosen, verdict in ((True, "only just key"), (False, "only just not")):
        some = [one for one in found if one.chosen == chosen]
        if some:
            named, share = _named(tuple(one.irrep for one in some), structure), sum(one.share for one in some)
            parts.append(f"{named} {'is' if len(some) == 1 else 'are'} {verdict} ({_share(share, structure)})")
    return [f"{len(found)} {structure.irrep_words} are near the bound: {'; '.join(parts)}."]


def _one_near(one: NearBound, structure: Structure) -> str:
    name, verdict = structure.basis.irrep_names[one.irrep], "only just key" if one.chosen else "only just not key"
    what = (
        f"its logit similarity is {number(one.value)}, and what is above {number(one.bound)} is above chance"
        if one.measure == "chance"
        else f"its longest row in {one.measure} is {number(one.value)} of the longest, and over {one.bound:g} is key"
    )
    return f"{structure.irrep_word.capitalize()} {name} is {verdict}: {what} ({_share(one.share, structure)})."


def _disagreement(keys: Keys, structure: Structure) -> str:
    parts = [_difference(other, structure) for other in keys.other_rules]
    chosen = float(keys.logit_share[list(keys.chosen)].sum())
    return (
        f"The rules for key {structure.irrep_words} disagree. Those chosen: {_share(chosen, structure)}; "
        f"{'; '.join(parts)}."
    )


def _difference(other: OtherRule, structure: Structure) -> str:
    parts = []
    if other.also:
        parts.append(f"also names {_named(other.also, structure)} ({_share(other.also_share, structure)})")
    if other.lacks:
        parts.append(f"leaves out {_named(other.lacks, structure)} ({_share(other.lacks_share, structure)})")
    return f"{_RULES[other.rule]} {' and '.join(parts)}"


def _share(value: float, structure: Structure) -> str:
    """The shares of some irreps together; what is below the grain of float32 logits is not told to the digit."""
    told = "under 0.001 %" if value < 1e-5 else percent(value)
    return f"{character_share(structure.is_cyclic)} {told}"
