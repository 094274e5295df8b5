"""Which tasks of a round are alive: those that run, and of them those that say so. Pure, with the time passed in.

Spark knows a task that runs, but not whether its Python worker has been stopped, or its machine.
"""

from __future__ import annotations

from dataclasses import dataclass

BEAT_SECONDS = 1.0
"""A task says so often that it is alive."""

_HEARD_SECONDS = 8.0
_PATIENCE_SECONDS = 12.0
"""For so long more tasks may run than have been heard of lately; a task that begins has to start Python first."""


@dataclass(frozen=True)
class Pulse:
    """What a task says of itself: its round, its share there, where it is, and whether it has just ended."""

    round: int
    share: str
    node: str
    over: bool = False


class Pulses:
    """When each task of the present round was heard of last."""

    def __init__(self) -> None:
        self._round = 0
        self._heard = dict[tuple[str, str], float]()
        self._missing_since: float | None = None

    def begin(self) -> int:
        """Begin a round and return its number; what is said of an earlier one is not heard any more."""
        self._round += 1
        self._heard, self._missing_since = {}, None
        return self._round

    def hear(self, pulse: Pulse, now: float) -> bool:
        """Note what a task says, and return whether its round is the present one."""
        if pulse.round != self._round:
            return False
        key = pulse.share, pulse.node
        if pulse.over:
            self._heard.pop(key, None)
        else:
            self._heard[key] = now
        return True

    def find_frozen(self, running: int, now: float) -> str | None:
        """Return the sentence that says which of so many running tasks is frozen, None where none is."""
        alive = [key for key, heard in self._heard.items() if now - heard < _HEARD_SECONDS]
        if running <= len(alive):
            self._missing_since = None
            return None
        if self._missing_since is None:
            self._missing_since = now
        if now - self._missing_since < _PATIENCE_SECONDS:
            return None
        silent = [f"{share} on {node}" for share, node in sorted(self._heard.keys() - set(alive))]
        told = ", ".join(silent) if silent else f"{running - len(alive)} of {running} tasks"
        return f"{told} was not heard of for {_PATIENCE_SECONDS + _HEARD_SECONDS if silent else _PATIENCE_SECONDS:g} s"
