"""TensorFlow keeps to one thread, because tests share their machine."""

from __future__ import annotations

from tinderbox.process import set_threads

set_threads(1)
