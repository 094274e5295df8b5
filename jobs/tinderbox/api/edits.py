"""What people change in a job file while its study runs: more or fewer slots, and a larger budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinderbox.api.plan import describe_job, differing_keys, is_raised
from tinderbox.config import SweepJob
from tinderbox.errors import BadInput

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 2.0

LIVE = ("slots", "budget")
"""Keys that reach a study that runs."""


@dataclass
class JobFile:
    """A job file, looked at from time to time; `read` makes a job of what is in it now."""

    path: Path
    read: Callable[[], SweepJob]
    _content: bytes = field(init=False)
    _looked: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Begin with what is in the file now."""
        self._content = self._look()

    def edited(self, job: SweepJob) -> SweepJob | None:
        """Return the job as it was changed since the last look, None where nothing has changed that reaches a study.

        What is wrong with a change is told once, and the study goes on as it was.
        """
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return None
        self._looked, before, self._content = time.monotonic(), self._content, self._look()
        if self._content in (before, b""):  # it may be read while an editor writes it
            return None
        try:
            changed = self.read()
            check_edit(job, changed)
        except BadInput as refused:
            LOG.warning("the job file has changed, and the study goes on as it was: %s", refused)
            return None
        return changed if changed != job else None

    def _look(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError:
            return b""


def check_edit(before: SweepJob, now: SweepJob) -> None:
    """Return if a study that runs can take a changed job over.

    Raises:
        BadInput: Something else than slots and budget was changed, a budget was lowered, or a change would reach the
            next driver only.
    """
    old, new = describe_job(before), describe_job(now)
    others = [key for key in differing_keys(old, new) if key not in LIVE]
    if others:
        raise BadInput(
            f"a running study takes over {' and '.join(LIVE)} only, got another {' and '.join(others)}; "
            "stop it, and start the changed job under another name"
        )
    if not is_raised(old["budget"], new["budget"]):
        raise BadInput(f"the budget of a running study may only be raised, from {old['budget']}, got {new['budget']}")
    late, as_before = _late(new), _late(old)
    changed = [f"{key} {value}" for key, value in late.items() if value != as_before[key]]
    if changed:
        raise BadInput(
            f"a running study keeps its checkpoints and its budget.trial_time, got {' and '.join(changed)}; "
            "stop it, and run the changed job again to continue it with them"
        )


def _late(job: dict[str, Any]) -> dict[str, Any]:
    """Return what a study takes over when it is continued, and not before."""
    return {"checkpoints": job["checkpoints"], "budget.trial_time": job["budget"].get("trial_time")}
