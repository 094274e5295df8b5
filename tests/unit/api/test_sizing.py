"""How many rows a batch inference takes at a time, measured or not, kept or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from tinderbox.api.sizing import FEW, choose, portion
from tinderbox.api.watcher import Quiet
from tinderbox.inference.probe import Choice
from tinderbox.storage.rows import RowsFolder

Plan = Callable[..., Any]


def ask(plan: Any, rows_folder: RowsFolder) -> Choice:
    """Choose, with nobody watching."""
    return choose(plan, cast("Any", None), rows_folder, Quiet(), lambda: None)


def test_a_measurement_is_made_once(infer_plan: Plan, rows_folder: RowsFolder, asked: dict[str, Any]) -> None:
    """A run that goes on knows what was measured; one that asks for something else measures again."""
    first = ask(infer_plan(), rows_folder)
    assert (first.batch, first.xla, first.rate, asked["measured"]) == (128, True, 50.0, 1)
    again = ask(infer_plan(), rows_folder)
    assert (again.batch, again.xla, again.rate, asked["measured"]) == (128, True, 50.0, 1)
    ask(infer_plan(cores=2), rows_folder)
    assert asked["measured"] == 2


@pytest.mark.parametrize(
    ("rows", "keys", "expected"),
    [
        (FEW, {}, (32, False)),
        (FEW + 1, {"batch": 7, "xla": False}, (7, False)),
        (FEW, {"batch": 7}, (7, False)),
        (FEW, {"xla": True}, (32, True)),
    ],
)
def test_what_is_not_worth_a_measurement(
    infer_plan: Plan,
    rows_folder: RowsFolder,
    asked: dict[str, Any],
    rows: int,
    keys: dict[str, Any],
    expected: tuple[int, bool],
) -> None:
    """Few rows, or a job that says all of it."""
    asked["rows"] = rows
    choice = ask(infer_plan(**keys), rows_folder)
    assert ((choice.batch, choice.xla), asked["measured"]) == (expected, 0)


def test_a_tar_may_hold_any_number(infer_plan: Plan, rows_folder: RowsFolder, asked: dict[str, Any]) -> None:
    """One file is no sign of little work where it is an archive."""
    asked["rows"] = 1
    ask(infer_plan(input="all.tar"), rows_folder)
    assert asked["measured"] == 1


@pytest.mark.parametrize(("rate", "rows"), [(0, 2_000), (0.5, 200), (20, 1_200), (1e6, 50_000)])
def test_a_micro_batch_is_about_a_minute(rate: float, rows: int) -> None:
    """Within bounds: a commit for each image would cost more than the image, and a day's work is too much to lose."""
    assert portion(rate) == rows
