"""What each node did."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

KEPT = 1000
"""How many nodes are kept, those with the most rows; the others are added up in one of the name `OTHERS`."""
OTHERS = "others"
UNNAMED = "unknown"


@dataclass(frozen=True)
class Node:
    """What one node did; `busy` is in seconds of its workers, added up; first and last are Unix seconds."""

    rows: int = 0
    busy: float = 0.0
    first: float = math.inf
    last: float = -math.inf

    @property
    def rate(self) -> float | None:
        """Rows in a second of one busy worker."""
        return self.rows / self.busy if self.busy else None

    def __add__(self, other: Node) -> Node:
        return Node(
            rows=self.rows + other.rows,
            busy=self.busy + other.busy,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
        )


@dataclass(frozen=True)
class Nodes:
    """Nodes by name."""

    by_name: Mapping[str, Node] = field(default_factory=dict)

    def __add__(self, other: Nodes) -> Nodes:
        names = self.by_name.keys() | other.by_name.keys()
        return bounded({name: self.by_name.get(name, Node()) + other.by_name.get(name, Node()) for name in names})


def bounded(nodes: Mapping[str, Node]) -> Nodes:
    """Return no more nodes than are kept, and the others as one."""
    ranked = sorted(nodes, key=lambda name: (name == OTHERS, -nodes[name].rows, name))
    kept, dropped = ranked[:KEPT], ranked[KEPT:]
    rest = {OTHERS: sum((nodes[name] for name in dropped), Node())} if dropped else {}
    return Nodes({name: nodes[name] for name in kept} | rest)


def credit(table: pa.Table, began: float, ended: float) -> Nodes:
    """Return what each node did for rows with the columns node and milliseconds, between two Unix times."""
    import pyarrow.compute as pc

    named = table.select(["node", "milliseconds"])
    named = named.set_column(0, "node", pc.fill_null(named["node"], UNNAMED))
    sums = named.group_by("node").aggregate([([], "count_all"), ("milliseconds", "sum")])
    return bounded(
        {
            row["node"]: Node(row["count_all"], (row["milliseconds_sum"] or 0.0) / 1000, began, ended)
            for row in sums.to_pylist()
        }
    )
