"""Agents' and workers' side of the driver's HTTP door."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from urllib.parse import urlencode

import urllib3

from tinderbox import checkpoint
from tinderbox.checkpoint import Save
from tinderbox.errors import BadInput, StaleAttempt, TinderboxError
from tinderbox.metrics.meter import NOBODY, Meter
from tinderbox.training.driver.messages import (
    ANSWER,
    ASSIGNMENT,
    BEAT,
    ENDED,
    FINISH,
    JOIN,
    RULING,
    TOLD,
    WATCH,
    Answer,
    Beat,
    Ended,
    Finish,
    Join,
    Sender,
    Told,
    Watch,
)
from tinderbox.training.metering import count_steps
from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Resume, Verdict
from tinderbox.web.client import Connection

BEAT_SECONDS = 2.0


class AgentDoor(Connection):
    """What an agent tells the driver."""

    def join(self, ask: Join) -> Answer:
        """Wait for an assignment; without one, ask again."""
        return ANSWER.validate_json(self.send("POST", "/join", JOIN.dump_json(ask)))

    def watch(self, watch: Watch) -> None:
        """Say that the agent and its worker's process live; returns after a while.

        Raises:
            StaleAttempt: The worker is to end.
        """
        self.send("POST", "/watch", WATCH.dump_json(watch))

    def ended(self, ended: Ended) -> None:
        """Say how the worker's process has ended.

        Raises:
            StaleAttempt: Its attempt is over already.
        """
        self.send("POST", "/ended", ENDED.dump_json(ended))


class WorkerChannel(Connection):
    """A worker's Channel: a thread says every two seconds that this process lives, until it is stopped or frozen."""

    def __init__(
        self, url: str, token: str, agent: str, assignment: Assignment, mode: str = "", meter: Meter = NOBODY
    ) -> None:
        super().__init__(url, token)
        self._sender = Sender(agent=agent, attempt=assignment.attempt, rank=assignment.rank)
        self._meter, self._mode = meter, mode
        self._position = assignment.resume.position if assignment.resume else Position()
        self._done, self._lock = Counts(), threading.Lock()
        self._trouble: Exception | None = None
        self._over = threading.Event()
        threading.Thread(target=self._keep_beating, name="beat", daemon=True).start()

    # The channel

    def beat(self, position: Position, done: Counts) -> None:
        """Note where training stands and what was done since the last call; never waits, a thread sends the sum.

        Raises:
            StaleAttempt: The attempt is over.
            TinderboxError: The driver does not answer any more.
        """
        with self._lock:
            self._position, self._done = position, self._done + done
        if self._trouble is not None:
            raise self._trouble

    def end_epoch(self, report: EpochReport) -> Verdict:
        """Tell of an epoch, wait until all workers have, and return what follows."""
        told = TOLD.dump_json(Told(sender=self._sender, report=report))
        while True:
            verdict = RULING.validate_json(self._ask("POST", "/epoch", told)).verdict
            if verdict is not None:
                return verdict

    def save(self, position: Position, save: Save) -> None:
        """Bring this worker's part of a checkpoint to safety; it counts once all parts that belong to it are there."""
        place = {"epoch": position.epoch, "examples": position.examples, "step": position.step}
        self._put("/part", save, place)

    def fetch(self, resume: Resume, rank: int, folder: Path) -> Path:
        """Return a file in `folder` with a part of a checkpoint.

        Raises:
            TinderboxError: It is gone, or not what was saved.
        """
        step, path = resume.position.step, folder / f"step-{resume.position.step}-part-{rank}"
        self.get_file(f"/part?{self._query({'step': step, 'part': rank})}", path)
        if checkpoint.digest(path)[0] != resume.parts[rank]:
            raise TinderboxError(
                f"what arrived of part {rank} of the checkpoint at step {step} is not what was saved; see to storage"
            )
        return path

    def finish(self, model: Save | None, confusion: list[list[int]] | None) -> None:
        """Tell that training is over: the model, from rank 0, and which validation examples were taken for what."""
        if model is not None:
            self._put("/model", model, {})
        self._send_beat()
        self._ask("POST", "/finish", FINISH.dump_json(Finish(sender=self._sender, confusion=confusion)))
        self._over.set()

    def assignment(self) -> Assignment:
        """Return the newest addresses of this attempt's workers."""
        return ASSIGNMENT.validate_json(self._ask("GET", f"/assignment?{self._query({})}", None))

    # Beneath it

    def _query(self, more: dict[str, int | str]) -> str:
        sender = self._sender
        return urlencode({"agent": sender.agent, "attempt": sender.attempt, "rank": sender.rank, **more})

    def _put(self, path: str, save: Save, more: dict[str, int]) -> None:
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            file = Path(scratch, "part")
            checkpoint.write(save, file)
            sha256, size = checkpoint.digest(file)
            try:
                self.put_file(f"{path}?{self._query({**more, 'sha256': sha256})}", file, size)
            except BadInput as error:  # of ours, such as one that arrived torn, and nobody's mistake
                raise TinderboxError(f"the driver has refused a file: {error}") from error

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        try:
            return self.send(method, path, body)
        except urllib3.exceptions.HTTPError as error:
            raise TinderboxError(f"the driver does not answer: {error}; see to its machine and the network") from error

    def _keep_beating(self) -> None:
        while True:
            try:
                self._send_beat()
            except (StaleAttempt, TinderboxError) as error:
                self._trouble = error
                return
            if self._over.wait(BEAT_SECONDS):
                return

    def _send_beat(self) -> None:
        with self._lock:
            position, done, self._done = self._position, self._done, Counts()
        if done.steps:
            count_steps(self._meter, done, self._mode)
            self._meter.flush()
        self._ask("POST", "/beat", BEAT.dump_json(Beat(sender=self._sender, position=position, done=done)))
