"""Everything about a sweep that can be wrong is looked at here, before anything is started."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinderbox.api.recall import recall
from tinderbox.config import AnyJob, SweepJob
from tinderbox.data import Dataset, digest, load
from tinderbox.errors import BadInput
from tinderbox.functions import find_function
from tinderbox.preloading import explain, is_in
from tinderbox.run import Run, identify
from tinderbox.storage import StudyFolder
from tinderbox.storage.finding import other_kind
from tinderbox.storage.runs import RunFolder
from tinderbox.sweeping.objective import Objective, by_name, by_value
from tinderbox.sweeping.search import Proposer

WITHOUT_EFFECT = ("slots", "checkpoints")
"""Keys of a job that may change while its study goes on: no trial's result depends on them."""


@dataclass(frozen=True)
class Plan:
    """A sweep that can be started."""

    job: SweepJob
    objective: Objective
    function: Callable[..., Any]
    data: Dataset
    proposer: Proposer
    run: Run


def make_plan(
    job: SweepJob, base: Path, function: Callable[..., Any] | None = None, data: Dataset | None = None
) -> Plan:
    """Return the plan of a job; `base` is the folder that its relative paths start from.

    `function` and `data` take the place of what the job names where a notebook has them at hand.

    Raises:
        BadInput: The function or a module to preload does not import, the data cannot be read, the search has nothing
            to try, or the study that it starts from cannot be had.
    """
    proposer = Proposer(job)
    if not StudyFolder(job.storage, job.name).exists():  # one that was begun has kept what it recalls
        recall(job)
    code = None if job.code is None else base / job.code
    if function is None:
        objective = by_name(job.objective, code)
        function = import_from(job.objective, code)
    else:
        objective = by_value(function, code)
    check_preload(job.preload, code)
    data = data or load(job.data, base, lambda name: import_from(name, code))
    run = identify(job.name, describe_job(job), digest(data), objective.identity)
    return Plan(job, objective, function, data, proposer, run)


def import_from(name: str, code: Path | None) -> Callable[..., Any]:
    """Return the function `module:function`, from a folder of code first where one is given.

    Raises:
        BadInput: The module does not import, or has no such function.
    """
    _look_into(code)
    return find_function(name)


def check_preload(modules: Sequence[str], code: Path | None) -> None:
    """Return if the modules can be preloaded: the user's own import, others are there, for they may take seconds.

    Raises:
        BadInput: One does not import, or is not there.
    """
    _look_into(code)
    for module in modules:
        try:
            if code is not None and is_in(code, module):
                importlib.import_module(module)
            elif importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError(f"No module named {module!r}")
        except (Exception, SystemExit) as error:
            raise BadInput(explain(module, error)) from error


def _look_into(code: Path | None) -> None:
    """Let modules be imported from a folder of code first."""
    if code is not None and str(code) not in sys.path:
        sys.path.insert(0, str(code))


def describe_job(job: AnyJob) -> dict[str, Any]:
    """Return a job as the plain values that are kept with its study."""
    tree: dict[str, Any] = job.model_dump(mode="json", exclude_none=True)
    return tree


def check_continues(folder: StudyFolder, job: SweepJob, run: Run) -> None:
    """Return if a study of this name does not exist yet, or was begun with the same job, code and data.

    Its budget may have been raised since, and what changes no trial's result may be another.

    Raises:
        BadInput: It was begun with others, and the message names the keys that differ, or the name is of another kind.
    """
    check_kind(folder, job.storage)
    if not folder.exists():
        return
    before, now = folder.read_job(), describe_job(job)
    differing = differing_keys(before, now)
    if "budget" in differing and is_raised(before.get("budget", {}), now["budget"]):
        differing.remove("budget")
    differing += other_contents(folder.read_run(), run, ("code", "data"))
    refuse_another(folder, differing, "a budget may only be raised; " if "budget" in differing else "")


def other_contents(began: Run, now: Run, keys: Sequence[str]) -> list[str]:
    """Return the keys behind which is something else now, though they may name the same folder or file as before."""
    return [key for key in keys if getattr(began, key) != getattr(now, key)]


def refuse_another(folder: RunFolder, differing: Sequence[str], allowed: str) -> None:
    """Return if a run differs in no key from how it was begun; `allowed` says which difference would be none.

    Raises:
        BadInput: It does.
    """
    if differing:
        keys = " and ".join(dict.fromkeys(differing))
        raise BadInput(
            f"{folder.kind} {folder.name!r} exists and was begun with another {keys}; "
            f"{allowed}give this one another name, or start over with --fresh, in a notebook fresh=True"
        )


def check_kind(folder: RunFolder, storage: str) -> None:
    """Return if no run of another kind has a folder's name.

    Raises:
        BadInput: One has.
    """
    if (kind := other_kind(folder)) is not None:
        raise BadInput(f"name {folder.name!r} is a {kind}'s in {storage}; give the {folder.kind} one of its own")


def differing_keys(
    before: Mapping[str, Any], now: Mapping[str, Any], without_effect: Sequence[str] = WITHOUT_EFFECT
) -> list[str]:
    """Return the keys in which two jobs differ, but for those on which no result depends, of a study's trials here."""
    return [key for key in {**before, **now} if before.get(key) != now.get(key) and key not in without_effect]


def is_raised(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a budget allows at least as much of everything as another one; what it does not name has no bound."""
    return all(key not in now or (key in before and now[key] >= before[key]) for key in {**before, **now})
