"""The Study dashboard: how far a sweep is, what it has found, and who runs what."""

from __future__ import annotations

from grafana_foundation_sdk.builders import common as styles
from grafana_foundation_sdk.builders import xychart
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from monitoring.generate import boards, panels
from monitoring.generate.looks import DASHED, columns, shown, step, words
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

_LOGARITHMIC = {"type": "log", "log": 10}


def study() -> Dashboard:
    """Return the dashboard of one study."""
    return boards.make(
        boards.STUDY,
        "How far a hyperparameter sweep is, what it has found, and which slot runs which trial.",
        [
            boards.chosen("study", "Study", 'label_values(tinderbox_study_over{namespace="$namespace"}, study)'),
            boards.chosen("x", "Parameter on x", f"label_values(tinderbox_trial_parameter{{{HERE}}}, parameter)"),
            boards.chosen(
                "series",
                "Parameter by colour",
                f'label_values(tinderbox_trial_parameter{{{HERE}, parameter!="$x"}}, parameter)',
            ),
        ],
        alerts='study=~"$study|", run=~"$study|"',
        sections={
            "Where it stands": _standing(),
            "What it has found": _found(),
            "Trials": _trials(),
            "Slots": _slots(),
        },
    )


def _standing() -> list[Builder[Panel]]:
    return [
        panels.rows(
            "What is sought",
            "The metric that the study looks at, whether the least or the greatest is wanted, and how it searches.",
            [told("tinderbox_study_info", "metric", "direction", "search", where=HERE)],
            panels.TEXT,
            width=6,
        )
        .height(4)
        .transformations(columns({"metric": "metric", "direction": "direction", "search": "search"})),
        panels.number(
            "State",
            "Whether the study runs or has ended. One that has ended is told by the console, from its record.",
            {"": told("tinderbox_study_over", where=HERE)},
            panels.NUMBER,
            width=3,
        ).mappings([words({"0": ("runs", "green"), "1": ("ended", "blue")})]),
        panels.share(
            "Done",
            "Trials that will never run again, of those that the study is to have. Empty where only time ends it.",
            f"max (namespace_study:tinderbox_trials_ended:sum{{{HERE}}}) / "
            + told("tinderbox_trials_wanted", where=HERE),
        ),
        panels.number(
            "Trials",
            "Trials that will never run again, and those that the study is to have, where that is said.",
            {
                "ended": f"max (namespace_study:tinderbox_trials_ended:sum{{{HERE}}})",
                "wanted": told("tinderbox_trials_wanted", where=HERE),
            },
            panels.NUMBER,
            width=5,
        ),
        panels.number(
            "Time",
            "For how long drivers have worked on the study, and an estimate of what is left, once there is one.",
            {
                "used": told("tinderbox_study_seconds", where=HERE),
                "left": told("tinderbox_study_left_seconds", where=HERE),
            },
            panels.SECONDS,
            width=6,
        ),
        panels.graph(
            "Best value",
            "The metric of the best complete trial so far, beside what the default parameters reach.",
            {
                "best": told("tinderbox_best_value", where=HERE),
                "baseline": told("tinderbox_baseline_value", where=HERE),
            },
            panels.NUMBER,
        ).override_by_name("baseline", DASHED),
        panels.layers(
            "Trials by state",
            "Where the trials stand. Paused ones wait on a rung for a slot or for others to compare with.",
            {"{{state}}": told("tinderbox_trials", "state", where=HERE)},
            panels.NUMBER,
        ),
    ]


def _found() -> list[Builder[Panel]]:
    columned = [
        _as_column("tinderbox_trial_value", "last value"),
        _as_column("tinderbox_trial_epoch", "last epoch"),
        _as_column("tinderbox_trial_rung", "last rung"),
        told("tinderbox_trial_parameter", "trial", "parameter", where=HERE),
    ]
    return [
        _sensitivity("logarithmic").override_by_name("x", shown(**{"custom.scaleDistribution": _LOGARITHMIC})),
        _sensitivity("linear"),
        panels.rows(
            "Best trials, and those that run",
            "The metric of the last report, its epoch, the last rung that was passed, and each parameter. Click a "
            "column to sort by it. A choice that is no number counts by its place among the choices, from 0.",
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
            "The metric of each trial's last report over time: of those that run, and of the best hundred.",
            {"trial {{trial}}": told("tinderbox_trial_value", "trial", where=HERE)},
            panels.NUMBER,
        ).legend(styles.VizLegendOptions().show_legend(False)),
    ]


def _sensitivity(scale: str) -> xychart.Panel:
    """The last value of each trial against a parameter of it, coloured by another."""
    other = told("tinderbox_trial_parameter", "trial", where=f'{HERE}, parameter="$series"')
    value = told("tinderbox_trial_value", "trial", where=HERE)
    coloured = f'{value} * on (trial) group_left (series) count_values by (trial) ("series", {other})'
    return (
        panels.points(
            f"Sensitivity, {scale}",
            f"The metric of each trial's last report (y) against the parameter chosen above (x, {scale}), coloured by "
            "the other one: of the trials that run, and of the best hundred.",
            [
                f"{coloured} or on (trial) {value}",
                told("tinderbox_trial_parameter", "trial", where=f'{HERE}, parameter="$x"'),
            ],
            panels.NUMBER,
        )
        .override_by_name("x", shown(displayName="$x"))
        .transformations(
            [
                step("joinByField", byField="trial", mode="inner"),
                *columns({"Value #B": "x", "Value #A": "Value", "trial": "trial", "series": "series"}),
                step("partitionByValues", fields=["series"], keepFields=False, naming={"asLabels": True}),
            ]
        )
    )


def _as_column(metric: str, name: str) -> str:
    """A trial's metric as if it were a parameter, so that both become columns of one table."""
    return f'label_replace({told(metric, "trial", where=HERE)}, "parameter", "{name}", "", "")'


def _trials() -> list[Builder[Panel]]:
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
            "How many trials went beyond which rung, and no further yet: of those that run, and of the best hundred. "
            "Rung 0 is the start.",
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


def _slots() -> list[Builder[Panel]]:
    ran = f"group by (slot, node) (last_over_time(tinderbox_slot_trial{{{HERE}}}[$__range]))"
    return [
        panels.lanes(
            "Who ran what when",
            "The number of the trial that each slot runs, over time; idle ones, and those that have gone, are grey.",
            {"{{slot}} on {{node}}": f"{told('tinderbox_slot_trial', 'slot', 'node', where=HERE)} or -{ran}"},
            panels.NUMBER,
        ).mappings([words({"-1": ("idle", "rgba(128, 128, 128, 0.3)")})]),
        panels.graph(
            "Slots",
            "Slots that are there, beside those that the study is to have.",
            {
                "{{state}}": told("tinderbox_slots", "state", where=HERE),
                "wanted": told("tinderbox_slots_wanted", where=HERE),
            },
            panels.NUMBER,
            width=6,
        ).override_by_name("wanted", DASHED),
        panels.graph(
            "Memory of slots",
            "What the processes of each slot's trial hold. Near its share of the pod's limit a trial is ended.",
            {"{{slot}} on {{node}}": told("tinderbox_slot_memory_bytes", "slot", "node", where=HERE)},
            panels.BYTES,
            width=6,
        ),
        panels.graph(
            "Slots lost",
            "Slots that went before their time since the study began, by node.",
            {"{{node}}": told("tinderbox_slots_lost_total", "node", where=HERE)},
            panels.NUMBER,
            width=6,
        ),
        panels.rows(
            "Nodes avoided",
            "Nodes that get no trials any more, for they lost several slots.",
            [told("tinderbox_node_avoided", "node", where=HERE)],
            panels.TEXT,
            width=6,
        ).transformations(columns({"node": "node"})),
    ]
