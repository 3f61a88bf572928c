"""The figures of a verdict, in the order of its page."""

import numpy as np

from grokinterp.verdict import Verdict

from ._entry import PageFigure
from ._verdict_certificate import certificate_figure
from ._verdict_circles import circles_alone_figure, clock_pizza_figure
from ._verdict_circuit import circuit_figure, predictions_figure
from ._verdict_irreps import irreps_and_cosets_figure
from ._verdict_losses import interventions_figure, parts_figure, removals_figure, replacements_figure
from ._verdict_over_training import stages_over_training_figure
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
    "A dot is one key frequency's circle, alone in the network's embedding; its size is its part of the "
    "clock-and-pizza fit. "
    "What counts is how much of its amplitude is left where a and b lie opposite each other: nothing in a pizza, "
    "which adds a's and b's point (0), all of it where the hole is filled, or where a and b are multiplied (1), and "
    "more where it is overfilled. The diamond is the network, the mean of its circles by their shares; the shaded "
    "ranges are those of the rules. From the dotted line on, the published criterion, which does not tell filled holes "
    "from products, says clock.",
    clock_pizza_figure,
    _has_circles,
)
IRREPS_AND_COSETS: PageFigure[Verdict] = PageFigure(
    "irreps-and-cosets",
    "Irreps and cosets",
    "The network with neurons that see of a and b their key irreps alone, or only the cosets they lie in; and logits "
    "that are sums of characters. An account is good if little is left over of its "
    "own share (the share kept by neurons that see irreps or cosets, or the character share) and the loss stays as it "
    "is, and the better the fewer numbers it takes to say what a neuron sees. Grey dots are the same for the null "
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
        "the circle, b's turned by the fitted phase: 0° where they coincide, ±180° where they lie opposite. Thick, in "
        "the circle's colour: the network with this circle alone in its embedding. Dashed in that colour: the same "
        "with attention held at its mean. Thin: the network as it is, where other circles may fill a pizza's holes. "
        "Each title says what forms the circle, and the amplitude left at opposite points, as a fraction.",
        circles_alone_figure,
        _has_circles,
    ),
    PageFigure(
        "stages-over-training",
        "The circles, checkpoint by checkpoint",
        "Above, what the network does at each checkpoint: the pairs it answers, how much of its logits is a function "
        "of the sum s, the clock share, how much of the circles' amplitude is kept with attention held at its mean, "
        "and how much of the neurons' input is a sum of a part from a and one from b. Below, how far each circle's "
        "hole is filled: its amplitude at opposite inputs over that at equal ones, 0 for a pizza. The keys are those "
        "of the verdict.",
        stages_over_training_figure,
        lambda verdict: bool(verdict.over_training and len(verdict.over_training.points) > 1),
    ),
    IRREPS_AND_COSETS,
    PageFigure(
        "circuit",
        "How each circle gets to the logits",
        "A colour is a circle, a line's width its share. From a, b or a + b: how much of what is read of the circle. "
        "Into the MLP: by how much the circle's amplitude falls if the neurons do not get it from there; these do not "
        "add up, as neurons are not linear. Into the logits: how much of the amplitude is written there; these add up "
        "to 100 %. Dotted: what a head's attention, beyond its mean, adds to the amplitude at opposite inputs, where a "
        "pizza has a hole. Edges below 5 % are left out, and of deep networks what earlier layers hand on; all are in "
        "verdict.json.",
        circuit_figure,
        lambda verdict: _has_circles(verdict) and bool(verdict.examination and verdict.examination.circuit),
    ),
    PageFigure(
        "predictions",
        "Is what happens to a changed network what was predicted?",
        "Each circle alone says what the network should do without one of the others, or with one of them turned; the "
        "prediction is made before the changed network is run. A margin is the right answer's logit less the largest "
        "other one. The table gives r and slope over all circles, and the share of pairs answered right as predicted / "
        "as measured.",
        predictions_figure,
        lambda verdict: (
            _has_circles(verdict)
            and bool(verdict.examination)
            and any(len(one.predicted) for one in verdict.examination.predictions)
        ),
    ),
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
        "Above, the share of all inputs that exact arithmetic on the weights is proved to answer right, with the key "
        "frequencies or irreps and without evaluating every logit; the work is the multiplications, of those that "
        "evaluating them all takes. “In float32”: for how many of them the rounding of float32 is proved to change "
        "nothing. Below them the accuracy of the network as it runs; the dotted line is guessing. The proof is of the "
        "answers, not of how they are computed: a look-up table can be proved in the same way. “Idealised” takes "
        "idealised logits of the keys and bounds how far the network's are from them, “by answer” at once for all "
        "pairs with the same answer; “projected” takes what the network itself writes along the keys and bounds the "
        "rest; "
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
