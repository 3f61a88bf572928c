"""How each number of the evidence is computed: one formula per row, to which its number on the page links."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """`name` says what it is of, `formula` is it, `words` what its signs mean."""

    name: str
    formula: str
    words: str


_ACCURACY = "L(a, b) are the logits over the answers c; the logit of =, where there is one, is left out."
_RECOVERED = (
    "ℓ is the mean of −ln softmax(L)_answer over the pairs of the group, in float64; ln n is the loss of a guess."
)
_REPLACED = "ℓ is the mean of −ln softmax(L')_answer over all pairs, L' the logits of the network so replaced."

FORMULAS: dict[str, Formula] = {
    "train_accuracy": Formula(
        "train accuracy", "|{(a, b) ∈ train : argmax_c L(a, b)_c = answer}| / |train|", _ACCURACY
    ),
    "test_accuracy": Formula("test accuracy", "|{(a, b) ∈ test : argmax_c L(a, b)_c = answer}| / |test|", _ACCURACY),
    "all_accuracy": Formula("accuracy on all pairs", "|{(a, b) : argmax_c L(a, b)_c = answer}| / n_pairs", _ACCURACY),
    "clustered_neurons": Formula(
        "clustered neurons",
        "|{m : max_{ρ ∈ K} share_ρ(m) ≥ 0.85}| / d_mlp,  "
        "share_ρ(m) = (‖P_{ρ,1} m‖² + ‖P_{1,ρ} m‖² + ‖P_{ρ,ρ} m‖²) / ‖m − mean‖²",
        "m(a, b) is a neuron after its non-linearity, P_{ρ,σ} projects on the functions of irrep ρ in a and σ in b "
        "(1: the constant); for frequency k these are cos and sin of w_k a and w_k b (Nanda et al. 2023, §4.1).",
    ),
    "embedding_in_keys": Formula(
        "embedding in the keys",
        "Σ_{ρ ∈ K} ‖F_ρ W_E‖² / Σ_{ρ ≠ 1} ‖F_ρ W_E‖²",
        "F_ρ are the rows of the orthonormal Fourier basis that belong to ρ, applied along the group's elements.",
    ),
    "W_L_in_keys": Formula(
        "W_L in the keys",
        "Σ_{ρ ∈ K} ‖F_ρ W_L‖² / Σ_{ρ ≠ 1} ‖F_ρ W_L‖²,  W_L = (W_out W_U)ᵀ",
        "F_ρ are the rows of the orthonormal Fourier basis that belong to ρ, applied along the answers.",
    ),
    "logits_by_circles": Formula(
        "logits by circles",
        "1 − ‖L̃ − Σ_{k ∈ K} g_k(d) cos(w_k(s − c))‖² / ‖L̃‖²,  g_k(d) = α_k + β_k |cos(w_k d / 2)| − γ_k cos(w_k d)",
        "L̃ are the logits less their mean over c, s the answer's element, d the distance of the inputs' elements, "
        "w_k = 2πk/n; α, β and γ by least squares.",
    ),
    "loss_by_circles": Formula(
        "loss recovered by circles",
        "(ln n − ℓ(Σ_k g_k(d) cos(w_k(s − c)))) / (ln n − ℓ(L))",
        _RECOVERED,
    ),
    "logits_as_clock": Formula(
        "logits as a clock's",
        "1 − ‖L̃ − Σ_{k ∈ K} α_k cos(w_k(s − c))‖² / ‖L̃‖²",
        "The amplitude α_k is the same at every distance of the inputs (Nanda et al. 2023).",
    ),
    "logits_as_pizza": Formula(
        "logits as a pizza's",
        "1 − ‖L̃ − Σ_{k ∈ K} (β_k |cos(w_k d / 2)| − γ_k cos(w_k d)) cos(w_k(s − c))‖² / ‖L̃‖²",
        "|cos(w_k d / 2)| is the length of the midpoint of the two inputs on their circle; γ_k is of a pizza of twice "
        "the frequency, which fills its holes (Zhong et al. 2023).",
    ),
    "works_alone": Formula(
        "circles alone",
        "Σ_k share_k · r_k / Σ_k share_k,  r_k = mean_d f_k(d) with W_E ← (P_0 + P_k) W_E, over mean_d f_k(d) as it is",
        "f_k(d) is the amplitude of cos(w_k(s − c)) in the logits at distance d. Each circle is left alone in the "
        "embedding, with the mean, and the network runs as it is. Weights are the circles' shares of the logits; r_k "
        "is kept between 0 and 1.",
    ),
    "clock_share": Formula(
        "clock share",
        "Σ_k share_k · (o_k / e_k) / Σ_k share_k",
        "f_k(d) = o_k + (e_k − o_k)|cos(w_k d / 2)| by least squares, circle k alone in the embedding: e_k and o_k are "
        "its amplitudes at equal and at opposite inputs. 1 for a clock, 0 for a pizza; kept between both.",
    ),
    "gradient_symmetricity": Formula(
        "gradient symmetricity",
        "mean over (a, b, c) of cos∠(∂L_c/∂E_a, ∂L_c/∂E_b)",
        "E_a and E_b are the embeddings at the places of a and b; over all triples, or a sample where there are many "
        "(Zhong et al. 2023, §3).",
    ),
    "distance_irrelevance": Formula(
        "distance irrelevance",
        "mean_d std_s M[s, d] / std M,  M[a + b, a − b] = L(a, b)_answer",
        "s and d are the sum and the distance of the inputs' elements (Zhong et al. 2023, §3).",
    ),
    "averaged_embeddings": Formula(
        "averaged embeddings",
        "1 − ‖L̃' − L̃‖² / ‖L̃‖²,  L' = logits with E_a, E_b ← (E_a + E_b) / 2",
        "A pizza reads nothing but E_a + E_b and stays as it is.",
    ),
    "logits_by_characters": Formula(
        "logits by characters",
        "1 − ‖L̃ − Σ_{ρ ∈ K} α_ρ χ_ρ(s c⁻¹) / χ_ρ(1)‖² / ‖L̃‖²",
        "s is the answer, χ_ρ(g) = trace ρ(g), α by least squares (Chughtai et al. 2023).",
    ),
    "neurons_by_irreps": Formula(
        "neurons by irreps",
        "1 − ‖L̃' − L̃‖² / ‖L̃‖²,  every neuron's input from a and b ← its projection on the key irreps",
        "The rest of the network runs on that; what goes past the neurons earns the account nothing.",
    ),
    "loss_by_irreps": Formula("loss recovered by irreps", "(ln n − ℓ(L')) / (ln n − ℓ(L))", _RECOVERED),
    "neurons_by_cosets": Formula(
        "neurons by cosets",
        "1 − ‖L̃' − L̃‖² / ‖L̃‖²,  every neuron's input from a and b ← its mean over each coset of its own subgroup",
        "The rest of the network runs on that (Stander et al. 2024).",
    ),
    "loss_by_cosets": Formula("loss recovered by cosets", "(ln n − ℓ(L')) / (ln n − ℓ(L))", _RECOVERED),
    "loss_characters": Formula(
        "cosines or characters for logits",
        "L' = Σ_{ρ ∈ K} α_ρ χ_ρ(s c⁻¹) / χ_ρ(1);  for Z_p Σ_k α_k cos(w_k(s − c))",
        _REPLACED,
    ),
    "loss_answer_functions": Formula(
        "restricted loss", "L' = mean(L) + Σ_{ρ ∈ K} P_ρ L, P_ρ on functions of the answer", _REPLACED
    ),
    "loss_blocks": Formula(
        "key blocks", "L'_c = projection of L_c on {1, ρ_ij(a)} × {1, ρ_ij(b)} for all ρ ∈ K", _REPLACED
    ),
    "loss_polynomials": Formula(
        "polynomials for neurons",
        "m ← projection of m on {1, ρ_ij(a)} × {1, ρ_ij(b)} of its own ρ, if share_ρ(m) ≥ 0.85",
        _REPLACED,
    ),
    "loss_W_L_directions": Formula(
        "key directions of W_L", "H ← H Q Qᵀ, Q an orthonormal basis of the rows of F_ρ W_L, ρ ∈ K", _REPLACED
    ),
    "loss_W_L_null_space": Formula("their null space", "H ← H − H Q Qᵀ", _REPLACED),
    "loss_embedding_keys": Formula("key irreps of the embedding alone", "W_E ← (P_1 + Σ_{ρ ∈ K} P_ρ) W_E", _REPLACED),
    "loss_embedding_without_keys": Formula("embedding without the keys", "W_E ← W_E − Σ_{ρ ∈ K} P_ρ W_E", _REPLACED),
    "loss_without": Formula(
        "loss without a part",
        "logits: L' = L − P L;  neurons: H ← H − P H;  zero: H_m ← 0;  mean: H_m ← mean over all pairs",
        f"P projects on the functions of the answer that belong to the part. {_REPLACED}",
    ),
}


def formula_key(name: str) -> str:
    """The entry of `FORMULAS` for a row of evidence; all removals share one.

    >>> formula_key("loss_without_frequency_14_logits"), formula_key("clock_share")
    ('loss_without', 'clock_share')
    """
    return "loss_without" if name.startswith("loss_without_") else name


def glossary(names: Iterable[str]) -> list[tuple[str, Formula]]:
    """The formulas of these rows, in their order, each once."""
    keys = dict.fromkeys(formula_key(name) for name in names)
    return [(key, FORMULAS[key]) for key in keys if key in FORMULAS]
