"""Packed arrays lie where the layout says, and rounding stays within half a step."""

from base64 import b64decode

import numpy as np
import pytest

from grokinterp.report._packed import pack


@pytest.mark.parametrize(("finely", "code", "most"), [((), "i1", 127), (("W",), "<i2", 32767)])
def test_rounded_weights_are_within_half_a_step(finely: tuple[str, ...], code: str, most: int) -> None:
    matrix = np.random.default_rng(0).standard_normal((5, 7)) * np.array([1e-8, 1, 3, 0, 1e4])[:, None]
    packed = pack({"odd": np.arange(3)}, {"W": matrix}, finely)
    data, of = b64decode(packed.text), packed.layout["W"]
    assert of["scales"] % 4 == 0 and of["at"] % 4 == 0
    scales = np.frombuffer(data, "<f4", 5, of["scales"])[:, None]
    found = np.frombuffer(data, code, 35, of["at"]).reshape(5, 7) * scales.astype(np.float64)
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    # float32 rounds the scale itself.
    assert (np.abs(found - matrix) <= largest * (0.5 / most + 1e-7)).all()
    assert (found[3] == 0).all()


def test_exact_arrays_are_kept() -> None:
    arrays = {"count": np.array([1, -2, 300]), "x": np.array([[0.5, 1e-9]]), "none": np.empty((0, 2))}
    packed = pack(arrays, {})
    of = packed.layout
    assert (of["count"]["type"], of["x"]["type"], of["none"]["shape"]) == ("int16", "float32", [0, 2])
    assert np.frombuffer(packed.data, "<i2", 3, of["count"]["at"]).tolist() == [1, -2, 300]
    assert np.frombuffer(packed.data, "<f4", 2, of["x"]["at"]).tolist() == np.float32([0.5, 1e-9]).tolist()
