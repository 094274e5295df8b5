"""What a worker tells of the rows that it labels: how many, how long, and how many are broken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tinderbox.inference import labelling
from tinderbox.inference.blocks import Block, Mistake, Picture, picture_blocks
from tinderbox.inference.engine import Engine
from tinderbox.inference.images import Frame
from tinderbox.inference.labelling import Labeller, find_labeller
from tinderbox.inference.metering import count_rows, metered, timed
from tinderbox.inference.recipe import Recipe
from tinderbox.metrics.catalogue import BATCH_SECONDS, EXAMPLES, MODEL_LOAD_SECONDS, ROWS_FAILED
from tinderbox.metrics.meter import Meter


class Notes(Meter):
    """A meter whose sums can be read, and that sends nothing."""

    def __init__(self) -> None:
        super().__init__("photos", "/nowhere")

    def _send_now_and_then(self) -> None:
        """Keep them."""

    def told(self) -> dict[tuple[str, ...], list[float]]:
        """Return the sums by the metric's name and the labels after run."""
        assert all(labels[0] == "photos" for (_, labels), _ in self._sums.items())
        return {(name, *labels[1:]): sums for (name, labels), sums in self._sums.items()}


def block(good: int, *reasons: str) -> Block:
    """Return a block of good rows and of broken ones."""
    mistakes = [Mistake(f"{number}.png", reason, "no") for number, reason in enumerate(reasons)]
    return Block([f"good-{number}.png" for number in range(good)], np.zeros((good, 2, 2, 1), np.uint8), mistakes)


def test_rows_are_counted_with_their_mistakes() -> None:
    """Each once: the broken ones are examples that were looked at, too."""
    notes = Notes()
    for some in (block(3), block(2, "empty", "truncated", "empty"), block(0, "empty")):
        count_rows(notes, some)
    assert notes.told() == {
        (EXAMPLES.name, "infer"): [9],
        (ROWS_FAILED.name, "empty"): [3],
        (ROWS_FAILED.name, "truncated"): [1],
    }


def test_each_block_is_waited_for_once() -> None:
    """Neither what is done with it nor the end of all is a wait."""

    def coming() -> Iterator[Block]:
        for _ in range(3):
            time.sleep(0.05)
            yield block(1)
        time.sleep(0.2)

    notes = Notes()
    for _ in metered(coming(), notes):
        time.sleep(0.1)
    sums = notes.told()[BATCH_SECONDS.name, "read"]
    assert sum(sums[:-1]) == 3
    assert 0.15 <= sums[-1] < 0.3


def test_a_phase_that_fails_has_no_time() -> None:
    """The others of its kind keep theirs."""
    notes = Notes()
    with timed(notes, "predict"):
        time.sleep(0.02)
    with pytest.raises(ValueError, match="no"), timed(notes, "predict"):
        raise ValueError("no")
    sums = notes.told()[BATCH_SECONDS.name, "predict"]
    assert (sum(sums[:-1]), sums[-1] >= 0.02) == (1, True)


def test_a_worker_tells_of_all_rows(
    picture: Callable[[int], Picture], network: Callable[..., Any], threads: ThreadPoolExecutor
) -> None:
    """As many as it yields, and a read and a predict for each of their blocks."""
    frame, notes = Frame(2, 2, 1), Notes()
    labeller = Labeller(Engine(network(2, 2, 1, outputs=4), Recipe("m", frame=frame, top=1, batch=16)))
    pictures = [Picture(f"{n}", b"no image") if n % 10 == 4 else picture(n) for n in range(100)]
    made = list(labeller.label(picture_blocks(pictures, frame, 16, threads), "node-a", notes))
    told = notes.told()
    assert told[EXAMPLES.name, "infer"] == [sum(len(table) for table in made)] == [100]
    assert told[ROWS_FAILED.name, "not_an_image"] == [10]
    for phase in ("read", "predict"):
        assert sum(told[BATCH_SECONDS.name, phase][:-1]) == len(made)


def test_a_model_that_is_got_ready_is_told(monkeypatch: pytest.MonkeyPatch, network: Callable[..., Any]) -> None:
    """Once: a worker keeps it."""
    monkeypatch.setattr(labelling, "_LOADED", {})
    monkeypatch.setattr(labelling, "load_model", lambda packed: network(2, 2, 1, outputs=4))
    notes, recipe = Notes(), Recipe("m", frame=Frame(2, 2, 1), top=1)
    for _ in range(2):
        find_labeller(recipe, lambda: None, notes)  # type: ignore[arg-type, return-value]  # nothing is unpacked
    sums = notes.told()[MODEL_LOAD_SECONDS.name,]
    assert sum(sums[:-1]) == 1
    assert sums[-1] > 0
