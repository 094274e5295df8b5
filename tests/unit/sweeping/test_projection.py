"""What Optuna's samplers get to see of a study."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from tinderbox.config import SweepJob
from tinderbox.sweeping.history import Attempt, State, Trial
from tinderbox.sweeping.past import KNOWN_TRIALS, Past
from tinderbox.sweeping.projection import Sampled, distribution, shown_state

MakeJob = Callable[..., SweepJob]


def trial(number: int, state: State, value: float | None = 0.5, **parameters: Any) -> Trial:
    """Return a trial with one report."""
    made = Trial(number, parameters or {"x": (number % 100) / 100}, number, False, state=state)
    made.attempts = [Attempt(1, "a", "n", 0.0)]
    made.reports = {} if value is None else {1: {"loss": value}}
    return made


def sampled(job: SweepJob) -> Sampled:
    """Return the sampler of a job in the job's own space."""
    return Sampled(job, job.parameters)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[optuna.trial.FrozenTrial]]:
    """Collect what each sampler is shown."""
    shown: list[list[optuna.trial.FrozenTrial]] = []
    ask = optuna.Study.ask

    def spy(study: optuna.Study, *args: Any, **more: Any) -> optuna.Trial:
        shown.append(study.get_trials())
        return ask(study, *args, **more)

    monkeypatch.setattr(optuna.Study, "ask", spy)
    return shown


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (State.WAITING, TrialState.RUNNING),
        (State.RUNNING, TrialState.RUNNING),
        (State.COMPLETE, TrialState.COMPLETE),
        (State.FAILED, TrialState.FAIL),
        (State.DIVERGED, TrialState.PRUNED),
        (State.STOPPED, TrialState.PRUNED),
        (State.PAUSED, TrialState.PRUNED),
    ],
)
def test_each_state_has_its_picture(state: State, shown: TrialState) -> None:
    """A diverged trial is the worst there is, an open one keeps others away from its point."""
    assert shown_state(trial(0, state)) is shown


def test_a_study_as_optuna_sees_it(make_job: MakeJob, seen: Any) -> None:
    """In the order of numbers, with the values of complete trials, and values and curves of those cut short."""
    ended = [trial(2, State.COMPLETE, 0.2), trial(0, State.DIVERGED, None), trial(1, State.STOPPED, 0.9)]
    past = Past(ended=ended, running=[trial(3, State.RUNNING, 0.1)], paused=[trial(4, State.PAUSED, 0.3)])
    sampled(make_job(search="tpe")).propose(5, past)
    (shown,) = seen
    assert [one.state for one in shown] == [
        TrialState.PRUNED, TrialState.PRUNED, TrialState.COMPLETE, TrialState.RUNNING, TrialState.PRUNED,
    ]  # fmt: skip
    assert [one.params["x"] for one in shown] == [0.0, 0.01, 0.02, 0.03, 0.04]
    assert [one.intermediate_values for one in shown] == [{}, {1: 0.9}, {}, {}, {1: 0.3}]
    assert [one.value for one in shown] == [None, 0.9, 0.2, None, 0.3]


def test_a_paused_trial_is_drawn_anew_once_it_has_gone_on(make_job: MakeJob, seen: Any) -> None:
    """Its curve has grown when it waits again, on a higher rung."""
    search, waiting = sampled(make_job(search="tpe")), trial(0, State.PAUSED, 0.3)
    search.propose(1, Past(paused=[waiting]))
    search.propose(2, Past(running=[waiting]))
    waiting.reports[3] = {"loss": 0.1}
    search.propose(3, Past(paused=[waiting]))
    assert [shown[0].value for shown in seen] == [0.3, None, 0.1]
    assert [shown[0].intermediate_values for shown in seen] == [{1: 0.3}, {}, {1: 0.3, 3: 0.1}]


def test_tpe_learns_from_paused_trials(make_job: MakeJob) -> None:
    """Nothing is complete yet, and it looks where those that wait did best (kept running, they would mislead it)."""
    paused = [trial(number, State.PAUSED, (number / 40 - 0.3) ** 2, x=number / 40) for number in range(40)]
    found = [sampled(make_job(search="tpe")).propose(n, Past(paused=paused))["x"] for n in range(40, 50)]
    assert sum(abs(x - 0.3) for x in found) / 10 < 0.15  # type: ignore[operator]  # numbers


def test_an_open_trial_that_ends_meanwhile_stays_open(make_job: MakeJob, seen: Any) -> None:
    """The sampler works in a thread of its own: what the search was asked with is what it sees."""
    sampled(make_job(search="tpe")).propose(1, Past(running=[trial(0, State.COMPLETE, 0.2)]))
    assert [one.state for one in seen[0]] == [TrialState.RUNNING]


@pytest.mark.parametrize(("direction", "best"), [("minimize", range(125)), ("maximize", range(500, 625))])
def test_a_long_study_is_shown_in_part(make_job: MakeJob, seen: Any, direction: str, best: range) -> None:
    """The best quarter of what came before, and the newest: TPE does not slow down for ever."""
    ended = [trial(number, State.COMPLETE, float(number)) for number in range(1000)]
    ended[300].state, ended[300].reports = State.FAILED, {}
    job = make_job(search="tpe", metric={"name": "loss", "direction": direction})
    sampled(job).propose(1000, Past(ended=ended))
    values = [one.value for one in seen[0]]
    assert len(values) == KNOWN_TRIALS
    assert values == [float(number) for number in (*best, *range(625, 1000))]


def test_of_trials_cut_short_those_that_came_furthest_are_kept(make_job: MakeJob, seen: Any) -> None:
    """As TPE ranks them: whole ones first, then by epochs, and by value only where these are equal."""
    ended = [trial(number, State.STOPPED, float(number)) for number in range(1000)]
    ended[200].reports[2] = {"loss": 999.0}
    ended[300].state = State.COMPLETE
    ended[100].state = State.FAILED
    sampled(make_job(search="tpe")).propose(1000, Past(ended=ended))
    values = [one.value for one in seen[0]]
    assert values[:125] == [*(float(number) for number in range(124) if number != 100), 999.0, 300.0]


def test_a_study_of_just_that_length_is_shown_whole(make_job: MakeJob, seen: Any) -> None:
    """The edge."""
    sampled(make_job(search="tpe")).propose(500, Past(ended=[trial(n, State.COMPLETE, 1.0) for n in range(500)]))
    assert len(seen[0]) == KNOWN_TRIALS


def test_tpe_learns(make_job: MakeJob) -> None:
    """After enough trials it looks near the best ones, in both directions."""
    for direction, target in (("minimize", 0.3), ("maximize", 0.9)):
        job = make_job(search="tpe", metric={"name": "loss", "direction": direction})
        sign = 1 if direction == "minimize" else -1
        ended = [
            trial(number, State.COMPLETE, sign * (number / 40 - target) ** 2, x=number / 40) for number in range(40)
        ]
        found = [sampled(job).propose(number, Past(ended=ended))["x"] for number in range(40, 50)]
        assert sum(abs(x - target) for x in found) / 10 < 0.15  # type: ignore[operator]  # numbers


SPEED = {"name": "latency", "direction": "maximize"}
RULES = [{"name": "latency", "max": 0.5}, {"name": "size", "min": 2}]


def told(number: int, state: State, **metrics: float) -> Trial:
    """Return a trial with two reports of several metrics."""
    made = trial(number, state)
    made.reports = {1: dict.fromkeys(metrics, 9.0), 2: metrics}
    return made


def test_several_objectives_are_shown_without_curves(make_job: MakeJob, seen: Any) -> None:
    """Optuna's study has a direction for each, in which there are no values of an epoch."""
    job = make_job(search="tpe", objectives=[SPEED])
    ended = [
        told(0, State.COMPLETE, latency=0.5, loss=1.0),
        told(1, State.STOPPED, latency=0.25, loss=2.0),
        told(2, State.DIVERGED, latency=0.25, loss=math.nan),
        trial(3, State.FAILED, None),
    ]
    sampled(job).propose(5, Past(ended=ended, running=[told(4, State.RUNNING, latency=0.5, loss=1.0)]))
    assert [(one.state.name, one.values, one.intermediate_values) for one in seen[0]] == [
        ("COMPLETE", [1.0, 0.5], {}),
        ("PRUNED", [2.0, 0.25], {}),
        ("PRUNED", None, {}),
        ("FAIL", None, {}),
        ("RUNNING", None, {}),
    ]


def test_how_far_a_trial_is_beyond_its_bounds_is_shown(make_job: MakeJob, seen: Any) -> None:
    """More than 0 beyond them; a diverged trial is beyond all measure, and one that runs has nothing to say."""
    job = make_job(search="tpe", constraints=RULES)
    ended = [
        told(0, State.COMPLETE, loss=1.0, latency=0.75, size=2.5),
        told(1, State.DIVERGED, loss=math.nan, latency=0.25, size=2.0),
        trial(2, State.FAILED, None),
    ]
    sampled(job).propose(4, Past(ended=ended, running=[told(3, State.RUNNING, loss=1.0, latency=1.0, size=1.0)]))
    assert [one.constraints for one in seen[0]] == [
        {"latency at most 0.5": 0.25, "size at least 2": -0.5},
        {"latency at most 0.5": math.inf, "size at least 2": math.inf},
        {},
        {},
    ]


@pytest.mark.parametrize(
    "keys", [{"objectives": [SPEED]}, {"constraints": RULES}, {"objectives": [SPEED], "constraints": RULES}]
)
def test_tpe_proposes_whatever_has_ended(make_job: MakeJob, keys: dict[str, Any]) -> None:
    """However few are complete or feasible, whether equal or not, and the same for the same seed."""
    job = make_job(search={"method": "tpe", "startup": 2}, **keys)
    for complete in (0, 1, 20):
        ended = [
            told(number, State.COMPLETE, loss=1.0, latency=number / 20, size=1.0) for number in range(complete)
        ] + [
            told(complete, State.STOPPED, loss=1.0, latency=0.1, size=3.0),
            *(told(complete + n, State.DIVERGED, loss=math.nan, latency=0.1, size=3.0) for n in range(1, 30)),
        ]
        first, again = (sampled(job).propose(60, Past(ended=ended)) for _ in range(2))
        assert first == again


def test_conditions_go_with_several_objectives(make_job: MakeJob, recwarn: pytest.WarningsRecorder) -> None:
    """A parameter is proposed where it has a place, and Optuna has nothing to warn of."""
    space = {
        "way": {"type": "choice", "choices": ["a", "b"]},
        "x": {"type": "float", "low": 0, "high": 1, "when": {"way": "a"}},
    }
    job = make_job(space, search={"method": "tpe", "startup": 2}, objectives=[SPEED])
    ended = [told(n, State.COMPLETE, loss=n / 20, latency=n / 20) for n in range(20)]
    for number, one in enumerate(ended):
        one.parameters = {"way": "b"} if number % 2 else {"way": "a", "x": number / 20}
    found = [sampled(job).propose(number, Past(ended=ended)) for number in range(20, 30)]
    assert all(("x" in chosen) == (chosen["way"] == "a") for chosen in found)
    assert len({chosen["way"] for chosen in found}) == 2
    assert [str(warning.message) for warning in recwarn] == []


def test_tpe_learns_what_is_feasible(make_job: MakeJob) -> None:
    """The less x the better, and below 0.6 it breaks the bound: proposals gather just above."""
    job = make_job(search="tpe", constraints=[{"name": "latency", "max": 0.4}])
    ended = [told(n, State.COMPLETE, loss=n / 40, latency=1 - n / 40) for n in range(40)]
    for number, one in enumerate(ended):
        one.parameters = {"x": number / 40}
    found = [float(sampled(job).propose(number, Past(ended=ended))["x"]) for number in range(40, 50)]
    assert sum(abs(x - 0.6) for x in found) / 10 < 0.15


def test_tpe_learns_a_front(make_job: MakeJob) -> None:
    """Two objectives that are best at 0.3 and 0.5 draw it to what lies between them."""
    job = make_job(search="tpe", objectives=[{"name": "size", "direction": "minimize"}])
    ended = [told(n, State.COMPLETE, loss=abs(n / 40 - 0.3), size=abs(n / 40 - 0.5)) for n in range(40)]
    for number, one in enumerate(ended):
        one.parameters = {"x": number / 40}
    found = [float(sampled(job).propose(number, Past(ended=ended))["x"]) for number in range(40, 50)]
    assert sum(0.25 < x < 0.55 for x in found) >= 9


def test_of_a_long_study_the_front_is_kept(make_job: MakeJob, seen: Any) -> None:
    """With several objectives the newest of the front are shown in the place of the best: whole and feasible ones."""
    job = make_job(search="tpe", objectives=[SPEED], constraints=[{"name": "size", "max": 5}])
    ended = [told(n, State.COMPLETE, loss=float(n), latency=float(n), size=1.0) for n in range(1000)]
    ended[200].reports[2] = {"loss": 200.0, "latency": 0.0, "size": 1.0}
    ended[300].reports[2] = {"loss": 0.0, "latency": 9999.0, "size": 6.0}
    ended[310].state, ended[310].reports[2] = State.STOPPED, {"loss": 0.0, "latency": 9999.0, "size": 1.0}
    ended[624].state = State.FAILED
    sampled(job).propose(1000, Past(ended=ended))
    assert [one.values[0] for one in seen[0]] == [float(n) for n in (*range(499, 624), *range(625, 1000))]


def test_of_a_long_study_the_best_feasible_are_kept(make_job: MakeJob, seen: Any) -> None:
    """Those that break a constraint are shown while they are new."""
    job = make_job(search="tpe", constraints=[{"name": "latency", "max": 0.5}])
    ended = [told(n, State.COMPLETE, loss=float(n), latency=float(n % 2)) for n in range(1000)]
    sampled(job).propose(1000, Past(ended=ended))
    assert [one.value for one in seen[0]] == [float(n) for n in (*range(0, 250, 2), *range(625, 1000))]


def test_cma_es_keeps_its_covariance(make_job: MakeJob, seen: Any) -> None:
    """What it wrote on the trials that it proposed is there when they have ended."""
    space = {"x": {"type": "float", "low": 0, "high": 1}, "y": {"type": "float", "low": 0, "high": 1}}
    search = sampled(make_job(space, search={"method": "cma-es", "startup": 1}))
    ended: list[Trial] = []
    for number in range(12):
        chosen = search.propose(number, Past(ended=ended))
        ended.append(trial(number, State.COMPLETE, float(chosen["x"]) ** 2, **chosen))
    assert any(key.startswith("cma") for one in seen[-1] for key in one.system_attrs)


def test_a_round_sees_the_trials_that_lie_in_its_space(make_job: MakeJob, seen: Any) -> None:
    """Of whichever round, ended or not; Optuna would refuse the others' choices and forget their numbers."""
    wide: dict[str, Any] = {
        "x": {"type": "float", "low": 0, "high": 1},
        "c": {"type": "choice", "choices": ["a", "b", "c"]},
    }
    job, narrow = (
        make_job(wide, search="tpe"),
        make_job({"x": {**wide["x"], "low": 0.4}, "c": {**wide["c"], "choices": ["c", "a"]}}),
    )
    search = Sampled(job, narrow.parameters)
    places = [(0.5, "a"), (0.3, "a"), (0.6, "b"), (0.7, "c"), (0.8, "b"), (0.9, "c"), (0.35, "c"), (1.0, "a")]
    states = [State.COMPLETE] * 4 + [State.PAUSED] * 2 + [State.RUNNING] * 2
    trials = [trial(n, state, 0.5, x=x, c=c) for n, ((x, c), state) in enumerate(zip(places, states, strict=True))]
    for known in (2, 4):
        chosen = search.propose(8, Past(ended=trials[:known], paused=trials[4:6], running=trials[6:]))
        assert float(chosen["x"]) >= 0.4
        assert chosen["c"] in ("a", "c")
    assert [[one.params["x"] for one in shown] for shown in seen] == [[0.5, 0.9, 1.0], [0.5, 0.7, 0.9, 1.0]]


def test_trials_of_an_earlier_study_come_first(make_job: MakeJob, seen: Any) -> None:
    """They are the oldest of all, so of very many the best stay in sight."""
    recalled = [trial(number, State.COMPLETE, float(-number), x=0.5) for number in range(-2, 0)]
    search, ended = sampled(make_job(search="tpe")), [trial(n, State.COMPLETE, 1.5 + n) for n in range(KNOWN_TRIALS)]
    for known in (0, 1, KNOWN_TRIALS):
        search.propose(known, Past(ended=ended[:known], recalled=recalled))
    assert [[one.value for one in shown[:4]] for shown in seen] == [[2.0, 1.0], [2.0, 1.0, 1.5], [2.0, 1.0, 1.5, 2.5]]
    assert len(seen[-1]) == KNOWN_TRIALS


def test_optuna_is_quiet(make_job: MakeJob, caplog: pytest.LogCaptureFixture) -> None:
    """It does not tell the terminal that a study was created in memory."""
    with caplog.at_level(logging.INFO):
        sampled(make_job(search="tpe")).propose(0, Past())
    assert caplog.records == []


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"type": "float", "low": 0, "high": 1}, optuna.distributions.FloatDistribution(0, 1)),
        ({"type": "float", "low": 1, "high": 2, "log": True}, optuna.distributions.FloatDistribution(1, 2, log=True)),
        ({"type": "int", "low": 1, "high": 9}, optuna.distributions.IntDistribution(1, 9)),
        ({"type": "int", "low": 1, "high": 9, "log": True}, optuna.distributions.IntDistribution(1, 9, log=True)),
        ({"type": "choice", "choices": ["a", 1]}, optuna.distributions.CategoricalDistribution(["a", 1])),
    ],
)
def test_distributions(make_job: MakeJob, parameter: Any, expected: optuna.distributions.BaseDistribution) -> None:
    """Each kind of parameter is the same kind to Optuna."""
    assert distribution(make_job({"p": parameter}).parameters["p"]) == expected
