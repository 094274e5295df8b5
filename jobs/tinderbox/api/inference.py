"""What a batch inference is to do, worked out before anything is started: the model, its recipe, their version."""

from __future__ import annotations

import hashlib
import importlib
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tinderbox.api.ending import KERAS_MODEL
from tinderbox.api.plan import check_preload, describe_job, import_from
from tinderbox.api.recipes import features_of, frame_of, make_recipe
from tinderbox.api.trained import read_classes
from tinderbox.config import InferJob
from tinderbox.config.inputs import Held
from tinderbox.data import digest, load
from tinderbox.errors import BadInput
from tinderbox.inference.engine import class_count, row_width
from tinderbox.inference.held import file_tables, folder_names
from tinderbox.inference.recipe import Recipe
from tinderbox.models.compiling import last_activation
from tinderbox.models.loading import load_trainable
from tinderbox.models.network import Network, PackedModel, load_model, pack_model
from tinderbox.preloading import explain
from tinderbox.run import Run, digest_tree, identify
from tinderbox.storage import StudyFolder
from tinderbox.storage.fetching import fetched
from tinderbox.storage.training import MODEL, TrainFolder
from tinderbox.sweeping.objective import by_name, pack_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa


@dataclass(frozen=True)
class InferPlan:
    """A batch inference that can be started; `model` is None where a function of the user's takes its place.

    `version` is the SHA-256 of all that an answer depends on; `code` is a zip of the user's modules. `held` gives the
    input in tables of so many rows where it is a data set that lies in this process; `width` is how long the lists in a
    row are.
    """

    job: InferJob
    recipe: Recipe
    model: PackedModel | None
    version: str
    code: bytes | None
    run: Run
    width: int = 0
    held: Callable[[int], Iterator[pa.Table]] | None = None


def make_infer_plan(job: InferJob, base: Path) -> InferPlan:
    """Return the plan of a job; `base` is the folder that its relative paths start from.

    Raises:
        BadInput: Model, labels or code cannot be had, or do not fit each other.
    """
    folder = None if job.code is None else base / job.code
    held = None
    if isinstance(job.input, Held):
        held = hold(job.input, base, folder)
    else:
        job = job.model_copy(update={"input": job.input.model_copy(update={"path": beside(base, job.input.path)})})
    check_preload(job.preload, folder)
    if job.predict is not None:
        import_from(job.predict, folder)
        model, identity, width = None, by_name(job.predict, folder).identity, 0
        frame = None if features_of(job) else frame_of(job, None)
        recipe = Recipe(identity, predict=job.predict, frame=frame, features=features_of(job), threads=job.cores)
    else:
        model = find_model(job, base)
        network = load_network(model, job.preload)
        job = with_logits(job, model)
        labels = read_labels(job, base) or trained_classes(job, network) or class_names(job, held, network)
        recipe = make_recipe(job, model, network, labels)
        width = row_width(network, recipe)
    code = None if folder is None else pack_code(folder)
    version = make_version(job, recipe, code, "" if held is None else held.digest)
    run = identify(job.name, describe_job(job), version, recipe.model)
    return InferPlan(job, recipe, model, version, code, run, width, None if held is None else held.tables)


def make_version(job: InferJob, recipe: Recipe, code: bytes | None, data: str) -> str:
    """Return the SHA-256 of all that an answer depends on, and of how rows are written.

    The kind of input is among it: Spark's note of what has been read of one says nothing of another. `data` is the
    SHA-256 of a data set that lies in this process.
    """
    told: dict[str, Any] = {"recipe": _lasting(recipe), "columns": job.columns, "format": job.output.format}
    told["source"] = job.input.source
    if code is not None and job.preload:  # layers of one's own: the model's digest has their names only
        told["code"] = hashlib.sha256(code).hexdigest()
    if isinstance(job.input, Held):
        # Its micro-batches are known by their numbers, so those of other data or of another size are not the same.
        told["data"] = {"input": job.input.model_dump(mode="json"), "rows": job.limits.rows, "digest": data}
    return digest_tree(told)


def load_network(model: PackedModel, preload: Sequence[str]) -> Network:
    """Return the network of a model, for which modules may have to register layers.

    Raises:
        BadInput: It cannot be loaded, or a module does not import.
    """
    for module in preload:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            raise BadInput(explain(module, error)) from error
    return load_model(model)


@dataclass(frozen=True)
class HeldRows:
    """A part of a data set in tables of so many rows, the SHA-256 of all of it, and its classes' names, if it has."""

    tables: Callable[[int], Iterator[pa.Table]]
    digest: str
    classes: tuple[str, ...]


def hold(source: Held, base: Path, code: Path | None) -> HeldRows:
    """Return the part of a data set that is to be labelled.

    Raises:
        BadInput: The data cannot be read, or has no such part.
    """
    data = load(source.data, base, lambda name: import_from(name, code))
    part = {"train": data.train, "validation": data.validation, "test": data.test}[source.part]
    if part is None:
        raise BadInput(f"input: the data has no part {source.part}; name another")
    tables = partial(file_tables, part, data.classes, source.part)
    return HeldRows(tables, digest(data), folder_names(data.classes or ()))


def class_names(job: InferJob, held: HeldRows | None, network: Network) -> tuple[str, ...]:
    """Return the labels of a job that gives none: its data set's classes, where they are as many as the network's."""
    if held is None or job.task == "regression" or len(held.classes) != class_count(network):
        return ()
    return held.classes


def trained_classes(job: InferJob, network: Network) -> tuple[str, ...]:
    """Return the classes of the training whose model is taken, none where its data had none or none is taken."""
    if job.model is None or job.model.run is None or job.task == "regression":
        return ()
    names = read_classes(trained(job))
    return folder_names(names) if len(names) == class_count(network) else ()


def beside(base: Path, path: str) -> str:
    """Return a path that is relative to a folder as a whole one; URLs stay as they are."""
    return str((base / path).resolve()) if is_relative(path) else path


def is_relative(path: str) -> bool:
    """Whether a path starts from the folder of its job, as no URL does."""
    return "://" not in path and not path.startswith(("/", "file:"))


def find_model(job: InferJob, base: Path) -> PackedModel:
    """Return the model at a path or URL, the winner of a study, or the model of a training.

    Raises:
        BadInput: There is none.
    """
    source = job.model
    assert source is not None  # noqa: S101 - a job has a model or a function
    with ExitStack() as lent:
        if source.study is not None:
            study = StudyFolder(source.storage or job.storage, source.study)
            study.read_job()
            if not study.has(KERAS_MODEL):
                raise BadInput(
                    f"model: study {source.study!r} has no winner with a Keras model yet; let it end, and report "
                    "checkpoints with keras_callback(trial)"
                )
            return pack_model(study.fetch(KERAS_MODEL, Path(lent.enter_context(TemporaryDirectory()))))
        if source.run is not None:
            run = trained(job)
            if not run.has(MODEL):
                raise BadInput(f"model: training {source.run!r} has no model yet; let it end")
            return pack_model(run.fetch(MODEL, Path(lent.enter_context(TemporaryDirectory()))))
        path = lent.enter_context(fetched(beside(base, str(source.path))))
        weights = None if source.weights is None else lent.enter_context(fetched(beside(base, source.weights)))
        return pack_model(path, weights)


def with_logits(job: InferJob, model: PackedModel) -> InferJob:
    """Return a job that says of a training's model whether it gives logits: how it ends, where the job does not say."""
    if job.logits is not None or job.model is None or job.model.run is None or job.task == "regression":
        return job
    ends = last_activation(load_trainable(model))
    return job.model_copy(update={"logits": ends not in ("softmax", "sigmoid")})


def trained(job: InferJob) -> TrainFolder:
    """Return the training whose model a batch inference takes.

    Raises:
        BadInput: There is none of this name.
    """
    assert job.model is not None  # noqa: S101 - as the caller has seen
    run = TrainFolder(job.model.storage or job.storage, str(job.model.run))
    run.read_job()
    return run


def read_labels(job: InferJob, base: Path) -> tuple[str, ...]:
    """Return the labels in a file, none where the job names none.

    Raises:
        BadInput: There is no such file, or it is no text, or empty.
    """
    if job.labels is None:
        return ()
    with fetched(beside(base, job.labels)) as path:
        try:
            lines = path.read_text("utf-8-sig").split("\n")
        except (UnicodeDecodeError, OSError) as error:
            raise BadInput(f"labels must be a UTF-8 text with one label a line, got {job.labels}: {error}") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise BadInput(f"labels must be a text with one label a line, got {job.labels}, which is empty")
    return labels


def _lasting(recipe: Recipe) -> dict[str, Any]:
    """Return what an answer depends on: not how it is computed, nor on how many threads."""
    return asdict(replace(recipe, batch=0, xla=False, threads=0, samples=0))
