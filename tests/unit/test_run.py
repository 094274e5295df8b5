"""The identity of a run."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError

import pytest

from tinderbox import run


def test_equal_trees_have_equal_digests() -> None:
    """The order of keys does not matter, anything else does."""
    first = run.digest_tree({"a": 1, "b": {"c": [1, 2], "d": None}})
    assert run.digest_tree({"b": {"d": None, "c": [1, 2]}, "a": 1}) == first
    others = [{}, {"a": 1}, {"a": 1, "b": {"c": [2, 1], "d": None}}, {"a": 1.5, "b": {"c": [1, 2], "d": None}}]
    assert len({first, *map(run.digest_tree, others)}) == 5


def test_a_run_knows_what_it_depends_on() -> None:
    """Name, digests, Python and the packages that are installed."""
    identified = run.identify("small", {"epochs": 2}, "d" * 64, "")
    assert (identified.name, identified.data, identified.code) == ("small", "d" * 64, "")
    assert identified.configuration == run.digest_tree({"epochs": 2})
    assert identified.python == platform.python_version()
    assert {"tinderbox", "pyspark", "numpy", "optuna"} <= set(identified.versions)
    assert identified.model == ""
    assert run.identify("small", {}, "", "", "e" * 64).model == "e" * 64


def test_what_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on a machine without TensorFlow has no version of it."""

    def version(package: str) -> str:
        if package.startswith("tensorflow"):
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(run, "version", version)
    assert run.installed_versions() == dict.fromkeys(
        ("tinderbox", "pyspark", "keras", "numpy", "optuna", "scikit-learn"), "1.0"
    )
