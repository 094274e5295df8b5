"""Networks and pictures that are small enough to be told by heart; TensorFlow keeps to one thread."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinderbox.inference.blocks import Picture
from tinderbox.models.network import Network
from tinderbox.process import set_threads

set_threads(1)


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """A function that returns the PNG file of an image whose pixels all have one value."""

    def make(value: int | tuple[int, int, int], height: int = 2, width: int = 2) -> bytes:
        from PIL import Image

        file = io.BytesIO()
        Image.new("L" if isinstance(value, int) else "RGB", (width, height), value).save(file, "PNG")
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def picture(png: Callable[..., bytes]) -> Callable[[int], Picture]:
    """A function that returns a picture of a value from 0 to 255, whose path says the value."""
    return lambda value: Picture(f"/images/{value}.png", png(value))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Three threads, so that work may be done in any order."""
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture(scope="session")
def network() -> Callable[..., Network]:
    """A function that returns a network whose outputs are its inputs, or what a function makes of them."""

    def make(
        *shape: int | None, outputs: int, function: Callable[[Any], Any] | None = None, dtype: str = "float32"
    ) -> Network:
        import tensorflow as tf

        return Network(shape, dtype, outputs, function or (lambda batch: tf.reshape(batch, (-1, outputs))))

    return make


@pytest.fixture(scope="session")
def noise() -> Callable[..., NDArray[np.uint8]]:
    """A function that returns pixels of a shape, the same each time."""
    return lambda *shape: np.random.default_rng(1).integers(0, 256, shape, np.uint8)
