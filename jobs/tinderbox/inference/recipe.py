"""What becomes of every row: one frozen record that travels to the executors in Spark's closure."""

from __future__ import annotations

from dataclasses import dataclass

from tinderbox.inference.images import Frame


@dataclass(frozen=True)
class Recipe:
    """How rows are read, prepared, predicted and told.

    `frame` is how images are decoded, None for rows of the numbers `features`. A prepared value is
    (value x scale - mean) / std, with one number for all channels or one for each; `reverse` turns RGB into BGR
    before that. `labels` are in the model's order, empty where classes are called by their numbers. `samples`
    thumbnails of each label are kept by each worker. `preload` are modules that register what the model is made of;
    `predict` is a function in the place of the model.
    """

    model: str
    regression: bool = False
    labels: tuple[str, ...] = ()
    top: int = 5
    logits: bool = False
    truth: bool = False
    frame: Frame | None = None
    features: tuple[str, ...] = ()
    reverse: bool = False
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    batch: int = 32
    xla: bool = False
    threads: int = 1
    samples: int = 8
    preload: tuple[str, ...] = ()
    predict: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether values go to the model as they are."""
        return not self.reverse and (self.scale, set(self.mean), set(self.std)) == (1.0, {0.0}, {1.0})
