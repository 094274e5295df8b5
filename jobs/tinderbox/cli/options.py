"""What several commands take."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tinderbox.api.driver import Door
from tinderbox.kube.manifest import TOKEN_VARIABLE

STORAGE_VARIABLE = "TINDERBOX_STORAGE"
LINGER_SECONDS = 120.0

job_file = click.argument("file", type=click.Path(path_type=Path))
changes = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the job.")


def with_storage(changes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the changes of a job, the storage that the environment names before them."""
    chosen = os.environ.get(STORAGE_VARIABLE)
    return (f"storage={chosen}", *changes) if chosen else changes


def door() -> Door:
    """Return who may follow a run: whoever holds the token that `tinderbox submit` gave the driver."""
    token = os.environ.get(TOKEN_VARIABLE)
    return Door(token, LINGER_SECONDS) if token else Door()
