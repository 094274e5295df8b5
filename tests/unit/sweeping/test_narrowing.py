"""Where the best values are said to lie, and which trials are asked."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import ChoiceParameter, FloatParameter, IntParameter, SweepJob
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.narrowing import LEAST, Evidence, narrow_choice, narrow_number, weigh
from tinderbox.sweeping.study import Study

MakeJob = Callable[..., SweepJob]

LR = FloatParameter(low=1e-4, high=1, log=True)


def trial(number: int, curve: Any, state: State = State.COMPLETE, baseline: bool = False, **parameters: Any) -> Trial:
    """Return a trial that reported so; one value alone is its second epoch's."""
    curve = curve if isinstance(curve, dict) else {2: curve}
    made = Trial(number, parameters, 0, baseline, state=state)
    made.reports = {epoch: {"loss": value} for epoch, value in curve.items()}
    return made


def study_of(*trials: Trial, direction: str = "minimize") -> Study:
    """Return a study of such trials."""
    return Study("loss", direction, trials={one.number: one for one in trials})


def ranked(*values: Any, name: str = "x", diverged: Any = ()) -> Evidence:
    """Return evidence of one parameter whose values are given from the best to the worst."""
    trials = [trial(number, float(number), **{name: value}) for number, value in enumerate([*values, *diverged])]
    return Evidence(trials[: len(values)], len(values), trials[len(values) :])


# Which trials say what


def numbers(evidence: Evidence) -> tuple[list[int], int, list[int]]:
    """Return evidence as numbers of trials."""
    return [one.number for one in evidence.ranked], evidence.reached, [one.number for one in evidence.diverged]


@pytest.mark.parametrize(("direction", "order"), [("minimize", [2, 0, 1, 6]), ("maximize", [6, 1, 0, 2])])
def test_without_rungs_whole_trials_are_compared(make_job: MakeJob, direction: str, order: list[int]) -> None:
    """Those that run or wait have nothing to say yet, failed ones never; diverged ones are worse than all others."""
    study = study_of(
        trial(0, 0.5),
        trial(1, 0.6),
        trial(2, {1: 9.0}),  # ended by itself, so this is its value
        trial(3, 0.1, State.FAILED),
        trial(4, {1: 0.1}, State.RUNNING),
        trial(5, {}, State.WAITING),
        trial(6, 0.8),
        trial(7, {1: 0.1}, State.DIVERGED),
        direction=direction,
    )
    study.trials[2].reports = {1: {"loss": 0.2}}
    metric = {"name": "loss", "direction": direction}
    assert numbers(weigh(study, make_job(metric=metric))) == (order, 4, [7])


def test_on_rungs_only_equal_epochs_are_compared(make_job: MakeJob) -> None:
    """By the highest level that as many as are the best have come to; who did not come there ranks below."""
    job = make_job(epochs=27, rungs={"min_epochs": 1, "reduction": 3})
    study = study_of(
        trial(0, {1: 0.9, 3: 0.8, 9: 0.01}, State.PAUSED),
        trial(1, {1: 0.8, 3: 0.5, 5: 0.0}, State.RUNNING),
        trial(2, {1: 0.7, 4: 0.6}, State.PAUSED),  # reports not every epoch
        trial(3, {1: 0.1}, State.PAUSED),
        trial(4, {1: 0.2}, State.STOPPED),
        trial(5, {1: 0.05}, State.RUNNING),  # too young to have come further
        trial(6, {1: 0.3, 3: 0.3, 9: 0.3, 27: 0.9}, State.COMPLETE, baseline=True),
    )
    evidence = weigh(study, job)
    assert numbers(evidence) == ([6, 1, 2, 0, 3, 4], 4, [])
    assert [one.number for one in evidence.best] == [6, 1, 2]


def test_while_few_have_come_further_the_first_rung_counts(make_job: MakeJob) -> None:
    """The baseline, which no rung stops, is none of them."""
    job = make_job(epochs=9, rungs={"min_epochs": 1, "reduction": 3})
    whole = {1: 0.4, 3: 0.1, 9: 0.1}
    study = study_of(
        trial(0, whole, baseline=True), trial(1, {1: 0.5, 3: 0.1}), trial(2, {1: 0.3}, State.PAUSED), trial(3, whole)
    )
    study.trials[1].state = State.PAUSED
    assert numbers(weigh(study, job)) == ([2, 0, 3, 1], 4, [])


def test_trials_of_an_earlier_study_speak_too(make_job: MakeJob) -> None:
    """As this one's do; a repeat of a leader does not speak for its place a second time."""
    study = study_of(trial(0, 0.5), trial(1, 0.4))
    study.trials[2] = trial(2, 0.1)
    study.trials[2].repeats = 1
    study.recalled = [trial(-3, 0.2), trial(-2, {}, State.DIVERGED), trial(-1, {1: 0.1}, State.STOPPED)]
    assert numbers(weigh(study, make_job())) == ([-3, 1, 0], 3, [-2])


def test_of_nothing_nothing_is_known(make_job: MakeJob) -> None:
    """A study without a value has no best trials."""
    evidence = weigh(study_of(trial(0, {}, State.FAILED), trial(1, {}, State.DIVERGED)), make_job())
    assert (list(evidence.best), len(evidence)) == ([], 1)


def test_the_best_are_a_tenth_but_three_at_least() -> None:
    """Of those alone that have come to the level that counts."""
    assert [len(ranked(*range(count)).best) for count in (1, 3, 30, 31, 100)] == [1, 3, 3, 4, 10]
    assert len(Evidence(ranked(*range(40)).ranked, 2, ()).best) == 2


# Numbers


LINEAR = FloatParameter(low=0, high=100)
WIDTH = IntParameter(low=8, high=1024, log=True)
REST = [float(value) for value in range(0, 100, 4)]
"""Values that have been tried too, 26 with the three best, and do worse."""


def narrow(parameter: Any, *values: float, reach: Any = None, outward: bool = True) -> tuple[float, float, list[str]]:
    """Return the ends of a narrowed number, and what is said."""
    narrowed, said = narrow_number("x", parameter, reach or parameter, ranked(*values), outward)
    return narrowed.low, narrowed.high, said


def test_a_number_is_narrowed_to_where_its_best_values_lie() -> None:
    """And half their span further on both sides: three values leave that much of a range out on average."""
    assert narrow(LINEAR, 50, 42, 58, *REST) == (pytest.approx(34), pytest.approx(66), [])


def test_a_logarithm_is_narrowed_as_one() -> None:
    """The same, in orders of magnitude."""
    low, high, said = narrow(LR, 10**-2, 10**-2.5, 10**-1.5, *(10 ** (-4 + value / 25) for value in REST))
    assert (low, high, said) == (pytest.approx(1e-3), pytest.approx(1e-1), [])


def test_of_a_grid_the_points_beside_the_best_are_the_ends() -> None:
    """What lies between two points that were tried is not known."""
    low, high, said = narrow(LR, 0.01, 0.01, 0.01, 1e-4, 1e-3, 0.1, 1)
    assert (low, high, said) == (pytest.approx(1e-3), pytest.approx(0.1), [])


def test_a_number_that_decides_nothing_stays_as_it_is() -> None:
    """Its best values lie everywhere, and that the very best one is at an end means nothing."""
    assert narrow(LR, 1, 1e-4, 0.01, 1e-3, 0.1) == (1e-4, 1, [])


def test_no_round_narrows_too_much() -> None:
    """Three values that are close together by chance leave a quarter of the range."""
    low, high, _ = narrow(LINEAR, 50, 50.1, 50.2, *REST)
    assert (low, high) == (pytest.approx(50.1 - 12.5), pytest.approx(50.1 + 12.5))


@pytest.mark.parametrize(
    ("parameter", "values", "ends", "told"),
    [
        (LR, (1.0, 0.5, 0.4, 0.1, 0.01), (None, 10.0), "x goes up to 10, beyond its end of 1"),
        (LR, (0.8, 0.5, 0.9, 0.1, 0.01), (None, 10.0), "x goes up to 10, beyond its end of 1"),
        (LR, (1e-4, 2e-4, 1e-4, 1, 0.01), (1e-5, None), "x goes down to 1e-05, beyond its end of 0.0001"),
        (WIDTH, (1024, 900, 1000, 64, 8, 16), (None, 3445), "x goes up to 3445, beyond its end of 1024"),
        (WIDTH, (8, 9, 10, 64, 128, 1024), (2, None), "x goes down to 2, beyond its end of 8"),
    ],
)
def test_a_number_moves_outward(parameter: Any, values: Any, ends: tuple[Any, Any], told: str) -> None:
    """By a quarter of its range beyond the end where its best value lies."""
    low, high, said = narrow(parameter, *values)
    assert said == [f"{told}, where its best value lies"]
    for found, expected in zip((low, high), ends, strict=True):
        assert expected is None or found == pytest.approx(expected)


def test_no_number_moves_further_than_such_numbers_go() -> None:
    """Whole numbers with `log` begin at 1, and all end where floats can no longer count."""
    told = "the best x lies at its end of 1, and it goes no further"
    assert narrow(IntParameter(low=1, high=64, log=True), 1, 1, 2, 16, 32, 64)[::2] == (1, [told])
    huge = IntParameter(low=2**50, high=2**53 - 1, log=True)
    assert narrow(huge, huge.high, huge.high, huge.high - 1, 2**51, 2**50)[1] == 2**53


@pytest.mark.parametrize("bounds", [(1e-300, 1e300), (5e-324, sys.float_info.max)])
def test_no_number_moves_further_than_floats_go(bounds: tuple[float, float]) -> None:
    """A quarter of an extreme range beyond its end there is no float any more; what is narrowed stays a valid one."""
    extreme = FloatParameter(low=bounds[0], high=bounds[1], log=True)
    for best in bounds:
        narrowed, said = narrow_number("x", extreme, extreme, ranked(best, best, best, 1.0, 1e-9, 1e9), outward=True)
        assert FloatParameter.model_validate(narrowed.model_dump()) == narrowed
        assert narrowed.low <= best <= narrowed.high
        assert len(said) == 1
        told = "and it goes no further" in said[0]
        assert told == (bounds[0] == 5e-324)


def test_a_number_that_may_not_go_outward_says_so() -> None:
    """Its end stays the end, exactly."""
    told = "the best x lies at its end of 1, and it goes no further"
    assert narrow(LR, 1, 0.5, 0.4, 0.1, 0.01, outward=False)[1:] == (1, [told])
    assert narrow(LR, 0.9, 0.5, 0.4, 0.1, 0.01, outward=False)[1:] == (1, [told])


def test_an_end_is_as_far_as_the_search_has_ever_gone() -> None:
    """A value that a round has gone beyond is no end any more, and one may go on from where it went."""
    beyond, now = FloatParameter(low=1e-4, high=10, log=True), FloatParameter(low=0.01, high=10, log=True)
    inside = narrow(now, 1, 0.5, 2, 0.01, 0.1, 5, 10, reach=beyond)
    assert (inside[1] < 10, inside[2]) == (True, [])
    _, high, said = narrow(now, 10, 8, 9, 1, 2, 3, reach=beyond)
    assert (high, len(said)) == (pytest.approx(10**2.25), 1)


def test_what_is_narrowed_is_a_number_of_the_same_kind() -> None:
    """Of whatever values: valid, with the best one inside, and within the bounds where it may not leave them."""
    chance = random.Random(3)  # noqa: S311 - no secret
    for _ in range(300):
        low = chance.randint(1, 50)
        kind, log = chance.choice([FloatParameter, IntParameter]), chance.random() < 0.5
        parameter = kind(low=low, high=low + chance.randint(1, 40), log=log)
        draw = chance.randint if kind is IntParameter else chance.uniform
        values = [draw(parameter.low, parameter.high) for _ in range(chance.randint(3, 40))]  # type: ignore[arg-type]
        for outward in (True, False):
            narrowed, _ = narrow_number("x", parameter, parameter, ranked(*values), outward)
            assert kind.model_validate(narrowed.model_dump()) == narrowed
            assert narrowed.low <= values[0] <= narrowed.high
            assert outward or (parameter.low <= narrowed.low and narrowed.high <= parameter.high)


# Choices


OPTIMIZER = ChoiceParameter(choices=["sgd", "adam", "rms", "lion"])


def test_a_choice_that_is_clearly_worse_is_dropped() -> None:
    """With its evidence in the sentence; a choice of which little is known, or that is among the best, stays."""
    known = ranked("adam", "sgd", "adam", "adam", "sgd", "lion", "adam", "sgd", "rms", "rms", "rms", "rms", name="o")
    narrowed, said = narrow_choice("o", OPTIMIZER, known)
    assert narrowed.choices == ["sgd", "adam", "lion"]
    assert said == ["o is rms no more, for its 4 trials were clearly worse"]


def test_what_diverges_speaks_against_a_choice() -> None:
    """More than any value does."""
    known = ranked("adam", "sgd", "adam", "sgd", "adam", "sgd", name="o", diverged=["rms"] * 3)
    assert narrow_choice("o", OPTIMIZER, known)[0].choices == ["sgd", "adam", "lion"]


@pytest.mark.parametrize(
    "values",
    [
        ["adam", "sgd", "sgd", "adam", "sgd", "adam", "sgd", "adam"],  # as good
        ["adam", "adam", "adam", "adam", "sgd", "sgd"],  # too few
        ["adam", "adam", "sgd", "adam", "adam", "adam", "sgd", "sgd", "sgd", "sgd"],  # among the best
        [],
    ],
)
def test_a_choice_stays_without_evidence_against_it(values: list[str]) -> None:
    """As good, too few trials, or one that is among the best."""
    assert narrow_choice("o", OPTIMIZER, ranked(*values, name="o")) == (OPTIMIZER, [])


def test_only_trials_that_have_a_parameter_speak_for_it() -> None:
    """Under a condition there are fewer, and the best of them are those that count."""
    trials = [trial(n, float(n), **({"x": n} if n % 2 else {})) for n in range(8)]
    known = Evidence(trials[:6], 4, trials[6:]).of("x")
    assert numbers(known) == ([1, 3, 5], 2, [7])
    assert len(known.best) == 2 < LEAST
