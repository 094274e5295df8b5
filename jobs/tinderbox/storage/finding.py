"""Runs of whatever kind below a storage folder or URL."""

from __future__ import annotations

from tinderbox.errors import BadInput
from tinderbox.storage.folder import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.runs import RunFolder, open_storage, run_names
from tinderbox.storage.training import TrainFolder

AnyFolder = StudyFolder | RowsFolder | TrainFolder
_KINDS: tuple[type[StudyFolder] | type[RowsFolder] | type[TrainFolder], ...] = (StudyFolder, RowsFolder, TrainFolder)


def find_run(storage: str, name: str) -> AnyFolder:
    """Return the folder of the run of a name, of whatever kind it is.

    Raises:
        BadInput: There is none.
    """
    for kind in _KINDS:
        folder = kind(storage, name)
        if folder.exists():
            return folder
    files, root = open_storage(storage)
    known = sorted({found for kind in _KINDS for found in run_names(files, root, kind.job_file)})
    kinds = f"{', '.join(kind.kind for kind in _KINDS[:-1])} or {_KINDS[-1].kind}"
    raise BadInput(f"there is no {kinds} {name!r} in {root}; it holds {', '.join(known) or 'none'}")


def other_kind(folder: RunFolder) -> str | None:
    """Return of what kind the run is that has a folder's name already, None where it is of the folder's own or none."""
    return next((kind.kind for kind in _KINDS if kind.kind != folder.kind and folder.has(kind.job_file)), None)


def find_inferences(storage: str) -> list[str]:
    """Return the names of the batch inferences below a storage folder or URL."""
    return _names(storage, RowsFolder)


def find_trainings(storage: str) -> list[str]:
    """Return the names of the trainings below a storage folder or URL."""
    return _names(storage, TrainFolder)


def _names(storage: str, kind: type[RunFolder]) -> list[str]:
    files, root = open_storage(storage)
    return run_names(files, root, kind.job_file)
