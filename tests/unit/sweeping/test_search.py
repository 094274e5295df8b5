"""What is proposed, in which order, and that a resumed study proposes the same."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tinderbox.config import SweepJob, read_sweep
from tinderbox.errors import BadInput
from tinderbox.sweeping.events import Parameters, encode
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.journal import rebuild
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.space import is_active

MakeJob = Callable[..., SweepJob]
Open = Callable[..., Any]

MIXED: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-4, "high": 1, "log": True},
    "optimizer": {"type": "choice", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"optimizer": "sgd"}},
    "width": {"type": "int", "low": 8, "high": 128, "log": True},
    "layers": {"type": "int", "low": 1, "high": 3},
}
GRID: dict[str, Any] = {
    "a": {"type": "float", "low": 0, "high": 1, "grid": 3},
    "b": {"type": "int", "low": 1, "high": 9, "grid": [1, 5, 9]},
}


def value_of(parameters: Parameters) -> float:
    """Return the loss of a pretended function."""
    return sum(value**2 if isinstance(value, int | float) else len(str(value)) for value in parameters.values())


def explore(opened: Any, job: SweepJob, count: int, restart_at: int | None = None) -> tuple[Any, list[Parameters]]:
    """Run trials one after the other, two open at a time, with a new driver and proposer at some point."""
    proposer, proposals, open_leases = Proposer(job), [], []
    for number in range(count):
        if number == restart_at:
            opened, proposer = opened.restart(), Proposer(job)
            for lease in open_leases:  # the new driver leases what the old one's slots ran
                assert opened.take(f"s{lease.trial}").trial == lease.trial
        study = opened.study
        parameters = proposer.propose(number, opened.coordinator.look())
        proposals.append(parameters)
        opened.coordinator.propose(parameters, len(study.ended), proposer.is_baseline(number), opened.now)
        open_leases.append(opened.take(f"s{number}"))
        if len(open_leases) == 2:
            lease = open_leases.pop(0)
            current = opened.study.trials[lease.trial].attempt
            lease = type(lease)(**{**vars(lease), "attempt": current})
            opened.report(lease, 2, value_of(lease.parameters), slot=f"s{lease.trial}", last=True)
            opened.coordinator._attempts.end(opened.study.trials[lease.trial], "complete", "", opened.now)
    return opened, proposals


@pytest.mark.parametrize("method", ["random", "tpe", "qmc"])
def test_a_resumed_study_proposes_the_same(make_job: MakeJob, desk: Open, method: str) -> None:
    """After the same events, with nothing but the record, a new proposer goes on as the old one would have."""
    job = make_job(MIXED, search={"method": method, "startup": 4})
    _, undisturbed = explore(desk(16, proposed=False), job, 16)
    _, resumed = explore(desk(16, proposed=False), job, 16, restart_at=9)
    assert resumed == undisturbed


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_each_proposal_follows_from_the_record(make_job: MakeJob, desk: Open, method: str) -> None:
    """The number of trials that were known, and the order in which they ended, give every proposal again."""
    job = make_job(MIXED, search={"method": method, "startup": 3})
    opened, proposals = explore(desk(12, proposed=False), job, 12)
    study = rebuild([b"".join(map(encode, opened.record))], "loss", "minimize")
    for number, known in ((5, 4), (11, 10)):
        ended = study.ended[:known]
        running = [trial for trial in study.trials.values() if trial.number < number and trial not in ended]
        assert Proposer(job).propose(number, Past(ended=ended, running=running)) == proposals[number]


@pytest.mark.parametrize("method", ["random", "tpe", "qmc", "cma-es"])
def test_every_proposal_lies_in_the_space(make_job: MakeJob, desk: Open, method: str) -> None:
    """Bounds, whole numbers, choices and conditions are respected, and no point is proposed twice."""
    job = make_job(MIXED, search={"method": method, "startup": 3})
    _, proposals = explore(desk(14, proposed=False), job, 14)
    for chosen in proposals:
        assert 1e-4 <= chosen["lr"] <= 1  # type: ignore[operator]  # a number
        assert chosen["optimizer"] in ("sgd", "adam")
        assert ("momentum" in chosen) is (chosen["optimizer"] == "sgd")
        assert all(is_active(job.parameters[name], chosen) for name in chosen)
        assert 0 <= chosen.get("momentum", 0) <= 0.9  # type: ignore[operator]  # a number
        assert (type(chosen["width"]), type(chosen["layers"])) == (int, int)
        assert 8 <= chosen["width"] <= 128  # type: ignore[operator]  # a number
        assert chosen["layers"] in (1, 2, 3)
    assert len({repr(chosen) for chosen in proposals}) == 14
    if method != "tpe":  # which may have learned to take one of them
        assert {"sgd", "adam"} == {chosen["optimizer"] for chosen in proposals}


@pytest.mark.parametrize("method", ["random", "qmc", "tpe"])
def test_seeds_matter(make_job: MakeJob, method: str) -> None:
    """Another seed is another study, the same one the same."""
    first, again, other = (Proposer(make_job(MIXED, search=method, seed=seed)) for seed in (1, 1, 2))
    assert first.propose(3, Past()) == again.propose(3, Past())
    assert first.propose(3, Past()) != other.propose(3, Past())


# Grid


def grid_of(job: SweepJob) -> list[Parameters]:
    """Return all that a grid search proposes."""
    proposer, proposed = Proposer(job), dict[int, Trial]()
    assert proposer.limit is not None
    for number in range(proposer.limit):
        proposed[number] = Trial(number, proposer.propose(number, Past(proposed)), 0, False)
    return [trial.parameters for trial in proposed.values()]


def test_a_grid_covers_every_point_once(make_job: MakeJob) -> None:
    """Without a baseline and without a limit that is the whole study."""
    points = grid_of(make_job(GRID, search="grid", budget={}))
    assert sorted((point["a"], point["b"]) for point in points) == [(a, b) for a in (0, 0.5, 1) for b in (1, 5, 9)]


def test_a_baseline_on_the_grid_is_moved_to_its_head(make_job: MakeJob) -> None:
    """It costs no further trial."""
    space = {"a": GRID["a"] | {"default": 0.5}, "b": GRID["b"] | {"default": 9}}
    points = grid_of(make_job(space, search="grid", budget={}))
    assert (points[0], len(points), len({repr(point) for point in points})) == ({"a": 0.5, "b": 9}, 9, 9)


def test_a_baseline_beside_the_grid_comes_first(make_job: MakeJob) -> None:
    """It is one further trial."""
    space = {"a": GRID["a"] | {"default": 0.1}, "b": GRID["b"] | {"default": 9}}
    job = make_job(space, search="grid", budget={})
    points = grid_of(job)
    assert (points[0], len(points)) == ({"a": 0.1, "b": 9}, 10)
    proposer = Proposer(job)
    assert (proposer.is_baseline(0), proposer.is_baseline(1)) == (True, False)


def test_part_of_a_grid_is_a_random_choice(make_job: MakeJob) -> None:
    """As many points as trials, each once, the same for the same seed, and not just the first corner."""
    job = make_job(GRID, search="grid", budget={"trials": 4})
    points, whole = grid_of(job), grid_of(make_job(GRID, search="grid", budget={}))
    assert len({repr(point) for point in points}) == 4
    assert all(point in whole for point in points)
    assert points == grid_of(job)
    assert points != grid_of(make_job(GRID, search="grid", budget={"trials": 4}, seed=8))
    assert len(grid_of(make_job(GRID, search="grid", budget={"trials": 100}))) == 9


def test_the_study_of_the_demo_has_no_point_twice() -> None:
    """Its baseline lies on its grid, to the last bit."""
    job = read_sweep(Path(__file__).parents[3] / "jobs" / "sweep-digits.yaml")
    points = grid_of(job)
    assert points[0] == {"learning_rate": 0.01, "width": 256}
    assert len(points) == 21


# Limits and baselines of the others


@pytest.mark.parametrize("method", ["random", "tpe", "qmc", "cma-es"])
def test_the_baseline_comes_first_and_on_top(make_job: MakeJob, method: str) -> None:
    """The default parameters are trial 0, beside the number of trials asked for."""
    job = make_job({"x": {"type": "float", "low": 0, "high": 1, "default": 0.25}}, search=method, budget={"trials": 5})
    proposer = Proposer(job)
    assert (proposer.limit, proposer.is_baseline(0), proposer.is_baseline(1)) == (6, True, False)
    assert proposer.propose(0, Past()) == {"x": 0.25}
    assert proposer.propose(1, Past()) != {"x": 0.25}


def test_only_time_ends_a_study_without_a_number_of_trials(make_job: MakeJob) -> None:
    """There is no limit then, with a baseline or without."""
    assert Proposer(make_job(budget={"time": "1h"})).limit is None
    space = {"x": {"type": "float", "low": 0, "high": 1, "default": 0.25}}
    assert Proposer(make_job(space, budget={"time": "1h"})).limit is None


# Points to start with

SPREAD: dict[str, Any] = MIXED | {"layers": MIXED["layers"] | {"default": 2}}
FULL = {"lr": 0.5, "optimizer": "sgd", "momentum": 0.1, "width": 9}


@pytest.mark.parametrize("method", ["random", "tpe", "qmc", "cma-es"])
def test_a_search_starts_with_the_points_given(make_job: MakeJob, method: str) -> None:
    """In their order, beside the number of trials asked for; what they leave out has its default."""
    points = [FULL, {"lr": 1, "optimizer": "adam", "width": 8, "layers": 3}]
    job = make_job(SPREAD, search={"method": method, "start_with": points}, budget={"trials": 5})
    proposer = Proposer(job)
    assert (proposer.limit, proposer.is_baseline(0)) == (7, False)
    assert [proposer.propose(number, Past()) for number in (0, 1)] == [{**FULL, "layers": 2}, points[1]]
    assert isinstance(proposer.propose(1, Past())["lr"], float)
    assert proposer.propose(2, Past()) not in points


def test_the_baseline_goes_before_them(make_job: MakeJob) -> None:
    """And a point that is written twice, or is the baseline, is tried once."""
    space = {"x": {"type": "float", "low": 0, "high": 1, "default": 0.25}}
    start = [{"x": 0.5}, {"x": 0.25}, {}, {"x": 0.5}, {"x": 1}]
    proposer = Proposer(make_job(space, search={"method": "random", "start_with": start}, budget={"trials": 2}))
    assert [proposer.propose(number, Past())["x"] for number in range(3)] == [0.25, 0.5, 1.0]
    assert (proposer.limit, proposer.is_baseline(0), proposer.is_baseline(1)) == (5, True, False)


def test_only_time_ends_what_starts_with_points(make_job: MakeJob) -> None:
    """They give a study without a number of trials no limit."""
    assert (
        Proposer(make_job(search={"method": "random", "start_with": [{"x": 1}]}, budget={"time": "1h"})).limit is None
    )


def test_a_grid_moves_them_to_its_front(make_job: MakeJob) -> None:
    """No point is run twice; of a part of the grid they are a part, or stand beside it."""
    search = {"method": "grid", "start_with": [{"a": 1, "b": 9}, {"a": 0.5, "b": 1}]}
    points = grid_of(make_job(GRID, search=search, budget={}))
    assert points[:2] == [{"a": 1.0, "b": 9}, {"a": 0.5, "b": 1}]
    assert (len(points), len({repr(point) for point in points})) == (9, 9)
    part, whole = (
        grid_of(make_job(GRID, search=search, budget={"trials": 4})),
        grid_of(make_job(GRID, search="grid", budget={"trials": 4})),
    )
    assert part[:2] == points[:2]
    assert sorted(map(repr, part)) == sorted({*map(repr, whole), *map(repr, part[:2])})


@pytest.mark.parametrize(
    ("method", "point", "sentence"),
    [
        ("random", {"rate": 1}, "there is no parameter 'rate'; the job has lr, optimizer, momentum, width, layers"),
        ("random", FULL | {"lr": 2}, "lr must lie between 0.0001 and 1.0, got 2"),
        ("tpe", FULL | {"width": 8.5}, "width must be a whole number, got 8.5"),
        ("tpe", FULL | {"optimizer": "lion"}, "optimizer must be one of ['sgd', 'adam'], got 'lion'"),
        ("qmc", FULL | {"optimizer": "adam"}, "momentum exists only when {'optimizer': 'sgd'}; leave it out here"),
        ("cma-es", {"lr": 0.1}, "optimizer has no default; give it a value"),
        ("random", {}, "lr has no default; give it a value"),
    ],
)
def test_points_that_the_space_does_not_have(
    make_job: MakeJob, method: str, point: dict[str, Any], sentence: str
) -> None:
    """Are refused in one sentence, with their place, before anything is started."""
    with pytest.raises(BadInput) as refusal:
        Proposer(make_job(SPREAD, search={"method": method, "start_with": [FULL, point]}))
    assert str(refusal.value) == f"search.start_with.1: {sentence}"


def test_a_grid_takes_its_own_points_only(make_job: MakeJob) -> None:
    """Another one would not be part of it."""
    with pytest.raises(BadInput) as refusal:
        Proposer(make_job(GRID, search={"method": "grid", "start_with": [{"a": 0.5, "b": 2}]}, budget={}))
    assert str(refusal.value) == "search.start_with.0: b is 2, which is not in its grid; take one of 1, 5, 9"


def test_gp_needs_torch(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it there is one sentence, before anything is started."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    with pytest.raises(BadInput) as refusal:
        Proposer(make_job(search="gp"))
    assert str(refusal.value) == (
        "search gp needs PyTorch, which is not installed; run pip install 'tinderbox[gp]' or search tpe"
    )
