"""The Spark dashboard: executors and what Spark itself counts of them, by the node below them."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from monitoring.generate import boards, panels
from monitoring.generate.queries import RATE

HERE = 'namespace="$namespace", application_name=~"tinderbox $run"'
"""What Spark tells of its executors."""
DRIVER = 'namespace="$namespace", pod=~"$driver"'
"""What it tells of the driver, which does not say whose it is."""


def spark() -> Dashboard:
    """Return the dashboard of Spark's own metrics."""
    names = "label_values(metrics_executor_totalCores{{{}}}, {})"
    return boards.make(
        boards.SPARK,
        "What Spark counts of its executors, by the node below each: tasks, garbage collection, shuffles and memory.",
        [
            boards.chosen(
                "run",
                "Run",
                names.format('namespace="$namespace"', "application_name"),
                several=True,
                regex="/^tinderbox (.*)$/",
            ),
            boards.chosen("driver", "Driver", names.format(HERE, "pod"), several=True),
            boards.chosen(
                "node", "Node", 'label_values(tinderbox_pod_info{namespace="$namespace"}, node)', several=True
            ),
        ],
        alerts='run=~"$run|", study=~"$run|"',
        sections={"Now": _now(), "Executors": _executors(), "Work": _work(), "Memory": _memory()},
    )


def _by_node(expression: str) -> str:
    """Sum by node what executors tell: the pod that is asked is the driver's, and theirs are called after it."""
    named = f'label_join({expression}, "executor", "-exec-", "pod", "executor_id")'
    whose = 'namespace_executor_node:tinderbox_pod_info:max{namespace="$namespace", node=~"$node"}'
    return f"sum by (node) ({named} * on (namespace, executor) group_left (node) {whose})"


def _grows(metric: str) -> str:
    return f"rate({metric}{{{HERE}}}[{RATE}])"


def _now() -> list[Builder[Panel]]:
    return [
        panels.number(
            "Executors",
            "Executors that Spark knows; in local mode the driver is the one.",
            {"": f"count (metrics_executor_totalCores{{{HERE}}} > 0) or vector(0)"},
            panels.NUMBER,
        ),
        panels.number(
            "Cores",
            "Cores of executors, all together.",
            {"": f"sum (metrics_executor_totalCores{{{HERE}}})"},
            panels.NUMBER,
        ),
        panels.number(
            "Jobs",
            "Spark jobs that run: each slot is one, and so is a micro-batch.",
            {"": f"sum (metrics_tinderbox_driver_DAGScheduler_job_activeJobs_Value{{{DRIVER}}})"},
            panels.NUMBER,
        ),
        panels.number(
            "Stages",
            "Stages that run, and those that wait for room.",
            {
                "running": f"sum (metrics_tinderbox_driver_DAGScheduler_stage_runningStages_Value{{{DRIVER}}})",
                "waiting": f"sum (metrics_tinderbox_driver_DAGScheduler_stage_waitingStages_Value{{{DRIVER}}})",
            },
            panels.NUMBER,
            width=6,
        ),
        panels.number(
            "Tasks that failed",
            "Tasks that failed since the driver began. A slot that is lost is one, and is started anew.",
            {"": f"sum (metrics_executor_failedTasks_total{{{HERE}}})"},
            panels.NUMBER,
            width=6,
        ),
    ]


def _executors() -> list[Builder[Panel]]:
    tasks = f"metrics_executor_activeTasks{{{HERE}}}"
    return [
        panels.layers(
            "Executors by node",
            "Executors that Spark knows, by node.",
            {"{{node}}": _by_node(f"clamp_max(metrics_executor_totalCores{{{HERE}}}, 1)")},
            panels.NUMBER,
            width=8,
        ),
        panels.layers(
            "Tasks that run",
            "Tasks that run now, by node: slots of a sweep stay for long.",
            {"{{node}}": _by_node(tasks)},
            panels.NUMBER,
            width=8,
        ),
        panels.graph(
            "Room for tasks",
            "Tasks that run beside those that executors have room for.",
            {"running": f"sum ({tasks})", "room": f"sum (metrics_executor_maxTasks{{{HERE}}})"},
            panels.NUMBER,
            width=8,
        ),
    ]


def _work() -> list[Builder[Panel]]:
    return [
        panels.layers(
            "Tasks completed",
            "Tasks that end well a minute, by node.",
            {"{{node}}": f"60 * {_by_node(_grows('metrics_executor_completedTasks_total'))}"},
            panels.NUMBER,
            width=6,
        ),
        panels.layers(
            "Tasks failed",
            "Tasks that fail a minute, by node.",
            {"{{node}}": f"60 * {_by_node(_grows('metrics_executor_failedTasks_total'))}"},
            panels.NUMBER,
            width=6,
        ),
        panels.graph(
            "Garbage collection",
            "Share of the time that Java spends on collecting garbage, summed over a node's executors and drivers.",
            {"{{node}}": _by_node(_grows("metrics_executor_totalGCTime_seconds_total"))},
            panels.SHARE,
            width=6,
        ),
        panels.graph(
            "Shuffle",
            "Bytes a second that tasks read and write between stages, by node.",
            {
                "{{node}} read": _by_node(_grows("metrics_executor_totalShuffleRead_bytes_total")),
                "{{node}} written": _by_node(_grows("metrics_executor_totalShuffleWrite_bytes_total")),
            },
            panels.BYTES_A_SECOND,
            width=6,
        ),
    ]


def _memory() -> list[Builder[Panel]]:
    return [
        panels.graph(
            "Java heap, highest",
            "The most that the Java heaps of a node's executors and drivers held, each since it began.",
            {"{{node}}": _by_node(f"metrics_executor_JVMHeapMemory_bytes{{{HERE}}}")},
            panels.BYTES,
            width=8,
        ),
        panels.graph(
            "Java processes, highest",
            "The most resident memory that the Java processes of a node's executors and drivers held, each since it "
            "began.",
            {"{{node}}": _by_node(f"metrics_executor_ProcessTreeJVMRSSMemory_bytes{{{HERE}}}")},
            panels.BYTES,
            width=8,
        ),
        panels.graph(
            "Python processes, highest",
            "The most resident memory that the Python processes of a node's executors and drivers held, each since it "
            "began; pages that they share count for each of them.",
            {"{{node}}": _by_node(f"metrics_executor_ProcessTreePythonRSSMemory_bytes{{{HERE}}}")},
            panels.BYTES,
            width=8,
        ),
    ]
