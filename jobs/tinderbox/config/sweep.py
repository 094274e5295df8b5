"""The job file of a sweep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tinderbox.config.data import AnyData, Digits
from tinderbox.config.metric import COLUMNS, Constraint, Metric
from tinderbox.config.model import Closed, FunctionName, Name, Seconds
from tinderbox.config.parameters import AnyParameter, ChoiceParameter, Value
from tinderbox.config.search import Search

LONGEST_SECONDS = 3650 * 86_400
TRIALS_OF_ROUND = 3

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Budget(Closed):
    """Where the study ends: a number of trials, a length of time, or both; a grid without `trials` runs whole.

    `trial_time` is the longest that one attempt of a trial may take.
    """

    trials: int | None = Field(default=None, ge=1, le=1_000_000)
    time: Annotated[Seconds, Field(gt=0, le=LONGEST_SECONDS)] | None = None
    trial_time: Annotated[Seconds, Field(gt=0, le=LONGEST_SECONDS)] | None = None


class Rungs(Closed):
    """Where weak trials end early, by asynchronous successive halving (ASHA).

    Of the trials that have reached `min_epochs` epochs, the best 1/`reduction` go on to `reduction` times as many, and
    so on up to `epochs`. The others are paused with a checkpoint and go on if they are among the best later; with
    `stop`, or where the function gives no checkpoint, they are stopped.
    """

    min_epochs: int = Field(default=1, ge=1, le=1_000_000_000)
    reduction: int = Field(default=3, ge=2, le=1_000)
    method: Literal["promote", "stop"] = "promote"


class Confirm(Closed):
    """What tells luck from gain: when the search is over, its `top` trials are trained again with other `seeds`.

    The winner is then the one with the best mean of these repeats.
    """

    top: int = Field(default=3, ge=1, le=100)
    seeds: int = Field(default=5, ge=1, le=1_000)


class Checkpoints(Closed):
    """How often the state of a running trial is saved: once it is `every` old, and every so many `epochs`.

    What happens to a slot costs the trial at most what it did since. States go through the driver into the study, or,
    where `storage` names one, straight to a folder or fsspec URL that all machines reach.
    """

    every: Annotated[Seconds, Field(gt=0, le=LONGEST_SECONDS)] = 60.0
    epochs: int | None = Field(default=None, ge=1, le=1_000_000_000)
    storage: str | None = None

    @field_validator("storage")
    @classmethod
    def _check_storage(cls, storage: str | None) -> str | None:
        if storage is not None and "://" not in storage and not storage.startswith("/"):
            raise ValueError(f"every machine goes there by itself, so it is a whole path or a URL, got {storage!r}")
        return storage


class SweepJob(Closed):
    """One sweep: a function, a space, a search, a budget and data."""

    kind: Literal["sweep"]
    name: Name = Field(description="the study's name: lower-case letters, digits and dashes, at most 53")
    objective: FunctionName = Field(description="the function to call for each trial, as module:function")
    code: str | None = Field(
        default=None, description="folder with your modules, relative to this file; shipped to the executors"
    )
    preload: list[str] = Field(
        default=["tensorflow", "keras"],
        description="modules imported once per slot, before any trial, so that no trial waits for them",
    )
    metric: Metric
    objectives: Annotated[list[Metric], Field(min_length=1)] | None = Field(
        default=None, description="further objectives: the trials that no other one beats in all of them are told"
    )
    constraints: Annotated[list[Constraint], Field(min_length=1)] | None = Field(
        default=None, description="bounds on reported metrics; a trial whose last report breaks one cannot be best"
    )
    parameters: dict[str, AnyParameter] = Field(min_length=1)
    search: Search
    budget: Budget = Budget()
    rungs: Rungs | None = Field(default=None, description="where weak trials end early; without it, all run whole")
    checkpoints: Checkpoints = Checkpoints()
    confirm: Confirm | None = Field(default=None, description="retrain the leaders with other seeds; without it, none")
    epochs: int = Field(ge=1, le=1_000_000_000, description="epochs of one whole trial")
    slots: int = Field(default=2, ge=1, le=10_000, description="trials that run at the same time")
    cores: int = Field(default=1, ge=1, le=1_024, description="cores, and TensorFlow threads, of one slot")
    isolation: Literal["process", "reuse"] = Field(
        default="process",
        description="process: a fresh child process per trial; reuse: one child runs trial after trial",
    )
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: AnyData = Digits(source="digits")
    storage: str = Field(default="studies", description="folder or fsspec URL that holds studies")

    @property
    def aims(self) -> tuple[str, str, Sequence[Metric], Sequence[Constraint]]:
        """What a study of this job is after: its metric and its direction, further objectives, constraints."""
        return self.metric.name, self.metric.direction, self.objectives or (), self.constraints or ()

    @property
    def signs(self) -> dict[str, int]:
        """All objectives, the metric first, with what their values are multiplied by so that less is better."""
        return {aim.name: aim.sign for aim in (self.metric, *(self.objectives or ()))}

    @property
    def reported(self) -> tuple[str, ...]:
        """The metrics that every report must carry."""
        return tuple(dict.fromkeys([*self.signs, *(rule.name for rule in self.constraints or ())]))

    @field_validator("search", mode="before")
    @classmethod
    def _expand_search(cls, value: Any) -> Any:
        return {"method": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_objectives(self) -> SweepJob:
        names = [aim.name for aim in (self.metric, *(self.objectives or ()))]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"objectives: {name} is an objective twice; name each once, and the metric not again")
        bounds = [(rule.name, rule.min is None) for rule in self.constraints or ()]
        for bound in bounds:
            if bounds.count(bound) > 1:
                raise ValueError(f"constraints: {bound[0]} has two bounds on one side; leave one of them out")
        if (self.objectives or self.constraints) and (reason := self._find_unfit()):
            raise ValueError(f"{'objectives' if self.objectives else 'constraints'}: {reason}")
        return self

    def _find_unfit(self) -> str:
        """Return what does not go with further objectives or constraints and what to do, empty where all does."""
        search = self.search
        if self.rungs is not None:
            return "rungs compare trials by one metric, long before their last report; leave one of the two out"
        if search.method == "cma-es":
            return "cma-es searches by one metric and knows no bounds; search tpe or gp"
        if search.warm_start is not None:
            return "search.warm_start takes over only the metric of an earlier study; leave one of the two out"
        if search.zoom is not None and self.objectives:
            return (
                "search.zoom narrows to where one metric is best, and would lose the others; leave one of the two out"
            )
        return ""

    @model_validator(mode="after")
    def _check_parameters(self) -> SweepJob:
        for name, parameter in self.parameters.items():
            if not _PARAMETER.fullmatch(name):
                raise ValueError(f"a parameter's name is a Python identifier, got {name!r}")
            if name in COLUMNS:
                raise ValueError(f"{name} is a column of the table of trials itself; give the parameter another name")
            if name in self.reported:
                raise ValueError(f"parameter {name} is called like a metric; give one of them another name")
            for parent, wanted in parameter.when.items():
                self._check_condition(name, parent, wanted if isinstance(wanted, list) else [wanted])
        return self

    def _check_condition(self, name: str, parent: str, wanted: list[Value]) -> None:
        earlier = list(self.parameters)[: list(self.parameters).index(name)]
        if parent not in earlier:
            raise ValueError(
                f"{name}: when must name a parameter written above it ({', '.join(earlier) or 'none'}), got {parent!r}"
            )
        source = self.parameters[parent]
        if not isinstance(source, ChoiceParameter):
            raise ValueError(f"{name}: when must name a choice, and {parent} is of type {source.type}")
        unknown = [value for value in wanted if value not in source.choices]
        if unknown:
            raise ValueError(f"{name}: when asks {parent} to be {unknown[0]!r}, which is none of {source.choices}")

    @model_validator(mode="after")
    def _check_rungs(self) -> SweepJob:
        if self.rungs is not None and self.rungs.min_epochs >= self.epochs:
            raise ValueError(
                f"rungs: min_epochs must be less than the {self.epochs} epochs of a whole trial, "
                f"got {self.rungs.min_epochs}"
            )
        return self

    @model_validator(mode="after")
    def _check_warm_start(self) -> SweepJob:
        warm = self.search.warm_start
        if warm is not None and (warm.study, warm.storage or self.storage) == (self.name, self.storage):
            raise ValueError(f"search: warm_start must name an earlier study, got this one's own name, {self.name!r}")
        return self

    @model_validator(mode="after")
    def _check_zoom(self) -> SweepJob:
        zoom, trials = self.search.zoom, self.budget.trials
        if zoom is None or (trials is None and self.search.method == "grid"):
            return self
        if trials is None:
            raise ValueError("search: zoom shares trials among its rounds; give budget a number of trials")
        if trials < TRIALS_OF_ROUND * zoom.rounds:
            raise ValueError(
                f"search: zoom needs {TRIALS_OF_ROUND} trials or more for each of its {zoom.rounds} rounds, "
                f"got budget.trials {trials}"
            )
        return self

    @model_validator(mode="after")
    def _check_confirm(self) -> SweepJob:
        if self.confirm is not None and self.budget.trials is None and self.search.method != "grid":
            raise ValueError("confirm begins when the search is over; give budget a number of trials")
        return self

    @model_validator(mode="after")
    def _check_search(self) -> SweepJob:
        if self.search.method != "grid":
            if self.budget.trials is None and self.budget.time is None:
                raise ValueError(
                    f"search {self.search.method} has no end of its own; give budget a number of trials or a time"
                )
            return self
        for name, parameter in self.parameters.items():
            if not isinstance(parameter, ChoiceParameter) and parameter.grid is None:
                raise ValueError(f"{name}: a grid search needs grid, a list of points or their number")
        numbers = [name for name, parameter in self.parameters.items() if parameter.is_numeric]
        for name in self.search.cost or []:
            if name not in numbers:
                raise ValueError(f"search: cost names numbers, which are {', '.join(numbers) or 'none'}, got {name!r}")
        return self
