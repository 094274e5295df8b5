"""What is printed in a share of mode averaging, by user code above all: its end goes to the driver, for the logs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

LONGEST = 16 << 10
"""In characters, of what is kept of one share."""

LONGEST_OF_ALL = 256 << 10
"""In characters, of what is kept of a worker in an attempt."""


class Tail(io.TextIOBase):
    """A stream that writes through to another one, and keeps the end of what it was given."""

    def __init__(self, through: TextIO) -> None:
        self._through, self._kept = through, ""

    def write(self, text: str) -> int:
        """Take a text."""
        self._kept = (self._kept + text)[-LONGEST:]
        return self._through.write(text)

    def flush(self) -> None:
        """Have the other stream written."""
        self._through.flush()

    def writable(self) -> bool:
        """Whether texts are taken."""
        return True

    def text(self) -> str:
        """Return the end of what was written."""
        return self._kept


@contextmanager
def overheard(through: TextIO) -> Iterator[Tail]:
    """Keep what Python prints until the block ends, on either stream, in the order in which it comes."""
    tail = Tail(through)
    with redirect_stdout(tail), redirect_stderr(tail):
        yield tail


class Logs:
    """What the workers of an attempt have printed, by rank, as far as it is kept."""

    def __init__(self) -> None:
        self._texts = dict[int, str]()
        self._changed = set[int]()

    def add(self, printed: tuple[tuple[int, str], ...]) -> None:
        """Take what shares have printed."""
        for rank, text in printed:
            self._texts[rank] = (self._texts.get(rank, "") + text)[-LONGEST_OF_ALL:]
            self._changed.add(rank)

    def take(self) -> list[tuple[int, str]]:
        """Return the logs that have changed since this was asked last."""
        taken = [(rank, self._texts[rank]) for rank in sorted(self._changed)]
        self._changed.clear()
        return taken
