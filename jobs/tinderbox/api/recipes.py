"""What becomes of each row: as a job says it, and where it says nothing, as the network takes it."""

from __future__ import annotations

from collections.abc import Sequence

from tinderbox.config import InferJob
from tinderbox.config.inputs import Rows
from tinderbox.errors import BadInput
from tinderbox.inference.engine import check_labels, row_shape, told
from tinderbox.inference.images import Frame
from tinderbox.inference.recipe import Recipe
from tinderbox.models.network import Network, PackedModel


def make_recipe(job: InferJob, model: PackedModel, network: Network, labels: tuple[str, ...]) -> Recipe:
    """Return what becomes of each row.

    Raises:
        BadInput: The job's preprocessing, features or labels do not fit the network.
    """
    frame = None if features_of(job) else frame_of(job, network)
    prepared = job.preprocess
    recipe = Recipe(
        model=model.digest,
        regression=job.task == "regression",
        labels=labels,
        top=job.top,
        logits=bool(job.logits),
        truth=job.truth == "folder",
        frame=frame,
        features=features_of(job),
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


def features_of(job: InferJob) -> tuple[str, ...]:
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
