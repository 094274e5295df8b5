"""The report of a study as one HTML file."""

from __future__ import annotations

import yaml

from tinderbox.config import SweepJob
from tinderbox.models.gain import Gain
from tinderbox.report import summary, table
from tinderbox.report.edges import edges
from tinderbox.report.plots import figures
from tinderbox.report.template import fill
from tinderbox.run import Run
from tinderbox.sweeping.study import Study


def render(study: Study, job: SweepJob, run: Run, gain: Gain | None) -> str:
    """Return the page; it can be rendered at any time, also of a study that runs or of which nothing succeeded."""
    state, sentence = summary.standing(study)
    return fill(
        "page.html.j2",
        job=job,
        study=study,
        state=state,
        sentence=sentence,
        tiles=summary.tiles(study, job),
        states=summary.states(study),
        comparison=summary.compare(gain) if gain and study.best is not study.baseline else None,
        no_gain=summary.missing_gain(study, job),
        confirmed=summary.confirmed(study),
        edges=edges(study, job),
        plots=figures(study, job),
        head=table.head(job),
        rows=table.rows(study, job),
        failures=table.failures(study),
        configuration=yaml.safe_dump(job.model_dump(mode="json", exclude_none=True), sort_keys=False),
        identity=_identity(study, job, run),
    )


def _identity(study: Study, job: SweepJob, run: Run) -> list[tuple[str, str]]:
    """Return what the result depends on, by name."""
    chosen = {"best trial": study.best, "default parameters": study.baseline}
    seeds = "".join(f", {name} {trial.seed}" for name, trial in chosen.items() if trial)
    return [
        ("run", run.name),
        ("configuration, SHA-256", run.configuration or "none"),
        ("data, SHA-256", run.data or "none"),
        ("code, SHA-256", run.code or "none: the objective is installed, not shipped"),
        ("seeds", f"study {job.seed}{seeds}"),
        ("Python", run.python),
        *run.versions.items(),
    ]
