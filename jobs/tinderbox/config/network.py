"""What a training learns with: a network, its optimizer, and how many examples a step has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tinderbox.config.model import Closed, FunctionName

Plain = bool | int | float | str | list[float] | list[int]
"""What an argument of a model, an optimizer or a schedule can be; one that is to be None is left out."""


class Network(Closed):
    """What is trained: a built-in `name`, a `build` function of yours, or a model file at `path`; one of the three.

    `build` is called as `build(shape, classes, **parameters)` and returns a Keras model; one that is compiled keeps its
    optimizer and loss where the job names none. `parameters` go to it, or to the built-in network; those of the winner
    of a `study` in `storage` come first. `path` is a .keras or .h5 file or the JSON of an architecture, which starts
    from new weights unless `weights` names an HDF5 file.
    """

    name: Literal["lenet5", "convnet"] | None = None
    build: FunctionName | None = None
    path: str | None = None
    weights: str | None = None
    parameters: dict[str, Plain] = Field(default={})
    study: str | None = None
    storage: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Network:
        given = [key for key in ("name", "build", "path") if getattr(self, key) is not None]
        if len(given) != 1:
            told = " and ".join(given) or "none of them"
            raise ValueError(f"a network is a name, a build function or a path, one of the three, got {told}")
        if self.path is None and self.weights is not None:
            raise ValueError("weights belong to an architecture at path; leave them out")
        if self.path is not None and (self.parameters or self.study is not None):
            raise ValueError("a model at path has its shape already; leave parameters and study out")
        if self.storage is not None and self.study is None:
            raise ValueError("storage says where a study is; name the study, or leave it out")
        return self


class Batch(Closed):
    """How many examples a step has: `size` for each worker, or for all of them together where it is `per: all`."""

    size: int = Field(default=64, ge=1, le=1 << 20)
    per: Literal["worker", "all"] = "worker"


class Optimizer(Closed):
    """A Keras optimizer by its name, such as sgd or adam, its learning rate, and its other arguments.

    `schedule` is the name of a Keras schedule, such as CosineDecay, with its arguments beside `name`; where one of them
    is called `initial_learning_rate` and not given, it is `learning_rate`.
    """

    name: str = "sgd"
    learning_rate: float = Field(default=0.01, gt=0)
    arguments: dict[str, Plain] = Field(default={})
    schedule: dict[str, Plain] | None = None

    @model_validator(mode="after")
    def _check_schedule(self) -> Optimizer:
        if self.schedule is not None and not isinstance(self.schedule.get("name"), str):
            raise ValueError(f"a schedule has the name of one of keras.optimizers.schedules, got {self.schedule}")
        default = type(self).model_fields["learning_rate"].default
        if "initial_learning_rate" in (self.schedule or {}) and self.learning_rate != default:
            raise ValueError(
                f"learning_rate has no effect beside a schedule's own initial_learning_rate, got {self.learning_rate}; "
                "leave one of them out"
            )
        if "learning_rate" in self.arguments:
            raise ValueError("learning_rate has a place of its own, beside arguments; leave it out there")
        return self
