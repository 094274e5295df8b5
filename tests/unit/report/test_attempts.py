"""The attempts of a training."""

from __future__ import annotations

from tests.unit.report.trainings import Story, disturbed
from tinderbox.report.attempts import details, rows


def test_many_nodes_are_counted() -> None:
    """The first four are named, each once; workers that were nowhere yet have none."""
    story = Story()
    story.begin("e", "a", "a", "b", "c", "d", "e", "f")
    story.end("lost", "gone", rank=0)
    story.begin("", "")
    story.end("lost", "gone", rank=1)
    first, second = rows(story.training)
    assert first.workers == "8 on e, a, b, c and 2 more"
    assert (second.workers, second.causes) == ("2", ("worker 1: gone",))


def test_an_attempt_that_runs_lasts_until_now() -> None:
    """The newest event is what is known of now."""
    story = Story()
    story.begin("node-a")
    story.learn(1, 10)
    (row,) = rows(story.training)
    assert (row.outcome, row.lasted, row.reached, row.causes) == ("running", "1 min 06 s", "10 epochs", ())


def test_a_cause_names_its_worker_once() -> None:
    """Some say of themselves which worker they are of."""
    story = Story()
    story.begin("a", "b")
    story.replace(1, "c", "worker 1 on b: its agent was killed")
    story.end("killed", "worker 0 on a: by signal 9", rank=0, node="a")
    (row,) = rows(story.training)
    assert row.causes == (
        "worker 1 on b: its agent was killed; replaced by one on c",
        "worker 0 on a: by signal 9",
    )


def test_tracebacks_have_their_attempt() -> None:
    """Those that are there."""
    ((title, text),) = details(disturbed().training)
    assert title == "attempt 2: it had 1.9 GiB, and its share of the limit is 1.5 GiB"
    assert text.startswith("Traceback")
