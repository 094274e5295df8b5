"""The executor's side of a sweep: leases trials, runs each in a child process, and relays what it reports."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tinderbox.allowance import Allowance, Share
from tinderbox.errors import StaleAttempt, TinderboxError
from tinderbox.failure import Failure, describe_exit
from tinderbox.memory import CGROUPS
from tinderbox.metrics.catalogue import EXAMPLES, HANDOVER_SECONDS, STEP_SECONDS
from tinderbox.metrics.meter import NOBODY, Meter
from tinderbox.process import Child, Nursery
from tinderbox.sweeping.child import Counted, Over, Reporting, Saved, Start, Work, stand_by
from tinderbox.sweeping.messages import Answer, Ask, Decision, Finish, Heartbeat, Lease, Report, Resume

_LOOK_SECONDS = 0.5
"""Between two looks at the child and the machine, and between heartbeats, which the coordinator holds back besides."""


class Door(Protocol):
    """The coordinator, as a slot reaches it; every call may raise StaleAttempt."""

    def lease(self, ask: Ask) -> Answer:
        """Ask for work."""

    def report(self, trial: int, report: Report) -> Decision:
        """Deliver a report."""

    def finish(self, trial: int, finish: Finish) -> Answer:
        """End an attempt and ask for work."""

    def heartbeat(self, beat: Heartbeat) -> Decision:
        """Say that the slot is alive."""

    def upload(self, trial: int, attempt: int, epoch: int, slot: str, path: Path) -> None:
        """Bring a checkpoint to storage."""

    def download(self, trial: int, attempt: int, slot: str, resume: Resume, path: Path) -> None:
        """Fetch the state that an attempt goes on from; it is whole afterwards, or there is an error."""


@dataclass(frozen=True)
class Settings:
    """How a slot runs its trials; without a `share` of the memory they may hold what they like."""

    name: str
    node: str
    preload: tuple[str, ...]
    host: str = ""
    share: Share | None = None
    cgroups: Path = CGROUPS


class Slot:
    """One trial at a time, with the next child standing by, until the coordinator says that the study is over.

    Once `is_leaving` says that the machine is being taken away, the trial is paused with its next report, if its state
    can be had, and the slot ends; `leaving` tells that.
    """

    def __init__(
        self,
        settings: Settings,
        work: Work,
        door: Door,
        is_leaving: Callable[[], bool] = bool,
        meter: Meter = NOBODY,
    ) -> None:
        self._settings, self._repeat, self._door = settings, work.repeat, door
        self._meter, self._ended = meter, 0.0
        self._nursery = Nursery(stand_by, (work,), settings.preload, work.code)
        self._allowance = Allowance(settings.share, settings.cgroups)
        self._is_leaving, self.leaving = is_leaving, is_leaving()
        self._requests = 0
        self._standby: Child | None = None
        self._retired: Child | None = None
        self._running: tuple[Lease, Child] | None = None
        self._verdict: Literal["stop", "stale"] | None = None
        self._excess: Failure | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()

    def run(self) -> int:
        """Run trials until there are no more and return how many attempts were run."""
        if self.leaving:
            return 0
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        attempts = 0
        try:
            self._standby = self._nursery.start()
            answer = self._door.lease(self._ask())
            while not answer.done:
                attempts += answer.lease is not None
                answer = self._run(answer.lease) if answer.lease else self._door.lease(self._ask())
        finally:
            self._over.set()
            self._meter.flush()
            for child in (self._standby, self._retired):
                if child is not None:
                    child.end()
        return attempts

    def _ask(self) -> Ask:
        self._requests += 1
        settings = self._settings
        return Ask(slot=settings.name, node=settings.node, host=settings.host, request=self._requests)

    def _run(self, lease: Lease) -> Answer:
        """Run one attempt and return what to do next."""
        child = self._standby or self._nursery.start()
        self._standby = self._verdict = self._excess = None
        self._allowance.begin()
        self._running = (lease, child)
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder:  # of states, also those that were cut short
            try:
                over = self._attempt(lease, child, Path(folder))
                ended = time.monotonic()
                answer = self._door.finish(lease.trial, self._finish(lease, child, over))
                self._ended = ended if answer.lease else 0.0  # without work there is nothing to hand over
            except BaseException as error:
                child.end()
                if not isinstance(error, StaleAttempt):
                    raise
                return self._door.lease(self._ask())
            finally:
                with self._lock:  # what ends the child has done so, or will not any more
                    self._running = None
        self._put_back(child, over)
        return answer

    def _attempt(self, lease: Lease, child: Child, folder: Path) -> Over:
        """Let a child run an attempt, from its checkpoint if there is one, and return how it has ended."""
        path = None
        if lease.resume is not None:
            path = folder / "resume"
            try:
                self._door.download(lease.trial, lease.attempt, self._settings.name, lease.resume, path)
            except StaleAttempt:
                raise
            except (TinderboxError, OSError) as error:
                return Over("infrastructure", Failure(f"its checkpoint could not be fetched: {error}"))
        child.send(Start(lease, folder, path))
        if self._ended:
            self._meter.observe(HANDOVER_SECONDS, time.monotonic() - self._ended)
            self._ended = 0.0  # an attempt that is given up says nothing of its end
        self._standby = self._prepare()
        return self._relay(lease, child)

    def _prepare(self) -> Child | None:
        """Clear the last child away and let the next one import what it needs, while this one trains."""
        if self._retired is not None:
            self._retired.end()
            self._retired = None
        return None if self._repeat else self._nursery.start()

    def _put_back(self, child: Child, over: Over) -> None:
        """Keep a child that runs trial after trial, or never began; let any other one go, without awaiting its end."""
        may_repeat = self._repeat and over.outcome not in ("failed", "out_of_memory")
        was_ended = self._excess is not None or child.connection.closed
        if (may_repeat or over.outcome == "infrastructure") and not was_ended:
            child.output.clear()
            self._standby = child
        else:
            self._retired = child

    def _relay(self, lease: Lease, child: Child) -> Over:
        """Pass messages between child and coordinator until the function has ended."""
        while True:
            try:
                message = child.receive(_LOOK_SECONDS)
            except EOFError:
                return self._explain_end(child.end())
            if isinstance(message, Over):  # what is done counts, even if its time was up meanwhile
                return message
            if self._verdict == "stale":
                raise StaleAttempt(f"attempt {lease.attempt} of trial {lease.trial} was given up")
            if self._verdict == "stop":
                child.end()
                return Over("paused")
            if (over := self._answer(lease, child, message)) is not None:
                return over

    def _answer(self, lease: Lease, child: Child, message: Reporting | Counted | Saved) -> Over | None:
        """Do what a child's message asks for, and return how its attempt has ended, if it has by that."""
        match message:
            case Reporting():
                child.send(self._door.report(lease.trial, self._report(lease, message)))
            case Counted():
                self._meter.count(EXAMPLES, message.examples, "sweep")
                self._meter.merge(STEP_SECONDS, message.steps)
            case Saved():
                try:
                    self._upload(lease, message)
                except StaleAttempt:
                    raise
                except (TinderboxError, OSError) as error:
                    child.end()
                    return Over("infrastructure", Failure(f"its state could not be saved: {error}"))
                child.send(None)
        return None

    def _explain_end(self, code: int | None) -> Over:
        """Return how an attempt has ended whose child is gone; SIGKILL may be the kernel's, for lack of memory."""
        failure = self._excess or (self._allowance.explain_kill() if code == -signal.SIGKILL else None)
        return Over("failed", describe_exit(code)) if failure is None else Over("out_of_memory", failure)

    def _report(self, lease: Lease, message: Reporting) -> Report:
        return Report(
            slot=self._settings.name,
            attempt=lease.attempt,
            epoch=message.epoch,
            metrics=message.metrics,
            last=message.last,
            can_save=message.can_save,
        )

    def _upload(self, lease: Lease, message: Saved) -> None:
        try:
            self._door.upload(lease.trial, lease.attempt, message.epoch, self._settings.name, message.path)
        finally:
            message.path.unlink()

    def _finish(self, lease: Lease, child: Child, over: Over) -> Finish:
        return Finish(
            ask=self._ask(),
            attempt=lease.attempt,
            outcome=over.outcome,
            cause=over.failure.cause,
            details=over.failure.details,
            log=child.output.text(),
        )

    def _beat(self) -> None:
        """Keep the lease alive; end the running trial where the coordinator says so or is gone."""
        sent = ""
        while not self._over.wait(_LOOK_SECONDS):
            running = self._running
            log = running[1].output.text() if running else ""
            try:
                decision = self._door.heartbeat(self._heartbeat(running, log if log != sent else None))
                verdict: Literal["stop", "stale"] | None = "stop" if decision.action == "stop" else None
            except Exception:
                verdict = "stale"
            if running is not None and running == self._running:
                self._verdict = verdict
            sent = log

    def _heartbeat(self, running: tuple[Lease, Child] | None, log: str | None = None) -> Heartbeat:
        if running is None:
            return Heartbeat(slot=self._settings.name, leaving=self.leaving)
        lease, child = running
        return Heartbeat(
            slot=self._settings.name,
            trial=lease.trial,
            attempt=lease.attempt,
            log=log,
            memory=self._allowance.weigh(child.pid),
            leaving=self.leaving,
        )

    def _watch(self) -> None:
        """End a trial that holds too much memory; note at once that the machine is being taken away."""
        while not self._over.wait(_LOOK_SECONDS):
            if not self.leaving and self._is_leaving():
                self.leaving = True
                threading.Thread(target=self._announce, name="leaving", daemon=True).start()
            running = self._running
            excess = self._allowance.excess(running[1].pid) if running else None
            with self._lock:
                if running and excess and running is self._running:
                    self._excess = excess
                    running[1].kill()

    def _announce(self) -> None:
        """Tell the coordinator that the slot is leaving; the heartbeat that it holds back now would say so too late."""
        with suppress(Exception):  # the next one says it, too
            self._door.heartbeat(self._heartbeat(self._running))
