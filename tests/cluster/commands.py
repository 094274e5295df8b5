"""Run a command to its end; a failure becomes one sentence with what the command said."""

import subprocess
from collections.abc import Sequence
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
