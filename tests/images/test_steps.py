"""The steps of the build that are programs: requirements, cuts, class path, sizes."""

from __future__ import annotations

import importlib.util
import zipfile
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from images import base, build, parts
from images.errors import ImageError

STEPS = Path(__file__).parents[2] / "images" / "tinderbox" / "steps"
PROJECT = """
[project]
dependencies = [
    "numpy>=2.0",
    "tensorflow-cpu>=2.21,<2.22; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "tensorflow>=2.21,<2.22; sys_platform != 'linux' or platform_machine != 'x86_64'",
]
[project.optional-dependencies]
console = ["optuna-dashboard>=0.20"]
dev = ["pytest>=9.0"]
"""


def load(name: str) -> ModuleType:
    """One step as a module; they are programs of the image, not of a package."""
    specification = importlib.util.spec_from_file_location(name, STEPS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_for_cpus_the_requirements_are_the_packages_own_and_the_consoles() -> None:
    """Nothing else is added, and nothing left out."""
    wanted = load("requirements").requirements(PROJECT, "cpu")
    assert (wanted[0], wanted[-1]) == ("numpy>=2.0", "optuna-dashboard>=0.20")
    assert len(wanted) == 4


def test_for_gpus_there_is_one_tensorflow_and_it_brings_cuda() -> None:
    """On every machine, so without a marker."""
    wanted = load("requirements").requirements(PROJECT, "gpu")
    assert wanted == ["numpy>=2.0", "tensorflow[and-cuda]>=2.21,<2.22", "optuna-dashboard>=0.20"]


def test_another_variant_is_refused() -> None:
    """A slip of the pen is not a CPU image."""
    with pytest.raises(SystemExit, match="VARIANT must be cpu or gpu, got 'cuda'"):
        load("requirements").requirements(PROJECT, "cuda")


def test_the_package_still_names_what_the_gpu_variant_replaces() -> None:
    """The real pyproject.toml has both."""
    wanted = load("requirements").requirements((build.ROOT / "pyproject.toml").read_text(), "gpu")
    assert [name for name in wanted if "tensorflow" in name] == ["tensorflow[and-cuda]>=2.21,<2.22"]


def test_a_jar_keeps_this_machines_native_code_only(tmp_path: Path) -> None:
    """And all that is not native."""
    jar = tmp_path / "rocksdbjni-1.jar"
    with zipfile.ZipFile(jar, "w") as whole:
        whole.writestr("org/A.class", "org/A.class")
        for system in ("linux64.so", "linux64-musl.so", "win64.dll"):
            whole.writestr(f"librocksdbjni-{system}", system)
    load("trim").keep_native(jar, "librocksdbjni-linux64.so")
    with zipfile.ZipFile(jar) as kept:
        assert kept.namelist() == ["org/A.class", "librocksdbjni-linux64.so"]
        assert kept.read("org/A.class") == b"org/A.class"


def test_libraries_that_several_wheels_bring_are_there_once(tmp_path: Path) -> None:
    """The others are links to the first; a namesake with another content stays."""
    for folder, content in (("numpy.libs", "fortran"), ("pillow.libs", "another"), ("scipy.libs", "fortran")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "libgfortran-040039e1.so.5").write_text(content)
        (tmp_path / folder / f"lib{content}.so").write_text(content)
    load("trim").one_of_each(tmp_path)
    libraries = {path.parent.name: path for path in tmp_path.rglob("libgfortran*")}
    assert [name for name, path in libraries.items() if path.is_symlink()] == ["scipy.libs"]
    assert libraries["scipy.libs"].resolve() == libraries["numpy.libs"]
    assert [libraries[name].read_text() for name in sorted(libraries)] == ["fortran", "another", "fortran"]


def test_a_cut_that_finds_nothing_stops_the_build(tmp_path: Path) -> None:
    """A new version of a package that moved its files would grow the image in silence."""
    with pytest.raises(SystemExit, match=r"trim.py cuts grpc, and there is no such file any more"):
        list(load("trim").unused(tmp_path))


def test_the_class_path_is_sorted_and_its_lines_are_short(tmp_path: Path) -> None:
    """The order of a folder differs from machine to machine, and a manifest's line has 72 bytes."""
    for number in (2, 10, 1):
        (tmp_path / f"a-jar-with-a-rather-long-name-{number:02}.jar").touch()
    load("archive").make_class_path(tmp_path / "path", tmp_path)
    with zipfile.ZipFile(tmp_path / "path") as jar:
        manifest = jar.read("META-INF/MANIFEST.MF").decode()
    assert max(len(line.encode()) for line in manifest.split("\r\n")) <= 72
    joined = manifest.replace("\r\n ", "").splitlines()
    wanted = [f"./a-jar-with-a-rather-long-name-{number:02}.jar" for number in (1, 2, 10)]
    assert joined == ["Manifest-Version: 1.0", "Class-Path: " + " ".join(wanted), ""]


def test_an_executors_variables_are_those_that_a_node_would_set(tmp_path: Path) -> None:
    """Values as they are, fields of the pod looked up."""
    field = {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}
    variables = [{"name": "SPARK_EXECUTOR_ID", "value": "1"}, {"name": "SPARK_EXECUTOR_POD_IP", "valueFrom": field}]
    found = load("archive").executor_environment({"spec": {"containers": [{"env": variables}]}}, "-Xshare:off")
    assert found["SPARK_EXECUTOR_ID"] == "1"
    assert found["SPARK_EXECUTOR_POD_IP"] == "127.0.0.1"
    assert found["TINDERBOX_ARCHIVE"] == "-Xshare:off"


def test_each_file_belongs_to_one_part() -> None:
    """The first that fits."""
    assert parts.part(f"{parts.SITE}/tensorflow/python/ops.py") == "TensorFlow"
    assert parts.part(f"{parts.SITE}/tinderbox/run.py") == "Tinderbox"
    assert parts.part(f"{parts.SITE}/numpy/ops.py") == "other Python packages"
    assert parts.part("/usr/bin/env") == "Debian and Python"


def test_the_table_adds_up() -> None:
    """The largest first, and the sum below."""
    assert parts.table(Counter({"Java": 60_000_000, "Spark": 300_000_000})).splitlines() == [
        "Spark                        300 MB",
        "Java                          60 MB",
        "in all                       360 MB",
    ]


def test_a_build_argument_has_a_name() -> None:
    """A bare word is not silently ignored by Docker."""
    with pytest.raises(ImageError, match="a build argument is NAME=VALUE, got 'gpu'"):
        build.check_arguments(["gpu"])


def test_the_base_is_pinned_by_digest() -> None:
    """People with a registry get the Debian that this was tested with, or none."""
    name, _, digest = base.pinned().partition("@sha256:")
    assert name == "debian:bookworm-slim"
    assert len(digest) == 64


def test_the_dockerfile_stays_short() -> None:
    """What takes more is a step of its own."""
    assert len(base.DOCKERFILE.read_text().splitlines()) <= 60
