"""`python -m monitoring.generate` writes the dashboards; with --check it says whether they are as it would."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.generate.inference import inference
from monitoring.generate.nodes import nodes
from monitoring.generate.spark import spark
from monitoring.generate.study import study
from monitoring.generate.training import training

FOLDER = Path(__file__).parents[1] / "dashboards"


def texts() -> dict[str, str]:
    """Return the text of each dashboard's file by its name."""
    made = {
        "study": study(),
        "training": training(),
        "inference": inference(),
        "nodes": nodes(),
        "spark": spark(),
    }
    return {
        f"{name}.json": json.dumps(dashboard, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        for name, dashboard in made.items()
    }


def stale(folder: Path, wanted: dict[str, str]) -> list[str]:
    """Return the names of files in a folder that are missing, have another text, or are not wanted."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name))


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the dashboards, or with --check only compare: 1 where they differ."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.generate", description="Grafana dashboards from code.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a dashboard is not up to date")
    wanted = texts()
    changed = stale(folder, wanted)
    if parser.parse_args(arguments).check:
        if changed:
            sys.stderr.write(f"{', '.join(changed)} in {folder} must be as the code says: run make dashboards\n")
        return 1 if changed else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
