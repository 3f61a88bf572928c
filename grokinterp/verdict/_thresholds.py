"""Every number that the verdict is decided by, in one table."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Threshold:
    """A bound, what reaching it says, and why it lies there."""

    sign: Literal["≥", "≤"]
    bound: float
    says: str
    why: str

    def holds(self, value: float) -> bool:
        """Whether `value` reaches the bound; NaN does not."""
        return value >= self.bound if self.sign == "≥" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"


# Calibrated on the published models (A, B, wd_10-1, C113, the mainline) and on networks trained with attention rates
# between 0 and 1; docs/verdict.md shows where each of them lies.
THRESHOLDS: dict[str, Threshold] = {
    "knows_train": Threshold("≥", 0.99, "knows its train pairs", "one pair in a hundred may be wrong"),
    "generalises": Threshold("≥", 0.99, "answers pairs it has not seen", "as the accuracy at which a run has grokked"),
    "memorised": Threshold("≤", 0.9, "does not answer pairs it has not seen", "above it, it is on its way"),
    "explained": Threshold("≥", 0.85, "the account predicts the logits", "published networks: .97 to .995"),
    "loss_recovered": Threshold("≥", 0.9, "the account predicts the answers", "published networks: above .99"),
    "works_alone": Threshold("≥", 0.5, "each circle does its own work", "published networks: above .9"),
    "clock": Threshold("≥", 0.7, "circles work as a clock's", "model B .90, C113 .80, the mainline .74"),
    "pizza": Threshold("≤", 0.3, "circles work as a pizza's", "model A .00"),
    "GS_clock": Threshold("≤", 0.6, "inputs are multiplied", "model B .35; Zhong et al.: clocks below, pizzas near 1"),
    "GS_pizza": Threshold("≥", 0.9, "inputs are added", "model A .99; untrained networks too"),
    "DI_clock": Threshold("≥", 0.6, "the distance does not matter", "Zhong et al.: clocks above .4; model B .85"),
    "DI_pizza": Threshold("≤", 0.4, "the distance matters", "Zhong et al.: pizzas below .4; model A .17"),
    "averaged_clock": Threshold("≤", 0.8, "more than E_a + E_b is read", "model B .58, C113 .65, the mainline .56"),
    "averaged_pizza": Threshold("≥", 0.95, "only E_a + E_b is read", "model A .9996"),
    "form": Threshold("≥", 0.99, "the logits alone show it", "used where circles do not act alone"),
    "lookup": Threshold("≥", 0.5, "its logits are those of a table", "networks of few circles: below .2"),
    "few_numbers": Threshold("≤", 0.5, "neurons see less than all pairs", "of n²; S_5 .02, D_59 .01 and .24"),
    "rival": Threshold("≤", 0.1, "the rival account leaves ten times more", "residual over the rival's residual"),
}
