"""Data sets as arrays: read from what a job names, split, packed for the executors."""

from tinderbox.data.dataset import Dataset, Examples, from_arrays, load
from tinderbox.data.packing import digest, open_packed, pack, unpack

__all__ = ["Dataset", "Examples", "digest", "from_arrays", "load", "open_packed", "pack", "unpack"]
