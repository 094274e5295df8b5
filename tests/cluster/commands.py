"""Run a command to its end; a failure becomes one sentence with what the command said."""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError


def run(*command: str | Path, given: str | None = None) -> str:
    """What a command prints."""
    done = subprocess.run([str(word) for word in command], input=given, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"{_short(command)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def succeeds(*command: str | Path) -> bool:
    """Whether a command ends well."""
    return subprocess.run([str(word) for word in command], capture_output=True).returncode == 0


def _short(command: Sequence[str | Path]) -> str:
    return " ".join([Path(command[0]).name, *(str(word) for word in command[1:])])


def wait(what: str, ready: Callable[[], bool], seconds: float, explain: Callable[[], str] = str) -> None:
    """Wait until something holds, looking often; past the time, say what was waited for."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise ClusterError(f"{what} within {seconds:g} s\n{explain()}".rstrip())
        time.sleep(0.1)
