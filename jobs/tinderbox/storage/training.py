"""Every path of a training, in one place."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinderbox import checkpoint
from tinderbox.checkpoint import Save
from tinderbox.errors import BadInput
from tinderbox.storage.folder import BLOCK
from tinderbox.storage.log import SegmentLog
from tinderbox.storage.runs import RunFolder
from tinderbox.training.record import CheckpointKept
from tinderbox.training.records import Position, Resume

MODEL, HISTORY, CONFUSION, REPORT = "model.keras", "history.jsonl", "confusion.json", "report.html"
CLASSES = "classes.json"
"""The names of the classes that the data has, in the order of the model's outputs; not there for a regression."""
TEST = "test.json"
"""The metrics of the model on test examples, by name; not there where the data has none."""


@dataclass(frozen=True)
class Manifest:
    """A whole checkpoint: which attempt made it, where, each part's digest by its rank, and their size in bytes."""

    attempt: int
    position: Position
    digests: dict[int, str]
    size: int

    @property
    def resume(self) -> Resume:
        """What an attempt goes on from."""
        return Resume(self.position, dict(self.digests))


class TrainFolder(RunFolder):
    """One training below a storage folder or URL.

    train.yaml, run.json                              the job, and its identity
    submission                                        by what a cluster's driver was last submitted
    events/000001-000000.jsonl                        the record, a segment for each driver generation
    history.jsonl                                     a line for each epoch
    checkpoints/step-000000430/part-0                 what worker 0 needs to go on from there
    checkpoints/step-000000430/manifest.json          all parts are there, with these digests
    logs/attempt-2-worker-1.log                       what a worker printed
    model.keras, confusion.json, report.html          what the training is for

    A checkpoint without a manifest, or with another digest, does not count: the one before it does.
    """

    kind, job_file = "training", "train.yaml"

    def log(self) -> SegmentLog:
        """Return the log of the run's record, with a new generation begun."""
        return SegmentLog(self._files, self.path("events"))

    def keepsakes(self) -> list[str]:
        """Return the names of the files worth taking home: all but checkpoints and what workers printed."""
        return [name for name in self.names() if name.partition("/")[0] not in ("checkpoints", "logs")]

    def extent(self) -> tuple[int, int]:
        """Return how many files the run's record has now, and how many bytes are in them: it only grows."""
        self._files.invalidate_cache()
        sizes = [found["size"] for found in self._files.find(self.path("events"), detail=True).values()]
        return len(sizes), sum(sizes)

    # Checkpoints

    async def take_part(
        self, step: int, rank: int, blocks: AsyncIterator[bytes], sha256: str, check: Callable[[], object] = bool
    ) -> int:
        """Store a part of a checkpoint whole or not at all as it arrives; return its size in bytes.

        `check` is called when it is there and before it counts, and what it raises leaves nothing of it.

        Raises:
            BadInput: What arrived has another digest.
        """
        return await self._take(part_name(step, rank), blocks, sha256, check)

    async def take_model(self, blocks: AsyncIterator[bytes], sha256: str, check: Callable[[], object] = bool) -> None:
        """Store the model in the same way."""
        await self._take(MODEL, blocks, sha256, check)

    async def _take(self, name: str, blocks: AsyncIterator[bytes], sha256: str, check: Callable[[], object]) -> int:
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            path, hashed = Path(scratch, "part"), hashlib.sha256()
            with path.open("wb") as file:
                async for block in blocks:
                    hashed.update(block)
                    await asyncio.to_thread(file.write, block)
            if hashed.hexdigest() != sha256:
                raise BadInput(f"{name} arrived with digest {hashed.hexdigest()}, not {sha256}")
            check()
            await asyncio.to_thread(self._put, name, path)
            return path.stat().st_size

    def keep_part(self, step: int, rank: int, save: Save) -> tuple[str, int]:
        """Store a part of a checkpoint whole or not at all; return its digest and its size in bytes."""
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            path = Path(scratch, "part")
            checkpoint.write(save, path)
            self._put(part_name(step, rank), path)
            return checkpoint.digest(path)

    def _put(self, name: str, path: Path) -> None:
        with path.open("rb") as source, self.replacing(name) as file:
            shutil.copyfileobj(source, file, BLOCK)

    def complete(self, manifest: Manifest) -> None:
        """Let a checkpoint count, whose parts are all there."""
        at = manifest.position
        tree = {
            "attempt": manifest.attempt,
            "epoch": at.epoch,
            "examples": at.examples,
            "step": at.step,
            "parts": {str(rank): sha256 for rank, sha256 in sorted(manifest.digests.items())},
            "size": manifest.size,
        }
        self.write(manifest_name(at.step), json.dumps(tree, indent=2).encode())

    def count(self, kept: CheckpointKept) -> None:
        """Let a checkpoint count that a record is to tell of, whose parts are all there."""
        self.complete(Manifest(kept.attempt, kept.resume.position, dict(kept.parts), kept.size))

    def manifests(self) -> list[Manifest]:
        """Return the checkpoints that are said to be whole, the newest first; a manifest that is none is left out."""
        steps = {name.split("/")[1] for name in self.names("checkpoints") if name.count("/") == 2}
        found = (self._read_manifest(f"checkpoints/{step}/manifest.json") for step in steps)
        return sorted(filter(None, found), key=lambda manifest: manifest.position.step, reverse=True)

    def _read_manifest(self, name: str) -> Manifest | None:
        try:
            tree = json.loads(self.read(name))
            return Manifest(
                tree["attempt"],
                Position(tree["epoch"], tree["examples"], tree["step"]),
                {int(rank): sha256 for rank, sha256 in tree["parts"].items()},
                tree["size"],
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def newest(self) -> Manifest | None:
        """Return the newest checkpoint that is whole; each part's digest is looked at.

        What is damaged is passed over in favour of the one before.
        """
        return next(filter(self.is_whole, self.manifests()), None)

    def clear(self) -> Manifest | None:
        """Return the newest whole checkpoint, with all that is newer removed: it would be taken for what comes now."""
        whole = self.newest()
        step = -1 if whole is None else whole.position.step
        self._remove({found for found in self._steps() if found > step})
        return whole

    def at_epoch(self, epoch: int) -> Manifest | None:
        """Return the whole checkpoint at the end of an epoch, None where there is none."""
        ends = (found for found in self.manifests() if (found.position.epoch, found.position.examples) == (epoch, 0))
        return next(filter(self.is_whole, ends), None)

    def is_whole(self, manifest: Manifest) -> bool:
        """Whether all parts are there, as they were when they were stored."""
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            for rank, sha256 in manifest.digests.items():
                try:
                    path = self.fetch(part_name(manifest.position.step, rank), Path(scratch))
                    if checkpoint.digest(path)[0] != sha256:
                        return False
                except FileNotFoundError:
                    return False
        return True

    async def send_part(self, step: int, rank: int) -> AsyncIterator[bytes]:
        """Yield a part of a checkpoint, in blocks.

        Raises:
            FileNotFoundError: It is gone.
        """
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            path = await asyncio.to_thread(self.fetch, part_name(step, rank), Path(scratch))
            with path.open("rb") as file:
                while block := await asyncio.to_thread(file.read, BLOCK):
                    yield block

    def prune(self, keep: int, best: int | None = None) -> list[int]:
        """Remove all but the newest `keep` checkpoints and that of the best epoch; return the steps that were removed.

        Parts without a manifest go, too, where a newer checkpoint is whole: those of attempts that were cut short.
        """
        known = self.manifests()
        kept = {manifest.position.step for manifest in known[:keep]}
        kept |= {found.position.step for found in known if (found.position.epoch, found.position.examples) == (best, 0)}
        newest = known[0].position.step if known else -1
        removed = {step for step in self._steps() if step <= newest and step not in kept}
        self._remove(removed)
        return sorted(removed)

    def _steps(self) -> set[int]:
        """Return the steps of which there is a checkpoint, or a part of one."""
        return {int(name.split("/")[1].removeprefix("step-")) for name in self.names("checkpoints")}

    def _remove(self, steps: set[int]) -> None:
        for step in sorted(steps):
            self.remove(manifest_name(step))  # the first one to go, or its parts would be missed
            for name in self.names("checkpoints", step_name(step)):
                self.remove(name)
            if self.is_local:
                shutil.rmtree(self.path("checkpoints", step_name(step)), ignore_errors=True)

    # What a training is for

    def write_history(self, rows: Iterable[dict[str, Any]]) -> None:
        """Keep the history, a line for each epoch; what is no finite number becomes a text."""
        lines = (json.dumps({key: _finite(value) for key, value in row.items()}) for row in rows)
        self.write(HISTORY, "".join(f"{line}\n" for line in lines).encode())

    def read_history(self) -> list[dict[str, Any]]:
        """Return the rows of the history, none where there is none yet; NaN and infinities are numbers again."""
        if not self.has(HISTORY):
            return []
        rows = map(json.loads, self.read(HISTORY).decode().splitlines())
        return [{key: float(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows]

    def write_confusion(self, confusion: list[list[int]] | None) -> None:
        """Keep which validation examples were taken for what, a row for each true class; None where nobody counted."""
        if confusion is None:
            self.remove(CONFUSION)
        else:
            self.write(CONFUSION, json.dumps(confusion).encode())

    def write_log(self, attempt: int, rank: int, text: str) -> None:
        """Keep what a worker has printed in an attempt."""
        self.write(worker_log_name(attempt, rank), text.encode())


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value


def step_name(step: int) -> str:
    """Return the name of a checkpoint's folder."""
    return f"step-{step:09d}"


def part_name(step: int, rank: int) -> str:
    """Return the name, in a run, of a part of a checkpoint."""
    return f"checkpoints/{step_name(step)}/part-{rank}"


def manifest_name(step: int) -> str:
    """Return the name, in a run, of what says that a checkpoint is whole."""
    return f"checkpoints/{step_name(step)}/manifest.json"


def worker_log_name(attempt: int, rank: int) -> str:
    """Return the name, in a run, of what a worker printed."""
    return f"logs/attempt-{attempt}-worker-{rank}.log"
