"""entrypoint.sh, with a command in place of Java."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "images" / "tinderbox"
EXECUTOR = {
    "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@10.0.0.1:7078",
    "SPARK_EXECUTOR_ID": "3",
    "SPARK_EXECUTOR_CORES": "2",
    "SPARK_EXECUTOR_MEMORY": "512m",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.2",
    "SPARK_EXECUTOR_POD_NAME": "digits-exec-3",
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_CONF_DIR": "/opt/spark/conf",
    "SPARK_HOME": "/spark",
}
BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"

Java = Callable[..., list[str]]


@pytest.fixture
def java(tmp_path: Path) -> Java:
    """A function that returns what an executor's Java would be called with, given more variables."""
    (tmp_path / "java").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (tmp_path / "java").chmod(0o755)

    def call(**more: str) -> list[str]:
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = [SCRIPTS / "entrypoint.sh", "executor"]
        done = subprocess.run(command, env=EXECUTOR | path | more, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return call


def test_an_executor_is_what_spark_expects(java: Java) -> None:
    """The backend's arguments are those that Spark 4.3 parses."""
    arguments = java()
    assert arguments[arguments.index(BACKEND) + 1 :] == [
        *("--driver-url", "spark://CoarseGrainedScheduler@10.0.0.1:7078"),
        *("--executor-id", "3"),
        *("--cores", "2"),
        *("--app-id", "spark-1"),
        *("--hostname", "10.0.0.2"),
        *("--resourceProfileId", "0"),
        *("--podName", "digits-exec-3"),
    ]


def test_java_options_keep_their_order_and_their_spaces(java: Java) -> None:
    """Ten comes after nine, and one option stays one argument."""
    options = {f"SPARK_JAVA_OPT_{number}": f"-Doption={number} of twelve" for number in range(12)}
    assert java(**options)[:12] == [f"-Doption={number} of twelve" for number in range(12)]


def test_an_executor_uses_its_archive_of_classes(java: Java) -> None:
    """The class path starts with what the archive was made with."""
    arguments = java()
    assert "-XX:SharedArchiveFile=/opt/tinderbox/cds/executor.jsa" in arguments
    class_path = arguments[arguments.index("-cp") + 1].split(":")
    assert class_path[:3] == ["/opt/tinderbox/cds/classpath.jar", "/opt/spark/conf", "/spark/jars/*"]


def test_other_options_than_the_archives_can_be_given(java: Java) -> None:
    """TINDERBOX_ARCHIVE says what Java does with archives."""
    arguments = java(TINDERBOX_ARCHIVE="-Xshare:off")
    assert "-Xshare:off" in arguments
    assert not [argument for argument in arguments if "jsa" in argument]


def test_the_heap_grows_as_it_is_needed(java: Java) -> None:
    """The memory is a limit, not taken at once: what the JVM leaves is Python's."""
    arguments = java()
    assert "-Xmx512m" in arguments
    assert not [argument for argument in arguments if argument.startswith("-Xms")]


def test_slots_know_the_file_of_the_pre_stop_hook(tmp_path: Path) -> None:
    """The hook's own, or the one that an executor's environment names for both."""
    (tmp_path / "java").write_text("#!/bin/sh\necho $TINDERBOX_DECOMMISSION\n")
    (tmp_path / "java").chmod(0o755)

    def told(**more: str) -> str:
        variables = EXECUTOR | {"PATH": f"{tmp_path}:{os.environ['PATH']}"} | more
        command = [SCRIPTS / "entrypoint.sh", "executor"]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout.strip()

    hook = (SCRIPTS / "decommission.sh").read_text()
    assert f'touch "${{TINDERBOX_DECOMMISSION:-{told()}}}"\n' in hook
    assert told(TINDERBOX_DECOMMISSION="/work/notice") == "/work/notice"


@pytest.mark.parametrize("code", [0, 2])
@pytest.mark.parametrize("port", [None, "", "9095"])
def test_the_exporter_is_a_child_of_java(tmp_path: Path, port: str | None, code: int) -> None:
    """So that it sees all processes that Java starts; only where metrics are wanted, and Java runs whatever it does."""
    started = tmp_path / "started"
    (tmp_path / "python").write_text(f"#!/bin/sh\necho $PPID $@ > {started}\nexit {code}\n")
    waits = f"for _ in $(seq 50); do [ -s {started} ] && break; sleep 0.1; done\n" if port else ""
    (tmp_path / "java").write_text(f"#!/bin/sh\n{waits}echo java $$\n")
    for name in ("python", "java"):
        (tmp_path / name).chmod(0o755)
    variables = EXECUTOR | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    if port is not None:
        variables["TINDERBOX_METRICS_PORT"] = port
    command = [SCRIPTS / "entrypoint.sh", "executor"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    name, pid = done.stdout.split()
    assert name == "java"
    assert (started.read_text().split() if started.exists() else None) == (
        [pid, "-m", "tinderbox.metrics"] if port else None
    )


def test_spark_is_told_of_the_gpus(tmp_path: Path) -> None:
    """In the JSON that it takes; a machine whose GPUs cannot be listed gives none, and the executor does not start."""
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([SCRIPTS / "gpus.sh"], env=path, capture_output=True, text=True)
    assert json.loads(done.stdout) == {"name": "gpu", "addresses": ["0", "1"]}
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert subprocess.run([SCRIPTS / "gpus.sh"], env=path, capture_output=True).returncode == 9


def test_a_missing_variable_is_named() -> None:
    """An executor that is started by hand says what it lacks."""
    variables = {name: value for name, value in EXECUTOR.items() if name != "SPARK_DRIVER_URL"}
    done = subprocess.run(
        [SCRIPTS / "entrypoint.sh", "executor"],
        env=variables | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "SPARK_DRIVER_URL: unbound variable" in done.stderr


def test_anything_else_is_a_command() -> None:
    """A command runs as it is given, and its exit code is the container's."""
    done = subprocess.run(
        [SCRIPTS / "entrypoint.sh", "sh", "-c", "echo $0 $1; exit 3", "a b", "c"], capture_output=True
    )
    assert (done.returncode, done.stdout) == (3, b"a b c\n")


def test_scripts_can_be_executed() -> None:
    """The mode travels with the repository: an image copies it."""
    for script in SCRIPTS.glob("*.sh"):
        assert script.stat().st_mode & 0o111, script
