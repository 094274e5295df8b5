"""What a batch inference has left is read again, and its report written anew."""

from __future__ import annotations

import pytest

from tinderbox.api.labelled import keep_choice, open_rows, report_anew, write_report
from tinderbox.config import check_infer
from tinderbox.errors import BadInput
from tinderbox.inference.probe import Choice
from tinderbox.storage.rows import RowsFolder


def place(folder: RowsFolder) -> str:
    """Return the storage of a run."""
    return folder.root.rpartition("/")[0]


def test_the_version_that_was_started_last_is_opened(labelled: RowsFolder) -> None:
    """Rows of another model are not added to these."""
    found = open_rows("photos", place(labelled))
    assert (found.summary.rows, found.summary.labelled, found.done.rows) == (3, 2, 0)
    assert found.summary.truth.accuracy == 0.5
    assert (found.rows, found.report) == (labelled.rows, labelled.path("report.html"))


def test_a_report_is_written_anew(labelled: RowsFolder) -> None:
    """It is the same that the run wrote, byte for byte, from nothing but its folder."""
    keep_choice(labelled, Choice(64, True))
    summary = write_report(labelled, check_infer(labelled.read_job(), "test"), labelled.read_run())
    written = labelled.read("report.html")
    labelled.remove("report.html")
    assert report_anew("photos", place(labelled)).summary == summary
    assert labelled.read("report.html") == written
    for told in ("m.keras, cccccccccccc", labelled.rows, "2 slots of 1 core, 64 rows at a time, compiled by XLA"):
        assert told in written.decode()


def test_a_report_of_what_has_not_got_far(labelled: RowsFolder) -> None:
    """Neither rows nor a batch size are there yet; what is left out of the report is not known."""
    for name in [*labelled.names("summaries"), *labelled.names("rows")]:
        labelled.remove(name)
    assert report_anew("photos", place(labelled)).summary.rows == 0
    assert "No row has been labelled yet." in labelled.read("report.html").decode()
    assert "rows at a time" not in labelled.read("report.html").decode()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("run.json", b"{", "batch inference 'photos': its run.json cannot be read: "),
        ("run.json", b'{"name": "photos"}', "batch inference 'photos': its run.json cannot be read: "),
        ("run.json", None, "batch inference 'photos': its run.json cannot be read: "),
        ("infer.yaml", b"kind: infer", "batch inference photos: "),
        ("infer.yaml", None, "there is no batch inference 'photos' in "),
        ("summaries/0123456789ab/batch-000001.json", b"{", "the summary cannot be read: "),
    ],
)
def test_what_is_damaged_is_told(name: str, content: bytes | None, sentence: str, labelled: RowsFolder) -> None:
    """In one sentence, and the report that is there stays."""
    labelled.write("report.html", b"before")
    if content is None:
        labelled.remove(name)
    else:
        labelled.write(name, content)
    with pytest.raises(BadInput) as refused:
        report_anew("photos", place(labelled))
    assert sentence in str(refused.value)
    assert labelled.read("report.html") == b"before"
