"""Where the data of a job comes from, and how it is split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tinderbox.config.model import Closed

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Split(Closed):
    """Shares of the examples that are held out, drawn by `seed`.

    Trials are compared on `validation`; `test` never leaves the driver and is scored once, after the study.
    """

    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test: Fraction = 0.2
    seed: int = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _check(self) -> Split:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation and test must leave something to train on, got {self.validation} + {self.test}"
            )
        return self


class Digits(Closed):
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels; built in, nothing is fetched."""

    source: Literal["digits"]
    split: Split = Split()


class Mnist(Closed):
    """MNIST's four idx files in a folder, gzipped or not; the first `validation` training images are held out."""

    source: Literal["mnist"]
    folder: str
    validation: int = Field(default=5000, gt=0, lt=60000)


class Npz(Closed):
    """A NumPy archive with `x_train`, `y_train` and any of `x_validation` ... `y_test`, or with `x` and `y`.

    What the archive does not hold out itself is split off by `split`.
    """

    source: Literal["npz"]
    path: str
    split: Split = Split()


class Table(Closed):
    """A CSV or Parquet file: `target` is the column to predict, `features` those to use, by default all others."""

    source: Literal["csv", "parquet"]
    path: str
    target: str
    features: list[str] | None = Field(default=None, min_length=1)
    split: Split = Split()


class Function(Closed):
    """A user's `module:function` that returns a mapping of arrays named as in `npz`."""

    source: Literal["function"]
    function: str
    split: Split = Split()


class Sharded(Closed):
    """Parquet or CSV files for a training, of which each worker reads rows of its own, and no machine all of them.

    `path` is a file, a folder with all below it, a glob, or an fsspec URL of one. `target` is the column to predict;
    `features`, by default all others, hold numbers or, in Parquet, lists of so many numbers, and stand in an example
    one after the other, or in the `shape` that is given. `validation` is the share of rows that is held out (a tenth,
    where nothing is said), always the same ones, or all rows at `validation_path` are. `classes` are the target's
    labels in their order; without them they are found.
    """

    source: Literal["shards"]
    path: str
    format: Literal["parquet", "csv"] | None = Field(default=None, description="without it, what the names end in")
    target: str
    features: list[str] | None = Field(default=None, min_length=1)
    shape: list[Annotated[int, Field(ge=1)]] | None = Field(default=None, min_length=1)
    validation: Annotated[float, Field(gt=0, lt=1)] | None = None
    validation_path: str | None = None
    classes: list[str | int] | None = Field(default=None, min_length=2)

    @property
    def share(self) -> float:
        """The share of rows that is held out."""
        if self.validation_path is not None:
            return 0.0
        return 0.1 if self.validation is None else self.validation

    @model_validator(mode="after")
    def _check(self) -> Sharded:
        if self.validation is not None and self.validation_path is not None:
            raise ValueError("validation is a share of path's rows, and validation_path names others; keep one")
        for key, values in (("features", self.features), ("classes", self.classes)):
            if values is not None and len(set(map(str, values))) < len(values):
                raise ValueError(f"{key} must differ from each other, got {values}")
        if self.features is not None and self.target in self.features:
            raise ValueError(f"features must not list the target {self.target!r}, or there is nothing to learn")
        return self


class Memory(Closed):
    """Arrays that a notebook passed to Tinderbox, known by their digest; a job file cannot hold them."""

    source: Literal["memory"]
    digest: str


AnyData = Annotated[Digits | Mnist | Npz | Table | Function | Memory, Field(discriminator="source")]
AnyTrainData = Annotated[Digits | Mnist | Npz | Table | Function | Memory | Sharded, Field(discriminator="source")]
"""What a training may learn from; only its workers know what to do with shards."""
