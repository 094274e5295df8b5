"""What a batch inference leaves behind: rows, their summary, a report."""

from __future__ import annotations

from tinderbox.api.inference import InferPlan
from tinderbox.inference.probe import Choice
from tinderbox.inference.summary import Summary, from_json, merge
from tinderbox.report import render_labels
from tinderbox.storage.rows import RowsFolder

REPORT = "report.html"


class InferResult:
    """The outcome of a batch inference: `summary` of all rows of this version, `done` of those of this run."""

    def __init__(self, folder: RowsFolder, summary: Summary, done: Summary) -> None:
        self.folder, self.summary, self.done = folder, summary, done

    @property
    def rows(self) -> str:
        """The folder of the rows."""
        return self.folder.rows

    @property
    def report(self) -> str:
        """The path of the HTML report."""
        return self.folder.path(REPORT)


def report(plan: InferPlan, folder: RowsFolder, choice: Choice) -> Summary:
    """Write the report of all rows of this version, and return their summary."""
    summary = merge(map(from_json, folder.summaries()))
    compiled = ", XLA" if choice.xla else ""
    facts = {
        "model": f"{plan.recipe.model[:12]}{f', {plan.recipe.predict}' if plan.recipe.predict else ''}",
        "input": plan.job.input.path,
        "rows": folder.rows,
        "batch": f"{choice.batch} rows{compiled}, {plan.job.slots} slots of {plan.job.cores} cores",
    }
    unit = "rows" if plan.recipe.features else "images"
    folder.write(REPORT, render_labels(summary, plan.job.name, facts, unit).encode())
    return summary
