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
from tinderbox.config import InferJob
from tinderbox.config.inputs import Held, Rows
from tinderbox.data import digest, load
from tinderbox.errors import BadInput
from tinderbox.inference.engine import check_labels, row_shape, row_width, told
from tinderbox.inference.held import file_tables
from tinderbox.inference.images import Frame
from tinderbox.inference.recipe import Recipe
from tinderbox.models.network import Network, PackedModel, load_model, pack_model
from tinderbox.preloading import explain
from tinderbox.run import Run, digest_tree, identify
from tinderbox.storage import StudyFolder
from tinderbox.storage.fetching import fetched
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
    held, data = None, ""
    if isinstance(job.input, Held):
        held, data = hold(job.input, base, folder)
    else:
        job = job.model_copy(update={"input": job.input.model_copy(update={"path": beside(base, job.input.path)})})
    check_preload(job.preload, folder)
    if job.predict is not None:
        import_from(job.predict, folder)
        model, identity, width = None, by_name(job.predict, folder).identity, 0
        frame = None if _features(job) else frame_of(job, None)
        recipe = Recipe(identity, predict=job.predict, frame=frame, features=_features(job), threads=job.cores)
    else:
        model = find_model(job, base)
        network = load_network(model, job.preload)
        recipe = make_recipe(job, model, network, read_labels(job, base))
        width = row_width(network, recipe)
    code = None if folder is None else pack_code(folder)
    version = make_version(job, recipe, code, data)
    return InferPlan(
        job, recipe, model, version, code, identify(job.name, describe_job(job), version, recipe.model), width, held
    )


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


def hold(source: Held, base: Path, code: Path | None) -> tuple[Callable[[int], Iterator[pa.Table]], str]:
    """Return a function that gives a data set's part in tables of so many rows, and the data set's SHA-256.

    Raises:
        BadInput: The data cannot be read, or has no such part.
    """
    data = load(source.data, base, lambda name: import_from(name, code))
    part = {"train": data.train, "validation": data.validation, "test": data.test}[source.part]
    if part is None:
        raise BadInput(f"input: the data has no part {source.part}; name another")
    return partial(file_tables, part, data.classes, source.part), digest(data)


def beside(base: Path, path: str) -> str:
    """Return a path that is relative to a folder as a whole one; URLs stay as they are."""
    return str((base / path).resolve()) if is_relative(path) else path


def is_relative(path: str) -> bool:
    """Whether a path starts from the folder of its job, as no URL does."""
    return "://" not in path and not path.startswith(("/", "file:"))


def find_model(job: InferJob, base: Path) -> PackedModel:
    """Return the model at a path or URL, or the winner of a study.

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
        path = lent.enter_context(fetched(beside(base, str(source.path))))
        weights = None if source.weights is None else lent.enter_context(fetched(beside(base, source.weights)))
        return pack_model(path, weights)


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


def make_recipe(job: InferJob, model: PackedModel, network: Network, labels: tuple[str, ...]) -> Recipe:
    """Return what becomes of each row.

    Raises:
        BadInput: The job's preprocessing, features or labels do not fit the network.
    """
    frame = None if _features(job) else frame_of(job, network)
    prepared = job.preprocess
    recipe = Recipe(
        model=model.digest,
        regression=job.task == "regression",
        labels=labels,
        top=job.top,
        logits=job.logits,
        truth=job.truth == "folder",
        frame=frame,
        features=_features(job),
        reverse=prepared.channels == "bgr",
        scale=prepared.scale,
        mean=_each("mean", prepared.mean, frame),
        std=_each("std", prepared.std, frame),
        threads=job.cores,
        preload=tuple(job.preload),
    )
    row_shape(network, recipe)
    check_labels(network, recipe)
    return recipe


def _features(job: InferJob) -> tuple[str, ...]:
    """Return the columns of numbers that rows have, none where they are images."""
    return tuple(job.input.features or ()) if isinstance(job.input, Rows) else ()


def frame_of(job: InferJob, network: Network | None) -> Frame | None:
    """Return how images are decoded: as the job says, and else as the network takes them; None for a user's function.

    Raises:
        BadInput: Neither says how large an image is to be.
    """
    prepared, takes = job.preprocess, () if network is None else network.input_shape
    size: Sequence[int | None] = prepared.size or takes[:2]
    if network is None and prepared.size is None:
        return None  # the function gets files as they are
    if network is not None and len(takes) not in (2, 3):
        raise BadInput(f"input: images need a model that takes height x width x channels, this one takes {told(takes)}")
    if None in size:
        raise BadInput("preprocess: size must be given, for the model takes images of any")
    own = takes[2] if len(takes) == 3 else 1 if len(takes) == 2 else 3
    channels = {"gray": 1, "rgb": 3, "bgr": 3, None: own}[prepared.channels]
    if channels is None:
        raise BadInput("preprocess: channels must be given, for the model takes images of any number of them")
    if channels not in (1, 3):
        raise BadInput(f"preprocess: images have 1 channel or 3, and the model takes {channels}")
    limits = job.limits
    height, width = (int(side or 0) for side in size)
    return Frame(height, width, channels, prepared.resize, prepared.fit, limits.pixels, limits.bytes)


def _each(name: str, values: float | list[float], frame: Frame | None) -> tuple[float, ...]:
    """Return one number, or one for each channel."""
    listed = tuple(values) if isinstance(values, list) else (values,)
    if len(listed) > 1 and (frame is None or len(listed) != frame.channels):
        wanted = "one number" if frame is None else f"one number or {frame.channels}, one for each channel"
        raise BadInput(f"preprocess: {name} must be {wanted}, got {len(listed)}")
    return listed


def _lasting(recipe: Recipe) -> dict[str, Any]:
    """Return what an answer depends on: not how it is computed, nor on how many threads."""
    return asdict(replace(recipe, batch=0, xla=False, threads=0, samples=0))
