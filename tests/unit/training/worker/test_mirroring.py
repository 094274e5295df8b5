"""GPUs of one worker; that replicas add up is among the tests of mode synchronous."""

from __future__ import annotations

import numpy as np
import pytest

from tinderbox.errors import BadInput
from tinderbox.training.records import Position
from tinderbox.training.sampling import schedule
from tinderbox.training.worker.mirroring import fill_up, share_out


def test_more_gpus_than_there_are() -> None:
    """Are refused with the number that TensorFlow finds; one needs no replicas."""
    with pytest.raises(BadInput, match=r"gpus: 99 are wanted in a worker, and TensorFlow finds \d+; ask for fewer"):
        share_out(99, 1)
    with share_out(1, 2) as scope:
        assert scope is None


@pytest.mark.parametrize(("examples", "batch", "workers", "replicas"), [(11, 4, 1, 3), (9, 4, 1, 2), (9, 4, 2, 2)])
def test_replicas_have_equal_parts(examples: int, batch: int, workers: int, replicas: int) -> None:
    """The mean of what they come to, and over workers by their weights, is that of a step's examples, each once."""
    values = np.random.default_rng(0).random(examples)
    plans = [schedule(examples, batch, workers, rank, 0, Position()) for rank in range(workers)]
    for step in range(len(plans[0])):
        found = 0.0
        for plan in plans:
            rows, bounds, weights = fill_up(plan, replicas)
            part = slice(bounds[step], bounds[step + 1])
            assert (bounds[step + 1] - bounds[step]) % replicas == 0
            parts = (weights * values[rows])[part].reshape(replicas, -1)
            found += float(parts.mean(axis=1).mean() * plan.weights[step] / workers)
            assert (weights[part] > 0).sum() == plan.counts[step]
        taken = np.concatenate([plan.step(step)[: plan.counts[step]] for plan in plans])
        assert found == pytest.approx(values[taken].mean(), rel=1e-6)


def test_one_replica_has_all() -> None:
    """As the schedule says it, with weights that only tell apart what stands in."""
    plan = schedule(5, 4, 2, 1, 0, Position())
    rows, bounds, weights = fill_up(plan, 1)
    assert (rows.tolist(), bounds.tolist(), weights.tolist()) == (plan.rows.tolist(), plan.bounds.tolist(), [1, 1, 0])
