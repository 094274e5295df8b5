"""Summaries of micro-batches, and what is left of them when they are merged."""

from __future__ import annotations

import base64
import itertools
import math
import random
from dataclasses import replace
from functools import reduce
from typing import Any

import pyarrow as pa
import pytest

from tinderbox.errors import BadInput
from tinderbox.inference import counts, nodes
from tinderbox.inference.failures import EXAMPLES, Example
from tinderbox.inference.nodes import Node, Nodes
from tinderbox.inference.samples import BYTES, EACH_END
from tinderbox.inference.summary import OUTPUTS, Summary, from_json, merge, summarise, to_json
from tinderbox.inference.values import BINS, Values, spread

SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "label": pa.string(),
        "probability": pa.float32(),
        "values": pa.list_(pa.float32()),
        "truth": pa.string(),
        "error": pa.string(),
        "reason": pa.string(),
        "node": pa.string(),
        "milliseconds": pa.float32(),
        "thumbnail": pa.binary(),
    }
)


def table(*rows: dict[str, Any]) -> pa.Table:
    """Return rows of which only what matters is given."""
    base: dict[str, Any] = {"node": "node-a", "milliseconds": 250.0}
    return pa.Table.from_pylist([{"path": f"{index}.jpg", **base, **row} for index, row in enumerate(rows)], SCHEMA)


def labels(**amounts: int) -> pa.Table:
    """Return rows with so many of each label."""
    return table(*({"label": label} for label, amount in amounts.items() for _ in range(amount)))


def noise(rows: int, seed: int, regression: bool = False) -> pa.Table:
    """Return rows as they might come; numbers have few binary digits, so that sums are exact."""
    draw = random.Random(seed)  # noqa: S311 - a test
    found = []
    for index in range(rows):
        row: dict[str, Any] = {"path": f"{seed}/{index}.jpg", "node": draw.choice("ab"), "milliseconds": 125.0}
        if draw.random() < 0.2:
            row |= {"error": "no image", "reason": draw.choice(["empty", "truncated"])}
        elif regression:
            row |= {"values": [draw.randint(-999, 999) / 4 * 4 ** draw.randint(0, 9), draw.random() // 0.25]}
        else:
            row |= {"label": draw.choice("wxyz"), "probability": draw.random(), "truth": draw.choice([None, "x", "y"])}
            row["thumbnail"] = draw.choice([None, draw.randbytes(4)])
        found.append(row)
    return table(*found)


def test_counts_rows_labels_and_time() -> None:
    """Rows, labels and confidence are counted, and the rate is over the time that the batch took."""
    found = summarise(
        table(
            {"label": "cat", "probability": 0.999},
            {"label": "cat", "probability": 1.0},
            {"label": "dog", "probability": 0.51},
            {"error": "empty: 0 bytes", "reason": "empty"},
        ),
        began=100.0,
        seconds=8.0,
    )
    assert (found.rows, found.labelled) == (4, 3)
    assert found.labels.kept == {"cat": 2, "dog": 1}
    assert [(index, amount) for index, amount in enumerate(found.confidence) if amount] == [(10, 1), (19, 2)]
    assert (found.began, found.ended, found.rate) == (100.0, 108.0, 0.5)


def test_errors_have_reasons_and_few_examples() -> None:
    """Every error is counted by reason; the first ones by path are the examples."""
    rows = [{"path": f"{index}", "error": f"cut at {index}", "reason": "truncated"} for index in range(9, -1, -1)]
    found = summarise(table(*rows, {"path": "x", "error": "why not"}), 0.0, 1.0).errors
    assert found.reasons.kept == {"truncated": 10, "failed": 1}
    assert [example.path for example in found.examples["truncated"]] == ["0", "1", "2", "3", "4"]
    assert found.examples["failed"] == (Example("x", "why not"),)


def test_truth_is_compared_where_it_is_known() -> None:
    """Rows with an error or without a truth say nothing about accuracy; mistakes are ranked."""
    rows = [{"truth": "wolf", "label": "dog"}] * 3 + [
        {"truth": "dog", "label": "wolf"},
        {"truth": "dog", "label": "dog"},
    ]
    found = summarise(table(*rows, {"label": "dog"}, {"truth": "dog", "error": "empty", "reason": "empty"}), 0.0, 1.0)
    assert (found.truth.known, found.truth.right, found.truth.accuracy) == (5, 1, 0.2)
    assert found.truth.truths.kept == {"wolf": 3, "dog": 2}
    assert found.truth.confused(9) == [("wolf", "dog", 3), ("dog", "wolf", 1)]
    assert found.truth.confused(1) == [("wolf", "dog", 3)]
    assert summarise(labels(dog=2), 0.0, 1.0).truth.accuracy is None


def test_names_are_not_compared_with_numbers() -> None:
    """Without labels a class is only a number, which no folder called like its class can agree with."""
    rows = [{"truth": "cat", "label": "0"}, {"truth": "dog", "label": "1"}]
    assert summarise(table(*rows), 0.0, 1.0).truth.accuracy is None
    assert summarise(table(*rows, {"truth": "2", "label": "2"}), 0.0, 1.0).truth.accuracy == pytest.approx(1 / 3)
    assert summarise(table({"truth": "cat", "label": "7up"}), 0.0, 1.0).truth.accuracy == 0.0


def test_nodes_add_up_the_time_of_their_rows() -> None:
    """A node's time is that of its rows; one that is not named has a name, and a time that is no number is none."""
    found = summarise(
        table({"node": "a"}, {"node": "a", "milliseconds": 750.0}, {"node": None, "milliseconds": math.nan}), 5.0, 2.0
    )
    assert found.nodes.by_name == {"a": Node(2, 1.0, 5.0, 7.0), "unknown": Node(1, 0.0, 5.0, 7.0)}
    assert (found.nodes.by_name["a"].rate, found.nodes.by_name["unknown"].rate) == (2.0, None)


def test_samples_are_the_least_sure_and_the_surest() -> None:
    """A label with many thumbnails keeps both ends; rows without one, and one that is too large, are left out."""
    rows = [{"label": "cat", "probability": index / 32, "thumbnail": b"%d" % index} for index in range(20, 0, -1)]
    bare = [{"label": "cat", "probability": 0.0}, {"label": "cat", "probability": 0.0, "thumbnail": b"x" * (BYTES + 1)}]
    found = summarise(table(*bare, *rows, {"label": "dog", "probability": 1.0, "thumbnail": b"d"}), 0.0, 1.0).samples
    assert [round(sample.probability * 32) for sample in found["cat"]] == [1, 2, 3, 4, 17, 18, 19, 20]
    assert [base64.b64decode(sample.jpeg) for sample in found["cat"]][:2] == [b"1", b"2"]
    assert [sample.path for sample in found["dog"]] == ["22.jpg"]


def test_regression_has_a_spread_for_each_output() -> None:
    """Outputs are kept apart, numbers that are not finite are counted, and very many outputs are not all kept."""
    found = summarise(
        table({"values": [1.0, -8.0]}, {"values": [3.0, math.inf]}, {"error": "no", "values": None}), 0.0, 1.0
    )
    one, two = found.values
    assert (one.count, one.mean, one.low, one.high, one.not_finite) == (2, 2.0, 1.0, 3.0, 0)
    assert (two.count, two.mean, two.not_finite) == (1, -8.0, 1)
    many = summarise(table({"values": [0.0] * 300}), 0.0, 1.0)
    assert (many.outputs, len(many.values)) == (300, OUTPUTS)


@pytest.mark.parametrize(
    "numbers",
    [
        [0.0],
        [0.0, 1e-10],
        [5.0] * 3,
        [-1e-3, 1e3],
        [1e30, -1e30, 1.0],
        [0.1, 0.2, 0.30001],
        [float(n) for n in range(65)],
    ],
)
def test_bins_are_bounded_and_hold_all_values(numbers: list[float]) -> None:
    """Every value is in a bin, and there are never more bins than the bound."""
    found = spread(pa.chunked_array([numbers], pa.float32()))
    assert sum(amount for _, amount in found.histogram) == len(numbers)
    assert len(found.histogram) <= BINS
    assert found.histogram[0][0] <= found.low
    assert found.histogram[-1][0] <= found.high < found.histogram[-1][0] + 2.0**found.exponent


@pytest.mark.parametrize("regression", [False, True])
def test_merged_in_any_order_and_grouping(regression: bool) -> None:
    """Whatever is merged first, the summary is the same, and the same as of all rows at once."""
    tables = [noise(60, seed, regression) for seed in range(4)]
    parts = [summarise(part, began=10.0 * index, seconds=4.0) for index, part in enumerate(tables)]
    expected = merge(parts)
    for order in itertools.permutations(parts):
        assert merge(order) == expected
    assert merge([parts[0], merge([parts[1], merge(parts[2:])])]) == expected
    assert merge([merge(parts[:2]), Summary(), merge(parts[2:])]) == expected
    at_once = summarise(pa.concat_tables(tables), 0.0, 34.0)
    assert replace(expected, seconds=34.0, nodes=at_once.nodes) == at_once
    assert [node.rows for _, node in sorted(expected.nodes.by_name.items())] == [
        node.rows for _, node in sorted(at_once.nodes.by_name.items())
    ]
    assert bool(expected.values) == regression
    assert regression or all(len(samples) == 2 * EACH_END for samples in expected.samples.values())


def test_merging_values_of_different_size_keeps_each_in_its_bin() -> None:
    """Zeros, small and large numbers come together exactly."""
    groups = [[0.0, 0.0], [1e-12, 2e-12], [-3.0, 700.25], [1e9]]
    parts = [spread(pa.chunked_array([group], pa.float64())) for group in groups]
    whole = spread(pa.chunked_array([list(itertools.chain(*groups))], pa.float64()))
    assert replace(reduce(Values.__add__, parts), total=0.0) == replace(whole, total=0.0)
    assert replace(reduce(Values.__add__, reversed(parts)), total=0.0) == replace(whole, total=0.0)


def test_rate_leaves_out_the_time_between_batches() -> None:
    """A job that was killed and continued a day later is not slow."""
    day = merge([summarise(labels(cat=10), 0.0, 1.0), summarise(labels(cat=10), 86_400.0, 1.0)])
    assert (day.rate, day.began, day.ended) == (10.0, 0.0, 86_401.0)


@pytest.mark.parametrize(
    "found", [Summary(), summarise(noise(80, 1), 3.0, 2.0), summarise(noise(80, 1, True), 3.0, 2.0)]
)
def test_json_gives_the_same_summary(found: Summary) -> None:
    """What is written is what is read, nothing at all included."""
    assert from_json(to_json(found)) == found
    assert "\n" not in to_json(found)


@pytest.mark.parametrize("text", ["", '{"rows": 3', '{"rows": "many"}'])
def test_a_damaged_summary_is_refused(text: str) -> None:
    """A file that is no summary is one sentence, not a traceback."""
    with pytest.raises(BadInput, match=r"cannot be read: .*; label again with --force"):
        from_json(text)


@pytest.mark.parametrize("empty", [table(), table().select(["path", "error", "node"]), pa.table({})])
def test_no_rows(empty: pa.Table) -> None:
    """A batch without rows adds nothing but its time."""
    found = summarise(empty, 1.0, 2.0)
    assert replace(found, began=math.inf, ended=-math.inf, seconds=0.0) == Summary()


def test_columns_of_a_users_own_function() -> None:
    """Columns that are named like ours are summarised where they hold what ours do, and are left alone where not."""
    own = pa.table({"path": ["a", "b"], "label": [3, 3], "probability": ["high", "low"], "values": [1.0, 2.0]})
    found = summarise(own, 0.0, 1.0)
    assert found.labels.kept == {"3": 2}
    assert (found.labelled, sum(found.confidence), found.values) == (2, 0, ())


def test_rows_of_nothing_but_errors() -> None:
    """A batch in which every image is broken has no labels, no values and no accuracy."""
    found = summarise(table(*[{"error": "empty", "reason": "empty", "truth": "cat"}] * 7), 0.0, 1.0)
    assert (found.rows, found.labelled, found.labels.total, found.values, found.truth.known) == (7, 0, 0, (), 0)
    assert len(found.errors.examples["empty"]) == EXAMPLES


def test_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels that occur most are kept, the others are added up, and none is lost."""
    monkeypatch.setattr(counts, "KEPT", 2)
    found = merge([summarise(labels(a=3, b=2, c=1), 0.0, 1.0), summarise(labels(c=9, d=1), 0.0, 1.0)])
    assert found.labels.kept == {"a": 3, "c": 9}
    assert (found.labels.others, found.labels.total) == (4, 16)
    assert list(found.labels.top(1).kept.items()) == [("c", 9)]
    assert found.labels.top(1).others == 7


def test_nodes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes beyond the bound become one, also when it is merged again."""
    monkeypatch.setattr(nodes, "KEPT", 1)
    one = Nodes({"a": Node(5, 1.0, 0.0, 1.0)}) + Nodes({"b": Node(2, 1.0, 2.0, 3.0)})
    assert one.by_name == {"a": Node(5, 1.0, 0.0, 1.0), "others": Node(2, 1.0, 2.0, 3.0)}
    assert (one + one).by_name["others"] == Node(4, 2.0, 2.0, 3.0)


def test_size_is_bounded_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that each bring new, long labels, paths, sentences and reasons do not add up."""
    monkeypatch.setattr(counts, "KEPT", 500)
    wide = "x" * 2000

    def batch(number: int) -> Summary:
        rows = [{"path": wide, "label": f"{number}/{index}{wide}"} for index in range(100)]
        bad = [{"path": wide, "error": wide, "reason": f"{number}/{index}"} for index in range(20)]
        return summarise(table(*rows, *bad), 0.0, 1.0)

    found = merge(batch(number) for number in range(10))
    assert (len(found.labels.kept), found.labels.others) == (500, 500)
    assert max(map(len, found.labels.kept)) == 200
    assert len(found.errors.examples) == 100
    assert len(to_json(found)) < 500 * 220 + 100 * 1100
