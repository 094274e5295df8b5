"""The report of a training as one HTML file."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.report.test_labels import plots, texts
from tests.unit.report.test_page import Reader
from tests.unit.report.trainings import EVIL, Story, disturbed, make_train_job, regressed
from tinderbox.errors import BadInput
from tinderbox.report.colors import ENDINGS
from tinderbox.report.confusion import confusion
from tinderbox.report.training import Result, render_training, write_training_report
from tinderbox.run import Run, digest_tree
from tinderbox.storage.training import CLASSES, CONFUSION, MODEL, TEST, TrainFolder
from tinderbox.training.record import CheckpointKept

RUN = Run("lenet", "c" * 64, "d" * 64, "", "3.11.9", {"tinderbox": "0.1.0", "keras": "3.15.0"}, "e" * 64)
RESULT = Result("f" * 64, {"loss": 0.04, "top1": 0.98934}, confusion([[90, 10], [0, 100]], ["cat", "dog"]))


def render(story: Story, result: Result | None = None, **changes: Any) -> str:
    """Return the page of a story."""
    return render_training(story.training, make_train_job(**changes), RUN, result or Result())


@pytest.fixture(scope="module")
def page() -> str:
    """The page of a training that was disturbed."""
    return render(disturbed(), RESULT)


def test_sections_in_order(page: str) -> None:
    """The page is whole HTML whose sections come in the order in which a reader needs them."""
    assert page.startswith("<!doctype html>")
    assert "<title>lenet · Tinderbox</title>" in page
    assert Reader(page).headings == [
        "Scores",
        "Loss",
        "Top 1 and Top 5",
        "Step time",
        "Bytes sent",
        "Attempts",
        "Confusion",
        "Configuration",
        "Identity",
    ]


def test_nothing_is_fetched(page: str) -> None:
    """The file needs no other one."""
    assert Reader(page).fetched == []
    assert "default-src 'none'" in page


def test_headline(page: str) -> None:
    """How it stands, what it is, and how good it is."""
    seen = texts(page)
    for told in (
        "lenet finished Ended on 2026-05-28 20:28 UTC: all epochs are done; the model is that of epoch 15.",
        "model lenet5 data digits mode threshold batch 64 for each worker",
        "best validation top 1 95.78 % in epoch 15, validation loss 0.2934",
        "test top 1 98.93 % the model",
        "epochs 15 of 15",
        "workers 2 on 3 nodes",
        "attempts 3 2 ended early, 1 worker replaced",
        "On test examples, which no epoch has seen: Loss 0.04 , Top 1 98.93 % .",
    ):
        assert told in seen


def test_the_best_and_the_last_epoch_stand_side_by_side() -> None:
    """Training and validation of each; the job says by which metric one is the best."""
    story = Story()
    story.begin("node-a")
    story.learn(1, 3, lambda epoch: {"loss": 1.0 / epoch, "val_loss": abs(epoch - 2) + 0.25, "val_top1": 0.5})
    story.end("complete")
    story.finish(2, early=True)
    seen = texts(render(story, early_stopping={"metric": "val_loss"}))
    assert "epoch 2, the best epoch 3, the last training validation training validation" in seen
    assert "Loss 0.5 0.25 0.3333 1.25 Top 1 — 50.00 % — 50.00 %" in seen
    assert "stopped early, for no epoch got better; the model is that of epoch 2" in seen
    assert "best validation loss 0.25 in epoch 2, training loss 0.5" in seen


def test_attempts_tell_how_they_ended(page: str) -> None:
    """Workers, nodes, where they went on from, and the cause with the worker and its node."""
    seen = texts(page)
    for told in (
        "1 killed worker 1 on node-b: its process was ended by signal 9 2 on node-a, node-b the beginning 5 epochs",
        "2 out of memory worker 0 on node-a: it had 1.9 GiB, and its share of the limit is 1.5 GiB "
        "1 on node-a; learning rate x 0.5 step 1,720: 4 epochs 8 epochs",
        "3 complete worker 1: its executor is gone: node-c was drained; replaced by one on node-d "
        "2 on node-a, node-d step 3,540: 8 epochs and 12,800 examples 15 epochs",
    ):
        assert told in seen
    assert any(EVIL in block for block in Reader(page).blocks)


def test_curves_have_each_epoch_once_and_the_ends_of_attempts(page: str) -> None:
    """Validation beside training, shares in percent; a mark says where an attempt ended and why."""
    loss, shares, _, _ = plots(page)
    lines = {line["name"]: line for line in loss["data"]}
    assert list(lines) == ["training", "validation", "best epoch", "attempt ended"]
    assert lines["training"]["x"] == list(range(1, 16))
    assert lines["best epoch"]["x"] == [15]
    assert lines["attempt ended"]["x"] == [5.5, 8.5]
    assert lines["attempt ended"]["text"][0] == (
        "attempt 1: killed<br>2 workers, in epoch 6<br>its process was ended by signal 9"
    )
    assert [shape["x0"] for shape in loss["layout"]["shapes"]] == [5.5, 8.5]
    top1 = next(line for line in shares["data"] if line["name"] == "Top 1, validation")
    assert 95 < top1["y"][-1] < 96


def test_attempts_that_ended_in_the_same_epoch_have_one_mark() -> None:
    """Which tells of each: of two marks at one place, the upper one would hide the other."""
    story = Story()
    for outcome, cause in (("lost", "its node is gone"), ("killed", "signal 9")):
        story.begin("node-a", "node-b")
        story.end(outcome, cause)
    story.begin("node-a", "node-b")
    story.learn(1, 2)
    loss, *_ = plots(render(story))
    (mark,) = (line for line in loss["data"] if line["name"] == "attempt ended")
    assert mark["x"] == [0.5]
    assert mark["text"] == [
        "attempt 1: lost<br>2 workers, in epoch 1<br>its node is gone"
        "<br>attempt 2: killed<br>2 workers, in epoch 1<br>signal 9"
    ]
    assert mark["marker"]["color"] == [ENDINGS["killed"]]


def test_steps_are_computing_and_exchange(page: str) -> None:
    """In milliseconds, for each epoch, by the steps that its attempt made of it."""
    _, _, timing, _ = plots(page)
    computing, exchange = timing["data"]
    assert (computing["name"], exchange["name"]) == ("computing", "exchange")
    seconds = 6 + math.sin(9)
    assert computing["y"][8] == pytest.approx(1000 * 0.8 * seconds / 330)
    assert exchange["y"][0] == pytest.approx(1000 * 0.2 * (6 + math.sin(1)) / 430)
    assert re.search(
        r"A step took [0-9.]+ ms in the mean, 20\.0 % of it in exchange with other workers, "
        r"and all workers together trained on [0-9,]+ examples/s\.",
        texts(page),
    )


def test_exchange_is_at_most_all_of_a_step() -> None:
    """Workers wait for each other after the last step of an epoch, too."""
    story = Story()
    story.begin("node-a", "node-b")
    story.learn(1, 1, sync_seconds=99.0)
    page = render(story)
    _, _, timing, _ = plots(page)
    computing, exchange = timing["data"]
    assert (computing["y"], exchange["y"]) == ([0.0], [pytest.approx(1000 * (6 + math.sin(1)) / 430)])
    assert "100.0 % of it in exchange with other workers" in texts(page)


def test_bytes_are_beside_those_of_whole_gradients(page: str) -> None:
    """On a logarithmic axis where they are far apart; epochs of a worker alone are a gap."""
    *_, bytes_sent = plots(page)
    dense, sent = bytes_sent["data"]
    assert (dense["name"], sent["name"], bytes_sent["layout"]["yaxis"]["type"]) == ("whole gradients", "sent", "log")
    assert dense["y"] == [2.2] * 4 + [None] * 4 + [2.2] * 7
    assert sent["y"][0] == pytest.approx(0.096)
    assert "All workers sent 457 MB, 1.89 % of the 24.2 GB that whole gradients take." in texts(page)


def test_a_few_classes_are_a_matrix(page: str) -> None:
    """Truths are lines; what was taken for what is told to whoever points at it."""
    assert "truth cat dog examples right cat 90 10 100 90.0 % dog 100 100 100.0 %" in texts(page)
    assert 'title="cat taken for dog: 10, 10.0 %"' in page


def test_many_classes_are_the_worst_of_them() -> None:
    """A thousand classes are a page, not a megabyte."""
    counts = [
        [5 if row == column else int(column == (row + 1) % 1000) for column in range(1000)] for row in range(1000)
    ]
    page = render(disturbed(), Result(confusion=confusion(counts, [])))
    assert "truth taken for examples of the truth 0 1 1 16.7 % 1 2 1 16.7 %" in texts(page)
    assert len(page) - len(render(disturbed())) < 20_000


def test_configuration_and_identity(page: str) -> None:
    """All that the result depends on, and what came out."""
    reader, seen = Reader(page), texts(page)
    assert any("name: threshold" in block and "epochs: 15" in block for block in reader.blocks)
    assert f"data, SHA-256 {'d' * 64} code, SHA-256 none: nothing was shipped" in seen
    assert f"model at the start, SHA-256 {'e' * 64} model file, SHA-256 {'f' * 64}" in seen
    assert "Python 3.11.9 tinderbox 0.1.0 keras 3.15.0" in seen


def test_a_regression_has_errors_in_place_of_shares() -> None:
    """A metric that is the loss has no plot of its own, and there is no confusion; one worker sends nothing."""
    story = Story(1, 4)
    story.begin("node-a")
    story.learn(1, 4, regressed)
    page = render(story, epochs=4, workers=1)
    assert Reader(page).headings == [
        "Scores", "Loss", "Mean absolute error", "Step time", "Bytes sent", "Attempts", "Configuration", "Identity",
    ]  # fmt: skip
    seen = texts(page)
    assert "Mean absolute error 0.866 — Mean squared error 0.75 0.85" in seen
    assert "Nothing was sent: a worker alone has nobody to exchange with." in seen
    assert len(plots(page)) == 3


def test_one_epoch_without_validation() -> None:
    """Is the best and the last, and has no ring."""
    story = Story(1, 1)
    story.begin("node-a")
    story.learn(1, 1, lambda _: {"loss": 0.5})
    page = render(story)
    assert "epoch 1, the best and the last Loss 0.5" in texts(page)
    loss, *_ = plots(page)
    assert [line["name"] for line in loss["data"]] == ["training"]


def test_a_training_that_diverged() -> None:
    """Has gaps in place of what is not finite, and no best epoch."""
    story = Story(2, 2)
    story.begin("node-a", "node-b")
    story.learn(1, 2, lambda _: {"loss": math.nan, "val_loss": math.inf})
    story.end("failed", "loss is nan; lower the learning rate")
    page = render(story)
    seen = texts(page)
    assert "best epoch — no value is finite" in seen
    assert "epoch 2, the last training validation Loss NaN ∞" in seen
    assert "Attempt 1 ended on 2026-05-28 20:26 UTC: loss is nan; lower the learning rate. The same command" in seen
    loss, *_ = plots(page)
    assert [line["name"] for line in loss["data"]] == ["attempt ended"]


@pytest.mark.parametrize(("outcome", "state"), [("failed", "failed"), ("released", "stopped")])
@pytest.mark.parametrize(("is_kept", "again"), [(True, "goes on from the last checkpoint"), (False, "begins anew")])
def test_the_same_command_goes_on_from_a_checkpoint_if_there_is_one(
    outcome: str, state: str, is_kept: bool, again: str
) -> None:
    """And what failed says so."""
    story = Story()
    story.begin("node-a", "node-b")
    if is_kept:
        story.learn(1, 1)
        at = {"attempt": 1, "epoch": 1, "examples": 0, "step": story.step, "parts": {0: "a" * 64}, "size": 8}
        story.events.append(CheckpointKept(time=story.now, **at))
    story.end(outcome, "why")
    seen = texts(render(story))
    assert f"lenet {state} Attempt 1 ended on" in seen
    assert f"why. The same command {again}" in seen


def test_while_it_runs() -> None:
    """The page says of when it is, and counts what there is."""
    story = Story()
    story.begin("node-a", "node-b")
    story.learn(1, 2)
    seen = texts(render(story))
    assert "lenet running Not ended yet: this page shows the training as it was on 2026-05-28 20:26 UTC." in seen
    assert "epochs 2 of 15" in seen
    assert "1 running — 2 on node-a, node-b the beginning 2 epochs" in seen
    assert "model file, SHA-256 none yet" in seen


def test_before_anything() -> None:
    """A training without an attempt, or without an epoch, renders and says so."""
    page = render(Story())
    assert plots(page) == []
    seen = texts(page)
    assert "No epoch has ended yet." in seen
    assert "No attempt has begun yet." in seen
    assert "best epoch — none has ended yet" in seen
    story = Story()
    story.events.clear()
    assert "lenet waiting No driver has taken this training over yet." in texts(render(story))


def test_everything_that_comes_from_outside_is_escaped() -> None:
    """Causes, tracebacks, nodes, classes, metrics and names that are HTML stay texts."""
    story = Story()
    story.begin(EVIL, EVIL)
    story.learn(1, 1, lambda _: {"loss": 1.0, EVIL: 2.0})
    story.end("lost", EVIL, EVIL, 0, EVIL)
    shown = Result(EVIL, {EVIL: 1.0}, confusion([[1, 2], [3, 4]], [EVIL, EVIL]))
    page = render(story, shown, model={"build": "module:build", "parameters": {EVIL: EVIL}})
    reader = Reader(page)
    assert "img" not in reader.tags
    assert reader.fetched == []
    loss, other, *_ = plots(page)
    assert "<img" not in json.dumps([loss, other])


def test_a_report_is_written_from_what_is_in_the_folder(tmp_path: Path) -> None:
    """The record, the counts with their classes, scores and the model file's digest."""
    folder = TrainFolder(str(tmp_path), "lenet")
    job = make_train_job().model_dump(mode="json", exclude_none=True)
    folder.write_job(job, Run("lenet", digest_tree(job), "", "", "3.11.9", {}))
    write_training_report(folder)
    assert "No driver has taken this training over yet." in texts(folder.read("report.html").decode())
    log = folder.log()
    log.append(disturbed().lines)
    log.close()
    folder.write(CONFUSION, b"[[3, 1], [0, 4]]")
    folder.write(CLASSES, b'["cat", "dog"]')
    folder.write(TEST, b'{"top1": 0.5}')
    folder.write(MODEL, b"model")
    write_training_report(folder)
    seen = texts(folder.read("report.html").decode())
    assert "cat 3 1 4 75.0 %" in seen
    assert "test top 1 50.00 %" in seen
    assert "model file, SHA-256 9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4" in seen


def test_a_report_of_nothing(tmp_path: Path) -> None:
    """There must be a training."""
    with pytest.raises(BadInput, match="training 'lenet'"):
        write_training_report(TrainFolder(str(tmp_path), "lenet"))
