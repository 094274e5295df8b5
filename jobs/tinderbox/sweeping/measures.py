"""A study as Prometheus is told of it, while it runs and after its end, from what its record adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice

from tinderbox.config import AnyParameter, ChoiceParameter, SweepJob, Value
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import MOST_TRIALS, Sample
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.leaders import Leaders
from tinderbox.sweeping.roster import Roster
from tinderbox.sweeping.status import Status
from tinderbox.sweeping.study import Study


class Measures:
    """Tells of one study, at a cost that does not grow with its trials."""

    def __init__(self, study: Study, job: SweepJob) -> None:
        self._study, self._job = study, job
        self._leaders, self._seen = Leaders(study, MOST_TRIALS), len(study.ended)

    def take(self, status: Status, roster: Roster | None = None, wanted: int = 0) -> Iterator[Sample]:
        """Yield all there is to tell; `roster` and how many slots are `wanted` only while the study runs."""
        yield from self._progress(status)
        for trial in self._shown():
            yield from self._trial(trial)
        if roster is not None:
            yield from _slots(self._job.name, roster, wanted)

    def _progress(self, status: Status) -> Iterator[Sample]:
        study, job, name = self._study, self._job, self._job.name
        yield catalogue.STUDY_INFO.sample(
            1, study=name, metric=job.metric.name, direction=job.metric.direction, search=job.search.method
        )
        yield catalogue.STUDY_OVER.sample(status.over, study=name)
        yield catalogue.STUDY_SECONDS.sample(status.seconds, study=name)
        yield catalogue.REPORTS.sample(study.told, study=name)
        told = {
            catalogue.SECONDS_LEFT: None if status.over else status.seconds_left,
            catalogue.TRIALS_WANTED: status.total,
            catalogue.BEST_VALUE: status.best_value,
            catalogue.BASELINE_VALUE: study.baseline.value(study.metric) if study.baseline else None,
        }
        for metric, value in told.items():
            if value is not None:
                yield metric.sample(value, study=name)
        for state, count in status.trials.items():
            yield catalogue.TRIALS.sample(count, study=name, state=state)
        for outcome, count in study.outcomes.items():
            yield catalogue.ATTEMPTS.sample(count, study=name, outcome=outcome)
        for node, count in study.lost.items():
            yield catalogue.SLOTS_LOST.sample(count, study=name, node=node)
        for node in study.avoided:
            yield catalogue.NODE_AVOIDED.sample(1, study=name, node=node)

    def _shown(self) -> Iterable[Trial]:
        """Return the trials that are told of one by one: those that run, the best, and the newest of the others.

        What is not good is a part of how a metric depends on a parameter, and so is what waits on a rung.
        """
        ended = self._study.ended
        for trial in ended[self._seen :]:
            self._leaders.take(trial)
        self._seen = len(ended)
        running = [trial for trial in self._study.open.values() if trial.state is State.RUNNING]
        newest = (islice(reversed(trials), MOST_TRIALS) for trials in (self._study.paused.values(), ended))
        return {trial.number: trial for trial in chain(running, self._leaders, *newest)}.values()

    def _trial(self, trial: Trial) -> Iterator[Sample]:
        labels = {"study": self._job.name, "trial": trial.number}
        value = trial.value(self._study.metric)
        if value is not None:
            yield catalogue.TRIAL_VALUE.sample(value, **labels)
        yield catalogue.TRIAL_EPOCH.sample(trial.epoch, **labels)
        if self._job.rungs is not None:
            yield catalogue.TRIAL_RUNG.sample(trial.passed, **labels)
        for name, chosen in trial.parameters.items():
            number = _as_number(self._job.parameters, name, chosen)
            yield catalogue.TRIAL_PARAMETER.sample(number, **labels, parameter=name)


def _slots(study: str, roster: Roster, wanted: int) -> Iterator[Sample]:
    yield catalogue.SLOTS_WANTED.sample(wanted, study=study)
    states = Counter[str](busy=0, idle=0, leaving=0)
    for slot in roster.slots.values():
        states["leaving" if slot.leaving else "idle" if slot.trial is None else "busy"] += 1
        if slot.trial is not None:
            labels = {"study": study, "slot": slot.name, "node": slot.node}
            yield catalogue.SLOT_TRIAL.sample(slot.trial, **labels)
            yield catalogue.SLOT_MEMORY.sample(slot.memory, **labels)
    for state, count in states.items():
        yield catalogue.SLOTS.sample(count, study=study, state=state)


def _as_number(space: Mapping[str, AnyParameter], name: str, value: Value) -> float:
    """Return a parameter's value, of a choice that has other values than numbers its place among them."""
    parameter = space.get(name)
    if isinstance(parameter, ChoiceParameter) and not parameter.is_numeric:
        return float(parameter.choices.index(value))
    return float(value)
