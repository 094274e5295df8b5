"""What a worker trains with, laid out in folders; and the user's modules, imported from there."""

from __future__ import annotations

import hashlib
import importlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinderbox.data import unpack
from tinderbox.functions import find_function
from tinderbox.training.recipe import Recipe

_places: list[str] = []
"""The folder that modules are imported from in this process."""


def unpack_code(recipe: Recipe, folder: Path) -> None:
    """Lay the code of a recipe out in a folder, once for all processes that import it from there."""
    if (code := recipe.code) is not None:
        unpack(lambda: code, folder)


def lay_out(root: Path, recipe: Recipe, archive: Callable[[], bytes]) -> tuple[Path, Path]:
    """Return the folders with the user's code and with the data, laid out below `root` once for all of an executor.

    Where workers read shards, the second one is where they do so.
    """
    scratch = root / f"tinderbox-{recipe.job.name}"
    code = scratch / f"code-{hashlib.sha256(recipe.code or b'').hexdigest()[:16]}"
    unpack_code(recipe, code)
    folder = scratch / f"data-{recipe.data[:16]}"
    if recipe.shards is None:
        unpack(archive, folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)
    return code, folder


def find_build(recipe: Recipe, folder: Path) -> Callable[..., Any] | None:
    """Return the user's build function, from the folder where its code was unpacked; None where the job has none.

    Raises:
        BadInput: The module does not import, or has no such function.
    """
    if recipe.code is not None:
        _import_from(folder)
    if recipe.build is not None:
        function: Callable[..., Any] = pickle.loads(recipe.build)  # noqa: S301 - from our own closure, not the network
        return function
    return None if recipe.job.model.build is None else find_function(recipe.job.model.build)


def _import_from(folder: Path) -> None:
    """Let modules come from a folder; those of an earlier training in this process, another version maybe, go."""
    if _places == [str(folder)]:
        return
    for place in _places:
        sys.path.remove(place)
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(f"{place}/"):
                del sys.modules[name]
    _places[:] = [str(folder)]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
