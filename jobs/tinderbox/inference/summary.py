"""What is known of all rows together: made of each micro-batch, merged, as small for ten million rows as for ten."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from itertools import zip_longest
from typing import TYPE_CHECKING

from pydantic import ConfigDict, TypeAdapter, ValidationError

from tinderbox.errors import BadInput
from tinderbox.inference.agreement import Agreement, compare
from tinderbox.inference.counts import Counts, count
from tinderbox.inference.failures import Failures, collect
from tinderbox.inference.nodes import Nodes, credit
from tinderbox.inference.samples import Samples, draw, join
from tinderbox.inference.values import Values, spread

if TYPE_CHECKING:
    import pyarrow as pa

CONFIDENCE_BINS = 20
OUTPUTS = 10
"""How many outputs of a regression are summarised, the first ones."""

_LENGTHS = {"label": 200, "truth": 200, "reason": 200, "node": 200, "path": 500, "error": 500}
"""How many characters are kept of each column of text."""


@dataclass(frozen=True)
class Summary:
    """What is known of rows; one without arguments is the summary of none.

    `confidence` counts the probability of the first label in bins of equal width from 0 to 1. `values` has the spread
    of each of the first outputs of a regression, which gives `outputs` numbers for a row. `began` and `ended` are Unix
    seconds; `seconds` is what the micro-batches took, without the time between them.
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")  # plain JSON has no infinity

    rows: int = 0
    labelled: int = 0
    errors: Failures = field(default_factory=Failures)
    labels: Counts = field(default_factory=Counts)
    confidence: tuple[int, ...] = (0,) * CONFIDENCE_BINS
    outputs: int = 0
    values: tuple[Values, ...] = ()
    nodes: Nodes = field(default_factory=Nodes)
    truth: Agreement = field(default_factory=Agreement)
    samples: Samples = field(default_factory=dict)
    began: float = math.inf
    ended: float = -math.inf
    seconds: float = 0.0

    @property
    def rate(self) -> float | None:
        """Rows in a second, broken ones too, while micro-batches ran."""
        return self.rows / self.seconds if self.seconds else None

    def __add__(self, other: Summary) -> Summary:
        labels = self.labels + other.labels
        return Summary(
            rows=self.rows + other.rows,
            labelled=self.labelled + other.labelled,
            errors=self.errors + other.errors,
            labels=labels,
            confidence=tuple(sum(pair) for pair in zip(self.confidence, other.confidence, strict=True)),
            outputs=max(self.outputs, other.outputs),
            values=tuple(one + two for one, two in zip_longest(self.values, other.values, fillvalue=Values())),
            nodes=self.nodes + other.nodes,
            truth=self.truth + other.truth,
            samples=join(self.samples, other.samples, labels),
            began=min(self.began, other.began),
            ended=max(self.ended, other.ended),
            seconds=self.seconds + other.seconds,
        )


_ADAPTER = TypeAdapter(Summary)


def summarise(table: pa.Table, began: float, seconds: float) -> Summary:
    """Return the summary of one micro-batch's rows, which began at a Unix time and took so many seconds.

    Columns may be missing: truth, thumbnails, and either labels or values.
    """
    import pyarrow.compute as pc

    rows = _complete(table)
    good = rows.filter(pc.is_null(rows["error"]))
    labels = count(good["label"])
    outputs = pc.max(pc.list_value_length(good["values"])).as_py() or 0
    return Summary(
        rows=len(rows),
        labelled=len(good),
        errors=collect(rows),
        labels=labels,
        confidence=_confidence(good["probability"]),
        outputs=outputs,
        values=tuple(_output(good["values"], index) for index in range(min(outputs, OUTPUTS))),
        nodes=credit(rows, began, began + seconds),
        truth=compare(good),
        samples=draw(good.select(["label", "probability", "path", "thumbnail"]), labels),
        began=began,
        ended=began + seconds,
        seconds=seconds,
    )


def _complete(table: pa.Table) -> pa.Table:
    """Return the columns that a summary reads: missing ones as nulls, texts cut, times that are no numbers as nulls."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = {
        **dict.fromkeys(_LENGTHS, pa.string()),
        "probability": pa.float32(),
        "values": pa.list_(pa.float32()),
        "milliseconds": pa.float64(),
        "thumbnail": pa.binary(),
    }
    columns = {name: _column(table, name, kind) for name, kind in types.items()}
    for name, length in _LENGTHS.items():
        columns[name] = pc.utf8_slice_codeunits(columns[name], 0, length)
    columns["path"] = pc.fill_null(columns["path"], "")
    times = columns["milliseconds"]
    columns["milliseconds"] = pc.if_else(pc.is_finite(times), times, None)
    return pa.table(columns)


def _column(table: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """Return a column, or nulls where there is none, or where a user's own function gives something else there."""
    import pyarrow as pa

    if name in table.column_names:
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return table[name].cast(kind)
    return pa.chunked_array([pa.nulls(len(table), kind)])


def _confidence(probabilities: pa.ChunkedArray) -> tuple[int, ...]:
    """Return how many probabilities are in each bin; those outside 0 to 1 are in the first and in the last one."""
    import numpy as np
    import pyarrow.compute as pc

    finite = probabilities.filter(pc.is_finite(probabilities)).to_numpy()
    counts, _ = np.histogram(np.clip(finite, 0, 1), CONFIDENCE_BINS, (0, 1))
    return tuple(counts.tolist())


def _output(values: pa.ChunkedArray, index: int) -> Values:
    """Return the spread of one output; rows that lack it are left out."""
    import pyarrow.compute as pc

    return spread(pc.list_element(values.filter(pc.greater(pc.list_value_length(values), index)), index))


def merge(summaries: Iterable[Summary]) -> Summary:
    """Return the summary of all rows together, whatever order they come in; only two are held at a time.

    Sums of seconds and of values are equal up to the rounding of floats. Everything else is equal as long as nothing
    was dropped: up to `counts.KEPT` names of a kind, `nodes.KEPT` nodes and `samples.LABELS` labels with samples.
    """
    return reduce(Summary.__add__, summaries, Summary())


def to_json(summary: Summary) -> str:
    """Return a summary as JSON, in one line."""
    return _ADAPTER.dump_json(summary).decode()


def from_json(text: str) -> Summary:
    """Return the summary that JSON was made of.

    Raises:
        BadInput: The text is no summary.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole text"
        raise BadInput(f"the summary cannot be read: {place}: {first['msg']}; label again with --force") from error
