"""What becomes of each row: the network's own size and channels, and what a job says."""

from __future__ import annotations

from typing import Any

import pytest

from tinderbox.api.recipes import make_recipe
from tinderbox.config import check_infer
from tinderbox.errors import BadInput
from tinderbox.inference.images import Frame
from tinderbox.inference.recipe import Recipe
from tinderbox.models.network import Network, PackedModel

SHAPES: dict[str, tuple[tuple[int | None, ...], int]] = {
    "color": ((4, 5, 3), 3),
    "gray": ((4, 5), 3),
    "channel": ((4, 5, 1), 3),
    "binary": ((4, 5, 3), 1),
    "any": ((None, None, 3), 3),
    "anything": ((4, 5, None), 3),
    "first": ((3, 4, 5), 3),
    "vector": ((2,), 3),
}
"""Networks by what they take and how many numbers they give."""

CSV = {"source": "csv", "path": "x"}


def recipe(network: str, labels: tuple[str, ...] = (), **keys: Any) -> Recipe:
    """Return the recipe of a job for a network."""
    job = check_infer({"kind": "infer", "name": "photos", "model": "m", "input": "in", **keys}, "test")
    shape, outputs = SHAPES[network]
    return make_recipe(
        job, PackedModel("keras", b"", "digest"), Network(shape, "float32", outputs, lambda x: x), labels
    )


@pytest.mark.parametrize(
    ("network", "preprocess", "frame"),
    [
        ("gray", {}, (4, 5, 1)),
        ("channel", {}, (4, 5, 1)),
        ("binary", {}, (4, 5, 3)),
        ("any", {"size": [7, 8]}, (7, 8, 3)),
        ("anything", {"channels": "gray"}, (4, 5, 1)),
        ("color", {"channels": "bgr", "size": [4, 5]}, (4, 5, 3)),
    ],
)
def test_images_are_made_for_the_network(network: str, preprocess: dict[str, Any], frame: tuple[int, ...]) -> None:
    """Size and channels are its own, and what it leaves open the job says."""
    found = recipe(network, preprocess=preprocess)
    assert found.frame is not None
    assert (found.frame.height, found.frame.width, found.frame.channels) == frame
    assert found.reverse == (preprocess.get("channels") == "bgr")


def test_all_that_a_job_says_is_in_the_recipe() -> None:
    """Nothing is lost on the way to the workers."""
    found = recipe(
        "color",
        ("cat", "dog", "fox"),
        logits=True,
        top=2,
        truth="folder",
        cores=3,
        preload=["mine"],
        preprocess={"scale": 0.5, "mean": [1, 2, 3], "std": 4, "resize": "area", "fit": "crop"},
        limits={"bytes": 10, "pixels": 20},
    )
    assert found == Recipe(
        "digest",
        labels=("cat", "dog", "fox"),
        top=2,
        logits=True,
        truth=True,
        frame=Frame(4, 5, 3, "area", "crop", 20, 10),
        scale=0.5,
        mean=(1.0, 2.0, 3.0),
        std=(4.0,),
        threads=3,
        preload=("mine",),
    )


def test_rows_of_numbers() -> None:
    """Features have no frame, and come in the order of the job."""
    found = recipe("vector", input={**CSV, "features": ["b", "a"]}, task="regression", preprocess={"mean": 3})
    assert (found.frame, found.features, found.regression, found.mean) == (None, ("b", "a"), True, (3.0,))


@pytest.mark.parametrize(
    ("network", "keys", "sentence"),
    [
        ("any", {}, "preprocess: size must be given, for the model takes images of any"),
        ("anything", {}, "preprocess: channels must be given, for the model takes images of any number of them"),
        ("first", {}, "preprocess: images have 1 channel or 3, and the model takes 5"),
        ("vector", {}, "input: images need a model that takes height x width x channels, this one takes 2"),
        ("color", {"preprocess": {"size": [5, 4]}}, "the model takes 4 x 5 x 3, and images are made into 5 x 4 x 3"),
        (
            "color",
            {"preprocess": {"channels": "gray"}},
            "the model takes 4 x 5 x 3, and images are made into 4 x 5 x 1",
        ),
        ("gray", {"preprocess": {"channels": "rgb"}}, "the model takes 4 x 5, and images are made into 4 x 5 x 3"),
        ("color", {"preprocess": {"mean": [1, 2]}}, "mean must be one number or 3, one for each channel, got 2"),
        ("gray", {"preprocess": {"std": [1, 2, 3]}}, "std must be one number or 1, one for each channel, got 3"),
        (
            "color",
            {"input": {**CSV, "features": ["a"]}},
            "input: rows of numbers need a model that takes a vector, this one takes 4 x 5 x 3",
        ),
        ("vector", {"input": {**CSV, "features": ["a"]}}, "input: the model takes 2 numbers, and features names 1"),
        (
            "vector",
            {"input": {**CSV, "features": ["a", "b"]}, "preprocess": {"mean": [1, 2]}},
            "preprocess: mean must be one number, got 2",
        ),
    ],
)
def test_what_does_not_fit(network: str, keys: dict[str, Any], sentence: str) -> None:
    """One sentence names both sides."""
    with pytest.raises(BadInput) as refusal:
        recipe(network, **keys)
    assert sentence in str(refusal.value)
