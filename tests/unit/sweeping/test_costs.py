"""What is learnt from trials about the time that others will take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinderbox.config import SweepJob
from tinderbox.sweeping.costs import predict_costs
from tinderbox.sweeping.history import Attempt, State, Trial

MakeJob = Callable[..., SweepJob]

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-3, "high": 1, "log": True},
    "width": {"type": "int", "low": 16, "high": 1024, "log": True},
    "cell": {"type": "choice", "choices": ["rnn", "lstm", "gru"]},
    "layers": {"type": "int", "low": 1, "high": 5, "when": {"cell": "lstm"}},
}


def ended(number: int, seconds: float, epochs: int = 1, outcome: Any = "complete", **parameters: Any) -> Trial:
    """Return a trial that ran so long."""
    trial = Trial(number, parameters, 0, False, State.COMPLETE)
    trial.attempts = [Attempt(1, "a", "n", 100.0, 100.0 + seconds, outcome)]
    trial.reports = {epoch: {"loss": 1.0} for epoch in range(1, epochs + 1)}
    return trial


def test_what_a_power_law_costs_is_found(make_job: MakeJob) -> None:
    """A product of powers is linear in logarithms; factors of choices come out too."""
    space, rng = make_job(SPACE).parameters, np.random.default_rng(1)
    factors = {"rnn": 1.0, "lstm": 4.0, "gru": 3.0}

    def cost(point: Any) -> float:
        return float(point["width"] ** 0.7 * factors[point["cell"]] * 1.5 ** point.get("layers", 3))

    points = [
        {"lr": 10 ** rng.uniform(-3, 0), "width": int(2 ** rng.integers(4, 11)), "cell": cell}
        | ({"layers": int(rng.integers(1, 6))} if cell == "lstm" else {})
        for cell in ["rnn", "lstm", "gru"] * 20
    ]
    trials = [ended(n, cost(point) * (n % 3 + 1), epochs=n % 3 + 1, **point) for n, point in enumerate(points)]
    predicted = predict_costs(space, trials[:30], points[30:])
    assert predicted is not None
    assert np.ptp(predicted - np.log([cost(point) for point in points[30:]])) < 1e-6


def test_what_has_not_varied_says_nothing(make_job: MakeJob) -> None:
    """Nor do trials that cost the same, and of one alone nothing is learnt."""
    space = make_job(SPACE).parameters
    points = [{"lr": 0.1, "width": width, "cell": cell} for width in (16, 1024) for cell in ("rnn", "gru")]
    told = [ended(0, 2.0, lr=0.1, width=64, cell="rnn"), ended(1, 4.0, lr=0.1, width=128, cell="rnn")]
    assert predict_costs(space, told[:1], points) is None
    predicted = predict_costs(space, told, points)
    assert predicted == pytest.approx([predicted[0]] * 2 + [predicted[0] + 6 * np.log(2)] * 2)
    equal = predict_costs(space, [ended(n, 2.0, **trial.parameters) for n, trial in enumerate(told)], points)
    assert equal == pytest.approx([0.0] * 4)


def test_time_that_was_lost_does_not_count(make_job: MakeJob) -> None:
    """A trial that a slot took along was paid for twice, and one without a report shows no epoch."""
    space = make_job(SPACE).parameters
    lost, silent = ended(0, 9.0, lr=0.1, width=16, cell="rnn"), ended(1, 9.0, epochs=0, lr=0.1, width=16, cell="rnn")
    lost.attempts.insert(0, Attempt(1, "a", "n", 0.0, 90.0, "lost"))
    assert predict_costs(space, [lost, silent, ended(2, 1.0, lr=0.1, width=32, cell="rnn")], []) is None
