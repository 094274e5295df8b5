"""The Study dashboard: how far a sweep is, what it has found, and who runs what."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from monitoring.generate import boards, panels
from monitoring.generate.looks import DASHED, columns, words
from monitoring.generate.queries import told
from monitoring.generate.trials import HERE, found, trials


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
            "Where it stands": [*_numbers(), *_progress()],
            "What it has found": found(),
            "Trials": trials(),
            "Slots": _slots(),
        },
    )


def _numbers() -> list[Builder[Panel]]:
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
            "Trials that will never run again, of those that the study is to have. Empty where only time ends it. "
            "Rungs leave some that never go on: all is done when the study has ended.",
            f"clamp_max(max (namespace_study:tinderbox_trials_ended:sum{{{HERE}}}) / "
            + told("tinderbox_trials_wanted", where=HERE)
            + " + "
            + told("tinderbox_study_over", where=HERE)
            + ", 1)",
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
    ]


def _progress() -> list[Builder[Panel]]:
    return [
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
