"""The job file of a distributed training: a model, data, how it is optimised, and how workers work together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tinderbox.config.data import AnyTrainData, Digits
from tinderbox.config.model import Closed, Name, Seconds
from tinderbox.config.network import Batch, Network, Optimizer

LONGEST_SECONDS = 3650 * 86_400

METRICS = ("loss", "top1", "top5", "mae", "mse")
"""What a history has of each epoch, as far as it fits the task; those of validation are called `val_` and so."""

ERRORS = ("loss", "mae", "mse")
"""Those of them that are to be low, which are also all that a regression has."""


def changed_keys(part: Closed, *keys: str) -> list[str]:
    """Return which of some keys of a part of a job have another value than without a word."""
    return [key for key in keys if getattr(part, key) != type(part).model_fields[key].default]


class Synchronous(Closed):
    """Every step is one step of all workers: the mean of their gradients is applied by each."""

    name: Literal["synchronous"]


class Averaging(Closed):
    """Workers take `frequency` steps by themselves, then parameters and optimizer state are averaged, in Spark stages.

    `depth` is how many levels the tree has in which they are added up. Source: DL4J's ParameterAveragingTrainingMaster.
    """

    name: Literal["averaging"]
    frequency: int = Field(default=5, ge=1, le=10_000)
    depth: int = Field(default=2, ge=1, le=8)


class Threshold(Closed):
    """Workers go on without waiting, and share those parts of their updates that are larger than a threshold.

    It begins at `threshold` and adapts, by the factor `decay`, so that the share of parameters in a message stays
    between `low` and `high`; with `adaptive: false` it stays. What was not sent is kept, and cut to `clip` thresholds
    every `clip_every` steps. No worker is more than `staleness` steps ahead of another. Sources: Strom 2015; DL4J's
    SharedTrainingMaster, whose `low` is 1e-4: with plain SGD that leaves the threshold where the large first updates
    have put it, too high later on (LeNet-5 on MNIST loses 0.4 points in 3 epochs, with 5e-3 it loses 0.2).
    """

    name: Literal["threshold"]
    threshold: float = Field(default=1e-3, gt=0)
    adaptive: bool = True
    low: float = Field(default=5e-3, gt=0, lt=1)
    high: float = Field(default=1e-2, gt=0, lt=1)
    decay: float = Field(default=0.5 ** (1 / 20), ge=0.5, lt=1)
    clip: float = Field(default=5.0, ge=1)
    clip_every: int = Field(default=5, ge=1)
    staleness: int = Field(default=8, ge=1, le=10_000)

    @model_validator(mode="after")
    def _check(self) -> Threshold:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        changed = [] if self.adaptive else changed_keys(self, "low", "high", "decay")
        if changed:
            raise ValueError(f"{' and '.join(changed)} have no effect with adaptive: false; leave them out")
        return self


Mode = Annotated[Synchronous | Averaging | Threshold, Field(discriminator="name")]


class TrainCheckpoints(Closed):
    """How often all that training depends on is saved, which is what a lost machine costs: so many `steps` or `epochs`.

    An end of an epoch is one in any case where `epochs` says so; `steps` counts from the beginning of the run. The
    newest `keep` are kept, and the best one where training may stop early.
    """

    steps: int | None = Field(default=None, ge=1, le=1_000_000_000)
    epochs: int | None = Field(default=None, ge=1, le=1_000_000)
    keep: int = Field(default=2, ge=1, le=1_000)

    @property
    def every_epochs(self) -> int | None:
        """After how many epochs one is due: each, where the job says nothing; None where only steps count."""
        return 1 if self.steps is None and self.epochs is None else self.epochs


class EarlyStopping(Closed):
    """Training ends when `metric` has not got better by `min_delta` for `patience` epochs; the best one is the result.

    `metric` is one of the history, such as val_loss or val_top1; losses and errors are to be low, all else high.
    """

    metric: str = "val_loss"
    patience: int = Field(default=3, ge=1, le=1_000_000)
    min_delta: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> EarlyStopping:
        if self.metric.removeprefix("val_") not in METRICS:
            known = ", ".join(METRICS)
            raise ValueError(f"metric is one of {known}, or of these with val_ before it, got {self.metric}")
        return self

    @property
    def sign(self) -> int:
        """What values of the metric are multiplied by so that less is better."""
        return sign_of(self.metric)


def sign_of(metric: str) -> int:
    """Return what values of a metric of the history are multiplied by so that less is better."""
    return 1 if metric.removeprefix("val_") in ERRORS else -1


class Attempts(Closed):
    """What happens when workers are lost: at most `most` attempts, each from the last checkpoint.

    An attempt begins with all workers, or, once `wait` has passed, with those that there are. Where the batch is given
    per worker, fewer workers take fewer examples a step, and by the linear rule (Goyal et al. 2017) the learning rate
    goes down with them; `scaling: none` leaves it.
    """

    most: int = Field(default=10, ge=1, le=1_000)
    wait: Annotated[Seconds, Field(gt=0, le=LONGEST_SECONDS)] = 60.0
    scaling: Literal["linear", "none"] = "linear"


class TrainJob(Closed):
    """One distributed training: a model, data, an optimizer, a mode, and as many workers as are wanted."""

    kind: Literal["train"]
    name: Name = Field(description="the run's name: lower-case letters, digits and dashes, at most 53")
    model: Network
    data: AnyTrainData = Digits(source="digits")
    task: Literal["auto", "classification", "regression"] = "auto"
    loss: str | None = Field(
        default=None, description="a Keras loss by its name; without it, the compiled model's, or what fits the targets"
    )
    optimizer: Optimizer | None = Field(
        default=None, description="without it, the compiled model's, or sgd with a learning rate of 0.01"
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="what layers compute in; bfloat16 and float16 keep their variables in float32"
    )
    batch: Batch = Batch()
    epochs: int = Field(ge=1, le=1_000_000, description="how often every example is trained on")
    workers: int = Field(default=2, ge=1, le=1_000, description="processes that train together")
    cores: int = Field(default=1, ge=1, le=1_024, description="cores, and TensorFlow threads, of one worker")
    gpus: int = Field(
        default=0, ge=0, le=64, description="GPUs of one worker, which share its batch by MirroredStrategy"
    )
    mode: Mode = Synchronous(name="synchronous")
    checkpoints: TrainCheckpoints = TrainCheckpoints()
    early_stopping: EarlyStopping | None = None
    attempts: Attempts = Attempts()
    deterministic: bool = Field(
        default=False, description="TensorFlow's op determinism: the same run gives the same weights, at some speed"
    )
    code: str | None = Field(
        default=None, description="folder with your modules, relative to this file; shipped to the executors"
    )
    preload: list[str] = Field(
        default=["tensorflow", "keras"], description="modules imported once per executor, before any attempt"
    )
    seed: int = Field(default=0, ge=0, lt=2**63)
    storage: str = Field(default="studies", description="folder or fsspec URL that holds runs by their names")

    @property
    def slots(self) -> int:
        """How many tasks run at the same time, as Spark's session counts them."""
        return self.workers

    @property
    def scales(self) -> bool:
        """Whether the learning rate goes down where fewer workers train than were wanted."""
        fewer = self.workers > 1 and self.mode.name != "averaging"
        return fewer and self.batch.per == "worker" and self.attempts.scaling == "linear"

    def examples_of_a_step(self, workers: int) -> int:
        """Return how many examples a step of so many workers has."""
        return self.batch.size * (workers if self.batch.per == "worker" else 1)

    @field_validator("model", mode="before")
    @classmethod
    def _expand_model(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value} if value in ("lenet5", "convnet") else {"path": value}
        return value

    @field_validator("mode", mode="before")
    @classmethod
    def _expand_mode(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("batch", mode="before")
    @classmethod
    def _expand_batch(cls, value: Any) -> Any:
        return {"size": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("optimizer", mode="before")
    @classmethod
    def _expand_optimizer(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> TrainJob:
        if self.batch.per == "all" and self.batch.size < self.workers:
            raise ValueError(f"batch: {self.batch.size} for all does not give each of {self.workers} workers one")
        if self.mode.name == "averaging":
            changed = changed_keys(self.attempts, "wait", "scaling")
            if changed:
                raise ValueError(
                    f"attempts: {' and '.join(changed)} have no effect in mode averaging, where a lost share is done "
                    "again; leave them out"
                )
        if self.mode.name != "synchronous":
            if self.gpus > 1:
                raise ValueError(f"gpus: more than one in a worker need mode synchronous, got {self.mode.name}")
            if self.precision == "float16":
                raise ValueError(
                    f"precision: float16 scales its loss, which mode {self.mode.name} cannot share; use bfloat16"
                )
        if self.deterministic and self.mode.name == "threshold" and self.workers > 1:
            raise ValueError("deterministic: in mode threshold it counts whose update comes first; leave it out")
        return self
