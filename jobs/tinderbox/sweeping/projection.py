"""What Optuna's samplers get to see: a study built anew for each proposal, because the record is the only state.

Optuna knows no leases, no attempts and no pauses. Ended trials are shown complete, pruned (diverged: the worst
there is) or failed (the function's own error says nothing about the space). One that is paused on a rung is shown
pruned too, with what it has reported: samplers take a running one for bad, and do not count it. Other open ones are
shown running, so that the constant liar keeps two slots from trying the same point. With several objectives Optuna
knows no values of an epoch, so a pruned trial has none there. How far a trial is beyond each constraint goes along.
"""

from __future__ import annotations

import bisect
import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from tinderbox.config import AnyParameter, ChoiceParameter, IntParameter, SweepJob
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.front import Front
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.past import KNOWN_TRIALS, Past
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.space import is_active, lies_in

if TYPE_CHECKING:
    import optuna

Rank = tuple[bool, int, float, int]
"""By this trials are sorted, the best first: complete ones by value, then by epochs reached and the value there."""


class Sampled:
    """Optuna's TPE, CMA-ES or Gaussian process in a space, seeded anew for every trial.

    What is kept from one proposal to the next only saves work: `ended` of the next one must begin with this one's.
    """

    def __init__(self, job: SweepJob, space: Mapping[str, AnyParameter]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._job, self._space = job, space
        self._conditional = any(parameter.when for parameter in space.values())
        self._distributions = {name: distribution(parameter) for name, parameter in space.items()}
        self._picture = picture_type()
        self._pictures: dict[tuple[int, State, int], optuna.trial.FrozenTrial] = {}
        self._best: list[tuple[Rank, Trial]] = []
        self._front = Front(job.signs) if job.objectives else None
        self._inside: list[Trial] = []
        self._looked = self._ranked = 0
        # CMA-ES keeps its covariance in attributes of the trials that it proposed.
        self._attributes: dict[int, dict[str, Any]] = {}

    def propose(self, number: int, past: Past) -> Parameters:
        """Return what the sampler suggests for the trial with this number."""
        import optuna
        from optuna.trial import TrialState

        storage = optuna.storages.InMemoryStorage()
        study = optuna.create_study(storage=storage, directions=directions(self._job), sampler=self._sampler(number))
        earlier = len(past.recalled)
        self._inside += self._those_inside(past.recalled[self._looked :])
        self._inside += self._those_inside(past.ended[max(self._looked - earlier, 0) :])
        self._looked = earlier + len(past.ended)
        shown = self._show_settled([*self._select(self._inside), *self._those_inside(past.paused)])
        # An open trial may end while this runs in its thread; it stays what it was when the search was asked.
        shown += [(trial.number, self._show(trial, TrialState.RUNNING)) for trial in self._those_inside(past.running)]
        study_id = storage.get_study_id_from_name(study.study_name)
        for _, trial in sorted(shown, key=itemgetter(0)):
            storage.create_new_trial(study_id, trial)
        asked = study.ask()
        chosen: Parameters = {}
        for name, parameter in self._space.items():
            if is_active(parameter, chosen):
                chosen[name] = suggest(asked, name, parameter)
        if self._job.search.method == "cma-es":  # TPE's would only make a proposal depend on who asks
            self._attributes[number] = study.get_trials(deepcopy=False)[-1].system_attrs
        return chosen

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        import optuna

        seed, startup = derive(self._job.seed, number, "search"), self._job.search.startup
        if self._job.search.method == "cma-es":
            return optuna.samplers.CmaEsSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
        if self._job.search.method == "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # One joint density for each set of parameters that occur together; the rest is as Optuna advises.
            multivariate = True if self._conditional else None
            return optuna.samplers.TPESampler(
                seed=seed,
                n_startup_trials=startup,
                multivariate=multivariate,
                group=self._conditional,
                constant_liar=True,
            )

    def _those_inside(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials whose points the space has: one of an earlier round may lie beyond it."""
        return [trial for trial in trials if lies_in(self._space, trial.parameters)]

    def _select(self, ended: Sequence[Trial]) -> Sequence[Trial]:
        """Return the best quarter of what a sampler may see, and the newest for the rest.

        Of several objectives' front, that is the newest ones.
        """
        if len(ended) <= KNOWN_TRIALS:
            return ended
        older = len(ended) - KNOWN_TRIALS * 3 // 4
        for trial in ended[self._ranked : older]:
            if (rank := self._rank(trial)) is None:
                continue
            if self._front is None:
                bisect.insort(self._best, (rank, trial))
            elif trial.state is State.COMPLETE:
                self._front.take(trial)
        del self._best[KNOWN_TRIALS // 4 :]
        self._ranked = older
        best = [trial for _, trial in self._best] if self._front is None else self._front.newest(KNOWN_TRIALS // 4)
        return [*best, *ended[older:]]

    def _rank(self, trial: Trial) -> Rank | None:
        value = trial.value(self._job.metric.name)
        if value is None or trial.state not in (State.COMPLETE, State.STOPPED):
            return None
        if any(excess > 0 for excess in excesses(trial, self._job).values()):
            return None
        whole, sign = trial.state is State.COMPLETE, self._job.metric.sign
        return not whole, 0 if whole else -trial.epoch, sign * value, trial.number

    def _show_settled(self, trials: Sequence[Trial]) -> list[tuple[int, optuna.trial.FrozenTrial]]:
        """Return numbers and pictures of trials that do not run, each drawn once for as long as it stays the same."""
        keys = [(trial.number, trial.state, trial.epoch) for trial in trials]
        self._pictures = {
            key: self._pictures.get(key) or self._show(trial, shown_state(trial))
            for key, trial in zip(keys, trials, strict=True)
        }
        return [(number, picture) for (number, _, _), picture in self._pictures.items()]

    def _show(self, trial: Trial, state: optuna.trial.TrialState) -> optuna.trial.FrozenTrial:
        from optuna.trial import TrialState

        signs, pruned = self._job.signs, state is TrialState.PRUNED and trial.state is not State.DIVERGED
        has_values = bool(trial.reports) and (pruned or state is TrialState.COMPLETE)
        picture = self._picture(
            number=-1,
            trial_id=-1,
            state=state,
            value=None,
            values=[trial.last[name] for name in signs] if has_values else None,
            datetime_start=None,
            datetime_complete=None,
            params=trial.parameters,
            distributions={name: self._distributions[name] for name in trial.parameters},
            user_attrs={},
            system_attrs=self._attributes.get(trial.number, {}),
            intermediate_values=dict(trial.curve(self._job.metric.name)) if pruned and len(signs) == 1 else {},
        )
        for rule, excess in excesses(trial, self._job).items() if state is not TrialState.RUNNING else ():
            picture.set_constraint(rule, excess)
        return picture


def picture_type() -> type[optuna.trial.FrozenTrial]:
    """Return a class for trials that nobody changes.

    Optuna's storage copies each trial that it takes in, to the last attribute: half the time of a proposal.
    """
    import optuna

    class Picture(optuna.trial.FrozenTrial):
        def __deepcopy__(self, memo: dict[int, Any]) -> Picture:
            return copy.copy(self)

    return Picture


def shown_state(trial: Trial) -> optuna.trial.TrialState:
    """Return the state under which Optuna learns most from a trial."""
    from optuna.trial import TrialState

    shown = {
        State.COMPLETE: TrialState.COMPLETE,
        State.FAILED: TrialState.FAIL,
        State.DIVERGED: TrialState.PRUNED,
        State.STOPPED: TrialState.PRUNED,
        State.PAUSED: TrialState.PRUNED,
    }
    return shown.get(trial.state, TrialState.RUNNING)


def directions(job: SweepJob) -> list[Literal["minimize", "maximize"]]:
    """Return the directions of a job's objectives, the metric's first."""
    return [objective.direction for objective in (job.metric, *(job.objectives or ()))]


def excesses(trial: Trial, job: SweepJob) -> dict[str, float]:
    """Return by how much a trial's last report is beyond each constraint, a diverged trial's beyond all measure."""
    diverged = trial.state is State.DIVERGED
    return {
        f"{rule.name} {rule.bound}": math.inf if diverged else rule.excess(trial.last[rule.name])
        for rule in job.constraints or ()
        if diverged or trial.reports
    }


def distribution(parameter: AnyParameter) -> optuna.distributions.BaseDistribution:
    """Return a parameter as Optuna's distribution."""
    from optuna import distributions

    if isinstance(parameter, ChoiceParameter):
        return distributions.CategoricalDistribution(parameter.choices)
    if isinstance(parameter, IntParameter):
        return distributions.IntDistribution(parameter.low, parameter.high, log=parameter.log)
    return distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def suggest(asked: optuna.Trial, name: str, parameter: AnyParameter) -> Any:
    """Return the value that Optuna suggests for one parameter."""
    if isinstance(parameter, ChoiceParameter):
        return asked.suggest_categorical(name, parameter.choices)
    if isinstance(parameter, IntParameter):
        return asked.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
    return asked.suggest_float(name, parameter.low, parameter.high, log=parameter.log)
