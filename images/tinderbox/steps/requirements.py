"""Print what the image installs: the package's own requirements, with a TensorFlow for GPUs where that is asked for,
and those of the console, which is a pod of this image.

Only what it prints goes on in the build: a pyproject.toml that changes without needing other packages installs none.
"""

import re
import sys
import tomllib
from pathlib import Path

FOR_CPU = re.compile(r"tensorflow-cpu\b")
FOR_GPU = re.compile(r"tensorflow(?!-cpu)\b")


def requirements(project: str, variant: str) -> list[str]:
    """The requirements in the text of a pyproject.toml, for the variant `cpu` or `gpu`."""
    if variant not in ("cpu", "gpu"):
        raise SystemExit(f"VARIANT must be cpu or gpu, got {variant!r}")
    read = tomllib.loads(project)["project"]
    wanted: list[str] = [*read["dependencies"], *read["optional-dependencies"]["console"]]
    if variant == "cpu":
        return wanted
    kept = [requirement for requirement in wanted if not FOR_CPU.match(requirement)]
    return [_for_gpu(requirement) if FOR_GPU.match(requirement) else requirement for requirement in kept]


def _for_gpu(requirement: str) -> str:
    return FOR_GPU.sub("tensorflow[and-cuda]", requirement.partition(";")[0])


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(Path(sys.argv[1]).read_text(), sys.argv[2])) + "\n")
