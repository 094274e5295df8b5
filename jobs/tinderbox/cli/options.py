"""What several commands take."""

from __future__ import annotations

from pathlib import Path

import click

STORAGE_VARIABLE = "TINDERBOX_STORAGE"

job_file = click.argument("file", type=click.Path(path_type=Path))
changes = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the job.")
