"""Data sets as arrays: read from what a job names, split, packed for the executors."""

from tinderbox.data.dataset import Dataset, Examples, from_arrays, load
from tinderbox.data.packing import digest, open_packed, pack, unpack
from tinderbox.data.shards import Doors, Shards
from tinderbox.data.surveying import plan_shards

__all__ = [
    "Dataset",
    "Doors",
    "Examples",
    "Shards",
    "digest",
    "from_arrays",
    "load",
    "open_packed",
    "pack",
    "plan_shards",
    "unpack",
]
