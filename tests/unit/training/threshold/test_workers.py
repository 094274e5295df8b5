"""Worker processes in mode threshold, with a folder for a driver: trained together, resumed, killed and replaced."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.threshold.test_links import SECRET, addresses
from tests.unit.training.working import Diary, Told, make_recipe
from tinderbox.data.sources import read_digits
from tinderbox.process import Child, Nursery
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment, EpochReport, Verdict
from tinderbox.training.worker.process import Over, Work, stand_by

BATCH, EPOCHS = 8, 4
"""Each of two workers has so many examples in a step, and so there are about 80 in an epoch of the digits."""

PARAMETERS = 156 + 1_812 + 4_900 + 1_010
"""Of LeNet-5 for images of 8 x 8."""


class Room(Diary):
    """A channel in whose folder everybody's reports lie, and where everybody is."""

    def end_epoch(self, report: EpochReport) -> Verdict:
        """Write it down, and wait for the others."""
        super().end_epoch(report)
        for rank in range(len(self._places())):
            wait_for(lambda rank=rank: report.epoch in epochs_of(self.folder, rank))
        return Verdict()

    def assignment(self) -> Assignment:
        """Return where everybody is."""
        return Assignment(1, self.rank, len(self._places()), self._places())

    def _places(self) -> tuple[str, ...]:
        return tuple(json.loads((self.folder / "places").read_text()))


@dataclass(frozen=True)
class Door:
    """Opens the room for each worker."""

    folder: Path

    def __call__(self, assignment: Assignment) -> Room:
        """Return the channel of a worker."""
        return Room(self.folder, assignment.rank)


def epochs_of(folder: Path, rank: int) -> list[int]:
    """Return of which epochs a worker has told."""
    path = folder / f"reports-{rank}"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line)["epoch"] for line in lines if line.endswith("\n")]


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.02)


class Crew:
    """The processes of an attempt."""

    def __init__(self, folder: Path, recipe: Recipe, data: Path, workers: int) -> None:
        folder.mkdir()
        self.folder, self._nursery = folder, Nursery(stand_by, (Work(recipe, folder, data, Door(folder)),), _PRELOAD)
        self.told, self.children = Told(folder, workers), dict[int, Child]()
        self.places = list(addresses(workers))

    def start(self, rank: int, **given: Any) -> None:
        """Start a worker."""
        (self.folder / "places").write_text(json.dumps(self.places))
        child = self.children[rank] = self._nursery.start()
        child.send(Assignment(1, rank, len(self.places), tuple(self.places), secret=SECRET, **given))

    def replace(self, rank: int) -> None:
        """Kill a worker, and start another one elsewhere in its place."""
        self.children[rank].kill()
        self.children.pop(rank).end()
        (self.places[rank],) = addresses(1)
        self.start(rank, rejoins=True)

    def steps(self, rank: int) -> int:
        """Return after which step a worker was heard of last."""
        path = self.folder / f"beats-{rank}"
        beats = path.read_text().splitlines(keepends=True) if path.exists() else []
        return max((json.loads(beat)[0]["step"] for beat in beats if beat.endswith("\n")), default=0)

    def finish(self) -> None:
        """Wait for the end of all."""
        for child in self.children.values():
            over = child.receive(200)
            assert over == Over("complete"), (over, child.output.text()[-3000:])


_PRELOAD = ("tensorflow", "keras")


@contextmanager
def crew(folder: Path, training: tuple[Recipe, Path], workers: int = 2) -> Iterator[Crew]:
    """Have processes that end with the block."""
    members = Crew(folder, *training, workers)
    try:
        yield members
    finally:
        for child in members.children.values():
            child.end()


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    """Return a training on the digits, and where these lie."""
    optimizer = {"name": "sgd", "learning_rate": 0.02, "arguments": {"momentum": 0.9}}
    job = {"mode": "threshold", "optimizer": optimizer, "batch": BATCH, "epochs": EPOCHS, "checkpoints": {"steps": 100}}
    return make_recipe(tmp_path_factory.mktemp("digits") / "data", dict(read_digits()), **job)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, training: tuple[Recipe, Path]) -> Told:
    """Return what two workers told that nothing has happened to."""
    with crew(tmp_path_factory.mktemp("workers") / "undisturbed", training) as members:
        for rank in range(2):
            members.start(rank)
        members.finish()
    return members.told


def test_two_processes_train_one_network(undisturbed: Told, training: tuple[Recipe, Path]) -> None:
    """It learns; what the two send is a small part of whole gradients."""
    assert [epoch["val_top1"] > 0.9 for epoch in undisturbed.history][-1]
    counts = [report["counts"] for rank in range(2) for report in undisturbed.notes("reports", rank)]
    sent, dense = (sum(count[name] for count in counts) for name in ("sent", "dense"))
    assert 0 < sent < 0.1 * dense
    assert all(0 < count["sync_seconds"] <= count["seconds"] for count in counts), "the end of each epoch is part of it"
    assert {count["dense"] / count["steps"] for count in counts} == {4 * PARAMETERS}
    assert undisturbed.confusion.sum() == training[0].validation


def test_one_worker_goes_on_from_the_checkpoint_of_two(
    undisturbed: Told, training: tuple[Recipe, Path], tmp_path: Path
) -> None:
    """Within an epoch, with the residual of the other besides its own."""
    resume = undisturbed.resume(100)
    assert resume.parts.keys() == {0, 1}
    assert 0 < resume.position.examples < training[0].examples
    with crew(tmp_path / "one", training, workers=1) as members:
        for path in undisturbed.folder.glob("part-100-*"):
            (members.folder / path.name).write_bytes(path.read_bytes())
        members.start(0, resume=resume, scale=0.5)
        members.finish()
    assert members.told.history[-1]["val_top1"] > 0.9


@pytest.mark.parametrize("lost", [0, 1])
def test_a_killed_worker_is_replaced(
    undisturbed: Told, training: tuple[Recipe, Path], tmp_path: Path, lost: int
) -> None:
    """The others wait for it and go on; all end with the same weights, as good as those of the undisturbed run."""
    with crew(tmp_path / "disturbed", training) as members:
        for rank in range(2):
            members.start(rank)
        wait_for(lambda: members.steps(lost) > 90)
        members.replace(lost)
        members.finish()
    history = members.told.history
    assert len(history) == EPOCHS
    assert abs(history[-1]["val_top1"] - undisturbed.history[-1]["val_top1"]) < 0.05
    told = [members.told.notes("reports", rank) for rank in range(2)]
    assert [report["step"] for report in told[0]] == [report["step"] for report in told[1]]
    steps = sum(report["counts"]["steps"] for report in told[lost])
    assert 0 < steps < told[lost][-1]["step"]  # what the killed one had done of its last epoch is not told
