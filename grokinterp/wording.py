"""Numbers and lists as a reader writes them."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None) -> str:
    """Three digits, as a reader writes them.

    >>> number(0.04567), number(2.4122e-7), number(None), number(0.0)
    ('0.0457', '2.41 × 10⁻⁷', '–', '0')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        return f"{value:#.3g}".rstrip(".") if abs(value) < 999.5 else f"{value:,.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def step_named(step: int | None) -> str:
    """A step as a reader writes it.

    >>> step_named(14_000), step_named(None)
    ('step 14,000', 'step unknown')
    """
    return "step unknown" if step is None else f"step {step:,}"


def percent(fraction: float | None) -> str:
    """A fraction in percent: 100 % is said of a whole only.

    >>> percent(1.0), percent(0.99996), percent(0.5), percent(2e-9), percent(None)
    ('100 %', '99.99 %', '50.0 %', '2.00 × 10⁻⁷ %', '–')
    """
    if fraction is None or not math.isfinite(fraction):
        return "–"
    if 0.9995 <= fraction < 1:
        return f"{math.floor(fraction * 1e4) / 100:.2f} %"
    if abs(fraction) < 1e-5:
        return f"{number(100 * fraction)} %"
    return "100 %" if fraction == 1 else f"{100 * fraction:.3g} %" if fraction < 0.1 else f"{100 * fraction:.1f} %"


def listed(items: Sequence[object]) -> str:
    """A list in a sentence.

    >>> listed([14, 35, 41]), listed(["one"]), listed([])
    ('14, 35 and 41', 'one', 'none')
    """
    words = [str(item) for item in items]
    if len(words) < 2:
        return words[0] if words else "none"
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "circle"), counted(5, "frequency")
    ('1 circle', '5 frequencies')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


@dataclass(frozen=True)
class Quantity:
    """A number of the kind "so much of the network is explained": its one name, its formula, and where it is printed.

    docs/mathematics.md has the same table. L are the logits, L̃ = L − mean over c, s the answer's element, d the
    distance of the inputs' elements, K the keys, L' the logits of what stands in the network's place.
    """

    name: str
    formula: str
    where: str


# Several numbers say how much of its logits, or of its loss, an explanation gives. No two of them are called the same.
QUANTITIES: dict[str, Quantity] = {
    "cosines": Quantity(
        "cosine share",
        "Σ_K ⟨C_k, L⟩² / ‖L̃‖², C_k ∝ cos(w_k(s − c)): one amplitude per frequency",
        "finding, table of keys, `logits.variance_explained`, `logit_variance_explained`, account `clock`",
    ),
    "characters": Quantity(
        "character share",
        "Σ_K ⟨C_ρ, L⟩² / ‖L̃‖², C_ρ ∝ χ_ρ(s c⁻¹): the cosine share of a group that is not cyclic",
        "the same, account `characters`",
    ),
    "pizza": Quantity(
        "pizza fit",
        "1 − ‖L̃ − Σ_K (β_k |cos(w_k d/2)| − γ_k cos(w_k d)) cos(w_k(s − c))‖² / ‖L̃‖², by least squares",
        "account `pizza`",
    ),
    "mixed": Quantity(
        "clock-and-pizza fit",
        "1 − ‖L̃ − Σ_K (α_k + β_k |cos(w_k d/2)| − γ_k cos(w_k d)) cos(w_k(s − c))‖² / ‖L̃‖², by least squares",
        "account `mixed`; by frequency `circles[].share`",
    ),
    "restricted": Quantity(
        "ellipse fit",
        "1 − ‖L̃ − b_c − Σ_K (cos w_k c, sin w_k c) M_k (cos w_k s, sin w_k s)ᵀ‖² / ‖L̃‖², M_k by least squares",
        "account `restricted`",
    ),
    "read_out": Quantity(
        "read-out fit",
        "1 − ‖L̃ − b_c − Σ_k (cos w_k s · u_k(c) + sin w_k s · v_k(c))‖² / ‖L̃‖², any u_k, v_k, at the strongest k of s",
        "account `read_out`",
    ),
    "sum": Quantity(
        "share kept by the average over equal answers",
        "1 − ‖L̃ − M(s)‖² / ‖L̃‖², M(s) the mean of L̃ over all pairs with the answer s",
        "account `sum`",
    ),
    "of_sum": Quantity(
        "share of the sum",
        "Σ_s n_s ‖M(s) − M‖² / Σ ‖L̃ − M‖², M(s) the mean over the n_s pairs with the answer s, M over all pairs",
        "`stages.sum.logits_share`, `stages_over_training.checkpoints[].logits_share`",
    ),
    "cosets": Quantity(
        "residue fit",
        "1 − ‖L̃ − Σ_m g_m(s mod m, c mod m)‖² / ‖L̃‖², any g_m, over proper divisors m of n",
        "account `cosets`",
    ),
    "lookup": Quantity("table fit", "1 − ‖L̃ − α([c = s] − 1/n)‖² / ‖L̃‖², by least squares", "account `lookup`"),
    "chinese_remainder": Quantity(
        "share kept by simple neurons",
        "1 − ‖L̃' − L̃‖² / ‖L̃₀ − L̃‖², L' with neurons that see cos(w_f a + φ), cos(w_f b + φ′), L₀ their mean input",
        "account `chinese_remainder`",
    ),
    "quadrature": Quantity(
        "share predicted by quadrature",
        "1 − ‖L̃ − Σ_K f_k(d) cos(w_k(s − c))‖² / ‖L̃‖², f_k from the neurons' weights, no fit",
        "account `quadrature`",
    ),
    "neurons_add": Quantity(
        "share kept by neurons that add",
        "the same, L' with neurons that see a sum of functions of a and of b at the frequencies f and 2f",
        "account `neurons_add`",
    ),
    "neurons_multiply": Quantity(
        "share kept by neurons that multiply",
        "the same, L' with neurons that see products of these functions as well",
        "account `neurons_multiply`",
    ),
    "irrep": Quantity(
        "share kept by neurons that see irreps",
        "1 − ‖L̃' − L̃‖² / ‖L̃₀ − L̃‖², L' with neurons that see the key irreps alone, L₀ with their mean input",
        "account `irrep`",
    ),
    "coset": Quantity(
        "share kept by neurons that see cosets",
        "the same, L' with neurons that see two subgroups' cosets alone",
        "account `coset`",
    ),
    "even": Quantity(
        "share kept by neurons that see ±a and ±b",
        "the same, L' with neurons that see functions that are the same for x and −x",
        "account `even`, of tasks such as a² + b²",
    ),
    "squares": Quantity(
        "share kept by simple neurons of squares",
        "the same, L' with neurons that see cos(w_f a² + φ), cos(w_f b² + φ′)",
        "account `squares`, of the same tasks",
    ),
    "products": Quantity(
        "share kept by neurons that multiply squares",
        "the same, L' with neurons that see products of these functions as well",
        "account `products`, of the same tasks",
    ),
    "norm": Quantity(
        "share kept by neurons that see the factors of the form",
        "the same, L' with neurons that see functions of a − ωb and of a − ω²b, 1 + ω + ω² = 0",
        "account `norm`, of a² + ab + b² where −3 is a square mod p",
    ),
    "characters_of_squares": Quantity(
        "share kept by neurons that see quadratic characters",
        "the same, L' with neurons that see whether a and b are zero, squares or neither",
        "account `characters_of_squares`, of the same tasks",
    ),
    "averaged": Quantity(
        "share kept with averaged embeddings",
        "1 − ‖L̃' − L̃‖² / ‖L̃‖², L' with E_a, E_b ← (E_a + E_b)/2",
        "evidence of a verdict, `averaged_embeddings`",
    ),
    "replaced": Quantity(
        "share kept with a part replaced",
        "1 − ‖L̃' − L̃‖² / ‖L̃‖²",
        "`replacements[].variance_explained`",
    ),
    "loss": Quantity(
        "loss recovered",
        "(ln n − ℓ(L')) / (ln n − ℓ(L)): 0 % for guessing, 100 % for the network's own loss, more for a lower one",
        "every account, `loss_recovered`",
    ),
}
# Which of them an account's `explained` is.
OF_ACCOUNTS = {
    "clock": "cosines",
    "pizza": "pizza",
    "mixed": "mixed",
    "restricted": "restricted",
    "read_out": "read_out",
    "sum": "sum",
    "chinese_remainder": "chinese_remainder",
    "neurons_add": "neurons_add",
    "neurons_multiply": "neurons_multiply",
    "quadrature": "quadrature",
    "cosets": "cosets",
    "even": "even",
    "squares": "squares",
    "products": "products",
    "norm": "norm",
    "characters_of_squares": "characters_of_squares",
    "lookup": "lookup",
    "characters": "characters",
    "irrep": "irrep",
    "coset": "coset",
}
_DIFFERENCES = (
    (
        ("cosines", "mixed"),
        "The clock-and-pizza fit is at least the cosine share: it lets the amplitude of a cosine depend on the "
        "distance of a and b, and the cosine share does not.",
    ),
    (
        ("cosines", "pizza"),
        "The pizza fit is not the cosine share: it lets the amplitude of a cosine fall with the distance of a and b, "
        "and the cosine share has one amplitude for all of them.",
    ),
    (
        ("characters", "irrep"),
        "The character share says how much of the logits has the form of characters; the share kept by neurons that "
        "see irreps or cosets says what the neurons need to see, whatever form the logits have.",
    ),
)


def share_of_account(account: str) -> str:
    """What the share that an account gives is called; one that is not of this package's has its own.

    >>> share_of_account("clock"), share_of_account("mixed"), share_of_account("mine")
    ('cosine share', 'clock-and-pizza fit', 'share given by mine')
    """
    return QUANTITIES[OF_ACCOUNTS[account]].name if account in OF_ACCOUNTS else f"share given by {account}"


def character_share(is_cyclic: bool) -> str:
    """What the logits' share of variance in characters is called: those of a cyclic group are cosines."""
    return QUANTITIES["cosines" if is_cyclic else "characters"].name


def why_they_differ(quantities: Collection[str]) -> list[str]:
    """Sentences on why shares that stand on one page are not the same number, by their keys in `QUANTITIES`.

    >>> len(why_they_differ(["cosines"])), len(why_they_differ(["cosines", "pizza", "mixed"]))
    (0, 2)
    """
    seen = {"irrep" if quantity == "coset" else quantity for quantity in quantities}
    return [sentence for both, sentence in _DIFFERENCES if seen >= set(both)]


def loss_recovered(value: float) -> str:
    """The loss recovered, and what it says where it is not between guessing and the network's own loss.

    >>> loss_recovered(0.995), loss_recovered(float("nan"))
    ('loss recovered 99.5 %', 'loss recovered –')
    >>> loss_recovered(1.687)
    "loss recovered 168.7 % (above 100 %: a lower loss than the network's)"
    >>> loss_recovered(-0.25)
    'loss recovered -25 % (below 0 %: worse than guessing)'
    """
    said = f"{QUANTITIES['loss'].name} {percent(value)}"
    if value > 1.0005:
        return f"{said} (above 100 %: a lower loss than the network's)"
    return f"{said} (below 0 %: worse than guessing)" if value < 0 else said
