"""How a trial can go wrong, and the one sentence that says so."""

from __future__ import annotations

import signal
import traceback
from dataclasses import dataclass
from pathlib import Path

from tinderbox.errors import TinderboxError

_LONGEST_CAUSE, _LONGEST_DETAILS = 1_000, 16_384


@dataclass(frozen=True)
class Failure:
    """Why a trial failed: a sentence for people and a traceback for debugging."""

    cause: str
    details: str = ""


NO_FAILURE = Failure("")


def describe(error: BaseException, skip: Path | None = None) -> Failure:
    """Return the failure behind an exception; frames before the first one outside the folder `skip` are left out."""
    first, _, _ = str(error).partition("\n")
    # Our own errors are whole sentences; a stranger's message says little without its type.
    cause = first if isinstance(error, TinderboxError) else ": ".join(filter(None, (type(error).__name__, first)))
    frames = error.__traceback__
    while skip and frames is not None and Path(frames.tb_frame.f_code.co_filename).is_relative_to(skip):
        frames = frames.tb_next
    details = "".join(traceback.format_exception(type(error), error, frames))
    return Failure(_printable(cause)[:_LONGEST_CAUSE], _printable(details)[-_LONGEST_DETAILS:])


def _printable(text: str) -> str:
    """Return a text that UTF-8, and so JSON, can hold: a file name that is none may be part of a message."""
    return text.encode(errors="backslashreplace").decode()


def describe_exit(code: int | None, whose: str = "the trial's", before: str = "the function returned") -> Failure:
    """Return the failure behind a process that ended before its work did; a negative code is a signal."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return Failure(f"{whose} process was killed by {name}")
    return Failure(f"{whose} process ended with exit code {code} before {before}")
