"""What the explorer's part of the page says, as the template writes it."""

from dataclasses import dataclass

from markupsafe import Markup

from grokinterp.analysis import Report

from ._explorer import Explorer
from ._still import still_pictures

_ROUNDED = {
    "weights": "the page computes what they do, from weights rounded for drawing (most to 8 bits), so that what stands "
    "under these drawings is good to one or two percent.",
    "activations": "the page has what they do, rounded for drawing to a 254th of the largest value.",
}


@dataclass(frozen=True)
class ExplorerTexts:
    """What the template writes.

    - `steps`, `left_out`: the slider's, and how many other checkpoints there are; `reason`: why it has no forward.
    - `rounded`: where drawn activations come from and how exact they are.
    - `attention_from`: the position that is read, empty where no head attends.
    - `maps`: matrix and title of the maps of irrep by step; `circles`: whether there are circles to draw.
    - `orders`: value and words of each order of the pairs.
    - `input`: `number`, or `text` where elements have names.
    - `pictures`: what is seen without JavaScript.
    """

    steps: list[int]
    left_out: int
    reason: str | None
    rounded: str
    attention_from: str
    maps: list[tuple[str, str]]
    circles: bool
    d_mlp: int
    word: str
    word_plural: str
    combination: str
    orders: list[tuple[str, str]]
    input: str
    has_curves: bool
    map_caption: str
    neurons_caption: str
    two_caption: str
    orders_caption: str
    logits_caption: str
    pictures: Markup


def explorer_texts(report: Report, explored: Explorer) -> ExplorerTexts:
    """The texts that go with the explorer's data."""
    structure, content = report.run.task.structure, explored.content
    word, words = (structure.irrep_word, structure.irrep_words) if structure else ("", "")
    keyed = bool(content["keys"])
    what = structure.combination if structure else "answer"
    orders = [("pairs", "a, b"), ("answer", f"rows {what}")]
    if structure:
        orders.append(("quotient", f"rows {_quotient(report)}"))
    titles = {"W_E": f"{words.capitalize()} in the embedding", "W_L": f"{words.capitalize()} in the neuron-logit map"}
    colours = f"Colour: its key {word}; grey, another. " if keyed else ""
    area = f"A square's area is how much of the neuron's variance its best {word} explains. " if structure else ""
    waves = (
        f"Above, each key {word}'s wave over c, of the amplitude that it has in all logits at this step; they agree at "
        "the answer. Below, their sum (line or dots) over the network's own logits (bars)."
        if keyed
        else "The network's own logits, less their mean."
    )
    layers = report.run.config.model.n_layers
    layer = f"Of the last of {layers} layers. " if layers > 1 else ""
    angle = ", coloured by the first neuron's angle" if structure and structure.is_cyclic else ""
    curves = content["curves"]
    has_curves = len(curves["step"]) > 1 or len(curves.get("dense", {}).get("train_loss", {}).get("step", [])) > 1
    plain = content["labels"] == [str(i) for i in range(len(content["labels"]))]
    return ExplorerTexts(
        steps=explored.steps,
        left_out=content["left_out"],
        reason=content["reason"],
        maps=[(name, titles[name]) for name in content["maps"]],
        circles="circles" in content["layout"],
        d_mlp=report.run.config.model.d_mlp,
        word=word,
        word_plural=words,
        combination=what,
        orders=orders,
        input="number" if plain else "text",
        has_curves=has_curves,
        map_caption=f"Norm of each {word}. Click a column to go to its step.",
        rounded=_ROUNDED[content["form"] or "weights"],
        attention_from=content["model"]["positions"][-1] if content["model"]["heads"] else "",
        two_caption=f"Specks are pairs; dots are means over all pairs with the same value of what is chosen{angle}.",
        neurons_caption=f"{layer}{colours}{area}Click one, or use arrow keys; shift-click puts one beside it (dashed).",
        orders_caption="Sorted by what decides the answer, a neuron (or logit) that depends on that alone is constant "
        "along every row. Click a pair to see its logits below.",
        logits_caption=waves,
        pictures=still_pictures(report),
    )


def _quotient(report: Report) -> str:
    """What the answer is not: a − b for a sum, a + b for a difference."""
    structure = report.run.task.structure
    assert structure
    if not structure.is_cyclic:
        return "ab" if structure.inverts_b else "ab⁻¹"
    sign = "+" if structure.inverts_b else "−"
    return f"{structure.symbol.format(x='a')} {sign} {structure.symbol.format(x='b')}"
