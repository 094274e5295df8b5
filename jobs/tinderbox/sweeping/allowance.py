"""How much memory the trials of a slot may hold, and the sentence for one that held more or was killed for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tinderbox.failure import Failure
from tinderbox.memory import CGROUPS, anonymous, bound, count_kills, find_limit, held, parent

JAVA_REST = 256 << 20
"""In bytes: for Java beside its heap, and Spark's Python daemon; with some heap in use they held 280 MiB in all."""

_ADVICE = "give executors more memory, put fewer slots on each, or take smaller batches"


@dataclass(frozen=True)
class Share:
    """A slot's part of its executor's memory: of the `limit`, less Java's `heap` and a rest, for so many `slots`.

    All are in bytes. What the slot needs for itself is a part of it: 360 MiB with TensorFlow, whose pages trials share.
    """

    limit: int
    heap: int
    slots: int

    @property
    def size(self) -> int:
        """The part in bytes."""
        return (self.limit - self.heap - JAVA_REST) // self.slots


class Allowance:
    """Weighs a slot's trials, unless its memory has no limit, and tells those apart that the kernel has killed."""

    def __init__(self, share: Share | None, cgroups: Path = CGROUPS) -> None:
        self._share, self._cgroups, self._kills = share, cgroups, 0

    def begin(self) -> None:
        """Note that an attempt begins: what the kernel has killed until now was not part of it."""
        self._kills = count_kills(self._cgroups)

    def weigh(self, pid: int | None) -> int:
        """Return how many bytes a trial's process, and all it has started, hold; 0 where nothing limits them."""
        return 0 if self._share is None or pid is None else held(pid)

    def excess(self, pid: int | None) -> Failure | None:
        """Return why a trial has to end, None while it holds no more than it may; cheap while it holds far less."""
        if self._share is None or pid is None:
            return None
        room = max(self._share.size - anonymous(os.getpid()) - anonymous(parent(pid)), 0)
        if bound(pid) <= room or (found := held(pid)) <= room:
            return None
        slots = "one slot" if self._share.slots == 1 else f"{self._share.slots} slots"
        place = f"an executor of {_mebibytes(self._share.limit)} with {slots}"
        return Failure(
            f"the trial's processes held {_mebibytes(found)}, and may hold {_mebibytes(room)} in {place}; {_ADVICE}"
        )

    def explain_kill(self) -> Failure | None:
        """Return why the kernel has killed the trial's process, None if it has killed none since the attempt began."""
        if count_kills(self._cgroups) <= self._kills:
            return None
        limit = find_limit(self._cgroups)
        size = "its memory" if limit is None else f"its memory limit of {_mebibytes(limit)}"
        return Failure(f"the kernel killed the trial's process, for its executor had used up {size}; {_ADVICE}")


def _mebibytes(size: int) -> str:
    return f"{size >> 20:,} MiB"
