"""Where a run stands, by what it has left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tinderbox.api.plan import describe_job
from tinderbox.api.result import open_study
from tinderbox.api.stock import take_stock
from tinderbox.config import check_sweep
from tinderbox.storage import StudyFolder

Restart = Callable[[StudyFolder], None]


def test_stock_is_taken_of_a_study_that_has_ended(recorded: StudyFolder) -> None:
    """As its driver would have said."""
    stock = take_stock(open_study("small", recorded.root.rpartition("/")[0]))
    assert (stock.ended, stock.total, stock.best_value, stock.over, stock.slots) == (4, 5, 0.25, True, 1)
    assert stock.seconds == 10.0


def test_stock_is_taken_of_a_study_that_goes_on(recorded: StudyFolder, restart: Restart) -> None:
    """Slots of an earlier driver count no more."""
    restart(recorded)
    stock = take_stock(open_study("small", recorded.root.rpartition("/")[0]))
    assert (stock.over, stock.slots, stock.ended) == (False, 0, 4)


@pytest.mark.parametrize("method", ["gp", "tpe", "cma-es", "qmc", "random"])
def test_stock_needs_no_search(recorded: StudyFolder, method: str) -> None:
    """What the search imports is needed where it runs: gp's PyTorch is in the driver's image, and not here."""
    job = check_sweep({**recorded.read_job(), "search": method, "budget": {"trials": 9}}, "test")
    recorded.write_job(describe_job(job), recorded.read_run())
    assert take_stock(open_study("small", recorded.root.rpartition("/")[0])).total == 10


def test_stock_counts_the_points_that_a_search_starts_with(recorded: StudyFolder) -> None:
    """As its driver does."""
    search = {"method": "tpe", "start_with": [{"x": 0.125}, {"x": 0.75}]}
    job = check_sweep({**recorded.read_job(), "search": search, "budget": {"trials": 9}}, "test")
    recorded.write_job(describe_job(job), recorded.read_run())
    assert take_stock(open_study("small", recorded.root.rpartition("/")[0])).total == 12
