"""A network behind one traced function: prepared, predicted, and the best labels picked, all inside TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import BadInput
from tinderbox.inference.recipe import Recipe

if TYPE_CHECKING:
    from tinderbox.models.network import Network


@dataclass(frozen=True)
class Predictions:
    """What a model says of n rows.

    For classes `scores` are probabilities of shape [n, k], the highest first, and `classes` their numbers; for a
    regression `scores` are the values of shape [n, outputs] and `classes` is None.
    """

    scores: NDArray[np.float32]
    classes: NDArray[np.int32] | None


class Engine:
    """Predicts batches of up to `recipe.batch` rows; a smaller one is filled up where XLA would compile it anew.

    Raises:
        BadInput: The recipe does not fit the network.
    """

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.recipe, self._shape = recipe, row_shape(network, recipe)
        check_labels(network, recipe)
        self._run = trace(network, recipe, self._shape)

    def predict(self, rows: NDArray[Any]) -> Predictions:
        """Return what the network says of rows, at most a batch of them, of shape [n, ...]."""
        count = len(rows)
        if self.recipe.xla and count < self.recipe.batch:
            rows = np.concatenate([rows, np.zeros((self.recipe.batch - count, *rows.shape[1:]), rows.dtype)])
        scores, classes = self._run(rows)
        if self.recipe.regression:
            return Predictions(scores.numpy()[:count], None)
        return Predictions(scores.numpy()[:count], classes.numpy()[:count])

    def blank(self) -> NDArray[Any]:
        """Return a whole batch of nothing: to trace and compile before the first row needs it, and to measure with."""
        kind = np.float32 if self.recipe.frame is None else np.uint8
        return np.zeros((self.recipe.batch, *self._shape), kind)


def row_shape(network: Network, recipe: Recipe) -> tuple[int, ...]:
    """Return the shape of one row as it reaches the engine.

    Raises:
        BadInput: The network takes rows of another shape.
    """
    takes = network.input_shape
    frame = recipe.frame
    if frame is None:
        if len(takes) != 1:
            raise BadInput(f"input: rows of numbers need a model that takes a vector, this one takes {told(takes)}")
        if takes[0] not in (None, len(recipe.features)):
            raise BadInput(f"input: the model takes {takes[0]} numbers, and features names {len(recipe.features)}")
        return (len(recipe.features),)
    shape = (frame.height, frame.width, frame.channels)
    flat_gray = len(takes) == 2 and frame.channels == 1
    wanted = (*takes, 1) if flat_gray else takes
    if len(wanted) != 3 or any(size not in (None, has) for size, has in zip(wanted, shape, strict=True)):
        raise BadInput(
            f"preprocess: the model takes {told(takes)}, and images are made into {told(shape)}; "
            "change size or channels"
        )
    return shape


def check_labels(network: Network, recipe: Recipe) -> None:
    """Return if there are as many labels as the network tells apart, or none.

    Raises:
        BadInput: There are more or fewer.
    """
    classes = class_count(network)
    if not recipe.regression and recipe.labels and len(recipe.labels) != classes:
        raise BadInput(f"labels must name the model's {classes} classes, one a line, got {len(recipe.labels)}")


def class_count(network: Network) -> int:
    """Return how many classes a network tells apart; a single output tells two."""
    return max(network.outputs, 2)


def row_width(network: Network, recipe: Recipe) -> int:
    """Return how many numbers are told of each row: a regression's values, or the best probabilities."""
    return network.outputs if recipe.regression else min(recipe.top, class_count(network))


def trace(network: Network, recipe: Recipe, shape: tuple[int, ...]) -> Callable[[NDArray[Any]], Any]:
    """Return the function of a batch that TensorFlow runs as one graph."""
    import tensorflow as tf

    kind = tf.float32 if recipe.frame is None else tf.uint8
    count = recipe.batch if recipe.xla else None
    flat = recipe.frame is not None and len(network.input_shape) == 2
    best = row_width(network, recipe)

    def run(rows: Any) -> tuple[Any, Any]:
        values = prepare(rows, recipe)
        values = tf.cast(tf.squeeze(values, -1) if flat else values, network.input_dtype)
        outputs = tf.cast(network(values), tf.float32)
        if recipe.regression:
            return outputs, ()
        scores, classes = tf.math.top_k(probabilities(outputs, recipe), best)
        return scores, classes

    signature = [tf.TensorSpec((count, *shape), kind)]
    return tf.function(run, input_signature=signature, jit_compile=recipe.xla)  # type: ignore[no-any-return]


def prepare(rows: Any, recipe: Recipe) -> Any:
    """Return a batch of pixels or numbers as the network takes them."""
    import tensorflow as tf

    values = tf.cast(rows, tf.float32)
    if recipe.is_plain:
        return values
    if recipe.reverse:
        values = tf.reverse(values, [-1])
    return (values * recipe.scale - tf.constant(recipe.mean)) / tf.constant(recipe.std)


def probabilities(outputs: Any, recipe: Recipe) -> Any:
    """Return one probability for each class; a single output is that of the second of two classes."""
    import tensorflow as tf

    if outputs.shape[-1] == 1:
        second = tf.sigmoid(outputs) if recipe.logits else outputs
        return tf.concat([1 - second, second], -1)
    return tf.nn.softmax(outputs) if recipe.logits else outputs


def told(shape: tuple[int | None, ...]) -> str:
    """Return a shape in words."""
    return " x ".join("any" if size is None else str(size) for size in shape) or "single numbers"
