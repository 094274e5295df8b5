"""Whether the best trial lies on the edge of what was searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import SweepJob
from tinderbox.report.edges import edges
from tinderbox.sweeping.events import RoundStarted
from tinderbox.sweeping.study import Study

Find = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def find(make_scene: Any) -> Find:
    """A function that returns name and side of the edges of a study whose best trial has these parameters."""

    def find_edges(space: dict[str, Any], best: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
        scene = make_scene(space, **changes)
        scene.run(best, [0.9])
        return [(edge.parameter, edge.side) for edge in edges(scene.study, scene.job)]

    return find_edges


RANDOM: dict[str, Any] = {"search": "random", "budget": {"trials": 9}}
LOG = {"lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}}
LINEAR = {"dropout": {"type": "float", "low": 0.0, "high": 0.5}}
WHOLE = {"width": {"type": "int", "low": 1, "high": 200}}


@pytest.mark.parametrize(
    ("space", "value", "side"),
    [
        (LOG, 1e-4, "lower"),
        (LOG, 1.07e-4, "lower"),
        (LOG, 1.08e-4, None),
        (LOG, 0.0933, None),
        (LOG, 0.0934, "upper"),
        (LINEAR, 0.005, "lower"),
        (LINEAR, 0.0051, None),
        (LINEAR, 0.496, "upper"),
        (WHOLE, 1, "lower"),
        (WHOLE, 2, None),
        (WHOLE, 200, "upper"),
    ],
)
def test_real_numbers_have_a_margin_and_whole_ones_have_none(
    find: Find, space: dict[str, Any], value: float, side: str | None
) -> None:
    """A real number within 1 % of its range, on its own scale, is on the edge; a whole number only at the end."""
    (name,) = space
    assert find(space, {name: value}, **RANDOM) == ([(name, side)] if side else [])


def test_the_ends_of_a_grid_are_its_points(find: Find) -> None:
    """A grid's outermost point is an edge, however far the range goes on."""
    space = {"lr": {"type": "float", "low": 1e-6, "high": 1.0, "grid": [1e-3, 1e-2, 1e-1]}}
    assert find(space, {"lr": 1e-1}) == [("lr", "upper")]
    assert find(space, {"lr": 1e-2}) == []


def test_defaults_outside_the_grid_are_beyond_its_edge(make_scene: Any) -> None:
    """The baseline may lie beyond the grid's points, and the sentence says so."""
    scene = make_scene({"lr": {"type": "float", "low": 0.0, "high": 1.0, "grid": [0.1, 0.2], "default": 0.05}})
    scene.run({"lr": 0.05}, [0.9], baseline=True)
    (edge,) = edges(scene.study, scene.job)
    assert "lr = 0.05, beyond the lower end of its grid (0.1 to 0.2)" in edge.sentence


def test_what_was_not_varied_has_no_edge(find: Find) -> None:
    """Neither a choice, nor a grid of one point, nor a parameter that the best trial does not have is on an edge."""
    space = {
        "optimizer": {"type": "choice", "choices": ["sgd", "adam"]},
        "momentum": {"type": "float", "low": 0.0, "high": 1.0, "grid": [0.0, 1.0], "when": {"optimizer": "sgd"}},
        "decay": {"type": "float", "low": 0.0, "high": 1.0, "grid": [0.95]},
    }
    assert find(space, {"optimizer": "adam", "decay": 0.95}) == []


def test_the_sentence_says_what_to_do(make_scene: Any) -> None:
    """The sentence names the parameter, its value, the side, the range and the remedy."""
    scene = make_scene(LOG, **RANDOM)
    scene.run({"lr": 0.1}, [0.9])
    (edge,) = edges(scene.study, scene.job)
    assert edge.sentence == (
        "The best trial has lr = 0.1, at the upper end of its range (0.0001 to 0.1): "
        "better values may lie above; widen the range upwards."
    )


def test_no_best_trial_has_no_edge(job: SweepJob) -> None:
    """Before a trial is complete there is nothing to warn of."""
    assert edges(Study("validation_accuracy", "maximize"), job) == []


@pytest.mark.parametrize(("value", "sides"), [(0.1, []), (0.5, []), (1.0, ["upper"])])
def test_a_search_that_went_outward_has_other_ends(make_scene: Any, value: float, sides: list[str]) -> None:
    """What a round has gone beyond is no end any more, nor is a point of the first grid."""
    scene = make_scene({"lr": LOG["lr"] | {"grid": 3}}, search={"method": "grid", "zoom": {}}, budget={})
    space = {"lr": scene.job.parameters["lr"].model_copy(update={"low": 1e-2, "high": 1.0})}
    scene.study.apply(RoundStarted(time=scene.study.newest, round=2, trial=0, space=space, cause=""))
    scene.run({"lr": value}, [0.9])
    assert [edge.side for edge in edges(scene.study, scene.job)] == sides
