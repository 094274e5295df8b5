"""Where the rows of a batch inference come from."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tinderbox.config.data import AnyData
from tinderbox.config.model import Closed

_ENDINGS = {
    ".tar": "tar",
    ".tgz": "tar",
    ".tar.gz": "tar",
    ".tar.bz2": "tar",
    ".tar.xz": "tar",
    ".tfrecord": "tfrecord",
    ".tfrecord.gz": "tfrecord",
    ".tfrecords": "tfrecord",
    ".parquet": "parquet",
    ".csv": "csv",
}
"""What an input's path says of its kind; anything else is image files."""


class Images(Closed):
    """Image files in a folder, below it too, or those that a glob names; `pattern` keeps names such as `*.jpg`."""

    source: Literal["images"]
    path: str
    pattern: str | None = None


class Tars(Closed):
    """Tar archives of image files, compressed or not: the way to more than a million images."""

    source: Literal["tar"]
    path: str


class Records(Closed):
    """TFRecord files of tf.train.Example: the feature `image` holds a file's bytes, and `key` says which one it is."""

    source: Literal["tfrecord"]
    path: str
    image: str = "image/encoded"
    key: str | None = "image/filename"


class Rows(Closed):
    """Rows of Parquet or CSV files: a column `image` with a file's bytes, or the columns `features` of numbers.

    The column `key` takes the place of the path in what comes out: the file's, with a row's number in it for Parquet.
    """

    source: Literal["parquet", "csv"]
    path: str
    image: str | None = None
    features: Annotated[list[str], Field(min_length=1)] | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Rows:
        if (self.image is None) == (self.features is None):
            raise ValueError("rows hold images in the column image, or numbers in the columns features; name one")
        if self.source == "csv" and self.image is not None:
            raise ValueError("a CSV file cannot hold an image's bytes; put them into Parquet, or name features")
        names = [name.lower() for name in self.features or []]  # as Spark compares them
        if len(set(names)) < len(names) or "path" in names:
            raise ValueError(f"features are columns of different names, none of them path, got {self.features}")
        return self


class Held(Closed):
    """Images of a data set, as under `data` in a sweep: its `part` that is held out, or another one."""

    source: Literal["data"]
    data: AnyData
    part: Literal["train", "validation", "test"] = "test"

    @property
    def path(self) -> str:
        """What messages call it."""
        return f"{self.data.source}, {self.part}"


AnyInput = Annotated[Images | Tars | Records | Rows | Held, Field(discriminator="source")]


def guess_source(path: str) -> str:
    """Return what kind of input a path is, by how it ends."""
    name = PurePosixPath(path).name.lower()
    return next((source for ending, source in _ENDINGS.items() if name.endswith(ending)), "images")
