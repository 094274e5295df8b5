"""Functions by name and by value, and the code that travels with them."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tinderbox.errors import BadInput
from tinderbox.functions import find_function
from tinderbox.sweeping import objective
from tinderbox.sweeping.objective import by_name, by_value, pack_code


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of modules; what is imported from it is forgotten after the test."""
    folder = tmp_path / "src"
    (folder / "lab").mkdir(parents=True)
    (folder / "lab" / "__init__.py").touch()
    (folder / "lab" / "nets.py").write_text("WIDTH = 8\ndef train(trial):\n    return WIDTH\nnumber = 5\n")
    (folder / "lab" / "labels.txt").write_text("a\nb\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lab", "broken", "quits")]:
        del sys.modules[name]


def test_a_function_by_name_travels_with_its_folder(code: Path, tmp_path: Path) -> None:
    """It is found where the code was unpacked, not where it came from."""
    made = by_name("lab.nets:train", code)
    made.unpack(tmp_path / "there")
    function = made.load(tmp_path / "there")
    assert function(None) == 8
    assert function.__code__.co_filename.startswith(str(tmp_path / "there"))
    assert (tmp_path / "there" / "lab" / "labels.txt").read_text() == "a\nb\n"


def test_code_that_was_packed_before(code: Path, tmp_path: Path) -> None:
    """A zip, as `tinderbox submit` brings it, is the same code, and functions are found in it."""
    packed = tmp_path / "code.zip"
    packed.write_bytes(pack_code(code))
    assert by_name("lab.nets:train", packed) == by_name("lab.nets:train", code)
    sys.path.insert(0, str(packed))
    assert find_function("lab.nets:train")(None) == 8


def test_a_function_by_name_without_a_folder(tmp_path: Path) -> None:
    """What is installed is found as it is, and nothing is unpacked."""
    made = by_name("os.path:join", None)
    made.unpack(tmp_path / "there")
    assert made.load(tmp_path / "there")("a", "b") == "a/b"
    assert not (tmp_path / "there").exists()


def test_a_function_by_value(tmp_path: Path) -> None:
    """A function of a notebook travels with what it closes over."""
    factor = 3

    def triple(number: int) -> int:
        return factor * number

    made = by_value(triple)
    assert made.name.endswith("triple")
    assert made.load(tmp_path)(2) == 6


def test_digests_tell_objectives_apart(code: Path) -> None:
    """By name and by code, and the same code has the same digest, whatever its dates."""
    sys.path.insert(0, str(code))
    first, other_name, no_code = (
        by_name("lab.nets:train", code), by_name("lab.nets:other", code), by_name("lab.nets:train", None),
    )  # fmt: skip
    nets = code / "lab" / "nets.py"
    nets.touch()
    again = by_name("lab.nets:train", code)
    nets.write_text("changed = 1")
    changed = by_name("lab.nets:train", code)
    assert first.digest == again.digest
    assert first.identity == again.identity
    for kind in ("digest", "identity"):
        assert len({getattr(made, kind) for made in (first, other_name, no_code, changed)}) == 4


def test_files_beside_the_modules_are_no_other_code(code: Path) -> None:
    """They travel, and what is unpacked is told apart by them; a study goes on, for results and job files lie there."""
    first = by_name("lab.nets:train", code)
    (code / "nohup.out").write_text("epoch 1")
    more = by_name("lab.nets:train", code)
    assert first.digest != more.digest
    assert first.identity == more.identity


def test_a_function_that_is_installed_is_looked_into(code: Path) -> None:
    """Without a folder of code, its own source counts."""
    sys.path.insert(0, str(code))
    first = by_name("lab.nets:train", None)
    (code / "lab" / "nets.py").write_text("WIDTH = 9\ndef train(trial):\n    return WIDTH\n")
    del sys.modules["lab.nets"]
    assert by_name("lab.nets:train", None).identity != first.identity


def test_two_functions_of_one_name() -> None:
    """As a notebook has them after a cell was edited; one that is as before is the same, wherever it is written."""
    sources = ["def train(trial): return 1", "def train(trial): return 2", "\n\ndef train(trial):\n    return 1"]
    made = []
    for source in sources:
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(source, scope)  # noqa: S102 - our own text
        made.append(by_value(scope["train"]))
    assert made[0].identity != made[1].identity
    assert made[0].identity == made[2].identity


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no.such:train", "no.such:train: module no.such does not import: ModuleNotFoundError: No module named 'no'"),
        ("lab.nets:fit", "lab.nets:fit: module lab.nets has no function fit"),
        ("lab.nets:number", "lab.nets:number: module lab.nets has no function number"),
        ("broken:train", "broken:train: module broken does not import: ZeroDivisionError: division by zero"),
        ("quits:train", "quits:train: module quits does not import: SystemExit: 0"),
    ],
)
def test_functions_that_cannot_be_had(code: Path, name: str, sentence: str) -> None:
    """One sentence each, a script that ends the process that imports it included."""
    (code / "broken.py").write_text("1 / 0\n")
    (code / "quits.py").write_text("import sys\nsys.exit(0)\n")
    sys.path.insert(0, str(code))
    with pytest.raises(BadInput) as refusal:
        find_function(name)
    assert str(refusal.value) == sentence


def names_in(archive: bytes) -> list[str]:
    """Return the names of the files in a zip."""
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


@pytest.mark.parametrize("job", ["job.yaml", "train.yaml", "infer.yaml"])
def test_what_is_left_out(code: Path, job: str) -> None:
    """Caches, hidden files and runs stay at home; a job file that was not run, wherever it is, does not."""
    run = (f"studies/a/{job}", "studies/a/run.json", "studies/a/events/1.jsonl", "studies/a/checkpoints/model.keras")
    for name in ("lab/__pycache__/nets.pyc", ".git/config", "lab/.hidden", "old.pyc", job, *run):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text("x")
    assert names_in(pack_code(code)) == sorted([job, "lab/__init__.py", "lab/labels.txt", "lab/nets.py"])


def test_what_is_left_out_is_not_looked_into(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment holds tens of thousands of files, and a study as many."""
    run = ("studies/a/job.yaml", "studies/a/run.json", "studies/a/events/1.jsonl")
    for name in (".venv/lib/a.py", *run, "lab/__pycache__/x/y.py"):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text("x")
    seen, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: seen.append(Path(path).relative_to(code)) or scandir(path))
    assert names_in(pack_code(code)) == ["lab/__init__.py", "lab/labels.txt", "lab/nets.py"]
    assert sorted(map(str, seen)) == [".", "lab", "studies", "studies/a"]


def test_a_file_that_cannot_travel(code: Path) -> None:
    """A name that is not UTF-8 has no place in a zip; the sentence shows it in a form that can be printed."""
    (code / os.fsdecode(b"caf\xe9.py")).write_text("x")
    with pytest.raises(BadInput) as refusal:
        pack_code(code)
    assert str(refusal.value) == r"code holds a file whose name is not UTF-8, got 'caf\udce9.py'; rename it"


def test_a_file_that_cannot_be_read(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names it."""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BadInput, match=r"^code holds lab/__init__.py, which cannot be read: Permission denied$"):
        pack_code(code)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """The sentence names it."""
    with pytest.raises(BadInput) as refusal:
        pack_code(tmp_path / "none")
    assert str(refusal.value) == f"code must name a folder with your modules, got {tmp_path / 'none'}, which is none"


def test_code_that_is_too_large(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data does not travel as code; the edge itself is allowed."""
    size = sum(path.stat().st_size for path in code.rglob("*") if path.is_file())
    monkeypatch.setattr(objective, "LARGEST_CODE", size)
    pack_code(code)
    monkeypatch.setattr(objective, "LARGEST_CODE", size - 1)
    with pytest.raises(
        BadInput, match=r"^code must be at most 64 MiB of modules, got 0 MiB in .*bring data in by data$"
    ):
        pack_code(code)


def test_a_function_by_value_is_made_once(make_work: Callable[..., object]) -> None:
    """What a child loads does what the notebook's function does."""

    def train(trial: object) -> str:
        return f"trained {trial}"

    work = make_work(train)
    assert work.objective.load(work.code)("x") == "trained x"  # type: ignore[attr-defined]
