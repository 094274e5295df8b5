"""The job file of a batch inference: a model, an input, and what becomes of each row."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tinderbox.config.inputs import AnyInput, Rows, guess_source
from tinderbox.config.model import Closed, FunctionName, Name

_OWN = {"path", "truth", "error", "reason", "model", "node", "milliseconds", "thumbnail"}
"""Columns that rows have anyway, so that none of a user's own may be called so."""


class Model(Closed):
    """Whose predictions are wanted: a file or folder at `path`, the winner of a `study`, or the model of a `run`.

    A path or fsspec URL names a .keras file, a legacy .h5 file, a SavedModel folder, or the JSON of an architecture
    whose `weights` are in a file of their own. A run is a training; `storage` is where it, or the study, is,
    by default the job's own.
    """

    path: str | None = None
    weights: str | None = None
    study: str | None = None
    run: str | None = None
    storage: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Model:
        given = [key for key in ("path", "study", "run") if getattr(self, key) is not None]
        if len(given) != 1:
            told = " and ".join(given) or "none of them"
            raise ValueError(f"a model is named by path, by study or by run, one of the three, got {told}")
        if self.weights is not None and self.path is None:
            raise ValueError("weights belong to an architecture at path; that of a study or a run has its own")
        if self.storage is not None and self.path is not None:
            raise ValueError("storage says where a study or a run is; a path stands for itself")
        return self

    @property
    def told(self) -> str:
        """What messages call it."""
        return self.path or (f"study {self.study}" if self.run is None else f"training {self.run}")


class Preprocess(Closed):
    """How pixels become what the model takes: (pixel x scale - mean) / std, after the image was resized.

    Without `size` it is the model's own input, without `channels` its last axis says: gray for one, rgb for three.
    `fit` stretches an image, or crops its middle once its shorter side fits.
    """

    size: Annotated[list[int], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="height and width in pixels"
    )
    resize: Literal["nearest", "bilinear", "bicubic", "lanczos", "area"] = "bilinear"
    fit: Literal["stretch", "crop"] = "stretch"
    channels: Literal["rgb", "bgr", "gray"] | None = None
    scale: float = 1.0
    mean: float | Annotated[list[float], Field(min_length=1)] = 0.0
    std: float | Annotated[list[float], Field(min_length=1)] = 1.0

    @model_validator(mode="after")
    def _check(self) -> Preprocess:
        for side in self.size or []:
            if not 1 <= side <= 16_384:
                raise ValueError(f"size is a height and a width from 1 to 16384 pixels, got {self.size}")
        for value in self.std if isinstance(self.std, list) else [self.std]:
            if value == 0:
                raise ValueError(f"std divides, so none may be 0, got {self.std}")
        return self


class Limits(Closed):
    """What is refused before it can hurt: files of more `bytes` and images of more `pixels` become rows with an error.

    `rows` is how many go into one micro-batch at most, which is what a kill costs, by default about a minute's work;
    `volume` is that for archives and tables, in bytes, by default 256 MiB, or as many
    archives as slots, and 16 MiB where rows are numbers.
    """

    bytes: int = Field(default=64 << 20, ge=1, le=1 << 30)
    pixels: int = Field(default=100_000_000, ge=1, le=178_956_970)  # above that PIL refuses them itself
    rows: int | None = Field(default=None, ge=1, le=1_000_000)
    volume: int | None = Field(default=None, ge=1, le=1 << 40)


class Output(Closed):
    """How rows are written: to what `format`, and what happens to rows that an earlier run has left.

    `append` labels what has come since, `overwrite` labels all anew, `refuse` stops where there are rows already.
    """

    format: Literal["parquet", "csv", "jsonl"] = "parquet"
    mode: Literal["append", "overwrite", "refuse"] = "append"


class InferJob(Closed):
    """One batch inference: a model, an input, labels, and where rows go."""

    kind: Literal["infer"]
    name: Name = Field(description="the run's name: lower-case letters, digits and dashes, at most 53")
    model: Model | None = None
    input: AnyInput
    preprocess: Preprocess = Preprocess()
    task: Literal["classification", "regression"] = "classification"
    labels: str | None = Field(
        default=None,
        description="file or URL with one label a line, in the model's order; without it, the classes of the data",
    )
    logits: bool | None = Field(
        default=None,
        description="the model gives logits, to which softmax is to be applied; of a training's model that is known",
    )
    top: int = Field(default=5, ge=1, le=1_000, description="how many labels each row names, the best first")
    truth: Literal["folder"] | None = Field(
        default=None, description="folder: an image's true label is the name of its folder, for the report's accuracy"
    )
    predict: FunctionName | None = Field(
        default=None, description="your function of a list of rows, as module:function, in the place of a model"
    )
    columns: dict[str, str] | None = Field(
        default=None, description="what predict returns for each row: names, and types such as float or array<string>"
    )
    code: str | None = Field(
        default=None, description="folder with your modules, relative to this file; shipped to the executors"
    )
    preload: list[str] = Field(default=[], description="modules of yours that register what the model is made of")
    batch: Annotated[int, Field(ge=1, le=65_536)] | Literal["auto"] = "auto"
    xla: bool | Literal["auto"] = "auto"
    slots: int = Field(default=2, ge=1, le=10_000, description="Python workers that predict at the same time")
    cores: int = Field(default=1, ge=1, le=1_024, description="cores, and TensorFlow threads, of one worker")
    limits: Limits = Limits()
    output: Output = Output()
    storage: str = Field(default="studies", description="folder or fsspec URL that holds runs by their names")

    @field_validator("model", mode="before")
    @classmethod
    def _expand_model(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("input", mode="before")
    @classmethod
    def _expand_input(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"source": guess_source(value), "path": value}
        return value

    @model_validator(mode="after")
    def _check_predict(self) -> InferJob:
        if (self.model is None) == (self.predict is None):
            raise ValueError("rows are for a model or for your own predict; name one of the two")
        if (self.predict is None) != (self.columns is None):
            raise ValueError("predict and columns belong together: columns says what the function returns")
        if self.columns is not None:
            taken = sorted(name for name in self.columns if name.lower() in _OWN)
            if taken or not self.columns:
                raise ValueError(f"columns must be one or more, none called {', '.join(taken or sorted(_OWN))}")
        return self

    @model_validator(mode="after")
    def _check_unused(self) -> InferJob:
        """Refuse what would be passed over in silence."""
        if self.predict is not None:
            for key in _changed(self) & {"labels", "logits", "top", "truth", "task"}:
                raise ValueError(f"{key}: says what becomes of a model's answers, and predict is yours; leave it out")
            if _changed(self.preprocess) & {"scale", "mean", "std"} or self.preprocess.channels == "bgr":
                raise ValueError(
                    "preprocess: predict gets values as they are, pixels in gray or rgb; change them there"
                )
        if isinstance(self.input, Rows) and self.input.features is not None:
            for key in _changed(self.preprocess) - {"scale", "mean", "std"}:
                raise ValueError(f"preprocess: {key} is for images, and the input has features; leave it out")
        return self

    @model_validator(mode="after")
    def _check_task(self) -> InferJob:
        if self.task == "regression":
            for key in ("labels", "truth"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key}: a regression has values and no labels; leave {key} out")
            if self.logits:
                raise ValueError("logits: a regression has values as they are; leave logits out")
        if (
            self.output.format == "csv"
            and self.columns is not None
            and any("<" in kind for kind in self.columns.values())
        ):
            raise ValueError("columns: a CSV file cannot hold lists; write jsonl or parquet")
        return self


def _changed(part: Closed) -> set[str]:
    """Return the keys that are not what they are without a job file's word."""
    return {name for name, field in type(part).model_fields.items() if getattr(part, name) != field.default}
