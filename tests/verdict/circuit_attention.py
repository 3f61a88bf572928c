"""What attention can make of a circle before any neuron: second harmonics and products, in closed form.

Heads look at a, b and = with p, p and 1 − 2p of their attention. Where the scores of a and b are ±ε cos(w x), the
difference of the two heads is, for what is taken from a place v(x) and up to ε³,

    2ε [p (v_a cos wa + v_b cos wb) − p² (cos wa + cos wb)(v_a + v_b)].

With v = cos, less the same with sines in both places, that is −4εp G_p(d) cos(w s), and with mixed ones
−4εp G_p(d) sin(w s), where G_p(d) = p − (1 − p) cos(w d). So p = ½, no attention to =, makes (1 − cos w d)/2, which is
nothing at equal points and full at opposite ones; p → 0 makes the second harmonic −cos w d of a and of b alone; and
3 G_½ − 2 G_¼ = 1 is a product of a and b.
"""

import numpy as np
from circuit_carriers import Array, Head, transformer
from circuit_circles import circle, pizza_neurons

from grokinterp.runs import Snapshot
from grokinterp.tasks import Task, TaskConfig

PRODUCT = ((0.5, 3.0), (0.25, -2.0))
NEVER = -1000.0  # The score of what is not looked at.
# What heads whose scores are a cosine, or a sine, add to (cos w s, sin w s) of the (cos w x, sin w x) that they take.
_BY_COSINE, _BY_SINE = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [-1.0, 0.0]])


def form_of(shares: tuple[tuple[float, float], ...]) -> tuple[float, float]:
    """Σ weight · G_p as flat − accompanying · cos(w d), for pairs (p, weight)."""
    return sum(weight * p for p, weight in shares), sum(weight * (1 - p) for p, weight in shares)


def attention_heads(
    width: int, place: int, shares: tuple[tuple[float, float], ...], slope: float, to: Array
) -> list[Head]:
    """Four heads per p that add Σ weight · G_p(d) · (cos w s, sin w s) @ `to` ([2, slot + answer]); ε is `slope`."""
    heads = []
    for p, weight in shares:
        to_equals = np.log((1 - 2 * p) / p) if p < 0.5 else NEVER
        for by, gain in ((0, _BY_COSINE), (1, _BY_SINE)):
            for sign in (1.0, -1.0):
                token, value = np.zeros(width), np.zeros((width, 2))
                token[place + by] = sign * slope
                value[place : place + 2] = gain
                scale = -sign * weight / (4 * slope * p)
                heads.append(Head(token, (0.0, 0.0, to_equals), value, scale * to))
    return heads


def network_with_attention(
    n: int,
    freqs: list[int],
    pizzas: list[float],
    fillings: list[float],
    shares: tuple[tuple[float, float], ...],
    *,
    slope: float,
    through_neurons: bool,
    start: float = 0.0,
    phases: int = 10,
) -> Snapshot:
    """Pizzas of amplitude `pizzas`, to which attention adds `fillings` · Σ weight · G_p; through neurons, or past them.

    A head that looks at a and b alike passes both circles on.
    """
    width = 2 * len(freqs)
    slots = 2 * width
    features = np.concatenate([circle(n, k) for k in freqs], axis=1)
    heads, parts = [], []
    if any(pizzas):
        heads.append(Head(np.zeros(width), (0.0, 0.0, NEVER), 2.0 * np.eye(width), np.eye(width, slots + n)))
    for number, (k, pizza, filling) in enumerate(zip(freqs, pizzas, fillings, strict=True)):
        place, answers = 2 * number, circle(n, k)
        if pizza:
            alone = pizza_neurons(width, place, 0.0, pizza * answers, phases=phases, start=start)
            parts.append((np.concatenate([alone.read_a, np.zeros_like(alone.read_a)]), alone.bias, alone.write))
        to = np.zeros((2, slots + n))
        if through_neurons:
            to[:, width + place : width + place + 2] = np.eye(2)
            parts.append(_passed_on(slots, width + place, filling * answers))
        else:
            to[:, slots:] = filling * answers.T
        heads += attention_heads(width, place, shares, slope, to)
    task = Task(TaskConfig(p=n, train_fraction=0.5))
    return transformer(task, features, heads, _together(parts), slots)


def network_that_multiplies(
    n: int, freqs: list[int], amplitudes: list[float], *, slope: float, through_neurons: bool
) -> Snapshot:
    """Separate tokens for b: a's set the attention, b's are what is taken, and p = ½.

    The difference of two heads with scores ±ε cos(w a) is −ε/2 cos(w a) v_b, up to ε³.
    """
    circles = [circle(n, k) for k in freqs]
    each = 2 * len(freqs)
    width, slots = 2 * each, each
    features = np.zeros((2 * n, width))
    features[:n, :each] = features[n:, each:] = np.concatenate(circles, axis=1)
    heads, parts = [], []
    for number, (answers, amplitude) in enumerate(zip(circles, amplitudes, strict=True)):
        place, to = 2 * number, np.zeros((2, slots + n))
        if through_neurons:
            to[:, place : place + 2] = np.eye(2)
            parts.append(_passed_on(slots, place, amplitude * answers))
        else:
            to[:, slots:] = amplitude * answers.T
        for by, gain in ((0, _BY_COSINE), (1, _BY_SINE)):
            for sign in (1.0, -1.0):
                token, value = np.zeros(width), np.zeros((width, 2))
                token[place + by] = sign * slope
                value[each + place : each + place + 2] = gain
                heads.append(Head(token, (0.0, 0.0, NEVER), value, -2 * sign / slope * to))
    task = Task(TaskConfig(p=n, own_tokens_for_b=True, train_fraction=0.5))
    return transformer(task, features, heads, _together(parts), slots)


def _together(parts: list[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array] | None:
    if not parts:
        return None
    read, bias, write = zip(*parts, strict=True)
    return np.concatenate(read, axis=1), np.concatenate(bias), np.concatenate(write)


def _passed_on(slots: int, place: int, pattern: Array, phases: int = 8) -> tuple[Array, Array, Array]:
    """Neurons whose first harmonic passes a point (x, y) on: Σ_φ relu(u_φ · (x, y)) u_φ = phases/4 · (x, y)."""
    phi = 2 * np.pi * np.arange(phases) / phases
    read = np.zeros((slots, phases))
    read[place], read[place + 1] = np.cos(phi), np.sin(phi)
    code = np.stack([np.cos(phi), np.sin(phi)])
    return read, np.zeros(phases), 4 / phases * (pattern @ code).T
