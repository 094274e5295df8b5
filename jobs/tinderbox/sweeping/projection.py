"""What Optuna's samplers get to see: a study built anew for each proposal, because the record is the only state.

Optuna knows no leases, no attempts and no pauses. Ended trials are shown complete, pruned (diverged: the worst
there is) or failed (the function's own error says nothing about the space); open ones are shown running, so that
the constant liar keeps two slots from trying the same point.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tinderbox.config import AnyParameter, ChoiceParameter, IntParameter, SweepJob
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.space import is_active
from tinderbox.sweeping.study import State, Trial

if TYPE_CHECKING:
    import optuna

KNOWN_TRIALS = 500
"""How many ended trials a sampler sees at most. TPE is advised for 100 to 1,000 and slows down linearly."""


class Sampled:
    """Optuna's TPE, CMA-ES or Gaussian process, seeded anew for every trial."""

    def __init__(self, job: SweepJob) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._job = job
        self._conditional = any(parameter.when for parameter in job.parameters.values())
        # CMA-ES keeps its covariance in attributes of the trials that it proposed.
        self._attributes: dict[int, dict[str, Any]] = {}

    def propose(self, number: int, ended: Sequence[Trial], open_trials: Sequence[Trial]) -> Parameters:
        """Return what the sampler suggests for the trial with this number."""
        import optuna
        from optuna.trial import TrialState

        study = optuna.create_study(direction=self._job.metric.direction, sampler=self._sampler(number))
        # An open trial may end while this runs in its thread; it stays what it was when the search was asked.
        shown = [(trial.number, self._show(trial, shown_state(trial))) for trial in self._select(ended)]
        shown += [(trial.number, self._show(trial, TrialState.RUNNING)) for trial in open_trials]
        for _, trial in sorted(shown, key=itemgetter(0)):
            study.add_trial(trial)
        asked = study.ask()
        chosen: Parameters = {}
        for name, parameter in self._job.parameters.items():
            if is_active(parameter, chosen):
                chosen[name] = suggest(asked, name, parameter)
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
            # One joint density for each set of parameters that occur together.
            return optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=startup, group=self._conditional, constant_liar=True
            )

    def _select(self, ended: Sequence[Trial]) -> Sequence[Trial]:
        """Return the best quarter of what a sampler may see, and the newest for the rest."""
        if len(ended) <= KNOWN_TRIALS:
            return ended
        sign = 1 if self._job.metric.direction == "minimize" else -1
        older, newer = ended[: -KNOWN_TRIALS * 3 // 4], ended[-KNOWN_TRIALS * 3 // 4 :]
        values = {trial.number: trial.value(self._job.metric.name) for trial in older if trial.state is State.COMPLETE}
        ranked = sorted((sign * value, number) for number, value in values.items() if value is not None)
        kept = {number for _, number in ranked[: KNOWN_TRIALS // 4]}
        return [*(trial for trial in older if trial.number in kept), *newer]

    def _show(self, trial: Trial, state: optuna.trial.TrialState) -> optuna.trial.FrozenTrial:
        import optuna
        from optuna.trial import TrialState

        metric = self._job.metric.name
        return optuna.trial.create_trial(
            state=state,
            value=trial.value(metric) if state is TrialState.COMPLETE else None,
            params=trial.parameters,
            distributions={name: distribution(self._job.parameters[name]) for name in trial.parameters},
            system_attrs=self._attributes.get(trial.number),
            intermediate_values=dict(trial.curve(metric)) if trial.state is State.STOPPED else None,
        )


def shown_state(trial: Trial) -> optuna.trial.TrialState:
    """Return the state under which Optuna learns most from a trial."""
    from optuna.trial import TrialState

    shown = {
        State.COMPLETE: TrialState.COMPLETE,
        State.FAILED: TrialState.FAIL,
        State.DIVERGED: TrialState.PRUNED,
        State.STOPPED: TrialState.PRUNED,
    }
    return shown.get(trial.state, TrialState.RUNNING)


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
