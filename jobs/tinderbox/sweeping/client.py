"""A slot's side of the HTTP door: messages out, answers in, repeated until they arrive."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from tinderbox import checkpoint
from tinderbox.errors import TinderboxError
from tinderbox.sweeping.messages import (
    ANSWER,
    ASK,
    DECISION,
    FINISH,
    HEARTBEAT,
    REPORT,
    Answer,
    Ask,
    Decision,
    Finish,
    Heartbeat,
    Report,
    Resume,
)
from tinderbox.web.client import Connection


class Client(Connection):
    """Speaks to one coordinator; safe to use from several threads."""

    def lease(self, ask: Ask) -> Answer:
        """Ask for work; waits a while where there is none yet."""
        return ANSWER.validate_json(self.send("POST", "/lease", ASK.dump_json(ask)))

    def report(self, trial: int, report: Report) -> Decision:
        """Deliver a report and return what the trial does next."""
        return DECISION.validate_json(self.send("POST", f"/trials/{trial}/report", REPORT.dump_json(report)))

    def finish(self, trial: int, finish: Finish) -> Answer:
        """Say how an attempt ended and return the next lease."""
        return ANSWER.validate_json(self.send("POST", f"/trials/{trial}/finish", FINISH.dump_json(finish)))

    def heartbeat(self, beat: Heartbeat) -> Decision:
        """Say that the slot is alive, and learn whether its trial should go on."""
        return DECISION.validate_json(self.send("POST", "/heartbeat", HEARTBEAT.dump_json(beat)))

    def upload(self, trial: int, attempt: int, epoch: int, slot: str, path: Path) -> None:
        """Bring a checkpoint to storage; it is streamed, and refused unless it arrives whole.

        Raises:
            TinderboxError: Storage does not take it, or not in time.
        """
        sha256, size = checkpoint.digest(path)
        query = urlencode({"attempt": attempt, "epoch": epoch, "slot": slot, "sha256": sha256})
        self.put_file(f"/trials/{trial}/checkpoint?{query}", path, size)

    def note_state(self, trial: int, attempt: int, epoch: int, slot: str, path: str, sha256: str, size: int) -> None:
        """Say that a slot has brought a checkpoint to storage itself."""
        state = {"attempt": attempt, "epoch": epoch, "slot": slot, "path": path, "sha256": sha256, "size": size}
        self.send("POST", f"/trials/{trial}/state?{urlencode(state)}", b"")

    def download(self, trial: int, attempt: int, slot: str, resume: Resume, path: Path) -> None:
        """Fetch the state that an attempt goes on from.

        Raises:
            TinderboxError: It did not arrive as it was saved.
        """
        target = f"/trials/{trial}/checkpoint?{urlencode({'attempt': attempt, 'slot': slot})}"
        self.get_file(target, path)
        if checkpoint.digest(path) != (resume.sha256, resume.size):
            raise TinderboxError(f"what arrived for epoch {resume.epoch} is not what was saved")
