"""Job files: what may be written in them, and how they are read."""

from tinderbox.config.data import AnyData, AnyTrainData, Digits, Function, Memory, Mnist, Npz, Sharded, Split, Table
from tinderbox.config.infer import InferJob
from tinderbox.config.metric import COLUMNS, Constraint, Metric
from tinderbox.config.parameters import AnyParameter, ChoiceParameter, FloatParameter, IntParameter, Number, Value
from tinderbox.config.reading import (
    AnyJob,
    check_infer,
    check_sweep,
    check_train,
    read_any,
    read_infer,
    read_sweep,
    read_train,
)
from tinderbox.config.search import Search, WarmStart, Zoom
from tinderbox.config.sweep import Budget, SweepJob
from tinderbox.config.train import TrainJob

__all__ = [
    "COLUMNS",
    "AnyData",
    "AnyJob",
    "AnyParameter",
    "AnyTrainData",
    "Budget",
    "ChoiceParameter",
    "Constraint",
    "Digits",
    "FloatParameter",
    "Function",
    "InferJob",
    "IntParameter",
    "Memory",
    "Metric",
    "Mnist",
    "Npz",
    "Number",
    "Search",
    "Sharded",
    "Split",
    "SweepJob",
    "Table",
    "TrainJob",
    "Value",
    "WarmStart",
    "Zoom",
    "check_infer",
    "check_sweep",
    "check_train",
    "read_any",
    "read_infer",
    "read_sweep",
    "read_train",
]
