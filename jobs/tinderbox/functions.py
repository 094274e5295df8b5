"""Functions of a user by their names, `module:function`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from tinderbox.errors import BadInput


def find_function(name: str) -> Callable[..., Any]:
    """Return the function `module:function`.

    Raises:
        BadInput: The module does not import, or has no such function.
    """
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a script without a guard may end the process that imports it
        raise BadInput(f"{name}: module {module_name} does not import: {type(error).__name__}: {error}") from error
    function: Callable[..., Any] | None = getattr(module, function_name, None)
    if not callable(function):
        raise BadInput(f"{name}: module {module_name} has no function {function_name}")
    return function
