"""How unequally a quantity is shared: the sparsity of a spectrum in one number."""

from typing import Any

from grokinterp.errors import GrokinterpError

from ._array import Array, Integer, axis_index, real_array, widest_float


def gini(values: Array, axis: Integer | None = None) -> Any:
    """The Gini coefficient of non-negative values: 0 when all are equal, (n − 1)/n when one of n is not zero.

    G = Σ_i (2i − n − 1) x_(i) / (n Σ_i x_i), with x_(1) ≤ … ≤ x_(n) the sorted values. It does not change
    with the scale of the values. Nanda et al. 2023 (arXiv 2301.05217) take it over the norms of the Fourier
    components of W_E and W_L, as a measure of how few frequencies the network uses.

    Args:
        values: array of any library, or nested lists.
        axis: the axis to measure along, which the result lacks; None measures all values together.

    Returns:
        A Python float for axis=None, else an array; computed in float64 (where the device has it). All-zero
        values give nan: nothing is shared, so neither 0 nor 1 would be true.

    Raises:
        GrokinterpError: no value, a negative, non-finite or complex one, or an axis that is not there.

    >>> gini([0.0, 0.0, 0.0, 5.0])
    0.75
    >>> gini([[1, 1, 1], [0, 1, 2]], axis=-1).round(3).tolist()
    [0.0, 0.444]
    """
    xp, values = real_array(values, "values")
    x = xp.astype(values, widest_float(xp, values))
    index = 0 if axis is None else axis_index(x, axis)
    x = xp.reshape(x, (-1,)) if axis is None else xp.moveaxis(x, index, -1)
    n = x.shape[-1]
    if n == 0:
        raise GrokinterpError(
            f"values of shape {tuple(values.shape)}: needs one value or more; give an array that has some"
        )
    if 0 in x.shape:
        return xp.sum(x, axis=-1)
    if not bool(xp.all(xp.isfinite(x))):
        raise GrokinterpError("values hold nan or infinity: needs finite numbers; drop those entries first")
    if bool(xp.any(x < 0)):
        raise GrokinterpError(
            f"values go down to {xp.min(x).tolist():g}: needs numbers ≥ 0; give squares or absolute values"
        )
    largest = xp.max(x, axis=-1, keepdims=True)
    # Dividing by the largest first keeps the sums of huge or tiny values representable.
    x = xp.sort(x / xp.where(largest > 0, largest, xp.ones_like(largest)), axis=-1)
    # 2i − n − 1 for i = 1, …, n, made without a device of its own.
    weights = 2 * xp.cumulative_sum(xp.ones_like(x), axis=-1) - (n + 1)
    total = xp.sum(x, axis=-1)
    nan = xp.full_like(total, float("nan"))
    result = xp.sum(weights * x, axis=-1) / (n * xp.where(total > 0, total, nan))
    # tolist rather than float(): torch warns when a number is taken out of a graph that way.
    return result.tolist() if axis is None else result
