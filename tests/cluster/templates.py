"""The plain data files beside this package, with the cluster's names filled in."""

from pathlib import Path
from string import Template

from tests.cluster import layout
from tests.cluster.binaries import KUBERNETES

FOLDER = Path(__file__).parent / "manifests"


def render(name: str, **values: object) -> str:
    """One file's text; $NAME in it is a constant of the layout, or a value given here."""
    constants = {key: value for key, value in vars(layout).items() if key.isupper()}
    return Template((FOLDER / name).read_text()).substitute(constants, KUBERNETES=KUBERNETES, **values)


def write(target: Path, name: str, **values: object) -> None:
    """Fill in a file and put it where a process reads it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(name, **values))
