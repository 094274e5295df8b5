"""What the commands tell their user: progress on stderr, results on stdout."""

import sys
from pathlib import Path

LINES_SHOWN = 20


def say(text: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def answer(text: str) -> None:
    """One line of result, which a script may read."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tail(log: Path) -> str:
    """The last lines of a log file, indented."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    return "\n".join(f"  {line}" for line in lines[-LINES_SHOWN:])
