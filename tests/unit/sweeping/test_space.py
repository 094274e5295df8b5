"""From the unit cube and from grids to parameters, bounds and conditions respected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinderbox.config import SweepJob
from tinderbox.errors import BadInput
from tinderbox.sweeping import space
from tinderbox.sweeping.space import defaults, from_unit, grid, grid_values, lies_in, widest

MakeJob = Callable[..., SweepJob]

CONDITIONAL: dict[str, Any] = {
    "optimizer": {"type": "choice", "choices": ["sgd", "adam", "rms"]},
    "momentum": {"type": "float", "low": 0, "high": 1, "grid": 3, "when": {"optimizer": "sgd"}},
    "nesterov": {"type": "choice", "choices": [True, False], "when": {"optimizer": ["sgd", "rms"]}},
    "decay": {"type": "int", "low": 1, "high": 3, "grid": [1, 3], "when": {"nesterov": True}},
}
ALMOST_ONE = float(np.nextafter(1.0, 0.0))


@pytest.mark.parametrize(
    ("parameter", "ends", "middle"),
    [
        ({"type": "float", "low": -2, "high": 6}, (-2.0, 6.0), 2.0),
        ({"type": "float", "low": 0.001, "high": 1, "log": True}, (0.001, 1.0), 0.0316227766),
        ({"type": "int", "low": 1, "high": 9}, (1, 9), 5),
        ({"type": "int", "low": -3, "high": -2}, (-3, -2), -2),
        ({"type": "int", "low": 1, "high": 1000, "log": True}, (1, 1000), 22),
        ({"type": "choice", "choices": ["a", "b", "c"]}, ("a", "c"), "b"),
    ],
)
def test_ends_and_middle(make_job: MakeJob, parameter: dict[str, Any], ends: tuple[Any, Any], middle: Any) -> None:
    """The unit interval covers the range, both ends included, evenly or over orders of magnitude."""
    job_space = make_job({"p": parameter}).parameters
    low, half, high = (from_unit(job_space, [position])["p"] for position in (0.0, 0.5, ALMOST_ONE))
    assert (low, high) == (pytest.approx(ends) if isinstance(low, float) else ends)
    assert half == (pytest.approx(middle) if isinstance(half, float) else middle)
    assert {type(low), type(half), type(high)} == {type(middle)}


@pytest.mark.parametrize("log", [False, True])
def test_no_point_leaves_its_bounds(make_job: MakeJob, log: bool) -> None:
    """Floating point does not push a value out, however odd the bounds."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        low, high = sorted((10.0 ** rng.uniform(-8, 8, 2)).tolist())
        job_space = make_job({"p": {"type": "float", "low": low, "high": high, "log": log}}).parameters
        for position in (0.0, float(rng.random()), ALMOST_ONE):
            assert low <= from_unit(job_space, [position])["p"] <= high  # type: ignore[operator]  # a number


def test_whole_numbers_are_equally_likely(make_job: MakeJob) -> None:
    """The two ends as much as the rest."""
    job_space = make_job({"p": {"type": "int", "low": 1, "high": 4}}).parameters
    counts = Counter(from_unit(job_space, [index / 1000])["p"] for index in range(1000))
    assert counts == {1: 250, 2: 250, 3: 250, 4: 250} or max(counts.values()) - min(counts.values()) <= 2


def test_conditions_decide_what_exists(make_job: MakeJob) -> None:
    """A parameter exists only under its condition, and one that depends on a missing one does not either."""
    job_space = make_job(CONDITIONAL).parameters
    assert from_unit(job_space, [0.1, 0.5, 0.1, 0.0]) == {
        "optimizer": "sgd",
        "momentum": 0.5,
        "nesterov": True,
        "decay": 1,
    }
    assert from_unit(job_space, [0.1, 0.5, 0.9, 0.0]) == {"optimizer": "sgd", "momentum": 0.5, "nesterov": False}
    assert from_unit(job_space, [0.9, 0.5, 0.1, 0.9]) == {"optimizer": "rms", "nesterov": True, "decay": 3}
    assert from_unit(job_space, [0.5, 0.5, 0.1, 0.9]) == {"optimizer": "adam"}


def test_a_grid_takes_each_point_once(make_job: MakeJob) -> None:
    """The last parameter changes fastest."""
    job_space = make_job({"a": {"type": "choice", "choices": [1, 2]}, "b": {"type": "choice", "choices": ["x", "y"]}})
    assert [tuple(point.values()) for point in grid(job_space.parameters)] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_a_grid_with_conditions(make_job: MakeJob) -> None:
    """A parameter that does not exist multiplies nothing."""
    points = grid(make_job(CONDITIONAL).parameters)
    assert len(points) == len({repr(point) for point in points})
    # sgd: 3 momenta x (2 decays with nesterov, 1 without); adam: 1; rms: 2 decays with nesterov, 1 without.
    assert Counter(point["optimizer"] for point in points) == {"sgd": 9, "adam": 1, "rms": 3}


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ({"type": "float", "low": 0, "high": 1, "grid": 3}, [0.0, 0.5, 1.0]),
        ({"type": "float", "low": 0.001, "high": 1, "log": True, "grid": 4}, [0.001, 0.01, 0.1, 1.0]),
        ({"type": "float", "low": 0, "high": 1, "grid": [0.7, 0.2]}, [0.7, 0.2]),
        ({"type": "int", "low": 1, "high": 9, "grid": 3}, [1, 5, 9]),
        ({"type": "int", "low": 1, "high": 3, "grid": 10}, [1, 2, 3]),
        ({"type": "int", "low": 1, "high": 100, "log": True, "grid": 3}, [1, 10, 100]),
        ({"type": "int", "low": 64, "high": 1024, "grid": [64, 1024]}, [64, 1024]),
        ({"type": "choice", "choices": [3, "a"]}, [3, "a"]),
    ],
)
def test_points_of_one_parameter(make_job: MakeJob, parameter: dict[str, Any], values: list[Any]) -> None:
    """A count is spread evenly and exactly from end to end, a list is taken as it is, whole numbers stay whole."""
    found = grid_values(make_job({"p": parameter}).parameters["p"])
    assert found == [pytest.approx(value) if isinstance(value, float) else value for value in values]
    assert [type(value) for value in found] == [type(value) for value in values]
    assert {found[0], found[-1]} == {values[0], values[-1]}


def test_a_grid_that_is_too_large(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a most, and nobody waits for all points of a larger one to be counted."""
    monkeypatch.setattr(space, "LARGEST_GRID", 2500)
    points = {"type": "float", "low": 0, "high": 1, "grid": 50}
    assert len(grid(make_job({"a": points, "b": points}).parameters)) == 2500
    with pytest.raises(BadInput) as refusal:
        grid(make_job({"a": points, "b": points, "c": points | {"grid": 1_000_000}}).parameters)
    assert str(refusal.value) == ("the grid has more than 2,500 points; take fewer, or search random or tpe instead")


def test_the_defaults(make_job: MakeJob) -> None:
    """All parameters that exist under the defaults, or none at all where one has no default."""
    space = {name: dict(parameter) for name, parameter in CONDITIONAL.items()}
    space["optimizer"]["default"] = "rms"
    assert defaults(make_job(space).parameters) is None
    space["nesterov"]["default"] = False
    assert defaults(make_job(space).parameters) == {"optimizer": "rms", "nesterov": False}
    space["nesterov"]["default"] = True
    assert defaults(make_job(space).parameters) is None
    space["decay"]["default"] = 2
    assert defaults(make_job(space).parameters) == {"optimizer": "rms", "nesterov": True, "decay": 2}


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ({"optimizer": "adam"}, True),
        ({"optimizer": "sgd", "momentum": 1, "nesterov": False}, True),
        ({"optimizer": "sgd", "momentum": 0.5, "nesterov": True, "decay": 3.0}, True),
        ({"optimizer": "sgd", "momentum": 0.5, "nesterov": True, "decay": 2.5}, False),
        ({"optimizer": "sgd", "momentum": 0.5, "nesterov": True, "decay": 4}, False),
        ({"optimizer": "sgd", "momentum": True, "nesterov": False}, False),
        ({"optimizer": "sgd", "momentum": -0.1, "nesterov": False}, False),
        ({"optimizer": "sgd", "nesterov": False}, False),
        ({"optimizer": "adam", "momentum": 0.5}, False),
        ({"optimizer": "lion"}, False),
        ({"optimizer": "adam", "rate": 0.5}, False),
        ({}, False),
    ],
)
def test_what_lies_in_a_space(make_job: MakeJob, point: dict[str, Any], inside: bool) -> None:
    """Just the parameters that exist at a point, each with a value that it may have."""
    assert lies_in(make_job(CONDITIONAL).parameters, point) is inside


def test_all_that_is_drawn_lies_in_its_space(make_job: MakeJob) -> None:
    """In the unit cube and on the grid."""
    job_space, rng = make_job(CONDITIONAL).parameters, np.random.default_rng(0)
    assert all(lies_in(job_space, from_unit(job_space, rng.random(4).tolist())) for _ in range(100))
    assert all(lies_in(job_space, point) for point in grid(job_space))


def test_the_widest_space(make_job: MakeJob) -> None:
    """Numbers go as far as any, choices stay the first one's."""
    ranges = [(2, 9), (1, 4), (5, 20)]
    spaces = [
        make_job({"n": {"type": "int", "low": low, "high": high}, "c": {"type": "choice", "choices": [low, "x"]}})
        for low, high in ranges
    ]
    found = widest(spaces[0].parameters, [job.parameters for job in spaces[1:]])
    assert (found["n"].low, found["n"].high) == (1, 20)  # type: ignore[union-attr]  # a number
    assert found["c"].choices == [2, "x"]  # type: ignore[union-attr]  # a choice
    assert spaces[0].parameters["n"].low == 2  # type: ignore[union-attr]  # a number
