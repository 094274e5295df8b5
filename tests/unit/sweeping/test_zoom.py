"""Rounds: when they begin, in which space, and that a resumed study narrows as an undisturbed one does."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import SweepJob
from tinderbox.sweeping.events import CheckpointSaved, PastTrial, RoundStarted, encode
from tinderbox.sweeping.history import State
from tinderbox.sweeping.journal import rebuild
from tinderbox.sweeping.messages import Decision
from tinderbox.sweeping.rungs import Ladder
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.space import lies_in

MakeJob = Callable[..., SweepJob]

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-5, "high": 1, "log": True, "grid": 6, "default": 0.001},
    "optimizer": {"type": "choice", "choices": ["sgd", "adam", "rms"], "default": "sgd"},
    "momentum": {"type": "float", "low": 0, "high": 0.9, "grid": 2, "default": 0, "when": {"optimizer": "sgd"}},
    "width": {"type": "int", "low": 16, "high": 256, "log": True, "grid": [16, 64, 256], "default": 16},
}


def loss_of(parameters: Any) -> float:
    """Return the loss of a pretended function: best at a rate of 0.02, with adam, and wide."""
    penalty = {"sgd": 0.5, "adam": 0.0, "rms": 8.0}[parameters["optimizer"]]
    return float((math.log10(parameters["lr"]) + 1.7) ** 2 + penalty - 0.1 * math.log2(parameters["width"]))


class Drive:
    """Runs a study on three slots whose trials end in an order that chance gives, with new drivers on the way."""

    def __init__(self, opened: Any, job: SweepJob, restarts: tuple[int, ...] = ()) -> None:
        self.opened, self.job, self.proposer = opened, job, Proposer(job)
        self.restarts, self.waited = restarts, 0

    def run(self) -> Any:
        """Run the study and return it."""
        chance, held = random.Random(4), dict[str, Any]()  # noqa: S311 - no secret
        while not self.opened.study.finished:
            self.propose()
            for slot in "abc":
                if slot not in held and (lease := self.opened.lease(slot).lease):
                    held[slot] = lease
            if held:
                slot = chance.choice(sorted(held))
                lease = held.pop(slot)
                self.opened.report(lease, 2, loss_of(lease.parameters), slot=slot, last=True)
                self.opened.coordinator._attempts.end(self.opened.study.trials[lease.trial], "complete", "", 1.0)
            if len(self.opened.study.ended) in self.restarts and not held:
                self.opened, self.proposer = self.opened.restart(), Proposer(self.job)
            self.opened.pass_time(0)
        return self.opened.study

    def propose(self) -> None:
        """Propose what is wanted, as the server does."""
        coordinator, rounds = self.opened.coordinator, self.proposer.rounds
        while (number := coordinator.wanted()) is not None:
            study = coordinator.study
            if rounds is not None and rounds.is_due(study):
                if not rounds.is_ripe(study):
                    self.waited += 1
                    return
                narrowed = rounds.narrow(study)
                assert (
                    rounds.narrow(rebuild([b"".join(map(encode, self.opened.record))], "loss", "minimize")) == narrowed
                )
                coordinator.narrow(narrowed.space, narrowed.cause, self.opened.now)
            parameters = self.proposer.propose(number, coordinator.look())
            coordinator.propose(parameters, len(study.ended), self.proposer.is_baseline(number), self.opened.now)


def drive(desk: Any, job: SweepJob, restarts: tuple[int, ...] = (), **rules: Any) -> Drive:
    """Return what runs a job's study."""
    limit = Proposer(job).limit
    assert limit is not None
    return Drive(desk(limit, proposed=False, **rules), job, restarts)


@pytest.mark.parametrize("method", ["random", "qmc", "tpe", "grid"])
def test_a_search_zooms(make_job: MakeJob, desk: Any, method: str) -> None:
    """Each round's trials lie in its own space, which is narrower where it should be, and all trials are run."""
    search = {"method": method, "startup": 5, "zoom": {"rounds": 3}}
    study = drive(desk, make_job(SPACE, search=search, budget={"trials": 60})).run()
    first, second = study.rounds
    assert (first.round, first.trial, second.round, len(study.ended)) == (
        2,
        21,
        3,
        len(study.trials),
    )
    assert len(study.trials) == 61
    for begun, end in ((first, second.trial), (second, len(study.trials))):
        assert all(lies_in(begun.space, study.trials[number].parameters) for number in range(begun.trial, end))
    rates = second.space["lr"]
    assert 1e-4 < rates.low < 0.02 < rates.high <= 1  # type: ignore[union-attr]  # a number
    assert "rms" not in second.space["optimizer"].choices  # type: ignore[union-attr]  # a choice
    assert study.best.number >= first.trial
    points = {repr(trial.parameters) for trial in study.trials.values()}
    assert len(points) >= 55, "hardly a point is tried twice"


@pytest.mark.parametrize("method", ["random", "qmc", "tpe", "grid"])
def test_a_resumed_study_goes_on_in_the_same_rounds(make_job: MakeJob, desk: Any, method: str) -> None:
    """Whatever driver proposes them, with nothing but the record, the trials and their spaces are the same."""
    job = make_job(SPACE, search={"method": method, "startup": 4, "zoom": {}}, budget={"trials": 30})
    undisturbed = drive(desk, job).run()
    disturbed = drive(desk, job, restarts=(5, 11, 17, 23)).run()
    assert disturbed.rounds == undisturbed.rounds
    assert [trial.parameters for trial in disturbed.trials.values()] == [
        trial.parameters for trial in undisturbed.trials.values()
    ]


def test_rounds_and_rungs(make_job: MakeJob, desk: Any) -> None:
    """Trials that wait on a rung are evidence for the next round, and are promoted all the same."""
    rungs = {"min_epochs": 1, "reduction": 3}
    job = make_job(SPACE, search={"method": "random", "zoom": {}}, budget={"trials": 45}, epochs=9, rungs=rungs)
    driven = drive(desk, job, epochs=9, ladder=Ladder(1, 3, 9))
    opened, waited = driven.opened, list[int]()
    driven.propose()
    lease = opened.take()
    while lease is not None:
        epoch, decision = lease.resume.epoch if lease.resume else 0, Decision()
        while epoch < 9 and decision.action == "go_on":
            epoch += 1
            value = loss_of(lease.parameters) + 5 / epoch
            decision = opened.report(lease, epoch, value, can_save=True, last=epoch == 9)
        if decision.save:
            kept = {"attempt": lease.attempt, "epoch": epoch, "path": f"{lease.trial}-{epoch}", "sha256": "", "size": 1}
            opened.coordinator.saved(CheckpointSaved(time=opened.now, trial=lease.trial, **kept), "a")
        begun = len(opened.study.rounds)
        driven.propose()
        if len(opened.study.rounds) > begun:
            waited.append(len(opened.study.paused))
        lease = opened.finish(lease, outcome="paused" if decision.action == "pause" else "complete").lease
        if lease is None:
            driven.propose()
            lease = opened.lease().lease
    study = opened.study
    assert (len(study.trials), [begun.trial for begun in study.rounds]) == (46, [16, 31])
    assert min(waited) > 5
    assert len(study.ended) < 20
    rates = study.rounds[-1].space["lr"]
    assert 1e-4 < rates.low < 0.02 < rates.high <= 1  # type: ignore[union-attr]  # a number
    assert study.best.number >= 16


@pytest.mark.parametrize(
    ("method", "budget", "start", "limit", "ends"),
    [
        ("random", {"trials": 30}, None, 31, [11, 21]),
        ("tpe", {"trials": 31}, [{"lr": 0.1}, {"lr": 0.2}], 34, [14, 24]),
        ("grid", {}, None, 216, [72, 144]),
        ("grid", {}, [{"lr": 1}, {"lr": 0.1}], 216, [72, 144]),
        ("grid", {"trials": 30}, None, 31, [11, 21]),
        ("grid", {"trials": 300}, None, 216, [72, 144]),
    ],
)
def test_rounds_share_the_trials(
    make_job: MakeJob, desk: Any, method: str, budget: Any, start: Any, limit: int, ends: list[int]
) -> None:
    """Baseline and starting points are beside the first round's share, but for those that its grid has anyway."""
    job = make_job(SPACE, search={"method": method, "zoom": {"rounds": 3}, "start_with": start}, budget=budget)
    proposer = Proposer(job)
    assert proposer.limit == limit
    assert proposer.rounds is not None
    begun: list[RoundStarted] = []
    for number, expected in enumerate(ends, start=2):
        assert proposer.rounds.end(begun) == expected
        begun.append(RoundStarted(time=1.0, round=number, trial=expected, space=job.parameters, cause=""))
    assert proposer.rounds.end(begun) == limit


def test_a_round_begins_when_half_of_the_one_before_is_known(make_job: MakeJob, desk: Any) -> None:
    """Then slots that are free wait for it no longer; trials that wait on a rung are known, however long they do."""
    job = make_job(SPACE, search={"method": "random", "zoom": {"rounds": 2}}, budget={"trials": 11}, epochs=9)
    opened, proposer = desk(12, proposed=False, ladder=Ladder(1, 3, 9), epochs=9), Proposer(job)
    rounds, study = proposer.rounds, opened.study
    assert rounds is not None
    for number in range(7):
        assert not rounds.is_due(study)
        opened.coordinator.propose(proposer.propose(number, opened.coordinator.look()), 0, number == 0, opened.now)
    assert rounds.is_due(study)
    for number in range(7):
        assert rounds.is_ripe(study) is (number >= 4), number
        lease = opened.take(f"s{number}")
        trial = study.trials[lease.trial]
        if number % 2:
            opened.coordinator._attempts.end(trial, "failed", "", opened.now)
        else:
            study._move(trial, State.PAUSED)


def test_a_study_without_a_value_is_not_narrowed(make_job: MakeJob, desk: Any) -> None:
    """The next round has the same space, and says why."""
    job = make_job(SPACE, search={"method": "random", "zoom": {}}, budget={"trials": 30})
    opened, rounds = desk(5), Proposer(job).rounds
    assert rounds is not None
    narrowed = rounds.narrow(opened.study)
    assert narrowed.cause == "no trial has a value, so nothing is narrowed"
    assert {name: (p.low, p.high) for name, p in narrowed.space.items() if hasattr(p, "low")} == {
        "lr": (1e-5, 1), "momentum": (0, 0.9), "width": (16, 256),
    }  # fmt: skip


def test_an_earlier_study_narrows_the_second_round(make_job: MakeJob, desk: Any) -> None:
    """What it knew is evidence beside what the first round has found, and its sentence says so."""
    job = make_job(SPACE, search={"method": "random", "zoom": {"rounds": 2}}, budget={"trials": 6}, epochs=2)
    driven = drive(desk, job)
    known = [
        PastTrial(parameters={"lr": lr, "optimizer": "adam", "width": 64}, state="complete", curve={2: loss})
        for lr, loss in ((0.003, -99.0), (0.004, -98.0), (0.005, -97.0), (0.1, 99.0), (0.7, 99.0))
    ]
    driven.opened.coordinator.recall("earlier", known, driven.opened.now)
    (begun,) = driven.run().rounds
    assert begun.cause.startswith("narrowed to the best 3 of ")
    assert "of which one of the earlier study leads" in begun.cause
    assert begun.space["lr"].low > 1e-5  # type: ignore[union-attr]  # a number
    assert begun.space["lr"].high < 1  # type: ignore[union-attr]  # a number


def test_a_raised_budget_goes_to_the_rounds_to_come(make_job: MakeJob, desk: Any) -> None:
    """Those that have begun stay where they began, and no point of a grid is tried twice."""
    search = {"method": "grid", "cost": ["width"], "zoom": {"rounds": 2}}
    first, more = (make_job(SPACE, search=search, budget={"trials": trials}) for trials in (20, 40))
    driven = drive(desk, first)
    before = driven.run()
    driven.opened.trials = Proposer(more).limit
    after = Drive(driven.opened.restart(), more).run()
    assert (len(before.trials), len(after.trials), after.rounds) == (21, 41, before.rounds)
    assert [after.trials[number].parameters for number in before.trials] == [
        trial.parameters for trial in before.trials.values()
    ]
    assert len({repr(trial.parameters) for trial in after.trials.values()}) == 41


def test_what_a_grid_holds_at_one_value_stays_there(make_job: MakeJob, desk: Any) -> None:
    """One point is no range to be narrowed."""
    space = {**SPACE, "width": {"type": "int", "low": 16, "high": 256, "grid": [32]}}
    study = drive(desk, make_job(space, search={"method": "grid", "zoom": {}}, budget={})).run()
    assert {trial.parameters["width"] for trial in study.trials.values()} == {32}


def test_the_sentence_of_a_round(make_job: MakeJob, desk: Any) -> None:
    """Says which trials spoke, what went outward and what was dropped."""
    job = make_job(SPACE, search={"method": "grid", "zoom": {"rounds": 2}}, budget={"trials": 60})
    (begun,) = drive(desk, job).run().rounds
    assert begun.cause.startswith("narrowed to the best ")
    assert "optimizer is rms no more, for its " in begun.cause
    assert "width goes up to 512, beyond its end of 256, where its best value lies" in begun.cause
    kept = make_job(SPACE, search={"method": "grid", "zoom": {"rounds": 2, "outward": False}}, budget={"trials": 60})
    (begun,) = drive(desk, kept).run().rounds
    assert "the best width lies at its end of 256, and it goes no further" in begun.cause
