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
_SCALE = (
    "0 % is a guess among all answers, whose loss is ln n, 100 % the network's own loss, and more a lower loss than "
    "the network's."
)
_RECOVERED = (
    "ℓ is the mean of −ln softmax(L)_answer over the pairs and the answers in the group, in float64, n the group's "
    f"order. {_SCALE}"
)
_RECOVERED_BY_NEURONS = (
    "ℓ is the mean of −ln softmax(L)_answer over all pairs and all answers, in float64, n the number of answers; L' as "
    f"above. {_SCALE}"
)
_ALONE = "L' are the logits of the account in the network's place."
_REPLACED = (
    "ℓ is the mean of −ln softmax(L')_answer over the pairs of the group, L' the logits of the network so replaced."
)
_KEPT = (
    "L₀ are the logits if every neuron's input is its mean over the pairs. The rest of the network runs on these "
    "inputs; what bypasses the neurons is in L, L' and L₀ and earns the account nothing."
)

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
        "clock-and-pizza fit",
        "1 − ‖L̃ − Σ_{k ∈ K} g_k(d) cos(w_k(s − c))‖² / ‖L̃‖²,  g_k(d) = α_k + β_k |cos(w_k d / 2)| − γ_k cos(w_k d)",
        "L̃ are the logits less their mean over c, over the pairs and answers in the group; s is the answer's element, "
        "d the distance of the inputs' elements, w_k = 2πk/n; α, β and γ by least squares.",
    ),
    "loss_by_circles": Formula(
        "loss recovered by circles",
        "(ln n − ℓ(Σ_k g_k(d) cos(w_k(s − c)))) / (ln n − ℓ(L))",
        _RECOVERED,
    ),
    "answers_by_circles": Formula("answers by circles", "|{(a, b) : argmax_c L'_c = answer}| / n²", _ALONE),
    "logits_as_clock": Formula(
        "cosine share",
        "1 − ‖L̃ − Σ_{k ∈ K} α_k cos(w_k(s − c))‖² / ‖L̃‖²",
        "The amplitude α_k is the same at every distance of the inputs (Nanda et al. 2023).",
    ),
    "logits_as_pizza": Formula(
        "pizza fit",
        "1 − ‖L̃ − Σ_{k ∈ K} (β_k |cos(w_k d / 2)| − γ_k cos(w_k d)) cos(w_k(s − c))‖² / ‖L̃‖²",
        "|cos(w_k d / 2)| is the length of the midpoint of the two inputs on their circle; γ_k is of a pizza of twice "
        "the frequency, which fills its holes (Zhong et al. 2023).",
    ),
    "works_alone": Formula(
        "circles alone",
        "Σ_k share_k · r_k / Σ_k share_k,  r_k = mean_d f_k(d) with W_E ← (P_0 + P_k) W_E, over mean_d f_k(d) as it is",
        "f_k(d) is the amplitude of cos(w_k(s − c)) in the logits at distance d. Each circle is left alone in the "
        "embedding, with the mean, and the network runs as it is. share_k is the circle's part of the "
        "clock-and-pizza fit; r_k is kept between 0 and 1.",
    ),
    "clock_share": Formula(
        "clock share",
        "Σ_k share_k · (o_k / e_k) / Σ_k share_k",
        "f_k(d) = o_k + (e_k − o_k)|c| + h_k(|c| − c²) with c = cos((w_k d − ψ_k) / 2) by least squares, ψ_k the phase "
        "of b's circle, circle k alone in the embedding: e_k and o_k are its amplitudes at equal and at opposite "
        "inputs. 1 for a clock, 0 for a pizza by the published criterion; here o_k / e_k is kept between both, over "
        "the circles of five points or more for which e_k is above 0. share_k is the circle's part of the "
        "clock-and-pizza fit.",
    ),
    "gradient_symmetricity": Formula(
        "gradient symmetricity",
        "mean over (a, b, c) of cos∠(∂L_c/∂E_a, ∂L_c/∂E_b)",
        "E_a and E_b are the embeddings at the places of a and b; over all triples, or a sample where there are many. "
        "A gradient that vanishes has cosine 0; triples where both do are left out (Zhong et al. 2023, §3).",
    ),
    "distance_irrelevance": Formula(
        "distance irrelevance",
        "mean_d std_s M[s, d] / std M,  M[a + b, a − b] = L(a, b)_answer",
        "s and d are the sum and the distance of the inputs' elements (Zhong et al. 2023, §3).",
    ),
    "averaged_embeddings": Formula(
        "share kept with averaged embeddings",
        "1 − ‖L̃' − L̃‖² / ‖L̃‖²,  L' = logits with E_a, E_b ← (E_a + E_b) / 2",
        "A pizza reads nothing but E_a + E_b and stays as it is.",
    ),
    "logits_by_characters": Formula(
        "character share",
        "1 − ‖L̃ − Σ_{ρ ∈ K} α_ρ χ_ρ(s c⁻¹) / χ_ρ(1)‖² / ‖L̃‖²",
        "s is the answer, χ_ρ(g) = trace ρ(g), α by least squares; over the pairs and answers in the group "
        "(Chughtai et al. 2023).",
    ),
    "neurons_by_irreps": Formula(
        "share kept by neurons that see irreps",
        "1 − ‖L̃' − L̃‖² / ‖L̃₀ − L̃‖²,  L' with u(a, b) ← its projection on {1, ρ_ij(a)}_{ρ ∈ K} × {1, ρ_ij(b)}_{ρ ∈ K}",
        f"u is a neuron's input before its non-linearity. {_KEPT}",
    ),
    "loss_by_irreps": Formula("loss recovered by irreps", "(ln n − ℓ(L')) / (ln n − ℓ(L))", _RECOVERED_BY_NEURONS),
    "answers_by_irreps": Formula("answers by irreps", "|{(a, b) : argmax_c L'_c = answer}| / n_pairs", _ALONE),
    "neurons_by_cosets": Formula(
        "share kept by neurons that see cosets",
        "1 − ‖L̃' − L̃‖² / ‖L̃₀ − L̃‖²,  L' with u(a, b) ← its mean over Ha × bK",
        "u is a neuron's input before its non-linearity; H and K are that neuron's own subgroups, on whose right "
        "cosets Ha and left cosets bK its parts from a and from b are most nearly constant (Stander et al. 2024). "
        f"{_KEPT}",
    ),
    "loss_by_cosets": Formula("loss recovered by cosets", "(ln n − ℓ(L')) / (ln n − ℓ(L))", _RECOVERED_BY_NEURONS),
    "answers_by_cosets": Formula("answers by cosets", "|{(a, b) : argmax_c L'_c = answer}| / n_pairs", _ALONE),
    "loss_characters": Formula(
        "cosines or characters for logits",
        "L' = Σ_{ρ ∈ K} α_ρ χ_ρ(s c⁻¹) / χ_ρ(1);  for Z_p Σ_k α_k cos(w_k(s − c))",
        f"Answers outside the group keep their logits, less the mean of the others. {_REPLACED}",
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
        "P projects on the functions of the answer that belong to the part; “all but the keys” is mean(L) + Σ_{ρ ∈ K} "
        "P_ρ L, and likewise for H. ℓ is over the pairs whose answer is in the group.",
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
