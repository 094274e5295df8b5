"""Which images of each label are shown: the least sure and the surest ones."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinderbox.inference.counts import Counts

if TYPE_CHECKING:
    import pyarrow as pa

EACH_END = 4
"""How many samples a label has from each end: the least sure ones teach most, the surest ones show what is meant."""
LABELS = 200
"""How many labels have samples: more than are shown, since the order of labels shifts while batches are merged."""
BYTES = 16_384
"""The most that one thumbnail may take; a larger one is left out."""


@dataclass(frozen=True, order=True)
class Sample:
    """A small picture of one image, as JPEG in base64."""

    probability: float
    path: str
    jpeg: str


Samples = Mapping[str, tuple[Sample, ...]]
"""The samples of each label, from the least sure to the surest one."""


def draw(table: pa.Table, labels: Counts) -> Samples:
    """Return the samples among rows with the columns label, probability, path and thumbnail."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shown = pa.array(labels.top(LABELS).kept, table.schema.field("label").type)
    fits = pc.less_equal(pc.binary_length(table["thumbnail"]), BYTES)
    chosen = pc.and_(pc.and_(fits, pc.is_in(table["label"], shown)), pc.is_finite(table["probability"]))
    rows = table.filter(chosen)  # a null, as of a row without a thumbnail, drops its row
    order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in ("label", "probability", "path")])
    found: dict[str, list[Sample]] = {}
    for row in rows.take(order.filter(_at_ends(rows["label"].take(order)))).to_pylist():
        jpeg = base64.b64encode(row["thumbnail"]).decode()
        found.setdefault(row["label"], []).append(Sample(row["probability"], row["path"], jpeg))
    return {label: tuple(samples) for label, samples in found.items()}


def _at_ends(labels: pa.ChunkedArray) -> pa.Array:
    """Return which of sorted labels are among the first or the last ones of their run."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.value_counts(labels).field("counts").to_numpy()  # in the order of the labels, which is sorted
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.arange(len(labels)) - starts
    return pa.array((place < EACH_END) | (place >= np.repeat(lengths, lengths) - EACH_END))


def join(one: Samples, other: Samples, labels: Counts) -> Samples:
    """Return the samples of two summaries whose labels are counted together."""
    both = {**one, **other}
    kept = labels.top(LABELS).kept if len(both) > LABELS else both
    return {label: _ends([*one.get(label, ()), *other.get(label, ())]) for label in kept if label in both}


def _ends(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    ordered = sorted(samples)
    return tuple(ordered if len(ordered) <= 2 * EACH_END else ordered[:EACH_END] + ordered[-EACH_END:])
