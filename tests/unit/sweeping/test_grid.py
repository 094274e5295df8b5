"""The points of a grid and their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinderbox.config import SweepJob
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
    points = [proposer.propose(number, Past()) for number in range(12)]
    assert [(point.get("layers"), point["width"]) for point in points[::2]] == [
        (2, 16), (2, 8), (1, 16), (1, 8), (None, 16), (None, 8),
    ]  # fmt: skip
    assert [point["rate"] for point in points] == [0.1, 0.2] * 6
