"""Variables as one flat array."""

from __future__ import annotations

import numpy as np

from tinderbox.training.threshold.vector import Vector


def test_variables_are_read_and_written_in_their_order() -> None:
    """Each keeps its shape and type; what was read stays as it was."""
    import keras

    variables = [
        keras.Variable(np.arange(6.0).reshape(2, 3), dtype="float32"),
        keras.Variable(7.0, dtype="float32"),
        keras.Variable(np.array([0.5, -0.5]), dtype="float64"),
    ]
    vector = Vector(variables)
    before = vector.read()
    assert before.dtype == np.float32
    assert before.tolist() == [0, 1, 2, 3, 4, 5, 7, 0.5, -0.5]
    vector.write(np.arange(9, dtype=np.float32) * 2)
    assert before[1] == 1
    assert np.asarray(variables[0]).tolist() == [[0, 2, 4], [6, 8, 10]]
    assert float(variables[1]) == 12
    assert np.asarray(variables[2]).tolist() == [14, 16]
    assert str(variables[2].dtype) == "float64"
    assert vector.read().tolist() == [2 * number for number in range(9)]
