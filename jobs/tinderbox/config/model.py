"""What every part of a job file has in common: closed, frozen, and no silent conversions."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Closed(BaseModel):
    """A part of a job file: unknown keys are refused and values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=False)

    @model_validator(mode="after")
    def _check_texts(self) -> Self:
        """Refuse what YAML can spell in quotes, and no file, path or message can hold."""
        for value in self.__dict__.values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and ("\0" in text or text.encode(errors="replace").decode() != text):
                    raise ValueError(f"a text must be UTF-8 without NUL, got {text!r}")
        return self


def parse_duration(value: Any) -> Any:
    """Return seconds for a text such as `90s`, `30m`, `2h` or `1d`; anything else passes through."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"a duration is a number with s, m, h or d, such as 30m, got {value!r}")
    return float(match[1]) * _SECONDS[match[2]]


Seconds = Annotated[float, BeforeValidator(parse_duration)]
"""A length of time in seconds, written in a job file as `90s`, `30m`, `2h`, `1d` or a plain number."""


def check_name(name: str) -> str:
    """Return the name of a study or run, which names pods, folders and labels too."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a name has lower-case letters, digits and dashes, at most 53, got {name!r}")
    return name


def check_function(function: str) -> str:
    """Return the name of a function."""
    if not _FUNCTION.fullmatch(function):
        raise ValueError(f"a function is written module:function, got {function!r}")
    return function


Name = Annotated[str, AfterValidator(check_name)]
FunctionName = Annotated[str, AfterValidator(check_function)]
