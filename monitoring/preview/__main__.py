"""`python -m monitoring.preview URL FOLDER` draws the dashboards into a folder, from what a Prometheus answers.

Exit codes: 0 done, 1 some panels failed and are listed, 2 nothing was drawn.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from monitoring.preview.answers import Desk
from monitoring.preview.boards import FOLDER, Board, read_boards
from monitoring.preview.draw import CUSTOM, Drawn, draw
from monitoring.preview.errors import PreviewError
from monitoring.preview.page import page
from monitoring.preview.picture import picture
from monitoring.preview.prometheus import Prometheus
from monitoring.preview.window import read_window


def main(arguments: list[str] | None = None, boards: Path = FOLDER) -> int:
    """Draw, and list what failed and what has no data."""
    options = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    try:
        window = read_window(options.start, options.end, options.scrape)
        chosen = read_boards(boards, options.dashboard)
        given = _given(options.set, chosen)
        folder = Path(options.folder)
        folder.mkdir(parents=True, exist_ok=True)
        failed = False
        for board in chosen:
            desk = Desk(board, Prometheus(options.url), window)
            desk.open(given)
            drawn = [
                draw(desk.answer(panel, CUSTOM.get(panel.kind, set())), desk)
                for panel in board.panels
                if panel.kind != "row"
            ]
            _write(folder, desk, drawn)
            failed |= _tell(desk, drawn)
    except (PreviewError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitoring.preview", description="Dashboards as pages and PNG.")
    parser.add_argument("url", help="a Prometheus, such as http://localhost:9090")
    parser.add_argument("folder", help="where NAME.html and NAME.png of each dashboard go")
    parser.add_argument("--dashboard", action="append", default=[], metavar="NAME", help="this one only")
    parser.add_argument("--set", action="append", default=[], metavar="VARIABLE=VALUE", help="several values by commas")
    parser.add_argument("--from", dest="start", default="-30m", metavar="TIME", help="-30m, or Unix seconds")
    parser.add_argument("--to", dest="end", default="now", metavar="TIME", help="now, -5m, or Unix seconds")
    parser.add_argument("--scrape", default="15s", help="how often Prometheus scrapes, as Grafana's data source says")
    return parser


def _joined(arguments: list[str]) -> list[str]:
    """Return arguments in which -30m after --from is no option of its own."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in ("--from", "--to"):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _given(pairs: list[str], boards: list[Board]) -> dict[str, str]:
    known = {told["name"] for board in boards for told in board.variables}
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name not in known:
            raise PreviewError(f"--set takes one of {', '.join(sorted(known))} as NAME=VALUE, got {pair!r}")
        given[name] = value
    return given


def _write(folder: Path, desk: Desk, drawn: list[Drawn]) -> None:
    rows = [panel for panel in desk.board.panels if panel.kind == "row"]
    (folder / f"{desk.board.name}.html").write_text(page(desk, rows, drawn), encoding="utf-8")
    (folder / f"{desk.board.name}.png").write_bytes(picture(desk, rows, drawn))


def _tell(desk: Desk, drawn: list[Drawn]) -> bool:
    """List what a dashboard lacks, and return whether anything failed."""
    name = desk.board.name
    errors = [f"{name}, {asked.ref}: {asked.error}" for asked in desk.asked if asked.error]
    errors += [f"{name}, {one.answer.title}: {error}" for one in drawn for error in one.errors]
    empty = [f"{name}, {one.answer.title}: no data" for one in drawn if one.is_empty]
    for line in (*errors, *empty):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{name}: {len(drawn)} panels, {len(errors)} errors, {len(empty)} without data\n")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
