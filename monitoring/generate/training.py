"""The Training dashboard: how far a distributed training is, how well its workers work together, and what was lost."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from monitoring.generate import boards, panels
from monitoring.generate.looks import DASHED, columns, words
from monitoring.generate.queries import mean, rate, risen, told

HERE = 'namespace="$namespace", run="$training"'

_STEP = told("tinderbox_training_step", where=HERE)
_SAVED = told("tinderbox_training_checkpoint_step", where=HERE)
_ATTEMPTS = "tinderbox_training_attempts_total"


def training() -> Dashboard:
    """Return the dashboard of one training."""
    return boards.make(
        boards.TRAINING,
        "How far a distributed training is, how well its workers work together, and what losses have cost.",
        [boards.chosen("training", "Training", 'label_values(tinderbox_training_epoch{namespace="$namespace"}, run)')],
        alerts='run=~"$training|", study=""',
        marks={
            "Attempts lost": risen(_ATTEMPTS, "outcome", where=f'{HERE}, outcome!~"complete|replaced|released"'),
            "Workers replaced": risen("tinderbox_training_workers_replaced_total", where=HERE),
        },
        sections={
            "Where it stands": [*_numbers(), *_metrics()],
            "Speed": _speed(),
            "Exchange between workers": _exchange(),
            "Workers and attempts": _workers(),
            "Checkpoints": _checkpoints(),
        },
    )


def _numbers() -> list[Builder[Panel]]:
    return [
        panels.rows(
            "What is trained",
            "The model as the job calls it, and how its workers work together.",
            [told("tinderbox_training_info", "model", "mode", where=HERE)],
            panels.TEXT,
            width=6,
        )
        .height(4)
        .transformations(columns({"model": "model", "mode": "mode"})),
        panels.number(
            "State",
            "Whether it runs or has ended. One that has ended is told by the console, from its record.",
            {"": told("tinderbox_training_over", where=HERE)},
            panels.NUMBER,
            width=3,
        ).mappings([words({"0": ("runs", "green"), "1": ("ended", "blue")})]),
        panels.share(
            "Done",
            "Epochs that are done, of those that the job wants. One that stops early never has all of them.",
            f"{told('tinderbox_training_epoch', where=HERE)} / {told('tinderbox_training_epochs_wanted', where=HERE)}",
        ),
        panels.number(
            "Epochs and steps",
            "Epochs that are done, and steps so far.",
            {"epochs": told("tinderbox_training_epoch", where=HERE), "steps": _STEP},
            panels.NUMBER,
            width=5,
        ),
        panels.number(
            "Time",
            "For how long drivers have worked on it, and an estimate of what is left, once there is one.",
            {
                "used": told("tinderbox_training_seconds", where=HERE),
                "left": told("tinderbox_training_left_seconds", where=HERE),
            },
            panels.SECONDS,
            width=6,
        ),
    ]


def _metrics() -> list[Builder[Panel]]:
    return [
        panels.graph(
            "Loss",
            "The loss of each epoch, mean over all workers' examples: val_loss is that of validation data.",
            {"{{metric}}": told("tinderbox_training_value", "metric", where=f'{HERE}, metric=~"(val_)?loss"')},
            panels.NUMBER,
        ).override_by_name("loss", DASHED),
        panels.graph(
            "Accuracy, or error",
            "top1 and top5 of a classification, mae and mse of a regression; those of validation data begin with val.",
            {"{{metric}}": told("tinderbox_training_value", "metric", where=f'{HERE}, metric!~"(val_)?loss"')},
            panels.NUMBER,
        ).override_by_regexp("/^(?!val_)/", DASHED[:2]),
    ]


def _speed() -> list[Builder[Panel]]:
    return [
        panels.layers(
            "Images a second by node",
            "Examples that workers train on, images or rows of a table, by node.",
            {"{{node}}": rate("tinderbox_examples_total", "node", where=f'{HERE}, kind="train"')},
            panels.NUMBER,
            width=8,
        ),
        panels.graph(
            "Step time by node",
            "Mean time of a step, and the part of it in exchange with other workers, by node.",
            {
                "{{node}}": mean("tinderbox_step_seconds", "node", where=HERE),
                "{{node}} exchange": mean("tinderbox_sync_seconds", "node", where=HERE),
            },
            panels.SECONDS,
            width=8,
        ).override_by_regexp("/ exchange$/", DASHED[:2]),
        panels.graph(
            "Share of exchange",
            "Share of the time of steps that is exchange with other workers, waiting for slower ones included. Where "
            "it is large on all nodes, larger batches, averaging or threshold save time; the node where it is small is "
            "the one that the others wait for.",
            {
                "{{node}}": f"{rate('tinderbox_sync_seconds_sum', 'node', where=HERE)} / "
                f"{rate('tinderbox_step_seconds_sum', 'node', where=HERE)}"
            },
            panels.SHARE,
            width=8,
        )
        .min(0)
        .max(1),
    ]


def _exchange() -> list[Builder[Panel]]:
    sent = rate("tinderbox_sync_bytes_total", where=HERE)
    dense = rate("tinderbox_sync_dense_bytes_total", where=HERE)
    return [
        panels.graph(
            "Bytes sent",
            "What workers send to each other, beside what whole gradients would take.",
            {
                "{{mode}}": rate("tinderbox_sync_bytes_total", "mode", where=HERE),
                "whole gradients": dense,
            },
            panels.BYTES_A_SECOND,
        ).override_by_name("whole gradients", DASHED),
        panels.graph(
            "Bytes against whole gradients",
            "What workers send, as a share of what whole gradients would take. In mode threshold it begins high and "
            "falls as the threshold adapts.",
            {"sent": f"{sent} / ({dense} > 0)"},
            panels.SHARE,
        ).min(0),
    ]


def _workers() -> list[Builder[Panel]]:
    return [
        panels.graph(
            "Workers",
            "Workers that train, and those that wait for an attempt to begin, beside those that the job wants.",
            {
                "{{state}}": told("tinderbox_training_workers", "state", where=HERE),
                "wanted": told("tinderbox_training_workers_wanted", where=HERE),
            },
            panels.NUMBER,
        ).override_by_name("wanted", DASHED),
        panels.graph(
            "Attempts by outcome",
            "How attempts ended since the training began, and workers that were replaced while the others went on. "
            "The record says the cause of each.",
            {
                "{{outcome}}": told(_ATTEMPTS, "outcome", where=HERE),
                "workers replaced": told("tinderbox_training_workers_replaced_total", where=HERE),
            },
            panels.NUMBER,
        ),
    ]


def _checkpoints() -> list[Builder[Panel]]:
    return [
        panels.graph(
            "Steps since the last checkpoint",
            "What a loss would cost now, beside the steps from one checkpoint to the next. TinderboxCheckpointOld "
            "tells of more than three times as many.",
            {
                "at stake": f"{_STEP} - {_SAVED}",
                "interval": told("tinderbox_training_checkpoint_interval_steps", where=HERE),
            },
            panels.NUMBER,
        ).override_by_name("interval", DASHED),
        panels.graph(
            "Age of the last checkpoint",
            "The time since it was made, while the training runs.",
            {
                "age": f"time() - {told('tinderbox_training_checkpoint_timestamp_seconds', where=HERE)} "
                f"and {told('tinderbox_training_over', where=HERE)} == 0"
            },
            panels.SECONDS,
        ),
    ]
