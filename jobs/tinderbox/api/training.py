"""Everything about a training that can be wrong is looked at here, before anything is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinderbox.api.beginning import Size, find_network, size_up, with_winner
from tinderbox.api.material import Material, find_material
from tinderbox.api.plan import (
    check_kind,
    check_preload,
    describe_job,
    differing_keys,
    import_from,
    other_contents,
    refuse_another,
)
from tinderbox.config import TrainJob
from tinderbox.data import Dataset
from tinderbox.errors import BadInput
from tinderbox.models.building import Task
from tinderbox.models.packing import PackedModel
from tinderbox.run import Run, digest_tree, identify
from tinderbox.storage.training import TrainFolder
from tinderbox.sweeping.objective import Objective, by_name, by_value, pack_code
from tinderbox.training.recipe import Recipe
from tinderbox.training.sampling import steps_of

WITHOUT_EFFECT = ("attempts", "checkpoints", "storage")
"""Keys that may change while a training goes on: what is learnt does not depend on them, but on `attempts.scaling`."""


@dataclass(frozen=True)
class TrainPlan:
    """A training that can be started: its job, what every worker is told, its data, and what it depends on.

    `data` is None where workers read their own rows of tables that are too large to be sent to each. `classes` are the
    names of the classes, None for a regression.
    """

    job: TrainJob
    recipe: Recipe
    data: Dataset | None
    run: Run
    classes: tuple[str, ...] | None = None
    size: Size = field(default_factory=Size)

    @property
    def batch(self) -> int:
        """How many examples a step of all workers has."""
        return self.job.examples_of_a_step(self.job.workers)

    @property
    def steps(self) -> int:
        """How many steps an epoch has, with all workers."""
        return steps_of(self.recipe.examples, self.batch)


def make_train_plan(
    job: TrainJob,
    base: Path,
    data: Dataset | None = None,
    build: Callable[..., Any] | None = None,
    network: PackedModel | None = None,
) -> TrainPlan:
    """Return the plan of a job; `base` is the folder that its relative paths start from.

    `data`, and `build` or `network`, take the place of what the job names where a notebook has them at hand.

    Raises:
        BadInput: Data, code or model cannot be had, do not fit each other, or the batch does not fit the data.
    """
    folder = None if job.code is None else base / job.code
    TrainFolder(job.storage, job.name)  # refuses a storage that cannot be opened
    check_preload(job.preload, folder)
    job = with_winner(job)
    material = find_material(job, base, folder, data)
    check_batch(job, material.examples)
    function, objective = find_function(job, folder, build)
    network = network or find_network(job, base)
    task = Task(
        material.shape,
        None if material.classes is None else len(material.classes),
        material.target,
        steps_of(material.examples, job.examples_of_a_step(job.workers)),
    )
    size = size_up(job, task, network, function)
    recipe = Recipe(
        job=job,
        network=network,
        code=objective.code,
        shape=material.shape,
        classes=task.classes,
        examples=material.examples,
        validation=material.validation,
        data=material.digest,
        build=objective.pickled,
        shards=material.shards,
    )
    return TrainPlan(job, recipe, material.data, identity(job, material, objective, network), material.classes, size)


def find_function(
    job: TrainJob, folder: Path | None, build: Callable[..., Any] | None
) -> tuple[Callable[..., Any] | None, Objective]:
    """Return the function that builds the network, None where none does, and it on its way with the user's modules.

    Raises:
        BadInput: It does not import or cannot travel, or the folder of code cannot be packed.
    """
    if build is not None:
        return build, by_value(build, folder)
    if job.model.build is not None:
        return import_from(job.model.build, folder), by_name(job.model.build, folder)
    return None, Objective("", None if folder is None else pack_code(folder))


def identity(job: TrainJob, material: Material, objective: Objective, network: PackedModel | None) -> Run:
    """Return what a training depends on; a function or a built-in network is known by its name and its parameters."""
    code = objective.identity if objective.name or objective.code else ""
    named = {"name": job.model.name, "build": code, "parameters": job.model.parameters}
    model = digest_tree(named) if network is None else network.digest
    return identify(job.name, describe_job(job), material.digest, code, model)


def check_batch(job: TrainJob, examples: int) -> None:
    """Return if a step of all workers has no more examples than there are, and each GPU of a worker gets one.

    Raises:
        BadInput: It has, or one does not.
    """
    batch = job.examples_of_a_step(job.workers)
    if batch > examples:
        each = f"{job.batch.size:,} on each of {job.workers} workers, " if job.batch.per == "worker" else ""
        raise BadInput(
            f"batch: a step has {batch:,} examples, {each}and there are {examples:,} to train on; make it smaller"
        )
    if job.gpus > batch // job.workers:
        raise BadInput(
            f"batch: a worker's {batch // job.workers} examples do not give each of its {job.gpus} GPUs one; "
            "make it larger"
        )


def check_train_continues(folder: TrainFolder, job: TrainJob, run: Run) -> None:
    """Return if a training of this name does not exist yet, or was begun with the same job, code, data and model.

    Its epochs may have been raised since, and what changes nothing that is learnt may be another.

    Raises:
        BadInput: It was begun with others, and the message names the keys that differ, or the name is of another kind.
    """
    check_kind(folder, job.storage)
    if not folder.exists():
        return
    before, now = folder.read_job(), describe_job(job)
    differing = differing_keys(before, now, WITHOUT_EFFECT)
    if "epochs" in differing and before.get("epochs", 0) < now["epochs"]:
        differing.remove("epochs")
    if _scaling(before) != _scaling(now):
        differing.append("attempts.scaling")
    differing += other_contents(folder.read_run(), run, ("code", "data", "model"))
    refuse_another(folder, differing, "epochs may only be raised; " if "epochs" in differing else "")


def _scaling(job: dict[str, Any]) -> Any:
    """Return what a job that was kept says of learning rates with fewer workers."""
    return job.get("attempts", {}).get("scaling")
