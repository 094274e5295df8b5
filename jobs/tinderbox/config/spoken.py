"""Parameters as a notebook writes them: the same rules as in a job file, and the same sentence for each mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tinderbox.config.mistakes import explain
from tinderbox.config.parameters import ChoiceParameter, FloatParameter, IntParameter, Parameter
from tinderbox.errors import BadInput


def plain(value: Any) -> Any:
    """Return a tree of values with Python's own numbers and lists in place of NumPy's."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(part) for part in value)
    return value.tolist() if hasattr(value, "tolist") else value


class _Spoken(Parameter):
    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**plain(values))
        except ValidationError as error:
            raise BadInput(f"{type(self).__name__}: {explain(error, type(self))}") from error


class Float(_Spoken, FloatParameter):
    """A real number from `low` to `high`; `log`, `grid`, `default` and `when` as in a job file.

    Raises:
        BadInput: The bounds, the grid or the default cannot be.
    """


class Int(_Spoken, IntParameter):
    """A whole number from `low` to `high`; `log`, `grid`, `default` and `when` as in a job file.

    Raises:
        BadInput: The bounds, the grid or the default cannot be.
    """


class Choice(_Spoken, ChoiceParameter):
    """One of `choices`, which have no order; `default` and `when` as in a job file.

    Raises:
        BadInput: The choices or the default cannot be.
    """
