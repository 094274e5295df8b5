"""The commands that show what runs have left, studies and batch inferences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder

Tinderbox = Callable[..., Result]


def test_report_is_written_anew(tinderbox: Tinderbox, recorded: StudyFolder) -> None:
    """`report` writes page and export, and says where; with --png, pictures too."""
    result = tinderbox("report", "small", "--png")
    assert result.exit_code == 0, result.stderr
    assert "best of 5 trials of study small" in result.stdout
    pictures = [line for line in result.stdout.splitlines() if line.endswith(".png")]
    assert pictures
    assert all(Path(picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert f"report     {recorded.path('report.html')}" in result.stdout.splitlines()
    assert recorded.has("optuna.log")


def test_studies_are_listed(tinderbox: Tinderbox, recorded: StudyFolder, tmp_path: Path) -> None:
    """One row for each study; one that cannot be read does not hide the others."""
    damaged = tmp_path / "studies" / "damaged"
    (damaged / "events").mkdir(parents=True)
    (damaged / "job.yaml").write_bytes(recorded.read("job.yaml").replace(b"name: small", b"name: damaged"))
    (damaged / "events" / "000001-000000.jsonl").write_text("no event\n\n")
    for name, job in {
        "broken": b"a: [1\nb: 2\n",
        "empty": b"",
        "binary": b"\xff\xfe\xfa",
        "other": b"kind: train",
    }.items():
        (tmp_path / "studies" / name).mkdir()
        (tmp_path / "studies" / name / "job.yaml").write_bytes(job)
    result = tinderbox("studies")
    assert result.exit_code == 0, result.stderr
    assert "damaged: the record is damaged: line 1 of segment 1 is no event" in result.stdout
    told = [line.partition(": ")[0] for line in result.stdout.splitlines() if ": " in line]
    assert told == ["binary", "broken", "damaged", "empty", "other"]
    assert "broken: study 'broken': its job.yaml is not YAML: while parsing a flow sequence" in result.stdout
    assert "empty: study 'empty': its job.yaml holds no job, got None; move " in result.stdout
    row = next(line for line in result.stdout.splitlines() if "small" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][:4] == ["small", "5", "2", "0.25"]


def test_no_studies(tinderbox: Tinderbox, tmp_path: Path) -> None:
    """A folder that is not there holds no studies, and is not made."""
    result = tinderbox("studies", "--storage", "nowhere")
    assert result.exit_code == 0, result.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("recorded")
def test_logs_of_a_trial(tinderbox: Tinderbox) -> None:
    """The newest attempt's output, or another one's, on stdout as it was."""
    assert tinderbox("logs", "small", "--trial", 2).stdout == "second attempt\nTraceback\nValueError: no\n"
    assert tinderbox("logs", "small", "--trial", 2, "--attempt", 1).stdout == "first attempt\n"


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["logs", "small", "--trial", "9"], "study 'small' has trials 0 to 4, got 9"),
        (["logs", "small", "--trial", "2", "--attempt", "3"], "trial 2 has attempts 1 to 2, got 3"),
        (["logs", "smal", "--trial", "2"], "there is no study, batch inference or training 'smal' in "),
        (["report", "smal"], "there is no study, batch inference or training 'smal' in "),
        (["report", "small", "--storage", "nonsense://x"], "storage 'nonsense://x' cannot be opened"),
    ],
)
def test_what_is_not_there(tinderbox: Tinderbox, arguments: list[str], sentence: str) -> None:
    """Unknown studies, trials and attempts are bad input."""
    result = tinderbox(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert sentence in result.stderr


def test_the_environment_names_the_storage(
    tinderbox: Tinderbox, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the chart puts into TINDERBOX_STORAGE is where studies are looked for."""
    monkeypatch.setenv("TINDERBOX_STORAGE", recorded.root.rpartition("/")[0])
    assert "first attempt" in tinderbox("logs", "small", "--trial", "2", "--attempt", "1").stdout


def cells(line: str) -> list[str]:
    """Return what is in a line of a table."""
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_report_of_a_batch_inference_is_written_anew(tinderbox: Tinderbox, labelled: RowsFolder) -> None:
    """From its folder, and what it has labelled is told as when it ended."""
    result = tinderbox("report", "photos")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "in all: 3 rows, 1 with an error, 0.5 rows/s",
        "errors: 1 no",
        "accuracy: 50.00% of 2 rows whose label is known",
        f"rows: {labelled.rows}",
        f"report: {labelled.path('report.html')}",
    ]
    assert b"<h1>photos</h1>" in labelled.read("report.html")


def test_a_report_of_a_training_is_written_anew(tinderbox: Tinderbox, trained: TrainFolder) -> None:
    """From its folder, and what it has left is told as when it ended."""
    result = tinderbox("report", "lenet")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "training lenet: 2 epochs, mode synchronous" in result.stdout
    assert f"report     {trained.path('report.html')}" in result.stdout
    assert b"lenet" in trained.read("report.html")


@pytest.mark.usefixtures("labelled")
def test_trainings_are_listed(tinderbox: Tinderbox, trained: TrainFolder, tmp_path: Path) -> None:
    """Below the others; one that has not begun has no best epoch, and one that is damaged hides none."""
    for name, record in (("young", b""), ("broken", b"no event\n\n")):
        folder = TrainFolder(str(tmp_path / "studies"), name)
        folder.write("train.yaml", trained.read("train.yaml"))
        folder.write("events/000001-000000.jsonl", record)
    result = tinderbox("studies")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "broken: the record is damaged: line 1 of segment 1 is no event" in result.stdout
    rows = {cells(line)[0]: cells(line)[1:4] for line in result.stdout.splitlines() if line.startswith("│")}
    assert rows["lenet"] == ["2/2", "2", "val_top1 0.7"]
    assert rows["young"] == ["0/2", "0", ""]
    assert "photos" in rows
    assert "study" not in result.stdout


@pytest.mark.usefixtures("trained")
def test_logs_of_a_worker(tinderbox: Tinderbox) -> None:
    """Worker 0 of the newest attempt, or another one, and how the attempt ended by it."""
    assert tinderbox("logs", "lenet").stdout == "worker 0 in attempt 2\n"
    assert tinderbox("logs", "lenet", "--worker", 1, "--attempt", 1).stdout == "worker 1 in attempt 1\nKilled\n"


@pytest.mark.usefixtures("trained", "recorded", "labelled")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report", "lenet", "--png"], "--png is for a study's plots, and lenet is a training; leave it out"),
        (["logs", "lenet", "--trial", "2"], "lenet is a training, which has no trials; name a worker: --worker 0"),
        (["logs", "lenet", "--worker", "1"], "attempt 2 has workers 0, got 1"),
        (["logs", "small", "--worker", "1"], "small is a study, which has no workers; name a trial: --trial 0"),
        (
            ["logs", "photos", "--worker", "1"],
            "photos is a batch inference, which has no workers; leave --worker out, and add --cluster",
        ),
        (
            ["logs", "lenet", "--worker", "1", "--trial", "1"],
            "--trial is for a study and --worker for a training; name one of them",
        ),
        (["logs", "small"], "--trial must name a trial, got none; a driver's own log is on a cluster: --cluster"),
    ],
)
def test_what_a_run_has_not(tinderbox: Tinderbox, arguments: list[str], sentence: str) -> None:
    """Trials are a study's, workers a training's."""
    result = tinderbox(*arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"tinderbox: {sentence}\n")


@pytest.mark.usefixtures("labelled")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report", "photos", "--png"], "--png is for a study's plots, and photos is a batch inference; leave it out"),
        (
            ["logs", "photos", "--trial", "2"],
            "photos is a batch inference, which has no trials; leave --trial out, and add --cluster",
        ),
    ],
)
def test_what_a_batch_inference_has_not(tinderbox: Tinderbox, arguments: list[str], sentence: str) -> None:
    """Trials and their plots are a study's."""
    result = tinderbox(*arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"tinderbox: {sentence}\n")


def test_batch_inferences_are_listed(
    tinderbox: Tinderbox, labelled: RowsFolder, recorded: StudyFolder, tmp_path: Path
) -> None:
    """Below the studies; one that cannot be read does not hide the others, and one may have no rows yet."""
    for name in ("broken", "young"):
        folder = RowsFolder(str(tmp_path / "studies"), name)
        folder.write("infer.yaml", labelled.read("infer.yaml"))
        folder.write("run.json", b"{" if name == "broken" else labelled.read("run.json"))
    result = tinderbox("studies")
    assert (result.exit_code, result.stderr) == (0, "")
    told = [line for line in result.stdout.splitlines() if ": " in line]
    assert len(told) == 1
    assert told[0].startswith("broken: batch inference 'broken': its run.json cannot be read: ")
    rows = {found[0]: found[1:] for found in map(cells, result.stdout.splitlines()) if len(found) == 5}
    assert rows["photos"][:3] == ["3", "1", "50.00%"]
    assert rows["photos"][3].startswith("2026-05-2")
    assert rows["young"] == ["0", "0", "", ""]
    assert rows["small"][:3] == ["5", "2", "0.25"]
    tables = [found for found in result.stdout.splitlines() if found.startswith("┏")]
    assert len(tables) == 2


@pytest.mark.usefixtures("labelled")
def test_only_batch_inferences(tinderbox: Tinderbox) -> None:
    """Where there are no studies, there is no table of them."""
    heads = [line for line in tinderbox("studies").stdout.splitlines() if line.startswith("┃")]
    assert [head.strip("┃").split("┃")[0].strip() for head in heads] == ["batch inference"]
