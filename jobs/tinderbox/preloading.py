"""Modules that all children of a fork server share: the server imports this module, and this one the others.

What multiprocessing offers for it takes names only, from the installed packages, passes over a module that is not
there, and ends the server at any other mistake. Here `failure` is kept, for each child to tell of.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ASKED = "TINDERBOX_PRELOAD"
"""The variable in which a fork server finds what it is asked to import; elsewhere it is not set."""


def ask_for(modules: Sequence[str], code: Path | None) -> str:
    """Return the variable's value for some modules, and for the folder that those of the user are in."""
    # Other modules do not depend on the folder, and the same value means that the fork server that runs will do.
    folder = str(code) if code is not None and any(is_in(code, module) for module in modules) else ""
    return json.dumps([folder, *modules])


def is_in(folder: Path, module: str) -> bool:
    """Whether a module, or the package it belongs to, is in a folder."""
    top = module.partition(".")[0]
    return (folder / top).is_dir() or (folder / f"{top}.py").is_file()


def explain(module: str, error: BaseException) -> str:
    """Return the sentence that says why a module cannot be preloaded."""
    return f"preload: module {module} does not import: {type(error).__name__}: {error}"


def _preload() -> str:
    folder, *modules = json.loads(os.environ.pop(ASKED, '[""]'))
    if folder:
        sys.path.insert(0, folder)
    for module in modules:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            return explain(module, error)
    return ""


failure = _preload()
"""Why a module could not be imported, as one sentence; empty where all could."""
