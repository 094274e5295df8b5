"""`python -m images build|bill|parts|push`."""

import argparse
import sys

from images import build
from images.engine import Engine, engine
from images.errors import ImageError
from images.say import answer, say


def build_all(docker: Engine, options: argparse.Namespace) -> None:
    """Build the image, and say how large it is."""
    name = build.build(docker, options.base, options.argument)
    build.show_parts(docker, name)
    build.write_bill(docker, name)
    answer(name)


def push(docker: Engine, options: argparse.Namespace) -> None:
    """Push the image to a registry: only what changed moves."""
    answer(build.push(docker, options.image, options.registry))


def parts(docker: Engine, options: argparse.Namespace) -> None:
    """Print the size of the image, part by part."""
    build.show_parts(docker, options.image)


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    top = argparse.ArgumentParser(prog="python -m images", description="The image of drivers and executors.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    building = commands.add_parser("build", help=build_all.__doc__)
    building.set_defaults(act=build_all)
    building.add_argument("--base", help="an image to build on instead of Debian's or debootstrap's")
    building.add_argument(
        "argument", nargs="*", help="NAME=VALUE for the Dockerfile: EXTRA_PACKAGES, EXTRA_JARS, VARIANT"
    )
    pushing = commands.add_parser("push", help=push.__doc__)
    pushing.set_defaults(act=push)
    pushing.add_argument("registry", help="HOST:PORT")
    showing = commands.add_parser("parts", help=parts.__doc__)
    showing.set_defaults(act=parts)
    for command in (pushing, showing):
        command.add_argument("--image", default=build.image())
    return top


def main() -> int:
    """Run one command; its failure is a sentence and an exit code."""
    options = parser().parse_args()
    try:
        with engine() as docker:
            options.act(docker, options)
    except ImageError as error:
        say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
