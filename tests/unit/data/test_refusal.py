"""One sentence for every failure to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinderbox.data.refusal import refusing
from tinderbox.errors import BadInput


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            FileNotFoundError(2, "No such file"),
            "rows.csv: does not exist; a relative path starts at the job file's folder",
        ),
        (ValueError("two\n  lines"), "rows.csv: cannot be read: two lines"),
        (EOFError(), "rows.csv: cannot be read: EOFError"),
        (BadInput("already said"), "already said"),
    ],
)
def test_any_failure_is_one_sentence(error: Exception, sentence: str) -> None:
    """What a library raises is told in one line with the file's name; what is told already stays."""
    with pytest.raises(BadInput) as caught, refusing(Path("rows.csv")):
        raise error
    assert str(caught.value) == sentence
