"""Worker processes without a driver: what they tell lies in a folder, and each verdict is known beforehand."""

from __future__ import annotations

import hashlib
import json
import socket
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinderbox.checkpoint import Save
from tinderbox.config import check_train
from tinderbox.data import from_arrays, pack, unpack
from tinderbox.errors import StaleAttempt
from tinderbox.process import Nursery
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Resume, Sums, Verdict
from tinderbox.training.worker import mirroring
from tinderbox.training.worker.process import Over, Work, stand_by


@dataclass
class Diary:
    """The channel of one worker, which writes down what it is told; verdicts are given by the epoch they follow."""

    folder: Path
    rank: int
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    stale_at: int | None = None
    """The step from which on the attempt is stale."""

    def beat(self, position: Position, done: Counts) -> None:
        """Write it down; from `stale_at` on, say that the attempt is over."""
        self._note("beats", [asdict(position), asdict(done)])
        if self.stale_at is not None and position.step >= self.stale_at:
            raise StaleAttempt("attempt 1 is over")

    def end_epoch(self, report: EpochReport) -> Verdict:
        """Write it down, and return what was known beforehand, without waiting for the others."""
        self._note("reports", asdict(report))
        return self.verdicts.get(report.epoch, Verdict())

    def save(self, position: Position, save: Save) -> None:
        """Keep the part in a file."""
        with (self.folder / f"part-{position.step}-{self.rank}").open("wb") as file:
            save(file)
        self._note("saves", asdict(position))

    def fetch(self, resume: Resume, rank: int, folder: Path) -> Path:
        """Return the file of a part that was kept."""
        path = self.folder / f"part-{resume.position.step}-{rank}"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == resume.parts[rank]
        return path

    def finish(self, model: Save | None, confusion: list[list[int]] | None) -> None:
        """Keep the model in a file."""
        if model is not None:
            with (self.folder / "model.keras").open("wb") as file:
                model(file)
        self._note("confusion", confusion)

    def assignment(self) -> Assignment:
        """Nobody is replaced here."""
        raise NotImplementedError

    def _note(self, name: str, value: Any) -> None:
        with (self.folder / f"{name}-{self.rank}").open("a") as file:
            file.write(json.dumps(value) + "\n")


@dataclass(frozen=True)
class Door:
    """Opens a diary for each worker."""

    folder: Path
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    stale_at: int | None = None

    def __call__(self, assignment: Assignment) -> Diary:
        """Return the diary of a worker."""
        return Diary(self.folder, assignment.rank, self.verdicts, self.stale_at)


@dataclass(frozen=True)
class TwoProcessors(Door):
    """A door behind which a worker has two processors, which stand in for two GPUs."""

    def __call__(self, assignment: Assignment) -> Diary:
        """Return the diary of a worker, whose TensorFlow has run nothing yet."""
        import tensorflow as tf

        (processor,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
        mirroring.find_gpus = lambda count: [f"CPU:{number}" for number in range(count)]
        return super().__call__(assignment)


@dataclass(frozen=True)
class Told:
    """What workers left in a folder."""

    folder: Path
    workers: int

    def notes(self, name: str, rank: int = 0) -> list[Any]:
        """Return what a worker wrote down under a name."""
        path = self.folder / f"{name}-{rank}"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def history(self) -> list[dict[str, float]]:
        """The metrics of each epoch over all workers."""
        return [
            {
                **_mean(reports, "train"),
                **{f"val_{name}": value for name, value in _mean(reports, "validation").items()},
            }
            for reports in zip(*(self.notes("reports", rank) for rank in range(self.workers)), strict=True)
        ]

    @property
    def confusion(self) -> Any:
        """The counts of all workers."""
        return sum(np.array(self.notes("confusion", rank)[-1]) for rank in range(self.workers))

    def model(self) -> Any:
        """Return the model that rank 0 finished with."""
        import keras

        return keras.saving.load_model(self.folder / "model.keras")

    def resume(self, step: int) -> Resume:
        """Return the checkpoint of a step."""
        notes = next(note for note in self.notes("saves") if note["step"] == step)
        paths = {int(path.name.rpartition("-")[2]): path for path in self.folder.glob(f"part-{step}-*")}
        digests = {rank: hashlib.sha256(path.read_bytes()).hexdigest() for rank, path in paths.items()}
        return Resume(Position(**notes), digests)


def _mean(reports: tuple[dict[str, Any], ...], part: str) -> dict[str, float]:
    return sum((Sums(**report[part]) for report in reports), Sums(0, {})).means


def make_recipe(folder: Path, arrays: dict[str, Any], **job: Any) -> tuple[Recipe, Path]:
    """Return the recipe of a job on arrays, and the folder where they are laid out."""
    dataset = from_arrays(arrays)
    unpack(lambda: pack(dataset), folder)
    tree = {"kind": "train", "name": "small", "epochs": 1, "model": "lenet5", **job}
    shape, classes = dataset.train.x.shape[1:], dataset.classes
    counts = len(dataset.train), len(dataset.validation)
    return Recipe(check_train(tree, "test"), None, None, shape, classes and len(classes), *counts, "d" * 64), folder


def make_work(folder: Path, recipe: Recipe, data: Path, **door: Any) -> Work:
    """Return the work of worker processes that tell what they do in a folder."""
    folder.mkdir(exist_ok=True)
    return Work(recipe, folder, data, Door(folder, **door))


def work_together(
    works: list[Work], workers: int, resume: Resume | None = None, timeout: float = 120, **changes: Any
) -> list[Over]:
    """Run a worker process for each work, and return how they ended."""
    addresses = tuple(f"127.0.0.1:{port}" for port in _free_ports(workers))
    nurseries = [Nursery(stand_by, (work,), ["tensorflow", "keras"]) for work in works]
    children = [nursery.start() for nursery in nurseries]
    for rank, child in enumerate(children):
        child.send(replace(Assignment(1, rank, workers, addresses, resume), **changes))
    try:
        return [child.receive(timeout) for child in children]
    except EOFError:
        raise AssertionError([child.output.text()[-3000:] for child in children]) from None
    finally:
        for child in children:
            child.end()


def _free_ports(count: int) -> list[int]:
    doors = [socket.socket() for _ in range(count)]
    for door in doors:
        door.bind(("127.0.0.1", 0))
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports
