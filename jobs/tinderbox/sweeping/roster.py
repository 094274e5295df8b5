"""Who is there: the slots, when each was last heard of, and which nodes lose what they are given."""

from __future__ import annotations

from dataclasses import dataclass

from tinderbox.errors import StaleAttempt
from tinderbox.sweeping.messages import Answer, Ask


@dataclass
class Slot:
    """A slot as the coordinator knows it; `answer` is what its newest `request` got, None while it got no work.

    `memory` is what its trial's processes hold in bytes; `can_save` is false once the trial has said that its state
    cannot be had. A slot that is `leaving` gets no more trials.
    """

    name: str
    node: str
    host: str
    heard: float
    request: int = -1
    answer: Answer | None = None
    trial: int | None = None
    memory: int = 0
    can_save: bool = True
    leaving: bool = False

    def answer_to(self, ask: Ask) -> Answer | None:
        """Return what a request got already, None where it is new or got no work."""
        return self.answer if self.request == ask.request else None


class Roster:
    """The slots by name, and the losses in a row of each node, with the time of the last one that counted."""

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        self._losses: dict[str, tuple[int, float]] = {}

    def meet(self, ask: Ask, now: float) -> tuple[Slot, bool]:
        """Return the slot that asks, and whether it is new."""
        is_new = ask.slot not in self.slots
        if is_new:
            self.slots[ask.slot] = Slot(ask.slot, ask.node, ask.host, now)
        return self.hear(ask.slot, now), is_new

    def hear(self, name: str, now: float) -> Slot:
        """Note that a slot is alive and return it.

        Raises:
            StaleAttempt: It was given up.
        """
        if name not in self.slots:
            raise StaleAttempt(f"slot {name} was given up; it must ask for work again")
        slot = self.slots[name]
        slot.heard = now
        return slot

    def set_free(self, name: str, trial: int) -> None:
        """Note that a slot does not run a trial any more, if it did."""
        slot = self.slots.get(name)
        if slot is not None and slot.trial == trial:
            slot.trial = None

    def silent(self, now: float, longest: float) -> list[Slot]:
        """Return the slots that were not heard of for longer than this, in seconds."""
        return [slot for slot in self.slots.values() if now - slot.heard > longest]

    def on_host(self, host: str) -> list[Slot]:
        """Return the slots of a machine or pod, the one whose trial holds most memory first, and idle ones last."""
        slots = (slot for slot in self.slots.values() if slot.host == host)
        return sorted(slots, key=lambda slot: (slot.trial is None, -slot.memory))

    def count_loss(self, node: str, started: float, now: float) -> int:
        """Note that an attempt on a node was lost, and return how many were in a row.

        What had started before the last one was lost is part of the same misfortune, such as a pod with several slots.
        """
        losses, last = self._losses.get(node, (0, started))
        if started >= last:
            losses += 1
            self._losses[node] = losses, now
        return losses

    def forgive(self, node: str) -> None:
        """Note that a node has brought an attempt to its end, or at least further."""
        self._losses.pop(node, None)

    def is_busy(self, node: str) -> bool:
        """Whether a slot on a node runs a trial."""
        return any(slot.node == node and slot.trial is not None for slot in self.slots.values())

    def has_other_than(self, nodes: set[str]) -> bool:
        """Whether there is a slot on another node than these."""
        return any(slot.node not in nodes and not slot.leaving for slot in self.slots.values())
