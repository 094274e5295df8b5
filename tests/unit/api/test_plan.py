"""What can be wrong with a sweep is found before anything is started."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.api.plan import check_continues, describe_job, make_plan
from tinderbox.config import SweepJob, check_sweep
from tinderbox.data import from_arrays
from tinderbox.errors import BadInput
from tinderbox.run import identify
from tinderbox.storage import StudyFolder

MakeJob = Callable[..., SweepJob]


@pytest.fixture
def make_job(tmp_path: Path) -> Iterator[MakeJob]:
    """A function that returns a job whose code lies in a folder of its own; what is imported is forgotten."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "planned.py").write_text(
        "import numpy as np\n"
        "def train(trial): ...\n"
        "def read(): return {'x': np.zeros((20, 1)), 'y': np.arange(20) % 2}\n"
        "number = 3\n"
    )
    (tmp_path / "code" / "broken.py").write_text("import no_such_module\n")
    tree: dict[str, Any] = {
        "kind": "sweep",
        "name": "planned",
        "objective": "planned:train",
        "code": "code",
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": {"x": {"type": "float", "low": 0, "high": 1, "grid": 2}},
        "search": "grid",
        "epochs": 1,
        "data": {"source": "function", "function": "planned:read"},
        "storage": str(tmp_path / "studies"),
    }
    path = list(sys.path)
    yield lambda **changes: check_sweep(tree | changes, "test")
    sys.path[:] = path
    for name in ("planned", "broken"):
        sys.modules.pop(name, None)


def test_a_plan_has_all_that_a_sweep_needs(make_job: MakeJob, tmp_path: Path) -> None:
    """Function, data, search and identity; the code is packed to travel."""
    plan = make_plan(make_job(), tmp_path)
    assert plan.function.__name__ == "train"
    assert len(plan.data.train) == 12
    assert plan.proposer.limit == 2
    assert plan.objective.code is not None
    assert (plan.run.name, len(plan.run.data), plan.run.code) == ("planned", 64, plan.objective.identity)


def test_the_identity_tells_data_code_and_configuration_apart(make_job: MakeJob, tmp_path: Path) -> None:
    """Equal things have equal digests, and a change changes its own digest only."""
    first, same = make_plan(make_job(), tmp_path).run, make_plan(make_job(), tmp_path).run
    assert first == same
    other = make_plan(make_job(epochs=2), tmp_path).run
    assert (other.data, other.code) == (first.data, first.code)
    assert other.configuration != first.configuration
    (tmp_path / "code" / "planned.py").write_text("def train(trial): ...\n")
    changed = make_plan(make_job(), tmp_path).run
    assert (changed.data, changed.configuration) == (first.data, first.configuration)
    assert changed.code != first.code


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"objective": "planned:tune"}, "planned:tune: module planned has no function tune"),
        ({"objective": "planned:number"}, "planned:number: module planned has no function number"),
        ({"objective": "unplanned:train"}, "unplanned:train: module unplanned does not import: ModuleNotFoundError"),
        ({"objective": "broken:train"}, "broken:train: module broken does not import: ModuleNotFoundError"),
        ({"code": "cod"}, "code must name a folder with your modules, got "),
        ({"data": {"source": "function", "function": "planned:write"}}, "planned has no function write"),
        ({"preload": ["tensorfow"]}, "preload: module tensorfow does not import: ModuleNotFoundError: No module named"),
        (
            {"preload": ["numpy.no"]},
            "preload: module numpy.no does not import: ModuleNotFoundError: No module named 'n",
        ),
        ({"preload": ["no.no"]}, "preload: module no.no does not import: ModuleNotFoundError: No module named 'no'"),
        ({"preload": ["planned", "broken"]}, "preload: module broken does not import: ModuleNotFoundError: No module"),
        ({"preload": [""]}, "preload: module  does not import: ValueError: Empty module name"),
        ({"data": {"source": "npz", "path": "data.npz"}}, "data.npz: does not exist; a relative path starts at"),
    ],
)
def test_what_is_missing_is_a_sentence(
    make_job: MakeJob, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    """One sentence names what is missing, and nothing is written."""
    with pytest.raises(BadInput) as refused:
        make_plan(make_job(**changes), tmp_path)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "studies").exists()


def test_modules_to_preload_are_looked_for_not_imported(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may take seconds; the user's own are imported, for they are the ones with mistakes in them."""
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "slow.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(installed))
    make_plan(make_job(preload=["slow", "planned"]), tmp_path)
    assert "slow" not in sys.modules
    assert "planned" in sys.modules


def test_a_notebook_preloads_from_its_folder_of_code(make_job: MakeJob, tmp_path: Path) -> None:
    """Though its function has not come from there."""
    data = from_arrays({"x": np.zeros((20, 1)), "y": np.arange(20) % 2})
    make_plan(make_job(preload=["planned"]), tmp_path, lambda trial: None, data)
    assert "planned" in sys.modules
    with pytest.raises(BadInput, match=r"^preload: module broken does not import"):
        make_plan(make_job(preload=["broken"]), tmp_path, lambda trial: None, data)


def test_a_study_continues_with_its_own_job_only(make_job: MakeJob, tmp_path: Path) -> None:
    """Another job under the same name is refused with the keys that differ."""
    folder, run = StudyFolder(str(tmp_path / "studies"), "planned"), identify("planned", {}, "", "")
    check_continues(folder, make_job(), run)
    folder.write_job(describe_job(make_job()), run)
    check_continues(folder, make_job(), run)
    with pytest.raises(BadInput) as refused:
        check_continues(folder, make_job(epochs=2, seed=3), run)
    assert str(refused.value) == (
        "study 'planned' exists and was begun with another epochs and seed; "
        "give this one another name, or start over with --fresh, in a notebook fresh=True"
    )


def test_a_name_that_is_a_batch_inferences(make_job: MakeJob, tmp_path: Path) -> None:
    """A study and a batch inference do not share a folder."""
    folder = StudyFolder(str(tmp_path / "studies"), "planned")
    folder.write("infer.yaml", b"kind: infer")
    with pytest.raises(BadInput, match=r"^name 'planned' is a batch inference's in .*; give the study one of its own$"):
        check_continues(folder, make_job(), identify("planned", {}, "", ""))


@pytest.mark.parametrize(
    "budget",
    [{"trials": 8, "time": 60.0}, {"trials": 9, "time": 61.0}, {"trials": 8}, {"time": 60.0}],
)
def test_a_study_continues_with_a_budget_that_was_raised(
    make_job: MakeJob, tmp_path: Path, budget: dict[str, float]
) -> None:
    """And with other slots and checkpoints, on which no result depends."""
    folder, job = StudyFolder(str(tmp_path / "studies"), "planned"), make_job(budget={"trials": 8, "time": 60.0})
    folder.write_job(describe_job(job), identify("planned", {}, "", ""))
    raised = make_job(budget=budget, slots=9, checkpoints={"every": "1s"})
    check_continues(folder, raised, folder.read_run())


@pytest.mark.parametrize(
    "budget",
    [{"trials": 7, "time": 60.0}, {"trials": 9, "time": 59.0}, {"trials": 8, "time": 60.0, "trial_time": 5.0}],
)
def test_a_study_does_not_continue_with_a_budget_that_was_lowered(
    make_job: MakeJob, tmp_path: Path, budget: dict[str, float]
) -> None:
    """Not even where something else in it was raised."""
    folder, job = StudyFolder(str(tmp_path / "studies"), "planned"), make_job(budget={"trials": 8, "time": 60.0})
    folder.write_job(describe_job(job), identify("planned", {}, "", ""))
    with pytest.raises(BadInput, match="was begun with another budget; a budget may only be raised; give this one"):
        check_continues(folder, make_job(budget=budget), folder.read_run())


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        ("def train(trial): ...", "def train(trial): trial.report(1, loss=1.0)", "code"),
        ("np.arange(20) % 2", "np.arange(20) % 4", "code and data"),
        ("np.zeros", "np.ones", "code and data"),
        ("number = 3", "number = 3", None),
    ],
)
def test_a_study_continues_with_its_own_code_and_data_only(
    make_job: MakeJob, tmp_path: Path, before: str, after: str, keys: str | None
) -> None:
    """What a file holds counts, not only its name."""
    folder, planned = StudyFolder(str(tmp_path / "studies"), "planned"), tmp_path / "code" / "planned.py"
    folder.write_job(describe_job(make_job()), make_plan(make_job(), tmp_path).run)
    planned.write_text(planned.read_text().replace(before, after))
    os.utime(planned, (0, 0))  # Python takes a file of the same size and second for the one that it has compiled
    del sys.modules["planned"]
    run = make_plan(make_job(), tmp_path).run
    if keys is None:
        check_continues(folder, make_job(), run)
        return
    with pytest.raises(BadInput, match=f"^study 'planned' exists and was begun with another {keys}; give this one"):
        check_continues(folder, make_job(), run)


def test_a_data_file_that_was_edited_is_other_data(make_job: MakeJob, tmp_path: Path) -> None:
    """Though job and code are as before."""
    folder, job = StudyFolder(str(tmp_path / "studies"), "planned"), make_job(data={"source": "npz", "path": "d.npz"})
    np.savez(tmp_path / "d.npz", x=np.zeros((20, 1)), y=np.arange(20) % 2)
    folder.write_job(describe_job(job), make_plan(job, tmp_path).run)
    check_continues(folder, job, make_plan(job, tmp_path).run)
    np.savez(tmp_path / "d.npz", x=np.ones((20, 1)), y=np.arange(20) % 2)
    with pytest.raises(BadInput, match=r"^study 'planned' exists and was begun with another data; give this one"):
        check_continues(folder, job, make_plan(job, tmp_path).run)


def test_a_function_that_cannot_travel_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    """A notebook's function that holds a lock says so before a session is opened."""
    lock = threading.Lock()
    data = from_arrays({"x": np.zeros((20, 1)), "y": np.arange(20) % 2})
    with pytest.raises(BadInput) as refused:
        make_plan(make_job(code=None), tmp_path, lambda trial: lock.acquire(), data)
    assert "cannot be sent to the executors: " in str(refused.value)
    assert "\n" not in str(refused.value)
