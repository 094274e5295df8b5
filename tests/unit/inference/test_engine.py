"""A network behind one traced function: what it is given and what is told of it, against the same in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinderbox.errors import BadInput
from tinderbox.inference.engine import Engine, check_labels, row_shape, row_width
from tinderbox.inference.images import Frame
from tinderbox.inference.recipe import Recipe
from tinderbox.models.network import Network

MakeNetwork = Callable[..., Network]
MakeNoise = Callable[..., NDArray[np.uint8]]

COLOR = Frame(2, 2, 3)
GRAY = Frame(2, 2, 1)


def values(network: Network, recipe: Recipe, rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return what reaches a network whose outputs are its inputs."""
    return Engine(network, recipe).predict(rows).scores


@pytest.mark.parametrize("xla", [False, True])
def test_pixels_are_prepared_channel_by_channel(xla: bool, network: MakeNetwork, noise: MakeNoise) -> None:
    """BGR, a scale, and a mean and a deviation for each channel give what NumPy computes, in the model's order."""
    rows, mean, std = noise(3, 2, 2, 3), (0.1, 0.2, 0.3), (1.0, 2.0, 4.0)
    recipe = Recipe(
        "m", regression=True, frame=COLOR, reverse=True, scale=1 / 255, mean=mean, std=std, batch=4, xla=xla
    )
    expected = (rows[..., ::-1] / 255 - np.array(mean)) / np.array(std)
    found = values(network(2, 2, 3, outputs=12), recipe, rows)
    np.testing.assert_allclose(found, expected.reshape(3, 12), rtol=1e-5)


def test_pixels_are_left_alone_where_nothing_is_asked(network: MakeNetwork, noise: MakeNoise) -> None:
    """Without preprocessing the model gets numbers from 0 to 255, exactly."""
    rows = noise(3, 2, 2, 3)
    found = values(network(2, 2, 3, outputs=12), Recipe("m", regression=True, frame=COLOR), rows)
    assert found.tolist() == rows.reshape(3, 12).tolist()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16"])
def test_the_network_gets_its_own_type(dtype: str, network: MakeNetwork, noise: MakeNoise) -> None:
    """A model of integers or of half precision gets pixels as such."""
    rows = noise(3, 2, 2, 3)
    found = values(network(2, 2, 3, outputs=12, dtype=dtype), Recipe("m", regression=True, frame=COLOR), rows)
    assert found.tolist() == rows.reshape(3, 12).tolist()


def test_a_model_of_gray_images_without_channel_gets_such(network: MakeNetwork, noise: MakeNoise) -> None:
    """Where the model takes [height, width], the last axis is gone when it is called."""
    import tensorflow as tf

    def check(batch: tf.Tensor) -> tf.Tensor:
        assert batch.shape[1:] == (2, 2)
        return tf.reshape(batch, (-1, 4))

    rows = noise(3, 2, 2, 1)
    recipe = Recipe("m", regression=True, frame=GRAY, scale=2.0)
    assert (
        values(network(2, 2, outputs=4, function=check), recipe, rows).tolist() == (rows.reshape(3, 4) * 2.0).tolist()
    )


@pytest.mark.parametrize("xla", [False, True])
def test_what_fills_a_batch_up_is_not_told(xla: bool, network: MakeNetwork) -> None:
    """Batches of every size up to the whole one give a row for each row, each with its own values."""
    rows = np.arange(1.0, 9.0, dtype=np.float32).reshape(4, 2)
    recipe = Recipe("m", regression=True, features=("a", "b"), scale=10.0, batch=4, xla=xla)
    engine = Engine(network(2, outputs=2), recipe)
    for count in (4, 1, 3, 2):
        assert engine.predict(rows[:count]).scores.tolist() == (rows[:count] * 10).tolist()
    assert engine.predict(rows[1:1]).scores.shape == (0, 2)


@pytest.mark.parametrize("xla", [False, True])
def test_what_fills_a_batch_up_has_no_class(xla: bool, network: MakeNetwork) -> None:
    """There are as many labels and probabilities as rows."""
    found = Engine(network(2, outputs=2), Recipe("m", features=("a", "b"), batch=4, xla=xla)).predict(
        np.array([[0.25, 0.75]], np.float32)
    )
    assert found.classes is not None
    assert (found.classes.tolist(), found.scores.tolist()) == ([[1, 0]], [[0.75, 0.25]])


def test_a_graph_is_traced_once(network: MakeNetwork) -> None:
    """Neither smaller batches nor other values make TensorFlow trace anew."""
    traces: list[int] = []

    def count(batch: Any) -> Any:
        traces.append(1)
        return batch

    for xla in (False, True):
        traces.clear()
        engine = Engine(network(2, outputs=2, function=count), Recipe("m", features=("a", "b"), batch=4, xla=xla))
        for rows in (1, 4, 2):
            engine.predict(np.zeros((rows, 2), np.float32))
        assert len(traces) == 1


def test_the_best_classes_come_first(network: MakeNetwork) -> None:
    """Only the best are told, the higher probability first."""
    rows = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]], np.float32)
    found = Engine(network(3, outputs=3), Recipe("m", features=("a", "b", "c"), top=2)).predict(rows)
    assert found.classes is not None
    assert found.classes.tolist() == [[1, 2], [0, 2]]
    assert found.scores.tolist() == np.array([[0.6, 0.3], [0.5, 0.3]], np.float32).tolist()


def test_logits_become_probabilities(network: MakeNetwork) -> None:
    """Softmax is applied where the job says so, also to numbers whose exponential is too large for a float."""
    rows = np.array([[1, 3, 2], [1000, 0, 999]], np.float32)
    recipe = Recipe("m", features=("a", "b", "c"), logits=True, top=3)
    found = Engine(network(3, outputs=3), recipe).predict(rows)
    powers = np.exp(np.array([[3.0, 2, 1], [0, -1, -1000]]))
    np.testing.assert_allclose(found.scores, powers / powers.sum(1, keepdims=True), rtol=1e-5)
    assert found.classes is not None
    assert found.classes.tolist() == [[1, 2, 0], [0, 2, 1]]


@pytest.mark.parametrize(
    ("logits", "given", "second"), [(False, [0.2, 0.9], [0.2, 0.9]), (True, [-2.0, 0.0], [1 / (1 + np.e**2), 0.5])]
)
def test_a_single_output_is_that_of_the_second_class(
    logits: bool, given: list[float], second: list[float], network: MakeNetwork
) -> None:
    """A model with one output tells two classes apart; logits of it are for the sigmoid."""
    recipe = Recipe("m", features=("a",), logits=logits)
    found = Engine(network(1, outputs=1), recipe).predict(np.array(given, np.float32).reshape(2, 1))
    assert found.classes is not None
    told = np.take_along_axis(found.scores, np.argsort(found.classes, 1), 1)
    np.testing.assert_allclose(told, [[1 - one, one] for one in second], rtol=1e-5)


@pytest.mark.parametrize(
    ("regression", "top", "outputs", "expected"),
    [(True, 2, 7, 7), (False, 5, 3, 3), (False, 2, 3, 2), (False, 5, 1, 2)],
)
def test_width_is_how_many_numbers_a_row_tells(
    regression: bool, top: int, outputs: int, expected: int, network: MakeNetwork
) -> None:
    """It is known before the first row, for files whose columns it counts."""
    names = tuple("abcdefg"[:outputs])
    recipe = Recipe("m", regression=regression, top=top, features=names)
    made = network(outputs, outputs=outputs)
    assert row_width(made, recipe) == expected
    assert Engine(made, recipe).predict(np.zeros((1, outputs), np.float32)).scores.shape == (1, expected)


def test_a_blank_batch_is_whole_and_fits(network: MakeNetwork) -> None:
    """What is compiled with has the shape and the type of what comes."""
    images = Engine(network(2, 2, 3, outputs=12), Recipe("m", frame=COLOR, batch=5)).blank()
    assert (images.shape, images.dtype.name) == ((5, 2, 2, 3), "uint8")
    numbers = Engine(network(2, outputs=2), Recipe("m", features=("a", "b"), batch=5)).blank()
    assert (numbers.shape, numbers.dtype.name) == ((5, 2), "float32")


@pytest.mark.parametrize(
    ("takes", "frame", "features", "expected"),
    [
        ((2, 2, 3), COLOR, (), (2, 2, 3)),
        ((None, None, 3), COLOR, (), (2, 2, 3)),
        ((2, 2, 1), GRAY, (), (2, 2, 1)),
        ((2, 2), GRAY, (), (2, 2, 1)),
        ((None,), None, ("a", "b"), (2,)),
    ],
)
def test_rows_that_fit_a_network(
    takes: tuple[int | None, ...],
    frame: Frame | None,
    features: tuple[str, ...],
    expected: tuple[int, ...],
    network: MakeNetwork,
) -> None:
    """Any size fits where the network says none, and gray images fit one that has no axis of channels."""
    assert row_shape(network(*takes, outputs=1), Recipe("m", frame=frame, features=features)) == expected


@pytest.mark.parametrize(
    ("takes", "frame", "features", "sentence"),
    [
        (
            (2, 2, 1),
            COLOR,
            (),
            "the model takes 2 x 2 x 1, and images are made into 2 x 2 x 3; change size or channels",
        ),
        ((None, 4, 3), COLOR, (), "the model takes any x 4 x 3, and images are made into 2 x 2 x 3"),
        ((2, 2), COLOR, (), "the model takes 2 x 2, and images are made into 2 x 2 x 3"),
        ((12,), COLOR, (), "the model takes 12, and images"),
        ((), COLOR, (), "the model takes single numbers, and images"),
        ((2, 2, 3), None, ("a",), "rows of numbers need a model that takes a vector, this one takes 2 x 2 x 3"),
        ((3,), None, ("a", "b"), "the model takes 3 numbers, and features names 2"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    takes: tuple[int | None, ...], frame: Frame | None, features: tuple[str, ...], sentence: str, network: MakeNetwork
) -> None:
    """Both shapes are named in one sentence."""
    with pytest.raises(BadInput) as refusal:
        Engine(network(*takes, outputs=1), Recipe("m", frame=frame, features=features))
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(("outputs", "count"), [(3, 2), (3, 4), (1, 1), (1, 3)])
def test_labels_must_be_as_many_as_classes(outputs: int, count: int, network: MakeNetwork) -> None:
    """One label too few or too many would shift all of them."""
    recipe = Recipe("m", labels=tuple("abcd"[:count]))
    with pytest.raises(BadInput, match=f"the model's {max(outputs, 2)} classes, one a line, got {count}"):
        check_labels(network(1, outputs=outputs), recipe)


@pytest.mark.parametrize(("outputs", "labels"), [(3, ("a", "b", "c")), (1, ("no", "yes")), (3, ())])
def test_labels_that_fit(outputs: int, labels: tuple[str, ...], network: MakeNetwork) -> None:
    """There are as many as classes, two for a single output, or none."""
    check_labels(network(1, outputs=outputs), Recipe("m", labels=labels))
