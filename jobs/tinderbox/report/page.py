"""The report of a study as one HTML file that needs nothing else: no network, no server, no other file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tinderbox.config import SweepJob
from tinderbox.models.gain import Gain
from tinderbox.report import summary, table
from tinderbox.report.edges import edges
from tinderbox.report.plots import figures
from tinderbox.run import Run
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from markupsafe import Markup


def render(study: Study, job: SweepJob, run: Run, gain: Gain | None) -> str:
    """Return the page; it can be rendered at any time, also of a study that runs or of which nothing succeeded."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["figure"] = _embed
    state, sentence = summary.standing(study)
    return environment.get_template("page.html.j2").render(
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
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - a library, not a user's text
    )


def _embed(figure: go.Figure) -> Markup:
    """Return a figure as JSON that no text inside it can end: a script element ends at the first `</script`."""
    from markupsafe import Markup

    figure.layout.template = None  # the page has its own, in the reader's colors
    return Markup(figure.to_json().replace("<", "\\u003c"))  # noqa: S704 - escaped in this line


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
