"""How much of an executor's memory a trial or a worker may hold, and the sentence for one that held more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tinderbox.failure import Failure
from tinderbox.memory import CGROUPS, anonymous, bound, count_kills, find_limit, held, parent

JAVA_REST = 256 << 20
"""In bytes: for Java beside its heap, and Spark's Python daemon; with some heap in use they held 280 MiB in all."""


@dataclass(frozen=True)
class Share:
    """A slot's part of its executor's memory: of the `limit`, less Java's `heap` and a rest, for so many `slots`.

    Sizes are in bytes. What the slot needs for itself is a part of it: 360 MiB with TensorFlow, whose pages trials
    share. A worker of a training has a slot of that name.
    """

    limit: int
    heap: int
    slots: int

    @property
    def size(self) -> int:
        """The part in bytes."""
        return (self.limit - self.heap - JAVA_REST) // self.slots


class Allowance:
    """Weighs what runs in a slot, unless its memory has no limit, and tells what the kernel has killed from the rest.

    Sentences name `what` runs there, and call the slot a `slot`.
    """

    def __init__(
        self, share: Share | None, cgroups: Path = CGROUPS, *, what: str = "trial", slot: str = "slot"
    ) -> None:
        self._share, self._cgroups, self._kills = share, cgroups, 0
        self._what, self._slot = what, slot

    def begin(self) -> None:
        """Note that an attempt begins: what the kernel has killed until now was not part of it."""
        self._kills = count_kills(self._cgroups)

    def weigh(self, pid: int | None) -> int:
        """Return how many bytes a process, and all it has started, hold; 0 where nothing limits them."""
        return 0 if self._share is None or pid is None else held(pid)

    def excess(self, pid: int | None) -> Failure | None:
        """Return why a process has to end, None while it holds no more than it may; cheap while it holds far less."""
        if self._share is None or pid is None:
            return None
        room = max(self._share.size - anonymous(os.getpid()) - anonymous(parent(pid)), 0)
        if bound(pid) <= room or (found := held(pid)) <= room:
            return None
        slots = f"one {self._slot}" if self._share.slots == 1 else f"{self._share.slots} {self._slot}s"
        place = f"an executor of {_mebibytes(self._share.limit)} with {slots}"
        told = f"the {self._what}'s processes held {_mebibytes(found)}, and may hold {_mebibytes(room)} in {place}"
        return Failure(f"{told}; {self._advice}")

    def explain_kill(self) -> Failure | None:
        """Return why the kernel has killed a process, None if it has killed none since the attempt began."""
        if count_kills(self._cgroups) <= self._kills:
            return None
        limit = find_limit(self._cgroups)
        size = "its memory" if limit is None else f"its memory limit of {_mebibytes(limit)}"
        told = f"the kernel killed the {self._what}'s process, for its executor had used up {size}"
        return Failure(f"{told}; {self._advice}")

    @property
    def _advice(self) -> str:
        return f"give executors more memory, put fewer {self._slot}s on each, or take smaller batches"


def _mebibytes(size: int) -> str:
    return f"{size >> 20:,} MiB"
