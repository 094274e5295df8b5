"""The points of a grid and their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinderbox.config import SweepJob
from tinderbox.sweeping.draws import QuasiRandom
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.grid import Grid
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.search import Proposer


def test_what_is_said_to_cost_comes_first(make_job: Callable[..., SweepJob]) -> None:
    """The first name before the second; what does not exist costs nothing; equals stay in the grid's order."""
    space: dict[str, Any] = {
        "cell": {"type": "choice", "choices": ["rnn", "lstm"]},
        "layers": {"type": "int", "low": 1, "high": 2, "grid": 2, "when": {"cell": "lstm"}},
        "width": {"type": "choice", "choices": [8, 16]},
        "rate": {"type": "choice", "choices": [0.1, 0.2]},
    }
    proposer = Proposer(make_job(space, search={"method": "grid", "cost": ["layers", "width"]}, budget={}))
    proposed: dict[int, Trial] = {}
    for number in range(12):
        proposed[number] = Trial(number, proposer.propose(number, Past(proposed)), 0, False)
    found = [trial.parameters for trial in proposed.values()]
    assert [(point.get("layers"), point["width"]) for point in found[::2]] == [
        (2, 16), (2, 8), (1, 16), (1, 8), (None, 16), (None, 8),
    ]  # fmt: skip
    assert [point["rate"] for point in found] == [0.1, 0.2] * 6


def points(*values: int) -> list[Parameters]:
    """Return points of one parameter."""
    return [{"x": value} for value in values]


def tried(*values: int) -> Past:
    """Return a past of such trials."""
    return Past({number: Trial(number, {"x": value}, 0, False) for number, value in enumerate(values)})


def test_no_point_is_tried_twice() -> None:
    """Whoever has tried it: a new driver's grid, or a larger one, goes on with the points that are left."""
    assert Grid(points(1, 2, 3), 0).propose(2, tried(3, 1)) == {"x": 2}
    small = Grid(points(*range(9)), 5, limit=4)
    assert len(small) == 4
    begun: list[int] = []
    for number in range(4):
        begun.append(int(small.propose(number, tried(*begun))["x"]))
    large = Grid(points(*range(9)), 5, limit=7, cost=["x"])
    for number in range(4, 7):
        begun.append(int(large.propose(number, tried(*begun))["x"]))
    assert len(set(begun)) == 7


def test_what_is_beyond_the_grid_is_drawn(make_job: Callable[..., SweepJob]) -> None:
    """A round that has more trials than its grid has points fills up between them."""
    more = QuasiRandom(make_job().parameters, 0, 2)
    grid = Grid([{"x": 0.5}], 0, begin=2, more=more)
    past = tried(1, 2)
    assert grid.propose(2, past) == {"x": 0.5}
    drawn = grid.propose(3, Past({**past.proposed, 2: Trial(2, {"x": 0.5}, 0, False)}))
    assert drawn == more.propose(3, past)
    assert 0 <= float(drawn["x"]) <= 1
