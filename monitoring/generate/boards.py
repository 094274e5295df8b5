"""What the dashboards have around their panels: variables, links to one another, and alerts as annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitoring.generate.panels import SOURCE


@dataclass(frozen=True)
class Board:
    """One dashboard: its name, the variable that says what it shows, and its link to the others."""

    name: str
    subject: str

    @property
    def uid(self) -> str:
        """What links and bookmarks know it by."""
        return f"tinderbox-{self.name.lower()}"


STUDY = Board("Study", "study")
NODES = Board("Nodes", "run")
TRAINING = Board("Training", "training")
INFERENCE = Board("Inference", "inference")
SPARK = Board("Spark", "run")
BOARDS = (STUDY, TRAINING, INFERENCE, NODES, SPARK)


def make(
    board: Board,
    what: str,
    variables: Sequence[Builder[VariableModel]],
    alerts: str,
    sections: Mapping[str, Sequence[Builder[Panel]]],
    marks: Mapping[str, str] | None = None,
) -> Dashboard:
    """Return a dashboard with a row for each section.

    `alerts` selects those that it marks in red, within the namespace; `marks` are names and queries of other mishaps.
    """
    made = dashboard.Dashboard(f"Tinderbox / {board.name}").uid(board.uid).description(what).tags(["tinderbox"])
    made = made.time("now-3h", "now").refresh("30s").tooltip(DashboardCursorSync.CROSSHAIR)
    made = made.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for variable in (chosen("namespace", "Namespace", "label_values(tinderbox_pod_info, namespace)"), *variables):
        made = made.with_variable(variable)
    for other in BOARDS:
        if other is not board:
            made = made.link(_link(board, other))
    made = made.annotation(_alerts(alerts))
    for name, query in (marks or {}).items():
        made = made.annotation(_mark(name, query))
    for title, panels in sections.items():
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(panel)
    return _numbered(made.build())


def chosen(name: str, label: str, query: str, *, several: bool = False, regex: str = "") -> dashboard.QueryVariable:
    """Return a variable whose values Prometheus knows: the first one is chosen, or all where there may be several."""
    variable = dashboard.QueryVariable(name).label(label).query(query).datasource(SOURCE).regex(regex)
    variable = variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if several:
        everything = VariableOption(selected=True, text="All", value="$__all")
        variable = variable.multi(True).include_all(True).all_value(".*").current(everything)
    return variable


def _link(here: Board, there: Board) -> dashboard.DashboardLink:
    """Keep time and variables; a study, batch inference or training is the run of its nodes and of its Spark."""
    carried = f"?var-{there.subject}=${{{here.subject}}}" if there.subject == "run" != here.subject else ""
    link = dashboard.DashboardLink(there.name).type(DashboardLinkType.LINK).url(f"/d/{there.uid}{carried}")
    return link.tooltip(f"The same namespace and time in {there.name}").include_vars(True).keep_time(True)


def _alerts(selector: str) -> dashboard.AnnotationQuery:
    query = f'ALERTS{{alertname=~"Tinderbox.*", alertstate="firing", namespace="$namespace", {selector}}}'
    return _mark("Alerts", query)


def _mark(name: str, query: str) -> dashboard.AnnotationQuery:
    mark = dashboard.AnnotationQuery().name(name).datasource(SOURCE).expr(query)
    return mark.enable(True).icon_color("red")


def _numbered(made: Dashboard) -> Dashboard:
    for number, panel in enumerate(made.panels or [], 1):
        panel.id_val = number
    return made
