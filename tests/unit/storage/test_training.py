"""Every path of a training, on each kind of storage."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator

import pytest

from tinderbox.errors import BadInput, StaleAttempt
from tinderbox.run import Run
from tinderbox.storage.checkpoints import Manifest
from tinderbox.storage.training import TrainFolder
from tinderbox.training.record import CheckpointKept
from tinderbox.training.records import Position

RUN = Run("small", "c" * 64, "d" * 64, "", "3.11.7", {"numpy": "2.0"})


@pytest.fixture
def folder(storage: str) -> TrainFolder:
    """Return the folder of a training that was begun."""
    made = TrainFolder(storage, "small")
    made.write_job({"kind": "train"}, RUN)
    return made


async def blocks(*content: bytes) -> AsyncIterator[bytes]:
    """Send blocks."""
    for block in content:
        yield block


def keep(folder: TrainFolder, step: int, epoch: int, examples: int = 0, parts: int = 1) -> Manifest:
    """Keep a whole checkpoint, and return what says so."""
    told = {rank: folder.keep_part(step, rank, lambda file: file.write(b"state %d" % step)) for rank in range(parts)}
    digests = {rank: sha256 for rank, (sha256, _) in told.items()}
    manifest = Manifest(1, Position(epoch, examples, step), digests, sum(size for _, size in told.values()))
    folder.complete(manifest)
    return manifest


def fetch(folder: TrainFolder, step: int, rank: int) -> bytes:
    """Return a part as it is sent."""

    async def collect() -> bytes:
        return b"".join([block async for block in folder.send_part(step, rank)])

    return asyncio.run(collect())


def test_a_part_arrives_in_blocks(folder: TrainFolder) -> None:
    """Whole, and it can be fetched again."""
    sha256 = hashlib.sha256(b"one two").hexdigest()
    assert asyncio.run(folder.take_part(430, 1, blocks(b"one ", b"two"), sha256)) == 7
    assert folder.names("checkpoints") == ["checkpoints/step-000000430/part-1"]
    assert fetch(folder, 430, 1) == b"one two"


def test_a_part_with_another_digest_is_not_kept(folder: TrainFolder) -> None:
    """Nothing of it is."""
    with pytest.raises(BadInput, match="part-0 arrived with digest"):
        asyncio.run(folder.take_part(430, 0, blocks(b"torn"), "0" * 64))
    assert folder.names("checkpoints") == []


def test_the_newest_whole_checkpoint_counts(folder: TrainFolder) -> None:
    """One without a manifest does not; what it says comes back as it was."""
    assert folder.newest() is None
    keep(folder, 10, 1)
    whole = keep(folder, 20, 2, examples=5, parts=2)
    folder.keep_part(30, 0, lambda file: file.write(b"x"))
    assert folder.newest() == whole
    assert whole.resume.position == Position(2, 5, 20)
    assert set(whole.resume.parts) == {0, 1}
    assert whole.size == 16


def test_a_part_of_an_attempt_that_is_over_is_not_kept(folder: TrainFolder) -> None:
    """It may have ended while the part was on its way, or while it was stored, and another one has stored its own."""
    calls: list[int] = []

    def check() -> None:
        raise StaleAttempt("over")

    def check_twice() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise StaleAttempt("over")

    own = hashlib.sha256(b"mine").hexdigest()
    asyncio.run(folder.take_part(429, 0, blocks(b"mine"), own))
    with pytest.raises(StaleAttempt):
        asyncio.run(folder.take_part(429, 0, blocks(b"late"), hashlib.sha256(b"late").hexdigest(), check_twice))
    assert folder.read("checkpoints/step-000000429/part-0") == b"mine"
    folder.remove("checkpoints/step-000000429/part-0")
    sha256 = hashlib.sha256(b"late").hexdigest()
    with pytest.raises(StaleAttempt):
        asyncio.run(folder.take_part(430, 0, blocks(b"late"), sha256, check))
    with pytest.raises(StaleAttempt):
        asyncio.run(folder.take_model(blocks(b"late"), sha256, check))
    assert folder.keepsakes() == ["run.json", "train.yaml"]
    assert folder.names("checkpoints") == []
    asyncio.run(folder.take_model(blocks(b"la", b"te"), sha256))
    assert folder.read("model.keras") == b"late"


def test_what_an_event_tells_of_counts(folder: TrainFolder) -> None:
    """Once its parts are there."""
    sha256, size = folder.keep_part(10, 0, lambda file: file.write(b"state"))
    event = CheckpointKept(time=1.0, attempt=3, epoch=1, examples=5, step=10, parts={0: sha256}, size=size)
    folder.count(event)
    assert folder.newest() == Manifest(3, Position(1, 5, 10), {0: sha256}, size)


@pytest.mark.parametrize("damage", ["content", "gone", "manifest"])
def test_a_damaged_checkpoint_is_passed_over(folder: TrainFolder, damage: str) -> None:
    """In favour of the one before."""
    before = keep(folder, 10, 1)
    keep(folder, 20, 2, parts=2)
    if damage == "content":
        folder.write("checkpoints/step-000000020/part-1", b"other 20")
    elif damage == "gone":
        folder.remove("checkpoints/step-000000020/part-1")
    else:
        folder.write("checkpoints/step-000000020/manifest.json", b'{"attempt": 1}')
    assert folder.newest() == before
    assert folder.clear() == before
    assert {name.split("/")[1] for name in folder.names("checkpoints")} == {"step-000000010"}


def test_an_epochs_end_is_found(folder: TrainFolder) -> None:
    """Not a checkpoint within the next epoch."""
    at_end = keep(folder, 20, 2)
    keep(folder, 25, 2, examples=50)
    assert folder.at_epoch(2) == at_end
    assert folder.at_epoch(3) is None


def test_old_checkpoints_go(folder: TrainFolder) -> None:
    """But the newest ones, the best, and what is still on its way; parts that an old attempt has left go, too."""
    for number in range(1, 6):
        keep(folder, 10 * number, number)
    folder.keep_part(15, 0, lambda file: file.write(b"left"))
    folder.keep_part(60, 0, lambda file: file.write(b"on its way"))
    assert folder.prune(2, best=2) == [10, 15, 30]
    assert [manifest.position.step for manifest in folder.manifests()] == [50, 40, 20]
    steps = {name.split("/")[1] for name in folder.names("checkpoints")}
    assert steps == {f"step-0000000{step}" for step in (20, 40, 50, 60)}
    assert folder.prune(2, best=2) == []


def test_the_confusion_is_kept(folder: TrainFolder) -> None:
    """Or removed where another attempt has none."""
    folder.write_confusion([[3, 1], [0, 4]])
    assert folder.read("confusion.json") == b"[[3, 1], [0, 4]]"
    folder.write_confusion(None)
    assert not folder.has("confusion.json")


def test_the_history_comes_back(folder: TrainFolder) -> None:
    """With what is no finite number."""
    assert folder.read_history() == []
    folder.write_history([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": math.inf}])
    assert folder.read_history() == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": math.inf}]


def test_keepsakes_are_what_is_small(folder: TrainFolder) -> None:
    """No checkpoint, and not what workers printed."""
    keep(folder, 10, 1)
    folder.write_log(2, 1, "hello")
    folder.write("model.keras", b"model")
    assert folder.read("logs/attempt-2-worker-1.log") == b"hello"
    assert folder.keepsakes() == ["model.keras", "run.json", "train.yaml"]


def test_a_later_driver_supersedes(folder: TrainFolder) -> None:
    """The record is a log with generations."""
    first = folder.log()
    first.append(b"one\n")
    before = folder.extent()
    second = folder.log()
    second.claim()
    assert list(second.read()) == [b"one\n"]
    assert folder.extent() > before
    first.close()
    second.close()
