"""The figures of the page, in order: those of frequencies, of irreps, and of tasks whose group is not known.

Adding a figure is a function and an entry.
"""

from dataclasses import replace

from grokinterp.analysis import Report
from grokinterp.wording import listed

from ._attention import attention_figure
from ._elements import element_labels
from ._entry import PageFigure
from ._losses import losses_figure
from ._neurons import example_neurons_words
from ._of_frequencies import OF_FREQUENCIES
from ._of_irreps import OF_IRREPS
from ._spectra import singular_values_figure
from ._training import weight_norms_figure

WITHOUT_GROUP: tuple[PageFigure, ...] = (
    PageFigure(
        "losses",
        "Train and test loss",
        "Grokking is a train loss that falls early and a test loss that follows much later.",
        losses_figure,
    ),
    PageFigure(
        "attention",
        "Attention",
        "Attention from {last} to a for all inputs, from none (pale) to all (dark); pairs that have no answer are left "
        "out. Each title states the head's mean attention to {positions}.",
        attention_figure,
    ),
    PageFigure(
        "weight-norms",
        "Size of the weights",
        "The sum of squares of each matrix: weight decay shrinks what is not needed once the network generalises.",
        weight_norms_figure,
    ),
    PageFigure(
        "singular-values",
        "How many directions the embedding uses",
        "Singular values of W_E beside those of a random matrix of the same size. Few values that stand out say that "
        "the network keeps its inputs in few directions.",
        singular_values_figure,
    ),
)


OVER_TRAINING = ("progress", "frequencies-over-training", "irreps-over-training", "weight-norms")


def page_figures(report: Report) -> tuple[PageFigure, ...]:
    """The figures that apply to a report, with captions in the words of its task.

    In captions `{positions}` stands for what the network reads, `{last}` for where it answers, `{elements}` for the
    elements of a cyclic group in order, `{angle}` for the place of a number x on the circle of frequency k,
    `{answer}` for the answer's element, and `{neurons}` for which neurons are drawn.
    """
    circuit = report.in_group
    figures = WITHOUT_GROUP if circuit is None else OF_FREQUENCIES if circuit.structure.is_cyclic else OF_IRREPS
    words = _words(report)
    drawn = [entry for entry in figures if entry.applies(report) and not _would_be_empty(entry, report)]
    return tuple(replace(entry, caption=entry.caption.format(**words)) for entry in drawn)


def _would_be_empty(entry: PageFigure, report: Report) -> bool:
    """Whether a figure has nothing to show: no head, or over training one point, as imported networks often have."""
    if entry.name == "attention":
        return not len(report.mean_attention)
    if len(report.curves.measures) > 1:
        return False
    return entry.name in OVER_TRAINING or (entry.name == "losses" and not len(report.metrics))


def _words(report: Report) -> dict[str, str]:
    task, structure = report.run.task, report.run.task.structure
    words = {"positions": listed(task.positions), "last": task.positions[-1]}
    words |= {"answer": structure.combination if structure else ""}
    words |= {"elements": "0 … p−1", "angle": "kx mod p"}
    words |= {"neurons": example_neurons_words(report) if report.in_group else ""}
    if structure is None or structure.symbol == "{x}":
        return words
    elements = element_labels(task, structure)
    generator = elements[min(1, structure.n - 1)]
    logarithm = f"k·{structure.symbol.format(x='x')} mod {structure.n} (the logarithm to {generator})"
    return words | {"elements": f"the powers of {generator} in order", "angle": logarithm}
