"""Which parameters rounds are drawn over, and where."""

from __future__ import annotations

from typing import Any

from tinderbox.config import AnyParameter, ChoiceParameter, FloatParameter, IntParameter
from tinderbox.report.axes import Axis, choose_axes
from tinderbox.sweeping.history import Trial

WIDE = FloatParameter(low=1e-4, high=1, log=True)
NARROW = FloatParameter(low=1e-2, high=10, log=True)
LINEAR = FloatParameter(low=0, high=1)
OPTIMIZER = ChoiceParameter(choices=["rms", "sgd", "adam"])
ADAM = ChoiceParameter(choices=["adam"])

Space = dict[str, AnyParameter]


def names(*spaces: Space) -> list[str]:
    """Return the axes where every parameter took two values."""
    points: list[Any] = [
        {name: one.choices[0] if isinstance(one, ChoiceParameter) else one.low for name, one in spaces[0].items()},
        {name: one.choices[-1] if isinstance(one, ChoiceParameter) else one.high for name, one in spaces[0].items()},
    ]
    return [axis.name for axis in choose_axes(points, spaces)]


def test_those_that_changed_most() -> None:
    """One range shares two of five orders of magnitude with what it was, another one 0.3 and a third one 0.9 of it."""
    space: Space = {"a": LINEAR, "b": WIDE, "c": LINEAR}
    last: Space = {"a": FloatParameter(low=0.1, high=1), "b": NARROW, "c": FloatParameter(low=0, high=0.3)}
    assert names(space, last) == ["c", "b", "trial"]
    assert names(space, {**last, "c": FloatParameter(low=0, high=0.5)}) == ["b", "c", "trial"]
    assert names(space) == ["a", "b", "trial"], "at first they are in the job's order"


def test_a_range_that_was_left_altogether_tells_most() -> None:
    """A number may move beyond its first end from round to round."""
    beyond = FloatParameter(low=2, high=10, log=True)
    assert names({"a": LINEAR, "b": LINEAR, "c": WIDE}, {"a": LINEAR, "b": LINEAR, "c": beyond})[0] == "c"


def test_a_choice_comes_last() -> None:
    """One that was pruned is an axis, below a number; of two choices only one is, for points would coincide."""
    assert names({"o": OPTIMIZER, "a": LINEAR}, {"o": ADAM, "a": LINEAR}) == ["a", "o", "trial"]
    assert names({"o": OPTIMIZER, "p": OPTIMIZER, "a": LINEAR}, {"o": ADAM, "p": ADAM, "a": LINEAR}) == ["o", "trial"]


def test_what_cannot_tell_anything() -> None:
    """No axis: a parameter that only some trials have, one that took one value, one that a grid holds at one."""
    held = ChoiceParameter(choices=[0.5])
    sometimes = FloatParameter(low=0, high=1, when={"o": "sgd"})
    constant = ChoiceParameter(choices=["one"])
    first: Space = {"o": OPTIMIZER, "s": sometimes, "h": LINEAR, "c": constant}
    assert names(first, {**first, "h": held}) == ["o", "trial"]


def test_what_is_left_of_a_choice_lies_together() -> None:
    """Its rows are in the order in which values stayed, so that a box holds just what a round could choose from."""
    middle: Space = {"o": ChoiceParameter(choices=["rms", "adam"])}
    spaces: list[Space] = [{"o": OPTIMIZER}, middle, {"o": ADAM}]
    rows, _ = choose_axes([{"o": "rms"}, {"o": "adam"}], spaces)
    assert rows.rows == ("adam", "rms", "sgd")
    assert rows.ticks == {0: "adam", 1: "rms", 2: "sgd"}
    assert [rows.span(space, 0, 9) for space in spaces] == [(-0.4, 2.4), (-0.4, 1.4), (-0.4, 0.4)]
    assert rows.place(Trial(4, {"o": "rms"}, seed=0, baseline=False)) == 1


def test_places_and_ticks_of_numbers() -> None:
    """A logarithmic axis has round ticks from the lowest end to the highest; a linear one has the library's own."""
    beyond = IntParameter(low=32, high=1000, log=True)
    spaces: list[Space] = [{"w": IntParameter(low=8, high=100, log=True), "a": LINEAR}, {"w": beyond, "a": LINEAR}]
    w, a, _ = choose_axes([{"w": 8, "a": 0.0}, {"w": 9, "a": 1.0}], spaces)
    assert list(w.ticks.values()) == ["10", "20", "50", "100", "200", "500", "1000"]
    assert (w.log, a.log, a.ticks) == (True, False, {})
    assert w.span(spaces[1], 0, 9) == (32, 1000)
    assert w.place(Trial(4, {"w": 64, "a": 0.5}, seed=0, baseline=False)) == 64


def test_trials_are_an_axis_where_there_is_one_parameter() -> None:
    """Each round takes the rows of its trials, and no more."""
    trials = Axis("trial")
    assert trials.place(Trial(4, {"a": 0.5}, seed=0, baseline=False)) == 4
    assert trials.span({"a": LINEAR}, 3, 7) == (2.5, 6.5)
