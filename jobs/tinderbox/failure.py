"""How a trial can go wrong, and the one sentence that says so."""

from __future__ import annotations

import signal
import traceback
from dataclasses import dataclass

_LONGEST_DETAILS = 16_384


@dataclass(frozen=True)
class Failure:
    """Why a trial failed: a sentence for people and a traceback for debugging."""

    cause: str
    details: str = ""


NO_FAILURE = Failure("")


def describe(error: BaseException, skip: str = "") -> Failure:
    """Return the failure behind an exception; frames before the first one outside `skip` are left out."""
    first, _, _ = str(error).partition("\n")
    cause = f"{type(error).__name__}: {first}" if first else type(error).__name__
    frames = error.__traceback__
    while skip and frames is not None and frames.tb_frame.f_code.co_filename == skip and frames.tb_next:
        frames = frames.tb_next
    details = "".join(traceback.format_exception(type(error), error, frames))
    return Failure(cause, details[-_LONGEST_DETAILS:])


def describe_exit(code: int | None) -> Failure:
    """Return the failure behind a process that ended before its function did; a negative code is a signal."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return Failure(f"the trial's process was killed by {name}")
    return Failure(f"the trial's process ended with exit code {code} before the function returned")
