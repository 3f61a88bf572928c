"""Guarantees: answers that are proved right by bounds on the margins, in exact arithmetic and in float32."""

from ._certificate import Certificate as Certificate
from ._certificate import Proof as Proof
from ._certificate import certify as certify
