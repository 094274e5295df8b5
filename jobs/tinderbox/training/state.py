"""All variables of a model and its optimizer as flat arrays, which can be sent, averaged and kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class State:
    """Variables, one after the other: real numbers in `floats`, all else in `integers`.

    `floats` are float32, or float64 where a variable is. What is shorter than float32 is exact in it.
    """

    floats: NDArray[Any]
    integers: NDArray[np.int64]

    @classmethod
    def empty(cls) -> State:
        """Return the state of nothing."""
        return cls(np.empty(0, np.float32), np.empty(0, np.int64))

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return int(self.floats.nbytes + self.integers.nbytes)


def collect(variables: Iterable[Any]) -> State:
    """Return what Keras variables hold."""
    reals, wholes = list[NDArray[Any]](), list[NDArray[Any]]()
    for variable in variables:
        value = np.asarray(variable)
        if _is_real(variable):
            reals.append(value.astype(np.promote_types(_width(variable), np.float32)).ravel())
        else:
            wholes.append(value.astype(np.int64).ravel())
    floats = np.concatenate(reals) if reals else np.empty(0, np.float32)
    return State(floats, np.concatenate(wholes) if wholes else np.empty(0, np.int64))


def assign(state: State, variables: Sequence[Any]) -> None:
    """Give Keras variables what `collect` has taken from others of the same shapes, in the same order.

    Raises:
        ValueError: They are not of the same shapes.
    """
    wanted = {real: sum(_count(each) for each in variables if _is_real(each) is real) for real in (True, False)}
    if (wanted[True], wanted[False]) != (len(state.floats), len(state.integers)):
        raise ValueError(
            f"a state of {len(state.floats)} real and {len(state.integers)} whole numbers does not fit a model "
            f"of {wanted[True]} and {wanted[False]}"
        )
    places = {True: 0, False: 0}
    for variable in variables:
        real, count = _is_real(variable), _count(variable)
        source = state.floats if real else state.integers
        place = places[real]
        variable.assign(source[place : place + count].reshape(variable.shape))
        places[real] = place + count


def _is_real(variable: Any) -> bool:
    return "float" in str(variable.dtype)


def _width(variable: Any) -> type[np.floating[Any]]:
    return np.float64 if str(variable.dtype) == "float64" else np.float32


def _count(variable: Any) -> int:
    return int(np.prod(variable.shape, dtype=np.int64))
