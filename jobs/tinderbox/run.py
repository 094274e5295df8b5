"""The identity of a run: which configuration, data, code and versions made it."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("tinderbox", "pyspark", "tensorflow-cpu", "tensorflow", "keras", "numpy", "optuna", "scikit-learn")


@dataclass(frozen=True)
class Run:
    """What a result depends on; digests are SHA-256 in hexadecimal, empty where there is nothing to digest.

    `model` is that of the network that training begins with: of its file, or of what builds it.
    """

    name: str
    configuration: str
    data: str
    code: str
    python: str
    versions: dict[str, str]
    model: str = ""


def identify(name: str, configuration: dict[str, Any], data: str, code: str, model: str = "") -> Run:
    """Return the identity of a run with this configuration and these digests of data, code and model."""
    return Run(name, digest_tree(configuration), data, code, platform.python_version(), installed_versions(), model)


def digest_tree(tree: dict[str, Any]) -> str:
    """Return the SHA-256 of a tree of plain values; the order of its keys does not matter."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on, those that are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
