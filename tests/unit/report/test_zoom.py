"""What is drawn of a search that zooms."""

from __future__ import annotations

from typing import Any

from tinderbox.report.zoom import zoomed
from tinderbox.sweeping.narrowing import weigh

ZOOM: dict[str, Any] = {"method": "random", "zoom": {"rounds": 2}}


def test_boxes_are_those_of_the_record(zoom_scene: Any) -> None:
    """The first box is the job's space, each further one the space of its event, over the numbers narrowed most."""
    study, job = zoom_scene.study, zoom_scene.job
    data = zoomed(study, job)
    assert data is not None
    assert (data.x.name, data.x.log, data.y.name, data.y.log) == ("rate", True, "width", True)
    spaces = [job.parameters, *(begun.space for begun in study.rounds)]
    assert len(spaces) == 3
    assert [(one.x, one.y) for one in data.rounds] == [
        ((space["rate"].low, space["rate"].high), (space["width"].low, space["width"].high)) for space in spaces
    ]
    assert data.rounds[0].x[1] < data.rounds[1].x[1], "the search went beyond its end"


def test_every_trial_is_drawn_once_in_its_round(zoom_scene: Any) -> None:
    """A round's trials are those from its event to the next one, at the place of their parameters."""
    study = zoom_scene.study
    data = zoomed(study, zoom_scene.job)
    assert data is not None
    second, third = (begun.trial for begun in study.rounds)
    assert [[point.trial for point in one.points] for one in data.rounds] == [
        list(range(second)),
        list(range(second, third)),
        list(range(third, 61)),
    ]
    for one in data.rounds:
        for point in one.points:
            chosen = study.trials[point.trial].parameters
            assert (point.x, point.y) == (chosen["rate"], chosen["width"])
            assert one.x[0] <= point.x <= one.x[1]
            assert one.y[0] <= point.y <= one.y[1]


def test_trials_are_ranked_as_the_search_ranks_them(zoom_scene: Any) -> None:
    """The best is 1, the worst 0, and what failed has no rank."""
    study = zoom_scene.study
    data = zoomed(study, zoom_scene.job)
    assert data is not None
    points = {point.trial: point for one in data.rounds for point in one.points}
    ranked = [trial.number for trial in weigh(study, zoom_scene.job).ranked]
    shares = [points[number].rank for number in ranked]
    assert shares == sorted(shares, reverse=True)
    assert (shares[0], shares[-1]) == (1.0, 0.0)
    failed = [number for number, trial in study.trials.items() if trial.state == "failed"]
    assert failed
    assert sorted(number for number, point in points.items() if point.rank is None) == failed
    assert data.best == points[ranked[0]]
    assert points[failed[0]].about[0] == f"trial {failed[0]}"


def test_rounds_are_told_in_words(zoom_scene: Any) -> None:
    """What has changed from the round before, an edge that was moved and a choice that was pruned among it, and why."""
    data = zoomed(zoom_scene.study, zoom_scene.job)
    assert data is not None
    first, second, third = (one.sentence for one in data.rounds)
    begun, last = zoom_scene.study.rounds
    assert first == "Round 1: the whole space."
    assert second == (
        "Round 2, from trial 21 on, rate 0.1175 to 10, optimizer <b>sgd</b> or $adam$, width 8 to 68: "
        "narrowed to the best 3 of 21 trials, of which trial 20 leads; rate goes up to 10, beyond its end of 1, where "
        "its best value lies; optimizer is rms no more, for its 6 trials were clearly worse."
    )
    assert second.endswith(f": {begun.cause}.")
    assert third == f"Round 3, from trial 41 on, rate 1.158 to 8.537, width 10 to 75: {last.cause}."


def test_the_first_round(make_scene: Any) -> None:
    """A study that has just begun has one box, and all its trials in it, also one that waits for a slot."""
    scene = make_scene(search=ZOOM, budget={"trials": 20})
    assert zoomed(scene.study, scene.job) is None
    scene.search(lambda chosen: chosen["lr"], trials=3)
    scene.propose({"lr": 1e-2, "width": 9})
    data = zoomed(scene.study, scene.job)
    assert data is not None
    assert [(one.x, one.y, one.sentence) for one in data.rounds] == [
        ((1e-4, 1e-1), (8, 128), "Round 1: the whole space.")
    ]
    assert [point.rank is None for point in data.rounds[0].points] == [False, False, False, True]


def test_without_zoom_there_is_nothing(grid_scene: Any) -> None:
    """Another search has no rounds."""
    assert zoomed(grid_scene.study, grid_scene.job) is None


def test_a_round_without_a_trial_yet(make_scene: Any) -> None:
    """A driver may end between the event of a round and its first trial."""
    scene = make_scene(search=ZOOM, budget={"trials": 20})
    scene.search(lambda chosen: chosen["lr"])
    begun = scene.study.rounds[0]
    for number in range(begun.trial, len(scene.study.trials)):
        del scene.study.trials[number]
    data = zoomed(scene.study, scene.job)
    assert data is not None
    assert [len(one.points) for one in data.rounds] == [begun.trial, 0]


def test_repeats_are_left_out(make_scene: Any) -> None:
    """The leaders that are trained again lie where they did, and belong to no round."""
    scene = make_scene(search=ZOOM, budget={"trials": 20})
    scene.search(lambda chosen: chosen["lr"])
    scene.repeat(3, 0.5)
    data = zoomed(scene.study, scene.job)
    assert data is not None
    assert sorted(point.trial for one in data.rounds for point in one.points) == list(range(21))


def test_nothing_is_narrowed_where_all_fail(make_scene: Any) -> None:
    """Then the boxes are alike, no trial has a rank, and the sentence says why."""
    scene = make_scene(search=ZOOM, budget={"trials": 20})
    scene.search(lambda chosen: None)
    data = zoomed(scene.study, scene.job)
    assert data is not None
    assert data.rounds[0].x == data.rounds[1].x
    assert data.rounds[1].sentence == "Round 2, from trial 11 on: no trial has a value, so nothing is narrowed."
    assert {point.rank for one in data.rounds for point in one.points} == {None}
    assert data.best is None
