"""What this room asks of an array: real, of a floating dtype, of any library that follows the array API.

Neither torch nor JAX is imported here: an array brings its own namespace.
"""

import operator
import reprlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

from grokinterp.errors import GrokinterpError

Array: TypeAlias = Any
Namespace: TypeAlias = Any
if TYPE_CHECKING:
    Order: TypeAlias = int
    Integer: TypeAlias = SupportsIndex
    Integers: TypeAlias = Iterable[SupportsIndex]
    Axes: TypeAlias = tuple[SupportsIndex, SupportsIndex]
else:
    # A checker at run time would answer first, and its errors do not say what is needed; those below do.
    Order = Integer = Integers = Axes = Any


def shown(value: Any) -> str:
    """The value on one line and cut short, for an error message."""
    return " ".join(reprlib.repr(value).split())


def integer(value: Any) -> int | None:
    """The value as a Python int, or None where it is no integer; True and False are not numbers here."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def real_array(x: Array, name: str = "x") -> tuple[Namespace, Array]:
    """The array as real floating numbers of its own library, and that library's namespace.

    float32 and float64 stay; half precision becomes float32, which every FFT knows; integers and booleans
    become the widest floating dtype of their library and device (float64, but float32 on MPS and in JAX
    without x64). What is no array, such as a list, becomes a float64 NumPy array. Errors call it `name`.
    """
    is_array: bool = is_array_api_obj(x)
    x = x if is_array else _numpy_array(x, name)
    xp = array_namespace(x)
    if xp.isdtype(x.dtype, "complex floating"):
        raise GrokinterpError(
            f"{name} has dtype {x.dtype}: needs real numbers; transform its real and its imaginary part apart"
        )
    if not xp.isdtype(x.dtype, ("bool", "integral", "real floating")):
        raise GrokinterpError(f"{name} has dtype {x.dtype}: needs real numbers; convert it to float64 first")
    if is_array and xp.isdtype(x.dtype, "real floating"):
        target = x.dtype if x.dtype in (xp.float32, xp.float64) else _nearest_float(xp, x.dtype)
    else:
        target = widest_float(xp, x)
    return xp, x if x.dtype == target else xp.astype(x, target)


def widest_float(xp: Namespace, x: Array) -> Any:
    """float64 where the array's library and device have it, else float32."""
    available = xp.__array_namespace_info__().dtypes(device=device(x), kind="real floating")
    return available.get("float64", xp.float32)


def _numpy_array(x: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(x)
    except (TypeError, ValueError) as error:
        raise GrokinterpError(
            f"{name} = {shown(x)} is no array: needs real numbers in a rectangular shape; give an array"
        ) from error


def _nearest_float(xp: Namespace, dtype: Any) -> Any:
    return xp.float32 if xp.finfo(dtype).bits < 32 else xp.float64


def axis_index(x: Array, axis: Integer) -> int:
    """The axis counted from the front, so that 0 ≤ axis < x.ndim."""
    shape, index = tuple(x.shape), integer(axis)
    if not shape:
        raise GrokinterpError(f"axis = {shown(axis)} of a single number: needs an array; give one of shape (n,)")
    if index is None or not -len(shape) <= index < len(shape):
        raise GrokinterpError(
            f"axis = {shown(axis)} of an array of shape {shape}: needs an integer from {-len(shape)} to "
            f"{len(shape) - 1}; name an axis that the array has"
        )
    return index % len(shape)


def axis_of_length(x: Array, axis: Integer, n: int, group: str) -> int:
    """The axis counted from the front, when it holds a function on the group of that name and order."""
    index = axis_index(x, axis)
    length = x.shape[index]
    if length != n:
        raise GrokinterpError(
            f"axis {shown(axis)} of an array of shape {tuple(x.shape)} has length {length}: needs length "
            f"n = {n}; choose another axis or slice this one to the {n} elements of {group}"
        )
    return index


def grid_axes(x: Array, axes: Axes, n: int, group: str) -> tuple[int, int]:
    """The two axes counted from the front, when they are different and span the grid of pairs of elements."""
    if not isinstance(axes, tuple | list) or len(axes) != 2:
        raise GrokinterpError(f"axes = {shown(axes)}: needs a pair of axes, for a and for b; give e.g. axes=(0, 1)")
    a, b = (axis_of_length(x, axis, n, group) for axis in axes)
    if a == b:
        raise GrokinterpError(
            f"axes = {shown(axes)} name one axis of shape {tuple(x.shape)} twice: needs two different axes, "
            "for a and for b; give e.g. axes=(0, 1)"
        )
    return a, b
