"""A circle's way from the embeddings to the logits as edges with strengths; `_paths` says what they are."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["reads", "carries", "writes", "fills"]
# A head fills a circle's hole if at least this share of the circle's mean amplitude there comes with its attention.
FILLS = 0.1


@dataclass(frozen=True)
class CircuitPath:
    """An edge of a circle's way.

    - `freq`: the circle; `kind`, `source`, `target`: see `paths`.
    - `amount`: in logits; of `reads`, a length in the residual stream (root mean square over the pairs).
    - `share`: of F_k; of `reads`, of all that is read.
    """

    freq: int
    kind: Kind
    source: str
    target: str
    amount: float
    share: float


def filled_by(found: Iterable[CircuitPath], freq: int) -> str | None:
    """The head whose attention fills most of the circle's amplitude at opposite inputs; None where none fills any."""
    fills = [path for path in found if path.freq == freq and path.kind == "fills" and path.share >= FILLS]
    return max(fills, key=lambda path: path.share).source if fills else None


def circuit_to_dict(found: Sequence[CircuitPath]) -> list[dict[str, Any]]:
    """As in `verdict.json`: a circle each, with its edges.

    >>> edge = CircuitPath(3, "writes", "MLP", "logits", 5.0, 1.0)
    >>> circuit_to_dict([edge])[0]["amplitude"], circuit_to_dict([edge])[0]["edges"][0]["source"]
    (5.0, 'MLP')
    """
    circles = []
    for freq in dict.fromkeys(path.freq for path in found):
        own = [path for path in found if path.freq == freq]
        edges = [{name: value for name, value in asdict(path).items() if name != "freq"} for path in own]
        written = sum(path.amount for path in own if path.kind == "writes")
        circles.append({"freq": freq, "amplitude": written, "filled_by": filled_by(own, freq), "edges": edges})
    return circles


def read_edges(freq: int, sizes: Mapping[tuple[str, str], float]) -> Iterator[CircuitPath]:
    """What is read, those of more than rounding."""
    total = sum(sizes.values())
    for (source, target), size in sizes.items():
        if size > 1e-6 * total:
            yield CircuitPath(freq, "reads", source, target, size, share_of(size, total))


def share_of(amount: float, of: float) -> float:
    return amount / of if of else math.nan
