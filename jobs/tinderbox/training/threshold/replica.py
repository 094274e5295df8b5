"""One worker's copy of what all train in mode threshold, and the forms in which it is sent and kept."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.training.state import State, assign, collect
from tinderbox.training.synchronous.exchange import moving_statistics
from tinderbox.training.threshold.coding import Floats, Message
from tinderbox.training.threshold.vector import Vector

Arrays = Mapping[str, NDArray[Any]]


def pack_arrays(arrays: Arrays) -> bytes:
    """Return some arrays as bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack_arrays(packed: bytes) -> Arrays:
    """Return what `pack_arrays` was given."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return dict(arrays)


class Replica:
    """A model's parameters, as `values` that only messages change, and as the variables that its optimizer changes.

    `applied` is the step of each rank whose message is in it, the one that came last, and `taus` are their thresholds.
    """

    def __init__(self, model: Any, workers: int, step: int) -> None:
        self._model, self._vector = model, Vector(model.trainable_variables)
        self.values: Floats = self._vector.read()
        self.applied, self.taus = [step] * workers, np.zeros(workers)

    def add(self, messages: Iterable[Message]) -> None:
        """Add messages to the values."""
        for message in messages:
            message.add_to(self.values)
            self.applied[message.rank], self.taus[message.rank] = message.step, message.tau

    def change(self) -> Floats:
        """Return by how much the variables differ from the values."""
        return self._vector.read() - self.values

    def write(self) -> None:
        """Give the variables the values."""
        self._vector.write(self.values)

    def weights(self, whole: bool) -> dict[str, NDArray[Any]]:
        """Return the values, and of layers' other variables the moving statistics, or as a whole all real numbers."""
        others = collect(self._others(whole)).floats
        return {"parameters": self.values, "whole": np.array(whole), "others": others}

    def take_over(self, arrays: Arrays) -> None:
        """Take over what `weights` has returned somewhere else."""
        self.values[:] = arrays["parameters"]
        self.write()
        others = self._others(bool(arrays["whole"]))
        assign(State(arrays["others"], collect(others).integers), others)

    def optimizer(self) -> dict[str, NDArray[Any]]:
        """Return the optimizer's state, but for the learning rate: this depends on how many workers there are."""
        state = collect(self._optimizer)
        return {"floats": state.floats, "integers": state.integers}

    def assign_optimizer(self, arrays: Arrays) -> None:
        """Give the optimizer what `optimizer` has returned, here or elsewhere."""
        assign(State(arrays["floats"], arrays["integers"]), self._optimizer)

    def _others(self, whole: bool) -> Any:
        return self._model.non_trainable_variables if whole else moving_statistics(self._model)

    @property
    def _optimizer(self) -> list[Any]:
        rate = getattr(self._model.optimizer, "_learning_rate", None)
        return [variable for variable in self._model.optimizer.variables if variable is not rate]
