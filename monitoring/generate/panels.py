"""The kinds of panels that the dashboards are made of, each with its title and a sentence on what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, gauge, prometheus, stat, statetimeline, table, timeseries, xychart
from grafana_foundation_sdk.builders import common as looks
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.xychart import XYShowMode

from monitoring.generate.looks import PLAIN, SHADED

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
NUMBER, SHARE, TEXT = units.NoUnit, units.PercentUnit, units.String
SECONDS, BYTES, BYTES_A_SECOND = units.Seconds, units.BytesIEC, units.BytesPerSecondIEC

_LOW, _HIGH = 4, 8
_NEWEST = ["lastNotNull"]

_Panel = TypeVar(
    "_Panel",
    bargauge.Panel,
    gauge.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
    xychart.Panel,
)
_Key = TypeVar("_Key")


def number(title: str, what: str, queries: Mapping[str, str], unit: str, width: int = 4) -> stat.Panel:
    """Show the newest value of each query; the keys of queries are their legends."""
    panel = stat.Panel().reduce_options(looks.ReduceDataOptions().calcs(_NEWEST))
    panel = panel.graph_mode(common.BigValueGraphMode.NONE).color_scheme(PLAIN)
    return _frame(panel, title, what, unit, width, _LOW, _newest(queries))


def share(title: str, what: str, query: str, width: int = 4) -> gauge.Panel:
    """Show the newest share of all, from 0 to 1."""
    panel = gauge.Panel().reduce_options(looks.ReduceDataOptions().calcs(_NEWEST)).min(0).max(1).color_scheme(PLAIN)
    return _frame(panel, title, what, SHARE, width, _LOW, _newest({title: query}))


def graph(title: str, what: str, queries: Mapping[str, str], unit: str, width: int = 12) -> timeseries.Panel:
    """Show lines over time."""
    tooltip = looks.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    panel = timeseries.Panel().line_width(1).fill_opacity(5).tooltip(tooltip).legend(_legend(_NEWEST))
    return _frame(panel, title, what, unit, width, _HIGH, _series(queries))


def layers(title: str, what: str, queries: Mapping[str, str], unit: str, width: int = 12) -> timeseries.Panel:
    """Show lines over time that lie on one another, so that the uppermost is their sum."""
    stacking = looks.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    return graph(title, what, queries, unit, width).stacking(stacking).fill_opacity(40)


def bars(title: str, what: str, queries: Mapping[str, str], unit: str, width: int = 12) -> bargauge.Panel:
    """Show a bar for the newest value of each series."""
    panel = bargauge.Panel().reduce_options(looks.ReduceDataOptions().calcs(_NEWEST))
    panel = panel.orientation(common.VizOrientation.HORIZONTAL).min(0).color_scheme(PLAIN)
    return _frame(panel, title, what, unit, width, _HIGH, _newest(queries))


def lanes(title: str, what: str, queries: Mapping[str, str], unit: str, width: int = 24) -> statetimeline.Panel:
    """Show a lane for each series over time, coloured by its values."""
    panel = statetimeline.Panel().merge_values(True).show_value(common.VisibilityMode.AUTO).line_width(1)
    panel = panel.color_scheme(SHADED).legend(looks.VizLegendOptions().show_legend(False))
    return _frame(panel, title, what, unit, width, _HIGH, _series(queries))


def rows(title: str, what: str, queries: Sequence[str], unit: str, width: int = 12) -> table.Panel:
    """Show as a table what the queries return now, and transformations then join."""
    panel = table.Panel().align(common.FieldTextAlignment.AUTO)
    return _frame(panel, title, what, unit, width, _HIGH, _tables(queries))


def points(title: str, what: str, queries: Sequence[str], unit: str, width: int = 12) -> xychart.Panel:
    """Show a point for each row that transformations make of the queries: its first number is x, its second y."""
    panel = xychart.Panel().show(XYShowMode.POINTS).legend(_legend([]))
    panel = panel.tooltip(looks.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
    return _frame(panel, title, what, unit, width, _HIGH, _tables(queries))


def _frame(
    panel: _Panel, title: str, what: str, unit: str, width: int, height: int, queries: Iterable[prometheus.Dataquery]
) -> _Panel:
    panel = panel.title(title).description(what).unit(unit).datasource(SOURCE).span(width).height(height)
    for query in queries:
        panel = panel.with_target(query)
    return panel


def _series(queries: Mapping[str, str]) -> Iterable[prometheus.Dataquery]:
    return [query.range().legend_format(legend) for legend, query in _asked(queries)]


def _newest(queries: Mapping[str, str]) -> Iterable[prometheus.Dataquery]:
    return [query.instant().legend_format(legend) for legend, query in _asked(queries)]


def _tables(queries: Sequence[str]) -> Iterable[prometheus.Dataquery]:
    return [query.instant().format(PromQueryFormat.TABLE) for _, query in _asked(dict(enumerate(queries)))]


def _asked(queries: Mapping[_Key, str]) -> Iterable[tuple[_Key, prometheus.Dataquery]]:
    for name, (key, query) in zip("ABCD"[: len(queries)], queries.items(), strict=True):
        yield key, prometheus.Dataquery().ref_id(name).datasource(SOURCE).expr(query)


def _legend(numbers: list[str]) -> looks.VizLegendOptions:
    legend = looks.VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.LIST)
    return legend.placement(common.LegendPlacement.BOTTOM).calcs(numbers)
