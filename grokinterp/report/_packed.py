"""Arrays packed for the page: base64 that its script decodes when a step is first looked at."""

from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

Array = Float[np.ndarray, "..."] | Int[np.ndarray, "..."]
Matrix = Float[np.ndarray, "row column"]


@dataclass(frozen=True, eq=False)
class Packed:
    """Arrays one after the other, and where each lies: the layout is the same for all steps.

    Integers of `layout`: `at` is the first byte, `scales` that of the float32 scale per row of rounded weights.
    """

    layout: dict[str, dict[str, Any]]
    data: bytes

    @property
    def text(self) -> str:
        return b64encode(self.data).decode()


def pack(exact: dict[str, Array], rounded: dict[str, Matrix], finely: Collection[str] = ()) -> Packed:
    """`exact` arrays as float32 (int16 if they are integers), `rounded` matrices as int8 with a scale per row.

    A row is rounded to multiples of a 127th of its largest entry, so no entry moves by more than a 254th of that; those
    named in `finely` to a 32,767th, as int16.

    >>> packed = pack({"bias": np.zeros(3)}, {"W": np.array([[1.0, -0.5]])})
    >>> packed.layout["W"], len(packed.data)
    ({'type': 'int8', 'shape': [1, 2], 'scales': 12, 'at': 16}, 20)
    """
    layout: dict[str, dict[str, Any]] = {}
    parts: list[bytes] = []
    length = 0

    def append(array: np.ndarray) -> int:
        nonlocal length
        start, content = length, np.ascontiguousarray(array).tobytes()
        # The page reads float32 in place, which must lie at a multiple of four.
        parts.append(content + bytes(-len(content) % 4))
        length += len(parts[-1])
        return start

    for name, array in exact.items():
        kind, code = ("int16", "<i2") if np.issubdtype(array.dtype, np.integer) else ("float32", "<f4")
        layout[name] = {"type": kind, "shape": list(array.shape), "at": append(array.astype(code))}
    for name, matrix in rounded.items():
        kind, code, most = ("int16", "<i2", 32767) if name in finely else ("int8", "i1", 127)
        scales = (np.abs(matrix).max(axis=1) / most).astype("<f4")
        steps = np.rint(matrix / np.where(scales > 0, scales, 1)[:, None]).clip(-most, most)
        layout[name] = {"type": kind, "shape": list(matrix.shape)}
        layout[name] |= {"scales": append(scales), "at": append(steps.astype(code))}
    return Packed(layout, b"".join(parts))
