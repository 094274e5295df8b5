"""The Inference dashboard: how far a batch inference is, and what went wrong."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from monitoring.generate import boards, panels
from monitoring.generate.looks import BY_LIMIT, limits, words
from monitoring.generate.queries import mean, rate, told

HERE = 'namespace="$namespace", run="$inference"'

_ROWS = told("tinderbox_inference_rows", "outcome", where=HERE)


def inference() -> Dashboard:
    """Return the dashboard of one batch inference."""
    return boards.make(
        boards.INFERENCE,
        "How far a batch inference is, how fast each node labels, and which rows have an error instead.",
        [
            boards.chosen(
                "inference",
                "Batch inference",
                'label_values(tinderbox_inference_over{namespace="$namespace"}, run)',
            )
        ],
        alerts='run=~"$inference|", study=""',
        sections={"Where it stands": [*_numbers(), *_progress()], "Speed": _speed(), "Errors": _errors()},
    )


def _numbers() -> list[Builder[Panel]]:
    return [
        panels.number(
            "State",
            "Whether it runs or has ended. One that has ended is told by the console, from the summary of its rows.",
            {"": told("tinderbox_inference_over", where=HERE)},
            panels.NUMBER,
        ).mappings([words({"0": ("runs", "green"), "1": ("ended", "blue")})]),
        panels.number(
            "Rows",
            "Rows that are written, all runs of this name together: labelled, or with an error.",
            {"{{outcome}}": _ROWS},
            panels.NUMBER,
            width=6,
        ),
        panels.number(
            "Time left",
            "Estimate of the time until all input is labelled, once there is one.",
            {"left": told("tinderbox_inference_left_seconds", where=HERE)},
            panels.SECONDS,
        ),
        panels.share(
            "Accuracy",
            "Share of right labels, where folders or a column tell the truth. Empty elsewhere.",
            told("tinderbox_inference_accuracy", where=HERE),
            width=5,
        ),
        panels.share(
            "Errors",
            "Share of rows with an error in the place of a label. TinderboxInferenceErrors tells of more than 0.05.",
            f"max (namespace_run:tinderbox_inference_errors:ratio{{{HERE}}})",
            width=5,
        )
        .thresholds(limits(0.02, 0.05))
        .color_scheme(BY_LIMIT),
    ]


def _progress() -> list[Builder[Panel]]:
    return [
        panels.layers(
            "Rows over time",
            "Rows that are written, by outcome.",
            {"{{outcome}}": _ROWS},
            panels.NUMBER,
        ),
        panels.graph(
            "Files left",
            "Files of the input that are not labelled yet.",
            {"files": told("tinderbox_inference_left_files", where=HERE)},
            panels.NUMBER,
        ),
    ]


def _speed() -> list[Builder[Panel]]:
    return [
        panels.layers(
            "Images a second by node",
            "Images, or rows of a table, that get a label, by node.",
            {"{{node}}": rate("tinderbox_examples_total", "node", where=f'{HERE}, kind="infer"')},
            panels.NUMBER,
            width=8,
        ),
        panels.layers(
            "Batch phases",
            "Mean time of a batch of rows by phase: read is the wait for its decoded images, predict the model's. Much "
            "waiting asks for more cores or for faster storage.",
            {"{{phase}}": mean("tinderbox_batch_seconds", "phase", where=HERE)},
            panels.SECONDS,
            width=8,
        ),
        panels.graph(
            "Time of a batch by node",
            "Mean time that the model takes for a batch, by node, over half an hour. TinderboxNodeSlow compares them.",
            {"{{node}}": f"max by (node) (namespace_run_node:tinderbox_predict_seconds:mean30m{{{HERE}}})"},
            panels.SECONDS,
            width=8,
        ),
    ]


def _errors() -> list[Builder[Panel]]:
    return [
        panels.bars(
            "Errors by reason",
            "Rows with an error by reason, all runs of this name together; the report has examples of each.",
            {"{{reason}}": told("tinderbox_inference_errors", "reason", where=HERE)},
            panels.NUMBER,
        ),
        panels.graph(
            "Errors a second by node",
            "Rows that get an error, a second, by node: one that stands out may not reach the input.",
            {"{{node}}": rate("tinderbox_rows_failed_total", "node", where=HERE)},
            panels.NUMBER,
        ),
    ]
