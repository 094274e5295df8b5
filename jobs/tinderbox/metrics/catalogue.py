"""Every metric: its name, its kind, its labels, and what it says.

Names follow Prometheus's own rules: seconds and bytes, `_total` for what only grows. Labels are bounded: a study tells
of the trials that run, and of `MOST_TRIALS` each of the best, of those that ended last, and of those that were paused
last; sentences go to log, record and report. `node` is the machine below a pod, `run` the name of a study, a batch
inference or a training; namespace and pod are Prometheus's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MOST_TRIALS = 100


@dataclass(frozen=True)
class Sample:
    """One value of a metric, its labels in the metric's order."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Metric:
    """What is measured; `buckets` are the upper ends of a histogram's, in the metric's unit."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    def sample(self, value: float, **labels: object) -> Sample:
        """Return a value of this metric.

        Raises:
            ValueError: A label is missing, or there is one that it does not have.
        """
        if labels.keys() != set(self.labels):
            has, got = (", ".join(names) or "none" for names in (self.labels, labels))
            raise ValueError(f"{self.name} must be given its labels, {has}, got {got}")
        return Sample(self, tuple(str(labels[name]) for name in self.labels), value)

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus keeps it."""
        if self.kind != "histogram":
            return (self.name,)
        return tuple(f"{self.name}_{suffix}" for suffix in ("bucket", "sum", "count"))


_STEPS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_STARTS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)

# A study, told by its driver from its record, and after its end by the console.

STUDY_INFO = Metric("tinderbox_study_info", "gauge", ("study", "metric", "direction", "search"), "Always 1.")
STUDY_OVER = Metric("tinderbox_study_over", "gauge", ("study",), "Whether a study has ended: 1, or 0 while it runs.")
STUDY_SECONDS = Metric("tinderbox_study_seconds", "gauge", ("study",), "For how long drivers have worked on a study.")
SECONDS_LEFT = Metric(
    "tinderbox_study_left_seconds", "gauge", ("study",), "Estimate of the time until a study ends, once there is one."
)
TRIALS = Metric("tinderbox_trials", "gauge", ("study", "state"), "Trials by where they stand.")
TRIALS_WANTED = Metric(
    "tinderbox_trials_wanted", "gauge", ("study",), "Trials that a study is to have; absent where only time ends it."
)
ATTEMPTS = Metric("tinderbox_trial_attempts_total", "counter", ("study", "outcome"), "Attempts by how they ended.")
REPORTS = Metric("tinderbox_reports_total", "counter", ("study",), "Epochs that trials have reported.")
BEST_VALUE = Metric("tinderbox_best_value", "gauge", ("study",), "The metric of the best complete trial.")
BASELINE_VALUE = Metric("tinderbox_baseline_value", "gauge", ("study",), "The metric of the default parameters.")
TRIAL_VALUE = Metric("tinderbox_trial_value", "gauge", ("study", "trial"), "The metric of a trial's last report.")
TRIAL_EPOCH = Metric("tinderbox_trial_epoch", "gauge", ("study", "trial"), "The last epoch that a trial has reported.")
TRIAL_RUNG = Metric(
    "tinderbox_trial_rung", "gauge", ("study", "trial"), "The epoch of the last rung that a trial went beyond, or 0."
)
TRIAL_PARAMETER = Metric(
    "tinderbox_trial_parameter",
    "gauge",
    ("study", "trial", "parameter"),
    "A trial's parameter; a choice that is no number counts by its place among the choices, from 0.",
)
SLOT_TRIAL = Metric(
    "tinderbox_slot_trial", "gauge", ("study", "slot", "node"), "The trial that a slot runs; absent while it is idle."
)
SLOT_MEMORY = Metric(
    "tinderbox_slot_memory_bytes", "gauge", ("study", "slot", "node"), "What the processes of a slot's trial hold."
)
SLOTS = Metric("tinderbox_slots", "gauge", ("study", "state"), "Slots that are there: busy, idle or leaving.")
SLOTS_WANTED = Metric("tinderbox_slots_wanted", "gauge", ("study",), "Slots that a study is to have.")
SLOTS_LOST = Metric("tinderbox_slots_lost_total", "counter", ("study", "node"), "Slots that went before their time.")
NODE_AVOIDED = Metric(
    "tinderbox_node_avoided", "gauge", ("study", "node"), "Always 1: a node that gets no trials, for it lost several."
)

# A batch inference, told by its driver from the summary of its rows, and after its end by the console.

INFERENCE_OVER = Metric(
    "tinderbox_inference_over", "gauge", ("run",), "Whether a batch inference has ended: 1, or 0 while it runs."
)
INFERENCE_ROWS = Metric("tinderbox_inference_rows", "gauge", ("run", "outcome"), "Rows: labelled, or error.")
INFERENCE_ERRORS = Metric("tinderbox_inference_errors", "gauge", ("run", "reason"), "Rows with an error, by reason.")
INFERENCE_ACCURACY = Metric(
    "tinderbox_inference_accuracy", "gauge", ("run",), "Share of right labels, where the truth is known."
)
INFERENCE_LEFT = Metric(
    "tinderbox_inference_left_files", "gauge", ("run",), "Files of the input that are not labelled yet."
)
INFERENCE_SECONDS_LEFT = Metric(
    "tinderbox_inference_left_seconds", "gauge", ("run",), "Estimate of the time until a batch inference ends."
)

# A training, told by its driver from its record, and after its end by the console.

TRAINING_INFO = Metric("tinderbox_training_info", "gauge", ("run", "mode", "model"), "Always 1.")
TRAINING_OVER = Metric("tinderbox_training_over", "gauge", ("run",), "Whether a training has ended: 1, or 0 before.")
TRAINING_SECONDS = Metric("tinderbox_training_seconds", "gauge", ("run",), "For how long drivers have worked on it.")
TRAINING_SECONDS_LEFT = Metric(
    "tinderbox_training_left_seconds", "gauge", ("run",), "Estimate of the time until a training ends, if there is one."
)
TRAINING_EPOCH = Metric("tinderbox_training_epoch", "gauge", ("run",), "Epochs that are done.")
TRAINING_EPOCHS_WANTED = Metric(
    "tinderbox_training_epochs_wanted", "gauge", ("run",), "Epochs of a training, unless it stops early."
)
TRAINING_STEP = Metric("tinderbox_training_step", "gauge", ("run",), "Steps so far, none of them counted twice.")
TRAINING_VALUE = Metric(
    "tinderbox_training_value", "gauge", ("run", "metric"), "A metric of the last epoch, such as loss or val_top1."
)
TRAINING_WORKERS = Metric(
    "tinderbox_training_workers", "gauge", ("run", "state"), "Workers: those that train, and those that wait to."
)
TRAINING_WORKERS_WANTED = Metric(
    "tinderbox_training_workers_wanted", "gauge", ("run",), "Workers that a training is to have."
)
TRAINING_ATTEMPTS = Metric(
    "tinderbox_training_attempts_total", "counter", ("run", "outcome"), "Attempts of a training by how they ended."
)
TRAINING_REPLACED = Metric(
    "tinderbox_training_workers_replaced_total",
    "counter",
    ("run",),
    "Workers that were lost and replaced while the others went on, as in mode threshold.",
)
CHECKPOINT_TIME = Metric(
    "tinderbox_training_checkpoint_timestamp_seconds", "gauge", ("run",), "Unix time of the last checkpoint, if of any."
)
CHECKPOINT_STEP = Metric(
    "tinderbox_training_checkpoint_step", "gauge", ("run",), "The step of the last checkpoint, 0 without one."
)
CHECKPOINT_INTERVAL = Metric(
    "tinderbox_training_checkpoint_interval_steps", "gauge", ("run",), "Steps from one checkpoint to the next."
)

# A pod, told by its exporter, which its workers feed; on one machine the driver is the pod.

POD_INFO = Metric("tinderbox_pod_info", "gauge", ("node", "role"), "Always 1; role is driver, executor or console.")
EXAMPLES = Metric(
    "tinderbox_examples_total",
    "counter",
    ("node", "run", "kind"),
    "Examples trained on (sweep, train) or labelled (infer).",
)
STEP_SECONDS = Metric(
    "tinderbox_step_seconds",
    "histogram",
    ("node", "run"),
    "Time of one training step; of a training, what it waits for other workers is a part of it.",
    _STEPS,
)
SYNC_SECONDS = Metric(
    "tinderbox_sync_seconds",
    "histogram",
    ("node", "run"),
    "The part of a training step that is exchange with other workers.",
    _STEPS,
)
SYNC_BYTES = Metric(
    "tinderbox_sync_bytes_total", "counter", ("node", "run", "mode"), "What workers have sent to each other."
)
SYNC_DENSE_BYTES = Metric(
    "tinderbox_sync_dense_bytes_total",
    "counter",
    ("node", "run", "mode"),
    "What the same exchange had taken with whole gradients.",
)
HANDOVER_SECONDS = Metric(
    "tinderbox_handover_seconds",
    "histogram",
    ("node", "run"),
    "From a trial's end to the start of the slot's next one.",
    _STEPS,
)
BATCH_SECONDS = Metric(
    "tinderbox_batch_seconds",
    "histogram",
    ("node", "run", "phase"),
    "Time of a batch of rows: phase read is the wait for its decoded images, predict the model's.",
    _STEPS,
)
MODEL_LOAD_SECONDS = Metric(
    "tinderbox_model_load_seconds", "histogram", ("node", "run"), "Time in which a worker got its model ready.", _STARTS
)
ROWS_FAILED = Metric("tinderbox_rows_failed_total", "counter", ("node", "run", "reason"), "Rows with an error.")
WORKERS = Metric("tinderbox_worker_processes", "gauge", ("node",), "Python processes of the pod.")
WORKER_BYTES = Metric(
    "tinderbox_worker_resident_bytes", "gauge", ("node",), "Resident memory of the pod's Python processes together."
)
POD_MEMORY = Metric("tinderbox_pod_memory_bytes", "gauge", ("node",), "Memory that counts against the pod's limit.")
POD_LIMIT = Metric("tinderbox_pod_memory_limit_bytes", "gauge", ("node",), "The pod's limit, where it has one.")
POD_CPU = Metric("tinderbox_pod_cpu_seconds_total", "counter", ("node",), "CPU time that the pod has used.")
REFUSED = Metric("tinderbox_metrics_refused_total", "counter", ("node",), "Messages that the pod's exporter refused.")

# Where studies are kept, told by whoever writes or reads there; absent for object storage.

STORAGE_SIZE = Metric("tinderbox_storage_size_bytes", "gauge", (), "Size of the volume that keeps studies.")
STORAGE_FREE = Metric("tinderbox_storage_free_bytes", "gauge", (), "What is free of it.")

METRICS = {found.name: found for found in list(globals().values()) if isinstance(found, Metric)}
"""All of them by name."""
