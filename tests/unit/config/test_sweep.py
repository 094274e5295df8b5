"""Each rule of the job file at its edge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import COLUMNS, SweepJob, check_sweep

Accept = Callable[..., SweepJob]
Refuse = Callable[[dict[str, Any]], str]

KEYS = (
    "kind, name, objective, code, preload, metric, objectives, constraints, parameters, search, budget, "
    "rungs, checkpoints, confirm, epochs, slots, cores, "
    "isolation, seed, data, storage"
)
OPTIMIZER = {"type": "choice", "choices": ["sgd", "adam"]}
MOMENTUM = {"type": "float", "low": 0, "high": 1}


@pytest.mark.parametrize(
    "keys",
    [
        {"name": "a"},
        {"name": "0-a"},
        {"name": "a" * 53},
        {"objective": "my.package.module_1:train_2"},
        {"metric.direction": "maximize"},
        {"metric.name": "mean über IoU@0.5"},
        {"budget": {"trials": 1_000_000, "time": "3650d"}},
        {"epochs": 1_000_000_000},
        {"search": "qmc"},
        {"search": {"method": "tpe", "startup": 1}},
        {"search": {"method": "tpe", "start_with": [{"lr": 0.5}]}},
        {"search": {"method": "random", "zoom": {}}, "budget": {"trials": 9, "time": "1h"}},
        {"search": {"method": "random", "zoom": {}, "warm_start": {"study": "old"}}, "budget": {"trials": 9}},
        {"search": {"method": "cma-es", "warm_start": {"study": "small", "storage": "elsewhere"}}},
        {"search": {"method": "qmc", "zoom": {"rounds": 2, "outward": False}}, "budget": {"trials": 6}},
        {"search": {"method": "grid", "zoom": {}}, "parameters.lr.grid": 2, "budget": None},
        {"budget": {"time": "1s"}},
        {"budget": {"trials": 1, "time": 0.5}},
        {"epochs": 1},
        {"slots": 1},
        {"slots": 10_000},
        {"seed": 0},
        {"seed": 2**63 - 1},
        {"preload": []},
        {"isolation": "reuse"},
        {"parameters.optimizer": OPTIMIZER, "parameters.momentum": MOMENTUM | {"when": {"optimizer": "sgd"}}},
        {"parameters.optimizer": OPTIMIZER, "parameters._m": MOMENTUM | {"when": {"optimizer": ["sgd", "adam"]}}},
        {"search": "grid", "parameters.lr.grid": 2, "budget": None},
        {"search": "grid", "parameters.lr.grid": [0.5]},
        {"search": "grid", "parameters.lr": OPTIMIZER},
        {"search": {"method": "grid", "cost": ["lr"]}, "parameters.lr.grid": 2},
        {"search": {"method": "grid", "cost": ["lr"]}, "parameters.lr": {"type": "choice", "choices": [16, 0.5]}},
    ],
)
def test_the_valid_edge(accept: Accept, keys: dict[str, Any]) -> None:
    """What lies on the inner side of each rule is accepted."""
    assert accept(keys).kind == "sweep"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"epoch": 3}, f"unknown key 'epoch' in the job; did you mean epochs? (valid keys: {KEYS})"),
        ({"zzz": 3}, f"unknown key 'zzz' in the job (valid keys: {KEYS})"),
        ({"metric.nam": "x"}, "unknown key 'nam' in metric; did you mean name? (valid keys: name, direction)"),
        ({"kind": "tune"}, "kind: input should be 'sweep', got 'tune'"),
        ({"name": None}, "the job needs name: the study's name: lower-case letters, digits and dashes, at most 53"),
        ({"name": "A"}, "name: a name has lower-case letters, digits and dashes, at most 53, got 'A'"),
        ({"name": ""}, "name: a name has lower-case letters, digits and dashes, at most 53, got ''"),
        ({"name": "a-"}, "name: a name has lower-case letters, digits and dashes, at most 53, got 'a-'"),
        ({"name": "a" * 54}, f"name: a name has lower-case letters, digits and dashes, at most 53, got '{'a' * 54}'"),
        ({"name": 5}, "name: input should be a valid string, got 5"),
        ({"objective": "train"}, "objective: a function is written module:function, got 'train'"),
        ({"objective": "a:b:c"}, "objective: a function is written module:function, got 'a:b:c'"),
        (
            {"metric": None},
            "the job needs metric: the value that `trial.report` must carry and that decides which trial is best",
        ),
        ({"metric.direction": "up"}, "metric.direction: input should be 'minimize' or 'maximize', got 'up'"),
        ({"metric.name": ""}, "metric.name: a metric's name is a text on one line, got ''"),
        ({"metric.name": " "}, "metric.name: a metric's name is a text on one line, got ' '"),
        ({"metric.name": "a\nb"}, r"metric.name: a metric's name is a text on one line, got 'a\nb'"),
        ({"metric.name": "\ud800"}, r"metric.name: a metric's name is a text on one line, got '\ud800'"),
        *(
            (
                {"metric.name": name},
                f"metric.name: {name} is an argument of trial.report itself; give the metric another name",
            )
            for name in ("self", "epoch", "checkpoint")
        ),
        *(
            (
                {"metric.name": name},
                f"metric.name: {name} is a column of the table of trials itself; give the metric another name",
            )
            for name in COLUMNS
            if name != "epoch"
        ),
        *(
            (
                {f"parameters.{name}": MOMENTUM},
                f"{name} is a column of the table of trials itself; give the parameter another name",
            )
            for name in COLUMNS
        ),
        ({"parameters.loss": MOMENTUM}, "parameter loss is called like a metric; give one of them another name"),
        ({"code": "\ud800"}, r"a text must be UTF-8 without NUL, got '\ud800'"),
        ({"preload": ["keras", "a\0"]}, r"a text must be UTF-8 without NUL, got 'a\x00'"),
        ({"parameters": {}}, "parameters: dictionary should have at least 1 item after validation, not 0, got {}"),
        ({"parameters": [1]}, "parameters: input should be a valid dictionary, got [1]"),
        ({"parameters.1a": MOMENTUM}, "a parameter's name is a Python identifier, got '1a'"),
        (
            {"search": "bayes"},
            "search.method: input should be 'grid', 'random', 'tpe', 'qmc', 'cma-es' or 'gp', got 'bayes'",
        ),
        (
            {"search": {"method": "tpe", "startup": 0}},
            "search.startup: input should be greater than or equal to 1, got 0",
        ),
        *(
            (
                {"search": {"method": method, "zoom": {}}},
                f"search: zoom is for grid, random, qmc and tpe; {method} narrows by itself, so leave it out",
            )
            for method in ("cma-es", "gp")
        ),
        *(
            (
                {"search": {"method": method, "warm_start": {"study": "old"}}, "parameters.lr.grid": 2},
                f"search: warm_start is for tpe, cma-es, gp and zoom; {method} learns nothing, so leave it out",
            )
            for method in ("grid", "random", "qmc")
        ),
        *(
            (
                {"search": {"method": "tpe", "warm_start": {"study": "small", "storage": storage}}},
                "search: warm_start must name an earlier study, got this one's own name, 'small'",
            )
            for storage in (None, "studies")
        ),
        (
            {"search": {"method": "tpe", "zoom": {}}, "budget": {"time": "1h"}},
            "search: zoom shares trials among its rounds; give budget a number of trials",
        ),
        (
            {"search": {"method": "tpe", "zoom": {"rounds": 4}}, "budget": {"trials": 11}},
            "search: zoom needs 3 trials or more for each of its 4 rounds, got budget.trials 11",
        ),
        (
            {"search": {"method": "tpe", "zoom": {"rounds": 1}}},
            "search.zoom.rounds: input should be greater than or equal to 2, got 1",
        ),
        (
            {"search": {"method": "tpe", "zoom": {"round": 3}}},
            "unknown key 'round' in search.zoom; did you mean rounds? (valid keys: rounds, outward)",
        ),
        (
            {"search": {"method": "tpe", "cost": ["lr"]}},
            "search: cost is for a grid, whose order is free; leave it out with tpe",
        ),
        (
            {"search": {"method": "grid", "cost": ["width"]}, "parameters.lr.grid": 2},
            "search: cost names numbers, which are lr, got 'width'",
        ),
        (
            {"search": {"method": "grid", "cost": ["lr"]}, "parameters.lr": OPTIMIZER},
            "search: cost names numbers, which are none, got 'lr'",
        ),
        (
            {"search": {"method": "grid", "cost": []}, "parameters.lr.grid": 2},
            "search.cost: list should have at least 1 item after validation, not 0, got []",
        ),
        (
            {"search": {"method": "tpe", "start_with": []}},
            "search.start_with: list should have at least 1 item after validation, not 0, got []",
        ),
        (
            {"search": {"method": "tpe", "start_with": {"lr": 1}}},
            "search.start_with: input should be a valid list, got {'lr': 1}",
        ),
        (
            {"search": None},
            "the job needs search: how the next parameters are chosen; "
            "`startup` trials are random before tpe, cma-es or gp learn from others",
        ),
        ({"search": "grid"}, "lr: a grid search needs grid, a list of points or their number"),
        ({"budget": {}}, "search random has no end of its own; give budget a number of trials or a time"),
        ({"budget": {"trials": 0}}, "budget.trials: input should be greater than or equal to 1, got 0"),
        ({"budget": {"time": 0}}, "budget.time: input should be greater than 0, got 0"),
        ({"budget": {"time": "0s"}}, "budget.time: input should be greater than 0, got '0s'"),
        (
            {"budget": {"time": "1h30m"}},
            "budget.time: a duration is a number with s, m, h or d, such as 30m, got '1h30m'",
        ),
        (
            {"budget": {"trials": 1_000_001}},
            "budget.trials: input should be less than or equal to 1000000, got 1000001",
        ),
        ({"budget": {"time": "3651d"}}, "budget.time: input should be less than or equal to 315360000, got '3651d'"),
        (
            {"epochs": 10**400},
            f"epochs: input should be less than or equal to 1000000000, got 1{'0' * 119}...",
        ),
        (
            {"search": {"method": "tpe", "startup": 10**7}},
            "search.startup: input should be less than or equal to 1000000, got 10000000",
        ),
        ({"cores": 1025}, "cores: input should be less than or equal to 1024, got 1025"),
        ({"epochs": 0}, "epochs: input should be greater than or equal to 1, got 0"),
        ({"epochs": "3"}, "epochs: input should be a valid integer, got '3'"),
        ({"epochs": True}, "epochs: input should be a valid integer, got True"),
        ({"slots": 0}, "slots: input should be greater than or equal to 1, got 0"),
        ({"slots": 10_001}, "slots: input should be less than or equal to 10000, got 10001"),
        ({"cores": 0}, "cores: input should be greater than or equal to 1, got 0"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0, got -1"),
        ({"seed": 2**63}, f"seed: input should be less than {2**63}, got {2**63}"),
        ({"isolation": "thread"}, "isolation: input should be 'process' or 'reuse', got 'thread'"),
        ({"preload": "keras"}, "preload: input should be a valid list, got 'keras'"),
    ],
)
def test_the_invalid_edge(refuse: Refuse, keys: dict[str, Any], sentence: str) -> None:
    """What lies on the outer side of each rule is refused with the place, the rule and the value."""
    assert refuse(keys) == sentence


@pytest.mark.parametrize(
    ("when", "sentence"),
    [
        ({"other": 1}, "M: when must name a parameter written above it (lr, optimizer), got 'other'"),
        ({"M": 1}, "M: when must name a parameter written above it (lr, optimizer), got 'M'"),
        ({"lr": 0.5}, "M: when must name a choice, and lr is of type float"),
        ({"optimizer": "rms"}, "M: when asks optimizer to be 'rms', which is none of ['sgd', 'adam']"),
        ({"optimizer": ["sgd", "rms"]}, "M: when asks optimizer to be 'rms', which is none of ['sgd', 'adam']"),
    ],
)
def test_bad_conditions(refuse: Refuse, when: dict[str, Any], sentence: str) -> None:
    """A condition names a choice written above, and values that it can have; names keep their capitals."""
    assert refuse({"parameters.optimizer": OPTIMIZER, "parameters.M": MOMENTUM | {"when": when}}) == sentence


def test_a_condition_needs_a_value(refuse: Refuse) -> None:
    """A parameter that could never exist is a mistake."""
    momentum = MOMENTUM | {"when": {"optimizer": []}}
    assert refuse({"parameters.optimizer": OPTIMIZER, "parameters.m": momentum}) == (
        "parameters.m.when.optimizer: list should have at least 1 item after validation, not 0, got []"
    )


def test_a_method_may_be_written_short(accept: Accept) -> None:
    """`search: random` says the same as `search: {method: random}`."""
    assert accept({"search": "random"}) == accept({"search": {"method": "random"}})


def test_a_job_survives_its_own_yaml(accept: Accept) -> None:
    """The plain values of a job, as they are kept with a study, describe the same job."""
    job = accept(
        {
            "parameters.lr.grid": [0.1, 0.5],
            "parameters.optimizer": OPTIMIZER,
            "parameters.m": MOMENTUM | {"when": {"optimizer": ["sgd"]}, "default": 0},
            "budget": {"time": "30m", "trials": 4},
        }
    )
    assert check_sweep(job.model_dump(mode="json", exclude_none=True), "job.yaml") == job
