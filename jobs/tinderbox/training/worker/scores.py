"""How well a worker's model does: Keras's metrics as sums that add up, and what it takes for what."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import TinderboxError
from tinderbox.training.confusion import Batch, confuse
from tinderbox.training.records import Position, Sums
from tinderbox.training.worker.feed import Feed

_SMALLEST_LOOK = 32
"""Validation examples are looked at in batches of at least so many."""


class Diverged(TinderboxError):
    """The loss has become NaN or infinite; another attempt would come to the same."""


class Scores:
    """The metrics of a compiled model on training examples, and on those for validation that this worker looks at.

    These are those of `validation` at the places `looks`; there may be none. The first metric of a model is its loss.
    """

    def __init__(self, model: Any, train: Feed, validation: Feed | None, looks: slice, batch: int) -> None:
        self._model, self._train, self._validation, self._looks = model, train, validation, looks
        self._size = max(batch, _SMALLEST_LOOK)

    def check(self, position: Position) -> None:
        """Look at the mean loss of the epoch so far.

        Raises:
            Diverged: It is no number.
        """
        loss = float(self._model.metrics[0].result())
        if not math.isfinite(loss):
            raise Diverged(
                f"the mean loss of epoch {position.epoch + 1} was {loss} at step {position.step}; "
                f"use a smaller learning rate, or clip gradients by the optimizer's clipnorm"
            )

    def sums(self, examples: int) -> Sums:
        """Return the metrics that the model holds as sums over so many examples."""
        if not examples:  # of a model that has taken no step Keras knows no metric
            return Sums(0, {})
        sums = {name: float(value) * examples for name, value in self._model.get_metrics_result().items()}
        # Keras counts an example that only stands in with its loss, which is zero, and with no other metric.
        return Sums(examples, {**sums, "loss": float(_value(self._model.metrics[0].total))})

    def values(self) -> NDArray[np.float64]:
        """Return all that Keras holds of metrics: sums and counts."""
        return np.concatenate([np.ravel(_value(variable)) for variable in self._model.metrics_variables])

    def take_over(self, values: NDArray[np.float64]) -> None:
        """Have Keras hold other values, of an epoch that was begun elsewhere."""
        if len(self._model.metrics_variables) < len(values):  # it makes them in the first step, else
            x, y = next(iter(self._train.in_order(0, 1, 1)))
            self._model.compute_metrics(x, y, self._model(x, training=False))
            self._model.reset_metrics()
        for variable, value in zip(self._model.metrics_variables, values, strict=True):
            variable.assign(value)

    @cached_property
    def _held_out(self) -> Any:
        """The validation examples to look at, in batches, None where there are none."""
        if self._validation is None or self._looks.start == self._looks.stop:
            return None
        return self._validation.in_order(self._looks.start, self._looks.stop, self._size)

    def look(self) -> Sums:
        """Return the metrics on validation examples; those of training are gone then."""
        if self._held_out is None:
            return Sums(0, {})
        self._model.evaluate(self._held_out, verbose=0)
        return self.sums(self._looks.stop - self._looks.start)

    def confuse(self, classes: int | None) -> NDArray[np.int64] | None:
        """Return how many validation examples of each class, by rows, were taken for which, None where none are."""
        return None if self._validation is None else confuse(self._predict(self._validation), classes)

    def _predict(self, validation: Feed) -> Iterator[Batch]:
        if self._held_out is not None:
            outputs = self._model.predict(self._held_out, verbose=0)
            yield validation.targets(self._looks.start, self._looks.stop), outputs


def _value(variable: Any) -> NDArray[Any]:
    """Return what a variable holds, in all replicas together where there are several."""
    import keras

    return np.asarray(keras.ops.convert_to_tensor(variable))
