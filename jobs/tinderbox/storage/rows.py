"""Every path of a batch inference, in one place."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tinderbox.errors import Superseded
from tinderbox.storage.formats import encode, paths_of
from tinderbox.storage.runs import RunFolder

if TYPE_CHECKING:
    import pyarrow as pa

_SPARK_SCHEMES = {"s3": "s3a", "abfs": "abfss"}


class RowsFolder(RunFolder):
    """One batch inference below a storage folder or URL.

    infer.yaml, run.json                              the job, and its identity
    rows/version=0123456789ab/batch-000017.parquet    what was predicted: one file for each micro-batch
    rows/version=0123456789ab/_SUCCESS                whole: nothing of the input is left
    summaries/0123456789ab/batch-000017.json          what the report is made of
    progress/0123456789ab/                            where the stream is, by Spark
    probe-0123456789ab.json                           the batch size that was measured to be best
    batch-0123456789ab.json                           the batch size that was taken, measured or not
    driver-0123456789ab                               which driver writes them: the one that has begun last
    report.html                                       made from the summaries

    A version is one model with one recipe: another model's rows never mix with these. A file takes the place of an
    earlier one whole, so a micro-batch that is done again after a kill leaves each row once.
    """

    kind, job_file = "batch inference", "infer.yaml"

    def __init__(self, storage: str, name: str, version: str = "", suffix: str = "parquet", width: int = 0) -> None:
        super().__init__(storage, name)
        self.version, self.suffix, self.width = version, suffix, width
        self._driver = b""

    @property
    def rows(self) -> str:
        """The path of this version's rows."""
        return self.path(self._rows)

    @property
    def _rows(self) -> str:
        return f"rows/version={self.version}"

    @property
    def progress(self) -> str:
        """The URL of this version's progress, by a name that Spark knows."""
        path = self.path("progress", self.version)
        if self.is_local:
            return f"file://{path}"
        scheme = next(iter([self._files.protocol] if isinstance(self._files.protocol, str) else self._files.protocol))
        return f"{_SPARK_SCHEMES.get(scheme, scheme)}://{path}"

    def begin(self, anew: bool) -> None:
        """Forget this version's rows and progress where all is to be labelled `anew`, or an earlier driver began to.

        So too where there are no rows: they were removed by hand, and with its progress nothing would be labelled.
        Any other driver of this version can write no more.
        """
        self._driver = secrets.token_hex(16).encode()
        self.write(f"driver-{self.version}", self._driver)
        if anew or not self.has_rows():
            self.give_up()
        if self.has(self._mark):
            # A driver that is killed on the way leaves the mark: half of it would be rows that are never made again.
            for part in (self._rows, f"summaries/{self.version}", f"progress/{self.version}"):
                if self.has(part):
                    self._files.rm(self.path(part), recursive=True)
            self.remove(self._mark)

    def give_up(self) -> None:
        """Let the next driver begin anew."""
        self.write(self._mark, b"")

    @property
    def _mark(self) -> str:
        return f"anew-{self.version}"

    def has_rows(self) -> bool:
        """Whether this version has any.

        Raises:
            TinderboxError: Storage cannot tell now.
        """
        return bool(self._batches(self._rows))

    def has_progress(self) -> bool:
        """Whether a stream has noted where this version is: rows that were brought here came without that."""
        return self.has(f"progress/{self.version}")

    def is_whole(self) -> bool:
        """Whether nothing was left to label when it ended last."""
        return self.has(f"{self._rows}/_SUCCESS")

    def keep(self, batch: int | None, table: pa.Table, summary: str) -> None:
        """Write a micro-batch's rows, its summary first: rows that are there are always in the report.

        Without a number they are those of all files that Spark has listed and not read.

        Raises:
            Superseded: Another driver has begun.
        """
        self._check_driver()
        name = "batch-unread" if batch is None else f"batch-{batch:06d}"
        self.remove(f"{self._rows}/_SUCCESS")
        self.write(f"summaries/{self.version}/{name}.json", summary.encode())
        self.write(f"{self._rows}/{name}.{self.suffix}", encode(table, self.suffix, self.width))

    def unread(self) -> tuple[list[str], list[str]]:
        """Return the files that Spark has listed and not read, for it passes over empty ones, and the new ones of them.

        New are those of which no row is there yet.
        """
        rows = {name: paths_of(self.read(name), self.suffix) for name in self._batches(self._rows)}
        told = {path for name, paths in rows.items() if "batch-unread" in name for path in paths}
        read = {path for name, paths in rows.items() if "batch-unread" not in name for path in paths}
        unread = self._listed() - read
        return sorted(unread), sorted(unread - told)

    def listed(self, batch: int) -> int:
        """Return how many files the stream has taken up in one micro-batch."""
        name, mark = f"progress/{self.version}/sources/0/{batch}", f'"batchId":{batch}}}'
        name = name if self.has(name) else f"{name}.compact"
        return self.read(name).decode().count(mark) if self.has(name) else 0

    def settled(self) -> tuple[int, int]:
        """Return the first micro-batch that a stream which goes on will do, or do again, and the files before it."""
        commits = (name.rpartition("/")[2] for name in self.names(f"progress/{self.version}/commits"))
        following = max((int(name) for name in commits if name.isdigit()), default=-1) + 1
        return following, sum(entry["batchId"] < following for entry in self._entries())

    def _listed(self) -> set[str]:
        """Return the paths that the stream has taken up."""
        return {plain_path(unquote(entry["path"])) for entry in self._entries()}

    def _entries(self) -> Iterator[dict[str, Any]]:
        """Yield what the stream's first source has noted of each file, by the format that Spark documents as version 1.

        A file of the log has a JSON object on each line, and every tenth one what all before it had.
        """
        logs = {name.rpartition("/")[2]: name for name in self.names(f"progress/{self.version}/sources/0")}
        compact = max((int(name.partition(".")[0]) for name in logs if name.endswith(".compact")), default=-1)
        last = [logs[name] for name in logs if name.isdigit() and int(name) > compact]
        if compact >= 0:
            last.append(logs[f"{compact}.compact"])
        lines = (line for name in last for line in self.read(name).decode().splitlines())
        return (json.loads(line) for line in lines if line.startswith("{"))

    def extent(self) -> tuple[bytes | int, ...]:
        """Return what is another as soon as there is more of it, or another driver begins."""
        self._files.invalidate_cache()
        names = self.names()
        return len(names), *(self.read(name) for name in names if name.startswith("driver-"))

    def finish(self, rows: int) -> None:
        """Mark the rows as whole.

        Raises:
            Superseded: Another driver has begun.
        """
        self._check_driver()
        self.write(f"{self._rows}/_SUCCESS", json.dumps({"rows": rows}).encode())

    def _check_driver(self) -> None:
        name = f"driver-{self.version}"
        if self._driver and not (self.has(name) and self.read(name) == self._driver):
            raise Superseded(f"another driver has taken over {self.root}; this one stops")

    def batches(self) -> set[int]:
        """Return the numbers of the micro-batches whose rows are there."""
        numbers = (name.rpartition("batch-")[2].partition(".")[0] for name in self._batches(self._rows))
        return {int(number) for number in numbers if number.isdigit()}

    def summaries(self, before: int | None = None) -> Iterator[str]:
        """Yield the summaries of all micro-batches, in order, or of those before one; files not read always count."""
        for name in self._batches(f"summaries/{self.version}"):
            number = name.rpartition("batch-")[2].partition(".")[0]
            if before is None or not number.isdigit() or int(number) < before:
                yield self.read(name).decode()

    def _batches(self, folder: str) -> list[str]:
        try:
            found = self._files.ls(self.path(folder), detail=False)  # find() passes over folders that do not answer
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unreadable(error) from error
        files = sorted(path.rpartition("/")[2] for path in found)
        return [f"{folder}/{file}" for file in files if file.startswith("batch-")]


def plain_path(path: str) -> str:
    """Return a path as rows have it: one on this machine without its scheme."""
    return re.sub("^file:/+", "/", path)
