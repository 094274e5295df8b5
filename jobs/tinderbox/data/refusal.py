"""One sentence for whatever a library raises while it reads a user's file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinderbox.errors import BadInput


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn any failure to read a file into BadInput with the file's name and the first reason."""
    try:
        yield
    except BadInput:
        raise
    except FileNotFoundError as error:
        raise BadInput(f"{path}: does not exist; a relative path starts at the job file's folder") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"{path}: cannot be read: {reason}") from error
