"""Several objectives, and constraints: what may be written, and what does not go with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import Constraint, SweepJob

Accept = Callable[..., SweepJob]
Refuse = Callable[[dict[str, Any]], str]

SPEED = {"name": "latency_ms", "direction": "minimize"}
FAST = {"name": "latency_ms", "max": 20}
RIGHT = {"name": "accuracy", "min": 0.9}


def test_every_metric_is_reported_once(accept: Accept) -> None:
    """The metric comes first, then further objectives, then what only has to keep a bound."""
    goal = {"name": "accuracy", "direction": "maximize"}
    job = accept({"metric": goal, "objectives": [SPEED], "constraints": [FAST, RIGHT, {"name": "size", "max": 1e6}]})
    assert job.reported == ("accuracy", "latency_ms", "size")
    assert job.signs == {"accuracy": -1, "latency_ms": 1}


def test_a_job_without_them_is_kept_as_before(accept: Accept) -> None:
    """They add nothing to what is kept of a job that does not have them, so its study goes on."""
    job = accept()
    assert (job.reported, job.signs) == (("loss",), {"loss": 1})
    assert not {"objectives", "constraints"} & job.model_dump(mode="json", exclude_none=True).keys()


@pytest.mark.parametrize(
    ("rule", "values", "excess", "told"),
    [
        (FAST, (20, 20.5, -1), (0, 0.5, -21), "at most 20"),
        (RIGHT, (0.9, 0.4, 1.4), (0, 0.5, -0.5), "at least 0.9"),
        ({"name": "drift", "min": 0}, (0, -2, 3), (0, 2, -3), "at least 0"),
        ({"name": "parameters", "max": 1234567}, (1234567,), (0,), "at most 1234567"),
    ],
)
def test_a_bound_belongs_to_what_it_allows(
    rule: dict[str, Any], values: tuple[float, ...], excess: tuple[float, ...], told: str
) -> None:
    """What lies beyond it is more than 0, whichever side it bounds."""
    constraint = Constraint(**rule)
    assert [constraint.excess(value) for value in values] == pytest.approx(list(excess))
    assert constraint.bound == told


@pytest.mark.parametrize(
    "keys",
    [
        {"objectives": [SPEED], "search": "tpe"},
        {"objectives": [SPEED], "search": "gp"},
        {"objectives": [SPEED], "search": "grid", "parameters.lr.grid": 2},
        {"objectives": [SPEED, {"name": "size", "direction": "maximize"}], "confirm": {"top": 1}},
        {"constraints": [FAST, {"name": "latency_ms", "min": 1}]},
        {"constraints": [{"name": "loss", "max": 1}]},
        {"constraints": [FAST], "search": {"method": "tpe", "zoom": {}}, "budget": {"trials": 9}},
    ],
)
def test_what_goes_together(accept: Accept, keys: dict[str, Any]) -> None:
    """Objectives go with searches that know several, constraints with zoom rounds too, and a range is two bounds."""
    assert accept(keys).kind == "sweep"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (
            {"objectives": [SPEED, SPEED]},
            "objectives: latency_ms is an objective twice; name each once, and the metric not again",
        ),
        (
            {"objectives": [{"name": "loss", "direction": "maximize"}]},
            "objectives: loss is an objective twice; name each once, and the metric not again",
        ),
        ({"objectives": []}, "objectives: list should have at least 1 item after validation, not 0, got []"),
        ({"objectives": [3]}, "objectives.0: input should be a valid dictionary or instance of Metric, got 3"),
        (
            {"objectives": [{"name": "seconds", "direction": "minimize"}]},
            "objectives.0.name: seconds is a column of the table of trials itself; give the metric another name",
        ),
        (
            {"constraints": [{"name": "epoch", "max": 1}]},
            "constraints.0.name: epoch is an argument of trial.report itself; give the metric another name",
        ),
        (
            {"objectives": [{"name": "lr", "direction": "minimize"}]},
            "parameter lr is called like a metric; give one of them another name",
        ),
        (
            {"constraints": [{"name": "lr", "max": 1}]},
            "parameter lr is called like a metric; give one of them another name",
        ),
        (
            {"constraints": [{"name": "size"}]},
            "constraints.0: size needs either max or min, got neither; a range is two constraints",
        ),
        (
            {"constraints": [FAST | {"min": 1}]},
            "constraints.0: latency_ms needs either max or min, got max 20.0 and min 1.0; a range is two constraints",
        ),
        (
            {"constraints": [FAST, FAST | {"max": 30}]},
            "constraints: latency_ms has two bounds on one side; leave one of them out",
        ),
        (
            {"constraints": [FAST | {"max": float("nan")}]},
            "constraints.0.max: input should be a finite number, got nan",
        ),
        (
            {"constraints": [FAST | {"most": 3}]},
            "unknown key 'most' in constraints.0 (valid keys: name, max, min)",
        ),
        *(
            (
                {**several, "rungs": {}},
                f"{key}: rungs compare trials by one metric, long before their last report; leave one of the two out",
            )
            for key, several in (("objectives", {"objectives": [SPEED]}), ("constraints", {"constraints": [FAST]}))
        ),
        *(
            (
                {**several, "search": "cma-es"},
                f"{key}: cma-es searches by one metric and knows no bounds; search tpe or gp",
            )
            for key, several in (("objectives", {"objectives": [SPEED]}), ("constraints", {"constraints": [FAST]}))
        ),
        (
            {"constraints": [FAST], "search": {"method": "tpe", "warm_start": {"study": "old"}}},
            "constraints: search.warm_start takes over only the metric of an earlier study; leave one of the two out",
        ),
        (
            {"objectives": [SPEED], "search": {"method": "tpe", "zoom": {}}, "budget": {"trials": 9}},
            "objectives: search.zoom narrows to where one metric is best, and would lose the others; "
            "leave one of the two out",
        ),
    ],
)
def test_what_does_not(refuse: Refuse, keys: dict[str, Any], sentence: str) -> None:
    """One sentence says which two do not go together, or which rule is broken, and what to do."""
    assert refuse(keys) == sentence
