"""What the Study dashboard shows of trials: what they have found, which run, and how they ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grafana_foundation_sdk.builders import common, xychart
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel

from monitoring.generate import panels
from monitoring.generate.looks import columns, shown, step
from monitoring.generate.queries import RATE, told

HERE = 'namespace="$namespace", study="$study"'

_RUNNING = f'count_values by (slot, node) ("trial", {told("tinderbox_slot_trial", "slot", "node", where=HERE)})'
"""The trials that run, with slot, node and trial as labels."""

_COLUMNS = {
    "trial": "trial",
    "slot": "slot",
    "node": "node",
    "Value #B": "epoch",
    "Value #C": "value",
    "Value #D": "memory",
}

_X, _Y = "/^Value #A( |$)/", "/^Value #B( |$)/"
"""The numbers on x and y: their queries' letters, and what partitionByValues adds, by which Grafana calls the series.

A column that was renamed before would keep its new name, and all series would have the same one.
"""
_LOGARITHMIC = {"type": "log", "log": 10}


def found() -> list[Builder[Panel]]:
    """Return how the metric depends on parameters, and the best trials."""
    columned = [
        _as_column("tinderbox_trial_value", "last value"),
        _as_column("tinderbox_trial_epoch", "last epoch"),
        _as_column("tinderbox_trial_rung", "last rung"),
        told("tinderbox_trial_parameter", "trial", "parameter", where=HERE),
    ]
    return [
        _sensitivity("logarithmic", {"custom.scaleDistribution": _LOGARITHMIC}),
        _sensitivity("linear", {}),
        panels.rows(
            "Trials one by one",
            "Of the trials that run, the best, and the newest: the metric of the last report, its epoch, the last rung "
            "that was passed, and each parameter. Click a column to sort by it. A choice that is no number counts by "
            "its place among the choices, from 0.",
            [" or ".join(columned)],
            panels.NUMBER,
        ).transformations(
            [
                step("groupingToMatrix", rowField="trial", columnField="parameter", valueField="Value"),
                step("organize", renameByName={"trial\\parameter": "trial"}),
            ]
        ),
        panels.graph(
            "Values of trials",
            "The metric of each trial's last report over time: of those that run, of the best, and of the newest.",
            {"trial {{trial}}": told("tinderbox_trial_value", "trial", where=HERE)},
            panels.NUMBER,
        ).legend(common.VizLegendOptions().show_legend(False)),
    ]


def _sensitivity(scale: str, settings: Mapping[str, Any]) -> xychart.Panel:
    """The last value of each trial against a parameter of it, on an axis with these settings, coloured by another.

    The parameter's query comes first: Grafana's inner join (issue 92170) takes for a match what equals any column of
    the first table, and numbers of trials equal colours.
    """
    other = told("tinderbox_trial_parameter", "trial", where=f'{HERE}, parameter="$series"')
    value = told("tinderbox_trial_value", "trial", where=HERE)
    coloured = f'{value} * on (trial) group_left (series) count_values by (trial) ("series", {other})'
    return (
        panels.points(
            f"Sensitivity, {scale}",
            f"The metric of each trial's last report (y) against the parameter chosen above (x, {scale}), coloured by "
            "the other one: of the trials that run, of the best, and of the newest.",
            [
                told("tinderbox_trial_parameter", "trial", where=f'{HERE}, parameter="$x"'),
                f"{coloured} or on (trial) {value}",
            ],
            panels.NUMBER,
        )
        .override_by_regexp(_X, shown(displayName="$x", **settings))
        .override_by_regexp(_Y, shown(**{"custom.axisLabel": "last value"}))
        .transformations(
            [
                step("joinByField", byField="trial", mode="inner"),
                step("filterFieldsByName", include={"names": ["trial", "series", "Value #A", "Value #B"]}),
                step("partitionByValues", fields=["series"], keepFields=False, naming={"asLabels": True}),
            ]
        )
    )


def _as_column(metric: str, name: str) -> str:
    """A trial's metric as if it were a parameter, so that both become columns of one table."""
    return f'label_replace({told(metric, "trial", where=HERE)}, "parameter", "{name}", "", "")'


def trials() -> list[Builder[Panel]]:
    """Return which trials run, how far they went, and how they ended."""
    reached = f"{_RUNNING} * on (trial) group_left () "
    return [
        panels.rows(
            "Trials that run",
            "Which slot on which node runs which trial, how far it is, and what its processes hold.",
            [
                _RUNNING,
                reached + told("tinderbox_trial_epoch", "trial", where=HERE),
                reached + told("tinderbox_trial_value", "trial", where=HERE),
                f"{_RUNNING} * on (slot, node) group_left () "
                + told("tinderbox_slot_memory_bytes", "slot", "node", where=HERE),
            ],
            panels.NUMBER,
        )
        .transformations([step("merge"), *columns(_COLUMNS)])
        .override_by_name("memory", shown(unit=panels.BYTES)),
        panels.bars(
            "Rung ladder",
            "How many trials went beyond which rung, and no further yet: of those that run, of the best, and of the "
            "newest. Rung 0 is the start.",
            {
                "rung {{rung}}": 'sort_desc(count_values ("rung", '
                + told("tinderbox_trial_rung", "trial", where=HERE)
                + "))"
            },
            panels.NUMBER,
        ),
        panels.graph(
            "Attempts by outcome",
            "How attempts ended, since the study began, but for those that went well: failed, diverged, out of memory "
            "and timed out end their trial, lost and infrastructure are tried again.",
            {"{{outcome}}": told("tinderbox_trial_attempts_total", "outcome", where=f'{HERE}, outcome!="complete"')},
            panels.NUMBER,
        ),
        panels.graph(
            "Epochs a minute",
            "Epochs that trials report, all slots together.",
            {"epochs": f"60 * max (rate(tinderbox_reports_total{{{HERE}}}[{RATE}]))"},
            panels.NUMBER,
        ),
    ]
