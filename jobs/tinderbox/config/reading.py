"""From a file to a checked job: YAML or a Kubernetes manifest, `--set`, and one sentence for each mistake."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from tinderbox.config.infer import InferJob
from tinderbox.config.mistakes import explain
from tinderbox.config.sweep import SweepJob
from tinderbox.config.train import TrainJob
from tinderbox.errors import BadInput

AnyJob = SweepJob | InferJob | TrainJob
Job = TypeVar("Job", SweepJob, InferJob, TrainJob)

KINDS: dict[str, type[SweepJob] | type[InferJob] | type[TrainJob]] = {
    "sweep": SweepJob,
    "infer": InferJob,
    "train": TrainJob,
}

_PLAIN = {
    "bool": (r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][\d_]*|0x[\da-fA-F]{1,16})$", "-+0123456789"),
    "float": (
        r"[-+]?(?:\d[\d_]*\.[\d_]*|\.\d[\d_]*|\d[\d_]*(?=[eE]))(?:[eE][-+]?\d+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$",
        "-+0123456789.",
    ),
}
"""How booleans and numbers look, and their first characters."""


class _Loader(yaml.SafeLoader):
    """YAML whose plain values follow YAML 1.2: 1e-3 is a number, `no` and `on` are texts, and 1:30 is not 90."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in its base class
        first: [(tag, rule) for tag, rule in rules if tag.rpartition(":")[2] not in _PLAIN]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse a key that is there twice, which version 1.2 forbids too: one of its values would be lost."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in lines:
                raise yaml.YAMLError(
                    f"key {key.value!r} is written twice, in line {lines[name]} and in line {line}; keep one"
                )
            lines[name] = line
        return node


for _name, (_rule, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_rule), list(_first))


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads as it was: texts that look like its numbers in quotes."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def write_job(tree: dict[str, Any]) -> str:
    """Return the job file that holds a tree of plain values."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


_NOT_YAML = (yaml.YAMLError, ValueError)
"""What PyYAML raises: ValueError for a text that is no UTF-8, and for a date such as 2026-13-45."""


def read_sweep(path: Path, changes: Iterable[str] = ()) -> SweepJob:
    """Return the sweep that a job file, or a manifest whose ConfigMap holds one, describes.

    `changes` are `key=value` texts with dotted keys, as after `--set`; their values are YAML.

    Raises:
        BadInput: The file cannot be read or is not a valid sweep.
    """
    return check_sweep(read_tree(path, changes), str(path))


def read_infer(path: Path, changes: Iterable[str] = ()) -> InferJob:
    """Return the batch inference that a job file describes, as `read_sweep` does a sweep.

    Raises:
        BadInput: The file cannot be read or is not a valid batch inference.
    """
    return check_infer(read_tree(path, changes), str(path))


def read_train(path: Path, changes: Iterable[str] = ()) -> TrainJob:
    """Return the training that a job file describes, as `read_sweep` does a sweep.

    Raises:
        BadInput: The file cannot be read or is not a valid training.
    """
    return check_train(read_tree(path, changes), str(path))


def read_any(path: Path, changes: Iterable[str] = ()) -> AnyJob:
    """Return the job that a file describes, whatever its kind.

    Raises:
        BadInput: The file cannot be read or holds no valid job.
    """
    tree = read_tree(path, changes)
    checks: dict[Any, Callable[[dict[str, Any], str], AnyJob]] = {"infer": check_infer, "train": check_train}
    return checks.get(tree.get("kind"), check_sweep)(tree, str(path))


def read_tree(path: Path, changes: Iterable[str] = ()) -> dict[str, Any]:
    """Return the plain values of the job in a file, changed but not checked yet.

    Raises:
        BadInput: The file cannot be read, or holds no job.
    """
    tree = find_job(read_documents(path), path)
    for change in changes:
        set_key(tree, change)
    return tree


def check_sweep(tree: dict[str, Any], where: str) -> SweepJob:
    """Return the sweep that a tree of plain values describes; `where` names its origin in messages.

    Raises:
        BadInput: The tree is not a valid sweep.
    """
    return _check(tree, SweepJob, "sweep", where)


def check_infer(tree: dict[str, Any], where: str) -> InferJob:
    """Return the batch inference that a tree of plain values describes.

    Raises:
        BadInput: The tree is not a valid batch inference.
    """
    return _check(tree, InferJob, "infer", where)


def check_train(tree: dict[str, Any], where: str) -> TrainJob:
    """Return the training that a tree of plain values describes.

    Raises:
        BadInput: The tree is not a valid training.
    """
    return _check(tree, TrainJob, "train", where)


def _check(tree: dict[str, Any], model: type[Job], kind: str, where: str) -> Job:
    if tree.get("kind") in list(KINDS) and tree["kind"] != kind:
        raise BadInput(f"{where}: is a job of kind {tree['kind']}, and not {kind}; tinderbox {tree['kind']} runs it")
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise BadInput(f"{where}: {explain(error, model)}") from error


def read_documents(path: Path) -> list[Any]:
    """Return the YAML documents of a file.

    Raises:
        BadInput: There is no such file, or it is not YAML.
    """
    try:
        return _parse(path.read_text())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; give the path of a job file") from error
    except _NOT_YAML as error:
        raise BadInput(f"{path}: is not YAML: {_one_line(error)}") from error


def _parse(text: str) -> list[Any]:
    """Return the documents in a text, without the empty ones."""
    try:
        return [document for document in yaml.load_all(text, _Loader) if document is not None]
    except RecursionError as error:
        raise yaml.YAMLError("it is nested too deeply") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def find_job(documents: list[Any], path: Path) -> dict[str, Any]:
    """Return the one job among the documents of a file, looked for in ConfigMaps too.

    Raises:
        BadInput: The file holds no job, or more than one.
    """
    jobs = [job for document in documents for job in _jobs_of(document, path)]
    if len(jobs) != 1:
        raise BadInput(
            f"{path}: holds {len(jobs)} jobs and must hold one: a document, or a key of a ConfigMap, "
            "with kind: sweep, infer or train at its top"
        )
    return jobs[0]


def beside_job(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what a manifest holds beside a job: the other keys of its ConfigMap, and its Kubernetes Job.

    Both are empty for a plain job file.

    Raises:
        BadInput: There is no such file, or it is not YAML.
    """
    documents = [document for document in read_documents(path) if isinstance(document, dict)]
    drivers = [document for document in documents if document.get("kind") == "Job"]
    holders = [d for d in documents if d.get("kind") == "ConfigMap" and _jobs_of(d, path)]
    files = {
        key: text
        for holder in holders
        for key, text in holder["data"].items()
        if not _jobs_of({"kind": "ConfigMap", "data": {key: text}}, path)
    }
    return files, drivers[0] if drivers else {}


def _jobs_of(document: Any, path: Path) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        return []
    if document.get("kind") in list(KINDS) or "objective" in document:
        return [document]
    if document.get("kind") != "ConfigMap":
        return []
    return [job for held in _documents_in(document, path) for job in _jobs_of(held, path)]


def _documents_in(config_map: dict[Any, Any], path: Path) -> list[Any]:
    """Return the YAML documents that a ConfigMap holds."""
    data = config_map.get("data")
    found = []
    for key, text in data.items() if isinstance(data, dict) else ():
        if isinstance(text, str) and str(key).endswith((".yaml", ".yml")):
            try:
                found += _parse(text)
            except _NOT_YAML as error:
                raise BadInput(f"{path}: {key} in the ConfigMap is not YAML: {_one_line(error)}") from error
    return found


def split_setting(text: str) -> tuple[str, Any]:
    """Return the key and the value, which is YAML, of a text such as `search.method=random`.

    Raises:
        BadInput: The text has no key or no `=`, or its value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"a setting is written key=value, such as epochs=3, got {text!r}")
    try:
        return key, next(iter(_parse(value)), None)
    except _NOT_YAML as error:
        raise BadInput(f"{text}: the value is not YAML: {_one_line(error)}") from error


def set_line(text: str, key: str, value: str) -> str:
    """Return a job file with another value of a plain key at its top level, and all else, comments too, as it was."""
    line = re.compile(rf"^{re.escape(key)}[ \t]*:[^#\n]*?(?=[ \t]*(#|$))", re.MULTILINE)
    if line.search(text):
        return line.sub(f"{key}: {value}", text, count=1)
    return f"{text.rstrip()}\n{key}: {value}\n"


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
