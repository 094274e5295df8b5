"""Runs of whatever kind below a storage folder or URL."""

from __future__ import annotations

from tinderbox.errors import BadInput
from tinderbox.storage.folder import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.runs import open_storage, run_names


def find_run(storage: str, name: str) -> StudyFolder | RowsFolder:
    """Return the folder of the study or the batch inference of a name.

    Raises:
        BadInput: There is neither.
    """
    study, rows = StudyFolder(storage, name), RowsFolder(storage, name)
    if study.exists():
        return study
    if rows.exists():
        return rows
    files, root = open_storage(storage)
    known = sorted({*run_names(files, root, study.job_file), *run_names(files, root, rows.job_file)})
    raise BadInput(f"there is no study or batch inference {name!r} in {root}; it holds {', '.join(known) or 'none'}")


def find_inferences(storage: str) -> list[str]:
    """Return the names of the batch inferences below a storage folder or URL."""
    files, root = open_storage(storage)
    return run_names(files, root, RowsFolder.job_file)
