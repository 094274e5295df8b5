"""A small valid sweep, and ways to change it and to be refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import SweepJob, check_sweep
from tinderbox.errors import BadInput

VALID: dict[str, Any] = {
    "kind": "sweep",
    "name": "small",
    "objective": "module:train",
    "metric": {"name": "loss", "direction": "minimize"},
    "parameters": {"lr": {"type": "float", "low": 0.1, "high": 1}},
    "search": "random",
    "budget": {"trials": 3},
    "epochs": 2,
}

Change = Callable[..., dict[str, Any]]


@pytest.fixture
def change() -> Change:
    """Return a function that gives the valid job with dotted keys set, or removed by None."""

    def changed(keys: dict[str, Any] | None = None) -> dict[str, Any]:
        tree = copy.deepcopy(VALID)
        for key, value in (keys or {}).items():
            *parents, last = key.split(".")
            part = tree
            for parent in parents:
                part = part[parent]
            part[last] = value
            if value is None:
                del part[last]
        return tree

    return changed


@pytest.fixture
def accept(change: Change) -> Callable[..., SweepJob]:
    """Return a function that checks the valid job with some keys changed."""
    return lambda keys=None: check_sweep(change(keys), "job.yaml")


@pytest.fixture
def refuse(change: Change) -> Callable[[dict[str, Any]], str]:
    """Return a function that gives the sentence with which a changed job is refused."""

    def refused(keys: dict[str, Any]) -> str:
        with pytest.raises(BadInput) as refusal:
            check_sweep(change(keys), "job.yaml")
        sentence = str(refusal.value)
        assert sentence.startswith("job.yaml: ")
        assert "\n" not in sentence
        return sentence.removeprefix("job.yaml: ")

    return refused
