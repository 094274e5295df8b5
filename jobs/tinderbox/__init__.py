"""Deep-learning work on Spark on Kubernetes: sweeps, training and inference from one function and one YAML file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinderbox.api.notebook import train
    from tinderbox.api.predict import predict
    from tinderbox.api.result import SweepResult, open_study
    from tinderbox.api.sweep import sweep
    from tinderbox.api.trained import TrainResult, open_training
    from tinderbox.config.spoken import Choice, Float, Int
    from tinderbox.errors import TinderboxError
    from tinderbox.sweeping.keras import keras_callback
    from tinderbox.sweeping.trial import Trial

__all__ = [
    "Choice",
    "Float",
    "Int",
    "SweepResult",
    "TinderboxError",
    "TrainResult",
    "Trial",
    "keras_callback",
    "open_study",
    "open_training",
    "predict",
    "sweep",
    "train",
]

_HOMES = {
    "Choice": "tinderbox.config.spoken:Choice",
    "Float": "tinderbox.config.spoken:Float",
    "Int": "tinderbox.config.spoken:Int",
    "SweepResult": "tinderbox.api.result:SweepResult",
    "TinderboxError": "tinderbox.errors:TinderboxError",
    "TrainResult": "tinderbox.api.trained:TrainResult",
    "Trial": "tinderbox.sweeping.trial:Trial",
    "keras_callback": "tinderbox.sweeping.keras:keras_callback",
    "open_study": "tinderbox.api.result:open_study",
    "open_training": "tinderbox.api.trained:open_training",
    "predict": "tinderbox.api.predict:predict",
    "sweep": "tinderbox.api.sweep:sweep",
    "train": "tinderbox.api.notebook:train",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that a child process does not pay for Spark."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
