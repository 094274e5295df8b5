"""The Nodes dashboard: how fast each machine works, and what its pods use."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from monitoring.generate import boards, panels
from monitoring.generate.looks import DASHED, LINES, columns, limits, shown
from monitoring.generate.queries import mean, quantile, rate

HERE = 'namespace="$namespace", node=~"$node"'
"""What a pod tells of itself."""
WORK = f'{HERE}, run=~"$run"'
"""What it tells of a run."""

RUNS = (boards.STUDY, boards.TRAINING, boards.INFERENCE)
"""What shows a run by its name."""

_SPACE = 'namespace="$namespace"'
_RUN = f'{_SPACE}, run=~"$run"'
_MEMORY = "namespace_pod_node_role:tinderbox_pod_memory:ratio"
_STEP = "namespace_run_node:tinderbox_step_seconds:mean30m"


def nodes() -> Dashboard:
    """Return the dashboard of the machines below the pods."""
    return boards.make(
        boards.NODES,
        "How fast each machine below the pods works, and how much CPU and memory its pods use.",
        [
            boards.chosen(
                "run", "Run", 'label_values(tinderbox_examples_total{namespace="$namespace"}, run)', several=True
            ),
            boards.chosen(
                "node", "Node", 'label_values(tinderbox_pod_info{namespace="$namespace"}, node)', several=True
            ),
        ],
        alerts='node=~"$node|"',
        sections={
            "Speed": _speed(),
            "Steps and trials": _trials(),
            "Batches of rows": _batches(),
            "Pods": [*_pods(), *_processes()],
            "Storage and upkeep": _upkeep(),
        },
    )


def _speed() -> list[Builder[Panel]]:
    return [
        panels.layers(
            "Images a second by node",
            "Examples that trials and trainings train on, or that a batch inference labels: images, or rows of tables.",
            {"{{node}}": rate("tinderbox_examples_total", "node", where=WORK)},
            panels.NUMBER,
        ),
        panels.rows(
            "Images a second by run",
            "The same by run and node, now. A run's name opens its own dashboard.",
            [rate("tinderbox_examples_total", "run", "kind", "node", where=WORK)],
            panels.NUMBER,
        )
        .transformations(columns({"run": "run", "kind": "kind", "node": "node", "Value": "images a second"}))
        .override_by_name("run", shown(links=[_opens(board) for board in RUNS])),
    ]


def _trials() -> list[Builder[Panel]]:
    return [
        panels.graph(
            "Step time",
            "Mean and 95th percentile of the time of one training step, by node. It depends on the trial: a wide "
            "network takes longer. In a distributed training the wait for other workers is a part of it.",
            {
                "{{node}} mean": mean("tinderbox_step_seconds", "node", where=WORK),
                "{{node}} p95": quantile(0.95, "tinderbox_step_seconds", "node", where=WORK),
            },
            panels.SECONDS,
            width=8,
        ).override_by_regexp("/ p95$/", DASHED[:2]),
        panels.graph(
            "Step time against peers",
            "Mean time of a step over half an hour by node, without exchange between workers, divided by the median of "
            "all nodes of the same run. TinderboxNodeSlow tells of more than 1.5 for long.",
            {
                "{{run}} {{node}}": f"{_STEP}{{{WORK}}}"
                f" / on (run) group_left () quantile by (run) (0.5, {_STEP}{{{_RUN}}})"
            },
            panels.NUMBER,
            width=8,
        ),
        panels.graph(
            "Hand-over",
            "95th percentile of the time from a trial's end to the start of the slot's next one, by node.",
            {"{{node}}": quantile(0.95, "tinderbox_handover_seconds", "node", where=WORK)},
            panels.SECONDS,
            width=8,
        ),
    ]


def _batches() -> list[Builder[Panel]]:
    return [
        panels.layers(
            "Batch phases",
            "Mean time of a batch of rows by node and phase: read is the wait for its decoded images, predict the "
            "model's.",
            {"{{node}} {{phase}}": mean("tinderbox_batch_seconds", "node", "phase", where=WORK)},
            panels.SECONDS,
            width=8,
        ),
        panels.graph(
            "Model load",
            "Mean time in which a worker got its model ready, by node, since its pod began.",
            {
                "{{node}}": f"sum by (node) (tinderbox_model_load_seconds_sum{{{WORK}}}) / "
                f"(sum by (node) (tinderbox_model_load_seconds_count{{{WORK}}}) > 0)"
            },
            panels.SECONDS,
            width=8,
        ),
        panels.graph(
            "Rows with an error",
            "Rows that got an error in the place of a label, a second, by node and reason.",
            {"{{node}} {{reason}}": rate("tinderbox_rows_failed_total", "node", "reason", where=WORK)},
            panels.NUMBER,
            width=8,
        ),
    ]


def _pods() -> list[Builder[Panel]]:
    return [
        panels.layers(
            "CPU",
            "Cores that the pods of a node keep busy.",
            {"{{node}}": rate("tinderbox_pod_cpu_seconds_total", "node", where=HERE)},
            panels.NUMBER,
            width=8,
        ),
        panels.graph(
            "Memory and its limit",
            "What counts against the limits of the pods of a node, file cache that can be given up left out, and those "
            "limits together.",
            {
                "{{node}}": f"sum by (node) (tinderbox_pod_memory_bytes{{{HERE}}})",
                "{{node}} limit": f"sum by (node) (tinderbox_pod_memory_limit_bytes{{{HERE}}})",
            },
            panels.BYTES,
            width=8,
        ).override_by_regexp("/ limit$/", DASHED),
        panels.graph(
            "Share of the memory limit",
            "Share of its memory limit that each pod holds: above 0.9 TinderboxExecutorMemoryHigh tells of it, at 1 it "
            "is killed.",
            {"{{pod}}": f"max by (pod) ({_MEMORY}{{{HERE}}})"},
            panels.SHARE,
            width=8,
        )
        .min(0)
        .max(1)
        .thresholds(limits(0.8, 0.9))
        .thresholds_style(LINES),
    ]


def _processes() -> list[Builder[Panel]]:
    return [
        panels.graph(
            "Python processes",
            "Python processes of the pods of a node.",
            {"{{node}}": f"sum by (node) (tinderbox_worker_processes{{{HERE}}})"},
            panels.NUMBER,
            width=8,
        ),
        panels.graph(
            "Memory of Python processes",
            "Resident memory of a node's Python processes; pages that they share count for each of them.",
            {"{{node}}": f"sum by (node) (tinderbox_worker_resident_bytes{{{HERE}}})"},
            panels.BYTES,
            width=8,
        ),
        panels.rows(
            "Pods",
            "Drivers, executors and the console, and the node of each.",
            [f"max by (pod, role, node) (tinderbox_pod_info{{{HERE}}})"],
            panels.TEXT,
            width=8,
        ).transformations(columns({"pod": "pod", "role": "role", "node": "node"})),
    ]


def _upkeep() -> list[Builder[Panel]]:
    return [
        panels.graph(
            "Storage",
            "Size of the volume that keeps studies, and what is free of it. Absent where object storage keeps them.",
            {
                "free": f"min (tinderbox_storage_free_bytes{{{_SPACE}}})",
                "size": f"max (tinderbox_storage_size_bytes{{{_SPACE}}})",
            },
            panels.BYTES,
        )
        .min(0)
        .override_by_name("size", DASHED),
        panels.graph(
            "Refused messages",
            "Messages a second that the exporter of a pod refused, by node: anything but 0 is a mistake of ours.",
            {"{{node}}": rate("tinderbox_metrics_refused_total", "node", where=HERE)},
            panels.NUMBER,
        ),
    ]


def _opens(board: boards.Board) -> dict[str, str]:
    """The link from a run's name to what shows it."""
    kept = "${datasource:queryparam}&${namespace:queryparam}&${__url_time_range}"
    return {"title": board.name, "url": f"/d/{board.uid}?var-{board.subject}=${{__value.text}}&{kept}"}
