"""Checkpoints of a training in storage: parts of its workers, and a manifest that says that all of them are there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from tinderbox import checkpoint
from tinderbox.checkpoint import Save
from tinderbox.errors import BadInput
from tinderbox.storage.folder import BLOCK
from tinderbox.storage.runs import RunFolder
from tinderbox.training.record import CheckpointKept
from tinderbox.training.records import Position, Resume


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


class CheckpointFolder(RunFolder):
    """The checkpoints of a run.

    One without a manifest, or with another digest, does not count: the one before it does.
    """

    async def take_part(
        self, step: int, rank: int, blocks: AsyncIterator[bytes], sha256: str, check: Callable[[], object] = bool
    ) -> int:
        """Store a part of a checkpoint whole or not at all as it arrives; return its size in bytes.

        `check` is called when it is there and before it counts, at the end in another thread, and what it raises leaves
        nothing of it.

        Raises:
            BadInput: What arrived has another digest.
        """
        return await self.take(part_name(step, rank), blocks, sha256, check)

    async def take(self, name: str, blocks: AsyncIterator[bytes], sha256: str, check: Callable[[], object]) -> int:
        """Store a file in this way."""
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            path, hashed = Path(scratch, "part"), hashlib.sha256()
            with path.open("wb") as file:
                async for block in blocks:
                    hashed.update(block)
                    await asyncio.to_thread(file.write, block)
            if hashed.hexdigest() != sha256:
                raise BadInput(f"{name} arrived with digest {hashed.hexdigest()}, not {sha256}")
            check()
            await asyncio.to_thread(self._put, name, path, check)
            return path.stat().st_size

    def keep_part(self, step: int, rank: int, save: Save) -> tuple[str, int]:
        """Store a part of a checkpoint whole or not at all; return its digest and its size in bytes."""
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            path = Path(scratch, "part")
            checkpoint.write(save, path)
            self._put(part_name(step, rank), path)
            return checkpoint.digest(path)

    def _put(self, name: str, path: Path, check: Callable[[], object] = bool) -> None:
        with path.open("rb") as source, self.replacing(name) as file:
            shutil.copyfileobj(source, file, BLOCK)
            check()  # once more, for that may have taken long, and a later attempt may have stored the same part

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


def step_name(step: int) -> str:
    """Return the name of a checkpoint's folder."""
    return f"step-{step:09d}"


def part_name(step: int, rank: int) -> str:
    """Return the name, in a run, of a part of a checkpoint."""
    return f"checkpoints/{step_name(step)}/part-{rank}"


def manifest_name(step: int) -> str:
    """Return the name, in a run, of what says that a checkpoint is whole."""
    return f"checkpoints/{step_name(step)}/manifest.json"
