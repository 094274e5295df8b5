"""All plots of a study, each twice from the same data: by plotly for the page, by matplotlib for PNG files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tinderbox.config import SweepJob
from tinderbox.errors import BadInput
from tinderbox.report import boxes, front, sensitivity, timeline
from tinderbox.report.colors import ACCENT, BEST, GRID, INK, SCALE
from tinderbox.report.export import quiet, to_optuna
from tinderbox.report.zoom import zoomed
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go
    from matplotlib.figure import Figure

_FUNCTIONS = {
    "history": "plot_optimization_history",
    "parallel-coordinates": "plot_parallel_coordinate",
    "importances": "plot_param_importances",
}
"""Optuna's functions: its modules for plotly and for matplotlib name them alike."""

_ABOUT = {
    "front": (
        "Front",
        "Every complete trial by the first two objectives. Those on the front are worth a choice: "
        "no feasible one is as good in every objective and better in one.",
    ),
    "sensitivity": (
        "Sensitivity",
        "Every point is a complete trial; where trials differ in further parameters, the best of them.",
    ),
    "zoom": boxes.ABOUT,
    "history": ("History", "The value of every complete trial, and the best one so far."),
    "parallel-coordinates": (
        "Parallel coordinates",
        "One line per complete trial, from gray for the worst to orange for the best.",
    ),
    "importances": (
        "Importances",
        "How much each parameter decides whether a trial is among the best tenth (PED-ANOVA by Optuna).",
    ),
    "timeline": ("Slot timeline", "One bar per attempt, a row per slot; point at a bar to see its trial."),
}

_INFEASIBLE = {
    "sensitivity": " Trials that break a constraint are left out.",
    "history": " Gray ones break a constraint.",
    "parallel-coordinates": " Dotted ones break a constraint.",
}
"""What is said besides where there are constraints."""


@dataclass(frozen=True)
class Plot:
    """One plot of the page: `sentence` says what it shows, or why there is no `figure`, and `notes` what a color is."""

    name: str
    title: str
    sentence: str
    figure: go.Figure | None
    notes: Sequence[tuple[str, str]] = ()


def figures(study: Study, job: SweepJob) -> list[Plot]:
    """Return all plots of a study, in the order of the page; one with a single objective has no front."""
    shown, choice = to_optuna(study, _by_metric(job)), front.tradeoff(study)
    curves, bars = sensitivity.curves(study, job), timeline.bars(study)
    rounds = zoomed(study, job)
    drawn = {
        **({"front": front.draw_figure(choice) if choice else front.NOTHING} if job.objectives else {}),
        "sensitivity": sensitivity.draw_figure(curves) if curves else sensitivity.NOTHING,
        **({"zoom": boxes.draw_figure(rounds) if rounds else boxes.NOTHING} if job.search.zoom else {}),
        **{kind: _figure(kind, shown, escape(job.metric.name)) for kind in _FUNCTIONS},
        "timeline": timeline.draw_figure(bars) if bars else timeline.NOTHING,
    }
    notes = {"zoom": boxes.notes(rounds)} if rounds else {}
    return [replace(_plot(name, figure, job), notes=notes.get(name, ())) for name, figure in drawn.items()]


def _plot(name: str, figure: go.Figure | str, job: SweepJob) -> Plot:
    title, about = _ABOUT[name]
    if isinstance(figure, str):
        return Plot(name, title, figure, None)
    return Plot(name, title, about + (_INFEASIBLE.get(name, "") if job.constraints else ""), figure)


def _by_metric(job: SweepJob) -> SweepJob:
    """Return a job without its further objectives: most plots have one axis for a value."""
    return job.model_copy(update={"objectives": None})


def save_pictures(study: Study, job: SweepJob, folder: Path) -> list[Path]:
    """Write every plot that has data as a PNG file into a folder, which is made where it is missing.

    Raises:
        BadInput: The folder cannot be written to.
    """
    import matplotlib

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            matplotlib.rc_context({"axes.grid": True, "axes.axisbelow": True, "grid.color": GRID}),
            _borrowed_pyplot(),
        ):
            pictures = _pictures(study, job)
            for name, picture in pictures.items():
                picture.savefig(folder / f"{name}.png", dpi=150, bbox_inches="tight")
    except OSError as error:
        raise BadInput(f"{folder}: pictures cannot be written: {error.strerror}; give a folder to write to") from error
    return [folder / f"{name}.png" for name in pictures]


def _pictures(study: Study, job: SweepJob) -> dict[str, Figure]:
    """Return matplotlib figures, ours first: Optuna's functions change the style of what is drawn after them."""
    import optuna.visualization.matplotlib
    from matplotlib.figure import Figure

    pictures: dict[str, Figure] = {}
    if curves := sensitivity.curves(study, job):
        pictures["sensitivity"] = Figure(figsize=(8, 5))
        sensitivity.draw_axes(curves, pictures["sensitivity"].subplots())
    if bars := timeline.bars(study):
        pictures["timeline"] = Figure(figsize=(10, timeline.height(bars) / 100))
        timeline.draw_axes(bars, pictures["timeline"].subplots())
    if rounds := zoomed(study, job):
        pictures["zoom"] = Figure(figsize=(9, 6))
        boxes.draw_axes(rounds, pictures["zoom"].subplots())
    if job.objectives and (choice := front.tradeoff(study)):
        pictures["front"] = Figure(figsize=(8, 5))
        front.draw_axes(choice, pictures["front"].subplots())
    shown = to_optuna(study, _by_metric(job))
    for kind in _FUNCTIONS:
        axes = _ask_optuna(kind, shown, optuna.visualization.matplotlib, job.metric.name)
        if not isinstance(axes, str):
            pictures[kind] = axes.figure
            _restyle(axes.figure, job.metric.direction == "maximize")
            if kind == "history":
                axes.grid(color=GRID)
    return pictures


def _restyle(figure: Figure, maximize: bool) -> None:
    """Take away the gray ground that Optuna's style brings along, and colors that vanish on white."""
    from matplotlib.colors import LinearSegmentedColormap

    figure.set_size_inches(9, 5)
    for axes in figure.axes:
        axes.set_facecolor("white")
        axes.grid(False)
        for place in ("center", "left"):
            axes.set_title("", loc=place)
        for collection in axes.collections:
            if collection.get_array() is not None:
                collection.set(alpha=0.6, linewidth=1)
                collection.set_cmap(LinearSegmentedColormap.from_list("best", SCALE if maximize else SCALE[::-1]))


@contextmanager
def _borrowed_pyplot() -> Iterator[None]:
    """Let Optuna draw by pyplot without a display, and leave pyplot as it was."""
    import matplotlib
    from matplotlib import pyplot

    chosen = matplotlib.get_backend(auto_select=False)
    known = pyplot.get_fignums()
    if chosen:  # where none is, pyplot chooses one that works here
        pyplot.switch_backend("agg")
    try:
        yield
    finally:
        for number in set(pyplot.get_fignums()).difference(known):
            pyplot.close(number)
        if chosen:
            pyplot.switch_backend(chosen)


def _ask_optuna(kind: str, shown: optuna.Study, library: ModuleType, metric: str) -> Any:
    """Return Optuna's plot from one of its two modules, or the sentence why there is none."""
    complete = [trial for trial in shown.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    values: dict[str, set[Any]] = {}
    for trial in complete:
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    varied = [name for name, found in values.items() if len(found) > 1]
    if reason := _missing(kind, len(complete), varied):
        return reason
    arguments = {} if kind == "history" else {"params": varied}
    with quiet(), warnings.catch_warnings():
        # Optuna warns where it has too few trials to say anything: its warning is the sentence.
        warnings.simplefilter("error", UserWarning)
        try:
            return getattr(library, _FUNCTIONS[kind])(shown, target_name=metric, **arguments)
        except (UserWarning, ValueError, RuntimeError) as reason:
            return str(reason)


def _missing(kind: str, complete: int, varied: list[str]) -> str:
    if not complete:
        return "No trial is complete yet."
    if kind == "history":
        return ""
    if not varied:
        return "No parameter took two values in complete trials yet."
    if kind == "importances" and len(varied) == 1:
        return f"Only {varied[0]} took more than one value, so all the importance is its own."
    return ""


def _figure(kind: str, shown: optuna.Study, metric: str) -> Any:
    """Return Optuna's plotly figure in our colors, or the sentence why there is none."""
    import optuna.visualization

    figure = _ask_optuna(kind, shown, optuna.visualization, metric)
    if isinstance(figure, str):
        return figure
    if kind == "history":
        figure.update_traces(marker={"color": ACCENT, "size": 7}, selector={"mode": "markers", "name": metric})
        figure.update_traces(marker={"color": INK, "size": 7}, selector={"name": "Infeasible Trial"})
        figure.update_traces(line={"color": BEST, "width": 2, "shape": "hv"}, selector={"mode": "lines"})
    elif kind == "importances":
        figure.update_traces(marker={"color": ACCENT}, width=0.5)
        figure.update_layout(height=140 + 44 * len(figure.data[0].y), yaxis={"title": None})
    else:
        _recolor(figure, shown.direction.name == "MAXIMIZE")
    figure.update_layout(title=None)
    return figure


def _recolor(figure: go.Figure, maximize: bool) -> None:
    """Color the lines of parallel coordinates by rank, the best on top, so that they show on black and on white."""
    from plotly.colors import sample_colorscale

    # The others are the scale of Optuna's colors, and what explains its dots.
    lines = [trace for trace in figure.data if trace.mode == "lines" and trace.y[0] is not None]
    # The first coordinate of a line is its value, scaled to 0 to 1; dotted ones are not feasible.
    ranked = sorted(lines, key=lambda line: (line.line.dash != "dot", line.y[0] if maximize else -line.y[0]))
    shares = [index / max(len(ranked) - 1, 1) for index in range(len(ranked))]
    for line, color in zip(ranked, sample_colorscale(SCALE, shares), strict=True):
        line.line.color = color
    ranked[-1].update(line={"width": 3}, opacity=1)
    figure.data = ranked
    figure.layout.plot_bgcolor = None
    figure.for_each_annotation(lambda label: label.update(text=escape(label.text), font_color=None))
