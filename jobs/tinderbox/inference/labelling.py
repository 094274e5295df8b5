"""Rows in, rows out, in a Python worker: the model loaded once, images decoded while it predicts."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.inference.blocks import Block, Mistake
from tinderbox.inference.engine import Engine, Predictions
from tinderbox.inference.images import thumbnail
from tinderbox.inference.metering import count_rows, metered, timed
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.rows import make_batch, schema, tell
from tinderbox.metrics.catalogue import MODEL_LOAD_SECONDS
from tinderbox.metrics.meter import NOBODY, Meter
from tinderbox.models.network import PackedModel, load_model

if TYPE_CHECKING:
    import pyarrow as pa

_LOADED: dict[Recipe, Labeller] = {}
"""The one labeller of this process: a worker that is reused for the next task keeps its model."""


NOT_FINITE = "the model's answer is no finite number; look at its input, and at its weights"


class Labeller:
    """Labels blocks of rows with one model, which is compiled before the first of them."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.recipe = engine, engine.recipe
        self._columns = schema(self.recipe.regression)
        self._shown = Counter[str]()
        engine.predict(engine.blank())

    def label(self, blocks: Iterable[Block], node: str, meter: Meter = NOBODY) -> Iterator[pa.RecordBatch]:
        """Yield the rows of each block; their time is what passes from one block to the next."""
        place, recipe = {"model": self.recipe.model, "node": node}, self.recipe
        begin = time.perf_counter()
        for block in metered(blocks, meter):
            with timed(meter, "predict"):
                told, done = self._predict(block)
            count_rows(meter, done)
            pictures = self._thumbnails(done.values, told["label"]) if "label" in told and recipe.frame else ()
            now = time.perf_counter()
            yield make_batch(self._columns, done, told, now - begin, place, pictures, recipe.truth)
            begin = time.perf_counter()

    def _predict(self, block: Block) -> tuple[dict[str, list[Any]], Block]:
        """Return the columns of predictions, and the block with those rows told apart for which the model has none."""
        if not block.paths:
            return {}, block
        found = self.engine.predict(block.values)
        sound = np.isfinite(found.scores).all(axis=1)
        if sound.all():
            return tell(found, self.recipe), block
        lost = [Mistake(block.paths[row], "failed", NOT_FINITE) for row in np.flatnonzero(~sound)]
        paths = [block.paths[row] for row in np.flatnonzero(sound)]
        classes = None if found.classes is None else found.classes[sound]
        told = tell(Predictions(found.scores[sound], classes), self.recipe)
        return told, Block(paths, block.values[sound], [*block.mistakes, *lost])

    def _thumbnails(self, images: NDArray[np.uint8], labels: Sequence[str]) -> list[bytes | None]:
        """Return small pictures of the first few images that this worker has seen of each label."""
        found: list[bytes | None] = []
        for image, name in zip(images, labels, strict=True):
            self._shown[name] += 1
            found.append(thumbnail(image) if self._shown[name] <= self.recipe.samples else None)
        return found


def find_labeller(recipe: Recipe, packed: Callable[[], PackedModel], meter: Meter = NOBODY) -> Labeller:
    """Return this process's labeller, made anew, of the packed model, where it has none yet or another one."""
    if recipe not in _LOADED:
        _LOADED.clear()
        for module in recipe.preload:
            importlib.import_module(module)
        begin = time.perf_counter()
        _LOADED[recipe] = Labeller(Engine(load_model(packed()), recipe))
        meter.observe(MODEL_LOAD_SECONDS, time.perf_counter() - begin)
    return _LOADED[recipe]
