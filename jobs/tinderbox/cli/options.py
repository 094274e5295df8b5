"""What several commands take."""

from __future__ import annotations

import os
from pathlib import Path

import click

STORAGE_VARIABLE = "TINDERBOX_STORAGE"

job_file = click.argument("file", type=click.Path(path_type=Path))
changes = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the job.")


def with_storage(changes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the changes of a job, the storage that the environment names before them."""
    chosen = os.environ.get(STORAGE_VARIABLE)
    return (f"storage={chosen}", *changes) if chosen else changes
