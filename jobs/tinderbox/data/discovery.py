"""What a target is, found block by block: classes with their names, or quantities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from tinderbox.data.columns import Kind, labels_of, refuse_rows, told
from tinderbox.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

Task = Literal["auto", "classification", "regression"]

MOST_CLASSES = 100_000


class Discovery:
    """The values of a target that were met so far, of a `kind`, or of one that is found where texts are read.

    Texts are whole numbers, until one is met that is not, then real numbers, and then no more than texts.
    """

    def __init__(self, name: str, kind: Kind | None) -> None:
        self.kind: Kind = kind or "whole"
        self._name, self._read = name, kind is None
        self._labels: set[str] | None = set()
        self._broken = ""

    def add(self, column: pa.Array, path: str, first: int) -> None:
        """Take note of a block's values.

        Raises:
            BadInput: A row has none.
        """
        empty = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
        refuse_rows(empty, f"{path}: target {self._name!r} must have a value", first)
        if self._read:
            column = self._understood(column)
        if self.kind == "real":
            self._check_finite(column, path, first)
        if self.kind != "real" or self._read:
            self._note(column)

    def _understood(self, texts: pa.Array) -> pa.Array:
        """Return texts as what all of them have been so far."""
        import pyarrow as pa

        for kind, numbers in (("whole", pa.int64()), ("real", pa.float64())):
            if self.kind == kind:
                try:
                    return texts.cast(numbers)
                except pa.ArrowInvalid:
                    self.kind = "real" if kind == "whole" else "text"
        return texts

    def _check_finite(self, column: pa.Array, path: str, first: int) -> None:
        import pyarrow as pa

        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        wrong = ~np.isfinite(values)
        if wrong.any() and not self._broken:  # texts may turn out to be no numbers at all
            row = first + int(wrong.argmax()) + 1
            self._broken = f"{path}: target {self._name!r} must be finite, got {values[wrong][0]} in row {row}"

    def _note(self, column: pa.Array) -> None:
        import pyarrow.compute as pc

        if self._labels is not None:
            self._labels |= set(labels_of(pc.unique(column)).to_pylist())
            if len(self._labels) > MOST_CLASSES:
                self._labels = None

    def classes(self, task: Task, listed: Sequence[str] | None, origin: str) -> tuple[str, ...] | None:
        """Return the names of the classes, in the order that is `listed` or sorted; None for quantities.

        Raises:
            BadInput: The target is not what the task needs, or has values that are not listed.
        """
        if task == "regression" or (task == "auto" and listed is None and self.kind == "real"):
            self._check_quantities(origin)
            return None
        if self.kind == "real":
            raise BadInput(
                f"{origin}: target {self._name!r} holds real numbers, which are no classes; "
                "write classes as whole numbers or texts"
            )
        if self._labels is None:
            raise BadInput(
                f"{origin}: target {self._name!r} has more than {MOST_CLASSES:,} different values; "
                "write it as real numbers (1.0) if it is a quantity"
            )
        if listed is None:
            return tuple(sorted(self._labels, key=int if self.kind == "whole" else str))
        if unknown := sorted(self._labels - set(listed)):
            raise BadInput(
                f"{origin}: target {self._name!r} must be one of the classes {told(listed)}, got {told(unknown)}; "
                "add what is missing to classes"
            )
        return tuple(listed)

    def _check_quantities(self, origin: str) -> None:
        if self.kind not in ("real", "whole"):
            raise BadInput(f"{origin}: target {self._name!r} must hold numbers for a regression, and holds texts")
        if self._broken:
            raise BadInput(f"{self._broken}; remove or repair it")
