"""Which tasks of a round are alive: those that run, and of them those that say so. Pure, with the time passed in.

Spark knows a task that runs, but not whether its Python worker has been stopped, or its machine.
"""

from __future__ import annotations

from dataclasses import dataclass

BEAT_SECONDS = 1.0
"""A task says so often that it is alive."""

_HEARD_SECONDS = 8.0
"""Who was not heard of for so long is silent."""


@dataclass(frozen=True)
class Patience:
    """For how long more tasks may run than are heard of, in seconds.

    `silent` is for those that have been heard and are not any more, `unheard` for those that have just begun.
    """

    silent: float
    unheard: float


WARM, COLD = Patience(12.0, 22.0), Patience(60.0, 120.0)
"""Python processes that have worked before are quick to speak; new ones import, and may say nothing meanwhile."""


@dataclass(frozen=True)
class Pulse:
    """What a task says of itself: its round, its share there, where it is, and whether it has just ended.

    It is `new` where it is the first one of its training in its process, which has TensorFlow to import.
    """

    round: int
    share: str
    node: str
    new: bool = False
    over: bool = False


class Pulses:
    """When each task of the present round was heard of last."""

    def __init__(self) -> None:
        self._round, self._cold = 0, True
        self._heard = dict[tuple[str, str], tuple[float, bool]]()
        self._missing_since: float | None = None

    def begin(self, cold: bool) -> int:
        """Begin a round and return its number; what is said of an earlier one is not heard any more.

        A round is `cold` where its tasks are the first ones that their processes have.
        """
        self._round, self._cold = self._round + 1, cold
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
            self._heard[key] = now, pulse.new
        return True

    def find_frozen(self, running: int, failed: int, now: float) -> str | None:
        """Return the sentence that says which of so many running tasks is frozen, None where none is.

        Where tasks have `failed` in this round, others run in their place, in new processes.
        """
        alive = {key for key, (heard, _) in self._heard.items() if now - heard < _HEARD_SECONDS}
        if running <= len(alive):
            self._missing_since = None
            return None
        if self._missing_since is None:
            self._missing_since = now
        silent = sorted(self._heard.keys() - alive)
        is_new = self._cold or failed or any(self._heard[key][1] for key in silent)
        patience = COLD if is_new else WARM
        limit = patience.silent if silent else patience.unheard
        if now - self._missing_since < limit:
            return None
        if silent:
            told = ", ".join(f"{share} on {node}" for share, node in silent)
            return f"{told} was not heard of for {limit + _HEARD_SECONDS:g} s"
        return f"{running - len(alive)} of {running} tasks said nothing for {limit:g} s"
