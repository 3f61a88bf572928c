"""The residues prime to n under multiplication: which they are, and whether one of them gives all by its powers."""

import math

import numpy as np
from jaxtyping import Int

from grokinterp.errors import GrokinterpError

from ._array import Integer, integer, shown


def unit_residues(n: int) -> tuple[int, ...]:
    """The residues modulo n that have an inverse, ascending."""
    return tuple(a for a in range(1, n) if math.gcd(a, n) == 1) if n > 1 else (0,)


def unit_count(n: int) -> int:
    """Euler's φ(n) = n Π_{q | n} (1 − 1/q), the number of residues modulo n that have an inverse."""
    count = n
    for q in prime_factors(n):
        count -= count // q
    return count


def primitive_root(n: Integer) -> int | None:
    """The smallest g whose powers are all the residues modulo n that have an inverse, or None where none does.

    There is one exactly for n = 1, 2, 4, q^k and 2q^k with an odd prime q (Gauss, Disquisitiones arithmeticae,
    art. 92). With it, multiplication modulo n is addition modulo φ(n): g^i g^j = g^(i+j).

    Raises:
        GrokinterpError: n is no positive integer.

    >>> primitive_root(97), primitive_root(113), primitive_root(8)
    (5, 3, None)
    """
    n = _modulus(n)
    if n <= 2:
        return n - 1
    if not _has_primitive_root(n):
        return None
    order = unit_count(n)
    exponents = [order // q for q in prime_factors(order)]
    return next(
        g for g in range(2, n) if math.gcd(g, n) == 1 and all(pow(g, exponent, n) != 1 for exponent in exponents)
    )


def powers_of_primitive_root(n: Integer) -> Int[np.ndarray, " units"]:
    """The residues g^0, g^1, …, g^(φ(n)−1) modulo n, for the smallest primitive root g: undoes the logarithm.

    Entry k has the discrete logarithm k, so a function of residues, read in this order, is a function on
    Z_φ(n), and a Fourier basis of that group fits it.

    Raises:
        GrokinterpError: n is no positive integer, or has no primitive root.

    >>> powers_of_primitive_root(7).tolist()
    [1, 3, 2, 6, 4, 5]
    """
    n = _modulus(n)
    root = primitive_root(n)
    if root is None:
        raise GrokinterpError(
            f"n = {n} has no primitive root: needs 1, 2, 4, a power of an odd prime or twice one; use "
            f"FiniteGroup.units({n}), which is no cyclic group"
        )
    powers = [1 % n]
    for _ in range(unit_count(n) - 1):
        powers.append(powers[-1] * root % n)
    return np.array(powers, dtype=np.int64)


def _modulus(n: Integer) -> int:
    number = integer(n)
    if number is None or number < 1:
        raise GrokinterpError(f"n = {shown(n)}: needs an integer n ≥ 1, the modulus; give e.g. 113")
    return number


def _has_primitive_root(n: int) -> bool:
    if n == 4:
        return True
    half = n // 2 if n % 2 == 0 else n
    return half % 2 == 1 and len(prime_factors(half)) == 1


def prime_factors(n: int) -> tuple[int, ...]:
    """The primes that divide n, ascending."""
    factors, q = [], 2
    while q * q <= n:
        if n % q == 0:
            factors.append(q)
            while n % q == 0:
                n //= q
        q += 1
    return (*factors, n) if n > 1 else tuple(factors)
