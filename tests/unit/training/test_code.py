"""The user's modules: from the folder of their own training, and not from that of an earlier one."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cloudpickle
import pytest

from tinderbox.config import check_train
from tinderbox.errors import BadInput
from tinderbox.training import code
from tinderbox.training.code import find_build, unpack_code
from tinderbox.training.recipe import Recipe


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave no module and no folder behind."""
    path, places, modules = list(sys.path), list(code._places), set(sys.modules)
    yield
    sys.path[:], code._places[:] = path, places
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def recipe(build: str | None, **modules: str) -> Recipe:
    """Return a recipe with some modules."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in modules.items():
            archive.writestr(f"{name}.py", text)
    model = {"name": "lenet5"} if build is None else {"build": build}
    job = check_train({"kind": "train", "name": "a", "model": model, "epochs": 1}, "test")
    return Recipe(job, None, buffer.getvalue() if modules else None, (1,), None, 1, 1, "d")


def build_from(folder: Path, wanted: Recipe) -> object:
    """Return what the user's function returns."""
    unpack_code(wanted, folder)
    function = find_build(wanted, folder)
    assert function is not None
    return function()


def test_a_function_comes_from_its_own_folder(tmp_path: Path) -> None:
    """The second training of a process has its own version of a module, and of what that imports."""
    texts = {"code_of_test_a": "import code_of_test_b\ndef net():\n    return code_of_test_b.VALUE\n"}
    first = recipe("code_of_test_a:net", **texts, code_of_test_b="VALUE = 1\n")
    second = recipe("code_of_test_a:net", **texts, code_of_test_b="VALUE = 2\n")
    assert build_from(tmp_path / "one", first) == 1
    assert build_from(tmp_path / "two", second) == 2
    assert build_from(tmp_path / "one", first) == 1
    assert sys.path.count(str(tmp_path / "one")) == 1
    assert str(tmp_path / "two") not in sys.path


def test_a_function_of_a_notebook_comes_by_value(tmp_path: Path) -> None:
    """It may import what its folder has."""
    pickled = cloudpickle.dumps(lambda: __import__("code_of_test_c").VALUE)
    wanted = replace(recipe(None, code_of_test_c="VALUE = 3\n"), build=pickled)
    assert build_from(tmp_path / "code", wanted) == 3


def test_a_built_in_network_needs_no_function(tmp_path: Path) -> None:
    """And no folder."""
    unpack_code(recipe(None), tmp_path / "code")
    assert find_build(recipe(None), tmp_path / "code") is None
    assert not (tmp_path / "code").exists()


def test_a_function_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its name."""
    wanted = recipe("code_of_test_d:nothing", code_of_test_d="")
    unpack_code(wanted, tmp_path / "code")
    with pytest.raises(BadInput, match="module code_of_test_d has no function nothing"):
        find_build(wanted, tmp_path / "code")
