"""From a file to a checked job: YAML or a Kubernetes manifest, `--set`, and one sentence for each mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tinderbox.config.mistakes import explain
from tinderbox.config.sweep import SweepJob
from tinderbox.errors import BadInput

KINDS: dict[str, type[SweepJob]] = {"sweep": SweepJob}


class _Loader(yaml.SafeLoader):
    """YAML whose floats follow YAML 1.2, so that 1e-3 is a number and not a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def read_sweep(path: Path, changes: Iterable[str] = ()) -> SweepJob:
    """Return the sweep that a job file, or a manifest whose ConfigMap holds one, describes.

    `changes` are `key=value` texts with dotted keys, as after `--set`; their values are YAML.

    Raises:
        BadInput: The file cannot be read or is not a valid sweep.
    """
    tree = find_job(read_documents(path), path)
    for change in changes:
        set_key(tree, change)
    return check_sweep(tree, str(path))


def check_sweep(tree: dict[str, Any], where: str) -> SweepJob:
    """Return the sweep that a tree of plain values describes; `where` names its origin in messages.

    Raises:
        BadInput: The tree is not a valid sweep.
    """
    try:
        return SweepJob.model_validate(tree)
    except ValidationError as error:
        raise BadInput(f"{where}: {explain(error, SweepJob)}") from error


def read_documents(path: Path) -> list[Any]:
    """Return the YAML documents of a file.

    Raises:
        BadInput: There is no such file, or it is not YAML.
    """
    try:
        return [document for document in yaml.load_all(path.read_text(), _Loader) if document is not None]
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; give the path of a job file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not YAML: {' '.join(str(error).split())}") from error


def _parse(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


def find_job(documents: list[Any], path: Path) -> dict[str, Any]:
    """Return the one job among the documents of a file, looked for in ConfigMaps too.

    Raises:
        BadInput: The file holds no job, or more than one.
    """
    jobs = [job for document in documents for job in _jobs_of(document)]
    if len(jobs) != 1:
        raise BadInput(
            f"{path}: holds {len(jobs)} jobs and must hold one: a document, or a key of a ConfigMap, "
            f"with kind: {' or '.join(KINDS)} at its top"
        )
    return jobs[0]


def _jobs_of(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        return []
    if document.get("kind") in KINDS or "objective" in document:
        return [document]
    if document.get("kind") != "ConfigMap":
        return []
    texts = [text for key, text in (document.get("data") or {}).items() if key.endswith((".yaml", ".yml"))]
    return [job for text in texts for job in _jobs_of(_parse(text))]


def split_setting(text: str) -> tuple[str, Any]:
    """Return the key and the value, which is YAML, of a text such as `search.method=random`.

    Raises:
        BadInput: The text has no key or no `=`, or its value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"a setting is written key=value, such as epochs=3, got {text!r}")
    try:
        return key, _parse(value)
    except yaml.YAMLError as error:
        raise BadInput(f"{text}: the value is not YAML: {' '.join(str(error).split())}") from error


def set_key(tree: dict[str, Any], setting: str) -> None:
    """Set one dotted key of a tree in place.

    Raises:
        BadInput: The key leads through something that is no mapping.
    """
    key, value = split_setting(setting)
    *parents, last = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise BadInput(f"--set {setting}: {parent} is not a mapping; set {parent} itself")
    tree[last] = value
