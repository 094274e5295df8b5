"""What a trial does after a report: goes on, saves its state, pauses or stops; and what its attempt's end is called."""

from __future__ import annotations

import math

from tinderbox.sweeping.attempts import Attempts
from tinderbox.sweeping.events import Outcome, Reported
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.messages import Decision, Finish, Report
from tinderbox.sweeping.roster import Slot
from tinderbox.sweeping.rungs import Rungs
from tinderbox.sweeping.study import Study

Key = tuple[int, int, bool]

TIME_IS_UP = "the study's time is used up"


class Decisions:
    """One decision for each report, the same one when the report is repeated."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._newest: dict[int, tuple[Key, Decision]] = {}

    def remembered(self, number: int, report: Report) -> Decision | None:
        """Return what was decided about this report already, None where it is new."""
        key, decision = self._newest.get(number, (None, None))
        return decision if key == _key(report) else None

    def take(self, trial: Trial, report: Report, slot: Slot, closing: bool, now: float) -> Decision:
        """Take a report into the record and decide; where the study is `closing`, its time is used up."""
        if report.epoch < trial.epoch:  # a duplicate that was long on its way, or an epoch that is trained again
            return Decision()
        level = self._take_in(trial, report, now) if report.epoch > trial.epoch else None
        decision = self._decide(trial, report, slot, closing, level, now)
        self._newest[trial.number] = (_key(report), decision)
        return decision

    def _take_in(self, trial: Trial, report: Report, now: float) -> int | None:
        """Take a report into the record, and return the rung that the trial reaches with it, if any."""
        attempts, metrics = self._attempts, report.metrics
        attempts.append(
            Reported(time=now, trial=trial.number, attempt=report.attempt, epoch=report.epoch, metrics=metrics)
        )
        if attempts.rungs is None or trial.repeats is not None:  # a repeat runs whole
            return None
        return attempts.rungs.enter(trial, report.epoch)

    def _decide(
        self, trial: Trial, report: Report, slot: Slot, closing: bool, level: int | None, now: float
    ) -> Decision:
        attempts = self._attempts
        for name in attempts.study.reported:
            if not math.isfinite(value := report.metrics[name]):
                attempts.end(trial, "diverged", f"{name} was {value} in epoch {report.epoch}", now)
                return Decision(action="stop")
        if report.last:
            return Decision(save=report.can_save and attempts.checkpoints.would_keep(trial))
        if level is not None and level > trial.passed and attempts.rungs is not None:
            decision = self._meet_rung(attempts.rungs, trial, report, level, now)
            if decision.action != "go_on":
                return decision
        if (slot.leaving or closing) and report.can_save:
            return Decision(action="pause", save=True)
        if closing:
            attempts.end(trial, "released", TIME_IS_UP, now)
            return Decision(action="stop")
        return Decision(save=report.can_save and attempts.checkpoints.is_due(trial, report.epoch, now))

    def _meet_rung(self, rungs: Rungs, trial: Trial, report: Report, level: int, now: float) -> Decision:
        """Decide what a trial does that has reached a rung; the baseline runs whole, for it is compared with."""
        can_pause = report.can_save and rungs.ladder.pauses
        leads = rungs.leads(trial, level) if can_pause else rungs.survives(trial, level)
        if leads or trial.baseline:
            self._attempts.note_rung(trial, report.epoch, "go_on", now)
            return Decision()
        self._attempts.note_rung(trial, report.epoch, "pause" if can_pause else "stop", now)
        if can_pause:
            return Decision(action="pause", save=True)
        share = f"the best 1/{rungs.ladder.reduction} of the trials that have reached {level} epochs"
        self._attempts.end(trial, "stopped", f"it was not among {share}", now)
        return Decision(action="stop")


def judge(study: Study, trial: Trial, finish: Finish, reason: str) -> tuple[Outcome, str]:
    """Return how an attempt has ended, and why; one that was paused waits on a rung, or was so for another `reason`."""
    if finish.outcome == "complete":
        broken = study.broken(trial.last)
        return "complete", broken and f"not feasible: {broken}"
    if finish.outcome != "paused":
        return finish.outcome, finish.cause
    if trial.is_held:
        return "paused", f"it waits after {trial.halted} epochs to be promoted"
    return "released", reason


def _key(report: Report) -> Key:
    return (report.attempt, report.epoch, report.last)
