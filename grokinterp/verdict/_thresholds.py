"""Every number that the verdict is decided by, in one table."""

from grokinterp.analysis import ENOUGH, HOW_FAR_THRESHOLDS, Threshold

# How far a network is comes first (docs/how-far.md). The others are calibrated on the published models (A, B, wd_10-1,
# C113, the mainline) and on networks trained with attention rates between 0 and 1; docs/verdict.md shows where each of
# them lies.
THRESHOLDS: dict[str, Threshold] = {
    **HOW_FAR_THRESHOLDS,
    "explained": Threshold("≥", ENOUGH, "the account predicts the logits", "published networks: .97 to .995"),
    "loss_recovered": Threshold("≥", 0.9, "the account predicts the loss", "published networks: above .99"),
    "answers_alone": Threshold("≥", 0.99, "the account predicts the answers", "as a network that generalises"),
    "works_alone": Threshold("≥", 0.5, "each circle does its own work", "published networks: above .9"),
    "table": Threshold("≥", 0.5, "it looks up", "of a circle's amplitude, by neurons on few pairs; trained networks 0"),
    "product": Threshold(
        "≤", 0.25, "attention multiplies", "amplitude kept with attention held; pizzas 1, filled .5 to .6"
    ),
    "fit": Threshold("≥", 0.98, "the fit over the distance holds", "published networks: above .998"),
    "pizza": Threshold("≤", 0.3, "opposite inputs cancel", "model A −.07, a clock by hand 1.00"),
    "overfilled": Threshold("≥", 1.2, "opposite inputs give more", "circle 42 of the mainline 1.40"),
    "disc": Threshold("≥", 0.5, "one phase between a and b", "published networks 1.00; side by side .1 to .4"),
    "clock": Threshold("≥", 0.7, "a clock by the published criterion", "model B .90, C113 .80, the mainline .74"),
    "additive": Threshold("≥", 0.85, "neurons see a sum", "inputs of the neurons; the mainline .94, model B .94"),
    "multiplied": Threshold("≤", 0.5, "neurons see a product", "inputs of the neurons; products by hand 0"),
    "even": Threshold("≥", 0.85, "x and −x are embedded alike", "tasks of squares; random embeddings .5"),
    "most": Threshold("≥", 0.7, "most circles work in one way", "of what the circles give to the logits"),
    "GS_clock": Threshold(
        "≤", 0.6, "more than E_a + E_b is read", "model B .35; Zhong et al.: clocks below, pizzas near 1"
    ),
    "GS_pizza": Threshold("≥", 0.9, "only E_a + E_b is read", "model A .99; untrained networks too"),
    "averaged_clock": Threshold("≤", 0.8, "more than E_a + E_b is read", "model B .58, C113 .65, the mainline .56"),
    "averaged_pizza": Threshold("≥", 0.95, "only E_a + E_b is read", "model A .9996"),
    "lookup": Threshold("≥", 0.5, "its logits are those of a table", "networks of few circles: below .2"),
    "few_numbers": Threshold("≤", 0.5, "neurons see less than all pairs", "of n²; S_5 .02, D_59 .01 and .24"),
    "rival": Threshold("≤", 0.1, "the rival account leaves ten times more", "residual over the rival's residual"),
}
