"""What a batch inference leaves behind: rows, their summary, a report."""

from __future__ import annotations

import json

from tinderbox.api.recipes import features_of
from tinderbox.config import InferJob, check_infer
from tinderbox.inference.probe import Choice
from tinderbox.inference.summary import Summary, from_json, merge
from tinderbox.report import render_labels
from tinderbox.report.wording import count
from tinderbox.run import Run
from tinderbox.storage.rows import RowsFolder

REPORT = "report.html"


class InferResult:
    """The outcome of a batch inference: `summary` of all rows of this version, `done` of those of this run."""

    def __init__(self, folder: RowsFolder, summary: Summary, done: Summary | None = None) -> None:
        self.folder, self.summary, self.done = folder, summary, done or Summary()

    @property
    def rows(self) -> str:
        """The folder of the rows."""
        return self.folder.rows

    @property
    def report(self) -> str:
        """The path of the HTML report."""
        return self.folder.path(REPORT)


def open_rows(name: str, storage: str = "studies") -> InferResult:
    """Return a batch inference that was run before, or is running: the version that it was started with last.

    Raises:
        BadInput: There is no such batch inference, or what it has left is damaged.
    """
    _, _, folder = _reopen(name, storage)
    return InferResult(folder, summary_of(folder))


def report_anew(name: str, storage: str = "studies") -> InferResult:
    """Write the report of a batch inference that was run before, or is running, from what it has left.

    Raises:
        BadInput: There is no such batch inference, or what it has left is damaged.
    """
    job, run, folder = _reopen(name, storage)
    return InferResult(folder, write_report(folder, job, run))


def _reopen(name: str, storage: str) -> tuple[InferJob, Run, RowsFolder]:
    folder = RowsFolder(storage, name)
    job, run = check_infer(folder.read_job(), f"batch inference {name}"), folder.read_run()
    return job, run, RowsFolder(storage, name, run.data[:12], job.output.format)


def summary_of(folder: RowsFolder) -> Summary:
    """Return the summary of all rows of a version."""
    return merge(map(from_json, folder.summaries()))


def write_report(folder: RowsFolder, job: InferJob, run: Run) -> Summary:
    """Write the report of all rows of a version, and return their summary."""
    summary = summary_of(folder)
    named = job.predict or (job.model and job.model.told)
    facts = {
        "model": f"{named}, {run.code[:12]}",
        "input": job.input.path,
        "rows": folder.rows,
        "workers": f"{count(job.slots, 'slot')} of {count(job.cores, 'core')}{_batches(folder)}",
    }
    unit = "rows" if features_of(job) else "images"
    folder.write(REPORT, render_labels(summary, job.name, facts, unit).encode())
    return summary


def keep_choice(folder: RowsFolder, choice: Choice) -> None:
    """Keep in what batches rows are predicted, which the report tells."""
    folder.write(_choice_file(folder), json.dumps({"batch": choice.batch, "xla": choice.xla}).encode())


def _batches(folder: RowsFolder) -> str:
    if not folder.has(_choice_file(folder)):
        return ""
    choice = json.loads(folder.read(_choice_file(folder)))
    return f", {choice['batch']} rows at a time{', compiled by XLA' if choice['xla'] else ''}"


def _choice_file(folder: RowsFolder) -> str:
    return f"batch-{folder.version}.json"
