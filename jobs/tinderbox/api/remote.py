"""Studies on a cluster, from a person's machine: submitted, followed, read and brought home."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinderbox.api.driver import Watcher
from tinderbox.api.inference import is_relative
from tinderbox.api.plan import describe_job
from tinderbox.api.result import SweepResult
from tinderbox.config import AnyJob, InferJob
from tinderbox.config.inputs import Held
from tinderbox.config.reading import beside_job, set_line, write_job
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.inference.summary import Summary, from_json, merge
from tinderbox.kube.cluster import Cluster, Release, Unreachable
from tinderbox.kube.forward import forwarded
from tinderbox.kube.jobs import Progress, ended, find_console, find_job, look, submit
from tinderbox.kube.manifest import CODE_FILE, JOB_FILE, Manifest, Package, driver_of, make_objects
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.runs import RunFolder
from tinderbox.sweeping.objective import pack_code
from tinderbox.sweeping.onlooker import Onlooker
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.status import Status, take_status

FILES_PORT = 8080
LOOK_SECONDS = 1.0
AWAY_SECONDS = 120.0
ANEW = {"sweep": "--fresh", "infer": "--force"}
"""What a command is told that is to begin anew."""


@dataclass(frozen=True)
class Submitted:
    """A Job that was applied, and the token of its coordinator."""

    job: Manifest
    token: str


def submit_job(
    cluster: Cluster, release: Release, file: Path, job: AnyJob, image: str | None = None, anew: bool = False
) -> Submitted:
    """Submit a checked job, with its folder of code and what else its file holds, to a release.

    Where it is to begin `anew`, a sweep sets the study of its name aside, and an inference labels all again.

    Raises:
        BadInput: Code and job are larger than a ConfigMap, or a Job of this name runs.
    """
    token = secrets.token_urlsafe(32)
    objects = make_objects(release.driver, pack(file, job, token, image, anew))
    submit(cluster, objects)
    return Submitted(objects[2], token)


def pack(file: Path, job: AnyJob, token: str, image: str | None, anew: bool) -> Package:
    """Return what a submission brings.

    Raises:
        BadInput: The folder of code cannot be packed, or a path means a file of this machine.
    """
    code = None if job.code is None else pack_code(file.parent / job.code)
    described = describe_job(job) | ({"code": CODE_FILE} if code else {})
    described.pop("storage", None)  # the release says where studies are
    files, template = beside_job(file)
    if isinstance(job, InferJob):
        check_paths(job, files)
    text = write_job(described)
    arguments = (ANEW[job.kind],) if anew else ()
    return Package(job.name, text, token, code, files, template, image, arguments, job.kind)


def check_paths(job: InferJob, files: Collection[str]) -> None:
    """See that a batch inference names no file that stays here; `files` travel with it.

    Raises:
        BadInput: It does.
    """
    named = {"labels": job.labels}
    if job.model is not None:
        named |= {"model": job.model.path, "model.weights": job.model.weights}
    if not isinstance(job.input, Held):
        named["input"] = job.input.path
    for key, path in named.items():
        if path is not None and is_relative(path) and PurePosixPath(path).as_posix() not in files:
            raise BadInput(
                f"{key}: {path} is a file of this machine, which the cluster has not; give a URL, or the whole path "
                "of a volume in the driver's pod"
            )


def follow(cluster: Cluster, submitted: Submitted, home: StudyFolder, watcher: Watcher) -> bool:
    """Show a study until its Job has ended, and return whether its driver has handed out what it left behind.

    The driver may be replaced on the way.

    Raises:
        BadInput: Home cannot be written.
        TinderboxError: The Job has failed, or was deleted before the study came home, or the cluster stays away.
    """
    brought = False
    while not (progress := look_again(cluster, submitted, watcher.tell)).over:
        if progress.state == "running" and progress.pod is not None and not brought:
            try:
                brought = follow_driver(cluster, progress.pod, submitted, home, watcher)
            except BadInput:
                raise
            except TinderboxError:
                pass  # Spark still starts, or the driver is being replaced: the Job tells
        elif not brought:
            watcher.tell(progress.cause or "waiting for the driver")
        time.sleep(LOOK_SECONDS)
    if progress.state == "failed":
        raise TinderboxError(f"job {progress.job} failed: {progress.cause}")
    if progress.state == "deleted" and not brought:
        raise TinderboxError(f"job {progress.job} was deleted; tinderbox fetch {home.name} brings home what there is")
    return brought


def wait_for_end(cluster: Cluster, submitted: Submitted, tell: Callable[[str], None]) -> None:
    """Return when a Job has ended well, and tell meanwhile where it stands.

    Raises:
        TinderboxError: The Job has failed, or was deleted, or the cluster stays away.
    """
    while not (progress := look_again(cluster, submitted, tell)).over:
        tell(progress.cause or ("the driver runs" if progress.state == "running" else "waiting for the driver"))
        time.sleep(LOOK_SECONDS)
    if progress.state != "complete":
        end = "was deleted" if progress.state == "deleted" else f"failed: {progress.cause}"
        raise TinderboxError(f"job {progress.job} {end}")


def look_again(cluster: Cluster, submitted: Submitted, tell: Callable[[str], None]) -> Progress:
    """Return where a Job stands, asking a cluster that is away, as in a train, again for `AWAY_SECONDS`."""
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return look(cluster, submitted.job)
        except Unreachable:
            if time.monotonic() > deadline:
                raise
            tell("the cluster cannot be reached; trying again")
            time.sleep(LOOK_SECONDS)


def follow_driver(cluster: Cluster, pod: str, submitted: Submitted, home: StudyFolder, watcher: Watcher) -> bool:
    """Show a study through its driver's coordinator until it is over, and return whether its files are at home."""
    with forwarded(cluster, pod, coordinator_port(submitted.job)) as url:
        onlooker = Onlooker(url, submitted.token)
        while True:
            status = onlooker.status()
            watcher.show(status, None)
            if status.over and (names := onlooker.keepsakes()) is not None:
                make_room(home, names, onlooker.read)
                copy(names, onlooker.read, home)
                return True
            time.sleep(LOOK_SECONDS)


def coordinator_port(job: Manifest) -> int:
    """Return the port of a driver's coordinator."""
    ports = driver_of(job["spec"]["template"]["spec"])["ports"]
    return int(next(port["containerPort"] for port in ports if port["name"] == "coordinator"))


def copy(names: Sequence[str], read: Callable[[str], bytes], home: RunFolder) -> None:
    """Write files into a run's folder; its job comes last, for it makes a folder a run.

    Raises:
        BadInput: The folder cannot be written.
    """
    for name in sorted(names, key=lambda name: name == home.job_file):
        content = read(name)
        try:
            home.write(name, content)
        except OSError as error:
            raise BadInput(f"{home.root} cannot be written: {error.strerror or error}; name another folder") from error


@contextmanager
def opened_storage(cluster: Cluster, release: Release) -> Iterator[str]:
    """Lend the folder or URL that keeps a release's studies, behind a port-forward to the console where it is a claim.

    Raises:
        TinderboxError: The release has no console that is ready, or it stops to answer.
    """
    if "://" in release.storage:
        yield release.storage
        return
    console = find_console(cluster, release.name)
    if console is None:
        raise TinderboxError(
            f"release {release.name} has no console that is ready, and its studies lie in a claim: "
            "install it with console.enabled=true, or wait for it"
        )
    with forwarded(cluster, console, FILES_PORT) as url:
        try:
            yield url
        except TinderboxError:
            raise
        except Exception as error:  # those of fsspec's HTTP client have no base class that is ours to know
            raise TinderboxError(f"studies cannot be read from console {console}: {error}; try again") from error


def bring_home(name: str, storage: str, to: str) -> StudyFolder:
    """Copy a study, all but its checkpoints, into a folder of studies, and return it there.

    Another study of this name that is there already is set aside.

    Raises:
        BadInput: There is no such study.
    """
    source, home = StudyFolder(storage, name), StudyFolder(to, name)
    source.read_job()
    # A file whose name begins with a dot is still being written.
    names = [file for file in source.names() if not file.startswith("checkpoints/") and "/." not in f"/{file}"]
    make_room(home, names, source.read)
    copy(names, source.read, home)
    return home


def has_rows(name: str, storage: str) -> bool:
    """Whether a storage holds a batch inference of this name."""
    return RowsFolder(storage, name).exists()


def count_rows(name: str, storage: str) -> Summary:
    """Return the summary of all rows that a batch inference has left, of whatever version."""
    folder = RowsFolder(storage, name)
    return merge(from_json(folder.read(file).decode()) for file in folder.names("summaries"))


def bring_rows_home(name: str, storage: str, to: str) -> RowsFolder:
    """Copy a batch inference, all but what only its driver needs, into a folder, and return it there.

    One that was brought there before becomes as this one is; one that has run there is set aside.

    Raises:
        BadInput: There is no such batch inference, or the folder cannot be written.
    """
    source, home = RowsFolder(storage, name), RowsFolder(to, name)
    source.read_job()
    # A file whose name begins with a dot is still being written.
    own = ("progress/", "driver-", "anew-")
    names = [file for file in source.names() if not file.startswith(own) and "/." not in f"/{file}"]
    if home.exists() and home.names("progress"):
        home.set_aside()
    # What has been labelled anew since may lie in other micro-batches: with the old ones, rows would be there twice.
    for file in {*home.names("rows"), *home.names("summaries")}.difference(names):
        home.remove(file)
    copy(names, source.read, home)
    return home


def make_room(home: StudyFolder, names: Sequence[str], read: Callable[[str], bytes]) -> None:
    """Set the study in a folder aside, unless it is the same one, brought home before: its record has only grown.

    That its job, data and code are equal is not enough: it may have run here, or been begun anew.
    """
    if not home.exists():
        return
    record = [name for name in home.names() if name.startswith("events/")]
    if not record or any(name not in names or not read(name).startswith(home.read(name)) for name in record):
        home.set_aside()


def take_stock(result: SweepResult) -> Status:
    """Return where a study stands by its record, as far as it has been brought here."""
    job, record = result.job, result.record
    slots = sum(life.left is None for life in record.slots if life.joined >= record.resumed)
    # A grid is counted; all others have the same limit, and may need what only the driver has.
    method = "grid" if job.search.method == "grid" else "random"
    counted = job.model_copy(update={"search": job.search.model_copy(update={"method": method})})
    return take_status(record, Proposer(counted).limit, job.budget.time, slots, time.time())


def scale_study(cluster: Cluster, study: str, slots: int) -> str:
    """Write how many slots a study is to have into the ConfigMap of its Job, and return what that is called.

    Raises:
        BadInput: The namespace has no such Job, it has ended or is a batch inference, or its job file is nowhere that
            could be edited.
    """
    job = find_job(cluster, study)
    name, volumes = job["metadata"]["name"], job["spec"]["template"]["spec"].get("volumes") or []
    if ended(job) is not None:
        raise BadInput(f"job {name} has ended, so it has no slots; submit the changed job file to go on")
    held = next((volume.get("configMap", {}).get("name") for volume in volumes if volume["name"] == "job"), None)
    found = None if held is None else cluster.find("config_map", held)
    if held is None or found is None or JOB_FILE not in (found.get("data") or {}):
        raise BadInput(f"job {name} has its job file in no ConfigMap; change slots where the file is")
    text = found["data"][JOB_FILE]
    if re.search(r"^kind:[ \t]*infer\b", text, re.MULTILINE):
        raise BadInput(
            f"job {name} is a batch inference, whose slots stay as they are; delete it, and submit it with other ones: "
            "it goes on where it was"
        )
    text = set_line(text, "slots", str(slots))
    cluster.merge("config_map", held, {"data": {JOB_FILE: text}})
    return f"ConfigMap {held}"


def find_progress(cluster: Cluster, study: str) -> Progress:
    """Return where the Job of a study stands.

    Raises:
        BadInput: The namespace has none.
    """
    return look(cluster, find_job(cluster, study))
