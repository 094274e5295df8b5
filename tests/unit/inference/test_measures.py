"""What Prometheus is told of a batch inference, beside the summary of its rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tinderbox.inference.measures import Left, measure
from tinderbox.inference.rows import schema
from tinderbox.inference.summary import Summary, summarise


def rows(*found: dict[str, Any]) -> Summary:
    """Return the summary of rows."""
    columns = schema(regression=False)
    table = pa.Table.from_pylist([dict.fromkeys(columns.names) | row for row in found], columns)
    return summarise(table, 100.0, 2.0)


def told(*arguments: Any, **named: Any) -> dict[str, float]:
    """Return what is measured, by name and labels without the run's."""
    samples = list(measure("photos", *arguments, **named))
    assert {sample.labels[0] for sample in samples} == {"photos"}
    return {" ".join([sample.metric.name, *sample.labels[1:]]): sample.value for sample in samples}


LABELLED = {"path": "a", "label": "cat", "probability": 0.5, "node": "n"}
BROKEN = {"path": "b", "error": "it is empty", "reason": "empty", "node": "n"}


def test_rows_by_outcome_and_errors_by_reason() -> None:
    """They are the summary's, whatever is left."""
    summary = rows(LABELLED, LABELLED, BROKEN, BROKEN | {"reason": "too_large"}, BROKEN)
    assert told(summary, over=False) == {
        "tinderbox_inference_over": 0,
        "tinderbox_inference_rows labelled": 2,
        "tinderbox_inference_rows error": 3,
        "tinderbox_inference_errors empty": 2,
        "tinderbox_inference_errors too_large": 1,
    }


def test_nothing_was_labelled_yet() -> None:
    """Both outcomes are told from zero on."""
    assert told(Summary(), over=False) == {
        "tinderbox_inference_over": 0,
        "tinderbox_inference_rows labelled": 0,
        "tinderbox_inference_rows error": 0,
    }


def test_accuracy_where_the_truth_is_known() -> None:
    """The share of right labels."""
    summary = rows(*[LABELLED | {"truth": truth} for truth in ("cat", "dog", "cat", "cat")])
    assert told(summary, over=True)["tinderbox_inference_accuracy"] == 0.75


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (None, {}),
        (Left(7, None), {"tinderbox_inference_left_files": 7}),
        (Left(7, 3.5), {"tinderbox_inference_left_files": 7, "tinderbox_inference_left_seconds": 3.5}),
        (Left(0, None), {"tinderbox_inference_left_files": 0}),
    ],
)
def test_what_is_left(left: Left | None, expected: dict[str, float]) -> None:
    """Absent where it is not known, such as of arrays in memory."""
    found = told(Summary(), over=False, left=left)
    assert {name: value for name, value in found.items() if "left" in name} == expected
