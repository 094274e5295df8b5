"""A user's own function in the place of a model: rows in, a mapping for each of them out."""

from __future__ import annotations

import importlib
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinderbox.inference.blocks import Block, Mistake
from tinderbox.inference.metering import count_rows, metered, timed
from tinderbox.inference.rows import make_batch, schema
from tinderbox.metrics.meter import NOBODY, Meter

if TYPE_CHECKING:
    import pyarrow as pa

Predict = Callable[[list[dict[str, Any]]], Iterable[Mapping[str, Any]]]


class OwnLabeller:
    """Gives blocks of rows to a user's function, each row a mapping of `path` and what `called` names its value.

    Where the function raises, or does not return a mapping for each row, its rows are given to it one by one, so that
    those that are to blame become rows with an error, and the others do not suffer.
    """

    def __init__(self, name: str, called: str, own: pa.Schema, model: str) -> None:
        module, _, function = name.partition(":")
        self._predict: Predict = getattr(importlib.import_module(module), function)
        self._called, self._names, self._model = called, own.names, model
        self._columns = schema(regression=False, own=own)

    def label(self, blocks: Iterable[Block], node: str, meter: Meter = NOBODY) -> Iterator[pa.RecordBatch]:
        """Yield the rows of each block."""
        begin = time.perf_counter()
        for block in metered(blocks, meter):
            with timed(meter, "predict"):
                answers, done = self._answer(block)
            count_rows(meter, done)
            told = {name: [answer.get(name) for answer in answers] for name in self._names}
            place = {"model": self._model, "node": node}
            yield make_batch(self._columns, done, told, time.perf_counter() - begin, place)
            begin = time.perf_counter()

    def _answer(self, block: Block) -> tuple[list[Mapping[str, Any]], Block]:
        """Return the function's answers, and the block with those rows told apart that it fails on."""
        rows = [{"path": path, self._called: value} for path, value in zip(block.paths, block.values, strict=True)]
        try:
            return self._call(rows), block
        except Exception:
            answers, paths, mistakes = [], list[str](), list(block.mistakes)
            for row in rows:
                try:
                    answers += self._call([row])
                    paths.append(row["path"])
                except Exception as error:
                    mistakes.append(Mistake(row["path"], "failed", _explain(error)))
            return answers, Block(paths, block.values, mistakes)

    def _call(self, rows: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
        if not rows:
            return []
        answers = list(self._predict([dict(row) for row in rows]))  # its own, which it may change
        _check(answers, rows, self._names)
        self._fits(answers)
        return answers

    def _fits(self, answers: Sequence[Mapping[str, Any]]) -> None:
        """Return if what was returned is of the types that the job's columns say."""
        import pyarrow as pa

        for name in self._names:
            values, kind = [answer.get(name) for answer in answers], self._columns.field(name).type
            try:
                held = pa.array(values, kind)
            except Exception as error:
                raise ValueError(f"{name} must be {kind}: {error}") from error
            if pa.types.is_integer(kind) and held.to_pylist() != values:  # Arrow cuts fractions off
                raise ValueError(f"{name} must be {kind}, got {values!r:.200}")


def _check(answers: Sequence[Any], rows: Sequence[Any], names: Sequence[str]) -> None:
    if len(answers) != len(rows):
        raise ValueError(f"predict must return one mapping for each of the {len(rows)} rows, got {len(answers)}")
    for answer in answers:
        if not isinstance(answer, Mapping) or not set(answer) <= set(names):
            raise ValueError(f"predict must return mappings of {', '.join(names)}, got {answer!r:.200}")


def _explain(error: Exception) -> str:
    return textwrap.shorten(f"predict: {type(error).__name__}: {error}", 500, placeholder=" ...")
