"""The command line: the only place that prints, and where errors become exit codes."""

from tinderbox.cli.commands import main

__all__ = ["main"]
