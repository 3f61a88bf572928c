"""The figures of a verdict, in the order of its page."""

import numpy as np

from grokinterp.verdict import Verdict

from ._entry import PageFigure
from ._verdict_certificate import certificate_figure
from ._verdict_circles import circles_alone_figure, clock_pizza_figure
from ._verdict_irreps import irreps_and_cosets_figure
from ._verdict_losses import interventions_figure, parts_figure, removals_figure, replacements_figure
from ._verdict_patching import patching_figure
from ._verdict_probes import probes_figure


def _has_circles(verdict: Verdict) -> bool:
    """Circles of a network that has not learned its task are no algorithm."""
    return verdict.judgement.account is not None and any(
        np.isfinite(circle.clockness) for circle in verdict.measured.circles
    )


CLOCK_PIZZA: PageFigure[Verdict] = PageFigure(
    "clock-pizza",
    "Between pizza and clock",
    "A dot is one key frequency's circle, alone in the network's embedding; its size is its share of the logits. "
    "What counts is how much of its amplitude is left where a and b lie opposite each other: a clock, which "
    "multiplies, keeps all of it (1), a pizza, which adds, nothing (0). The diamond is the network, the mean of its "
    "circles by their shares; the shaded ranges are those in which the rules speak of a pizza or a clock.",
    clock_pizza_figure,
    _has_circles,
)
IRREPS_AND_COSETS: PageFigure[Verdict] = PageFigure(
    "irreps-and-cosets",
    "Irreps and cosets",
    "The network with neurons that see of a and b their key irreps alone, or only the cosets they lie in; and logits "
    "that are sums of characters. An account is good if it leaves little of the logits unexplained and the loss as "
    "it is, and the better the fewer numbers it takes to say what a neuron sees. Grey dots are the same for the null "
    "controls.",
    irreps_and_cosets_figure,
    lambda verdict: verdict.judgement.account is not None and "irrep" in verdict.measured.accounts,
)
_LOSSES = (
    "Lines are the network as it is and a uniform guess, ln n; to the right of the guess it does worse than guessing. "
)
OF_VERDICT: tuple[PageFigure[Verdict], ...] = (
    CLOCK_PIZZA,
    PageFigure(
        "circles-alone",
        "Each circle alone",
        "The amplitude with which the logits hold cos(w_k(a + b − c)), by the angle between the points of a and b on "
        "the circle: 0° where they coincide, 180° where they lie opposite. Thick, in the circle's colour: the "
        "network with this circle alone in its embedding. Thin: the network as it is, where other circles may fill a "
        "pizza's holes. Each title gives the amplitude left at opposite points, as a fraction.",
        circles_alone_figure,
        _has_circles,
    ),
    IRREPS_AND_COSETS,
    PageFigure(
        "replacements",
        "Is the circuit enough?",
        "The loss over all pairs with a part of the network replaced by what the account says it is; in the rows "
        f"that say “without”, what the account names is taken out instead. {_LOSSES}Grey marks are the same for the "
        "null controls, with the same keys.",
        replacements_figure,
        lambda verdict: bool(verdict.examination and verdict.examination.replacements),
    ),
    PageFigure(
        "removals",
        "Is each key needed?",
        "The loss with a key taken out of the logits or of the neurons, or with the neurons of a key switched off. "
        f"{_LOSSES}Keys that are needed raise the loss; all others together should not.",
        removals_figure,
        lambda verdict: bool(verdict.examination and len(verdict.examination.frequencies) > 1),
    ),
    PageFigure(
        "parts",
        "Which parts are needed?",
        f"The loss without each part of the last layer, in three ways. {_LOSSES}A part that is needed raises the loss "
        "in all three; one that matters by its mean alone, only when it is set to zero.",
        parts_figure,
        lambda verdict: bool(verdict.examination and len(verdict.examination.parts) > 1),
    ),
    PageFigure(
        "patching",
        "Where is the answer?",
        "The network runs on a pair (a, b), with one activation taken from a partner. If a place holds the answer "
        "and nothing else, a partner with the same answer changes nothing there, and one with another answer brings "
        "its own. An embedding alone makes a mixed pair, such as (a′, b).",
        patching_figure,
        lambda verdict: bool(verdict.examination and any(p.n_pairs for p in verdict.examination.patching)),
    ),
    PageFigure(
        "interventions",
        "What do the neurons do with a and b?",
        "The loss with the neurons' inputs changed: the parts from a and from b exchanged or with their sign turned, "
        "noise N(mean, standard deviation) added, the nonlinearity replaced by the absolute value. "
        f"{_LOSSES}Where only the relation of the two parts counts, as Stander et al. 2024 found in S_5, turning one "
        "sign ruins the network and turning both does not.",
        interventions_figure,
        lambda verdict: bool(verdict.examination and len(verdict.examination.interventions) > 1),
    ),
    PageFigure(
        "certificate",
        "What is proved",
        "Above, the share of all inputs that is proved to be answered right from the key frequencies or irreps and "
        "the weights, without evaluating every logit; the work is the multiplications, of those that evaluating them "
        "all takes. Below them the accuracy measured so; the dotted line is guessing. “Idealised” takes the logits of "
        "the explanation and bounds how far the network's are from them, “by answer” at once for all pairs with the "
        "same answer; “projected” takes what the network itself writes along the keys and bounds the rest; "
        "“refined” takes further directions in. Under that, for each answer the proved distance by which its logit "
        "leads at its hardest input: above 0, all its inputs are proved.",
        certificate_figure,
        lambda verdict: bool(verdict.certificate and verdict.certificate.proofs),
    ),
    PageFigure(
        "probes",
        "Where can the angles be read?",
        "How well a linear probe that reads few features tells the angle of a, of b or of a + b at each key "
        "frequency, on values it has not been fitted on: R² is 1 if it is exact, 0 if it says nothing. The angle of "
        "a + b should be absent from the embeddings and appear in few neurons. Titles name the place and what is read "
        "there. Dashed: the same with labels that are permuted, and so are no angle.",
        probes_figure,
        lambda verdict: bool(verdict.probes and verdict.probes.paths),
    ),
)


def verdict_figures(verdict: Verdict) -> tuple[PageFigure[Verdict], ...]:
    """The figures that a verdict has numbers for."""
    return tuple(entry for entry in OF_VERDICT if entry.applies(verdict))


def leading_figure(verdict: Verdict) -> tuple[PageFigure[Verdict], ...]:
    """The figure that leads a page: the circles' line, or irreps beside cosets; none where it names neither."""
    if verdict.label == "unexplained":
        return ()
    return tuple(entry for entry in (CLOCK_PIZZA, IRREPS_AND_COSETS) if entry.applies(verdict))[:1]
