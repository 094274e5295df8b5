"""Docker to build with: the one that runs, or one started here, without a network of its own, and ended afterwards.

Ours shares the machine's network and leaves its firewall alone. Its data stay in a folder outside the repository, so
that the next build starts from the layers of the last.
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

from images.errors import ImageError, Missing
from images.say import say, tail

DAEMON = "/usr/sbin/dockerd"
RUN = Path("/run/tinderbox-docker")
SOCKET = RUN / "docker.sock"
PACKAGES = {"debootstrap": "/usr/sbin/debootstrap", "docker.io": DAEMON}
SECONDS_TO_START = 60


@dataclass(frozen=True)
class Engine:
    """A Docker that answers: its client, and how to reach it."""

    client: str
    ours: bool

    def run(self, *arguments: str | Path, given: IO[bytes] | None = None) -> str:
        """What a command of Docker prints on stdout; stderr goes to the terminal's."""
        command = [*_gently(), self.client, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment(), stdin=given, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if done.returncode:
            raise ImageError(f"docker {arguments[0]} ended with {done.returncode}: see above")
        return done.stdout

    def succeeds(self, *arguments: str | Path, seconds: float = 60) -> bool:
        """Whether a command of Docker ends well, and in time."""
        try:
            command = [self.client, *map(str, arguments)]
            done = subprocess.run(command, env=self.environment(), capture_output=True, timeout=seconds)  # noqa: S603
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    @property
    def building(self) -> list[str]:
        """Arguments of a build: ours has no bridge, so what is built uses the machine's network."""
        return ["--network", "host"] if self.ours else []

    def environment(self) -> dict[str, str]:
        """The variables by which the client finds this Docker."""
        host = {"DOCKER_HOST": f"unix://{SOCKET}"} if self.ours else {}
        return os.environ | {"DOCKER_BUILDKIT": "1"} | host


@contextmanager
def engine() -> Iterator[Engine]:
    """Yield a Docker that answers; one that is started here ends with the last command that uses it."""
    theirs = Engine(_client(), ours=False)
    if theirs.succeeds("info"):
        yield theirs
        return
    check()
    RUN.mkdir(parents=True, exist_ok=True)
    with (RUN / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        ours = Engine(_client(), ours=True)
        with _alone():
            if not ours.succeeds("info"):
                _start(ours)
        try:
            yield ours
        finally:
            with _alone():
                _stop_if_last(users)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one program at a time start or end our Docker; its users, of which there may be many, hold another lock."""
    with (RUN / "starting").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        yield


def check() -> None:
    """Stop with the first thing that a Docker of our own lacks; in CI, install the Debian packages instead."""
    if not Path("/proc/self/cgroup").exists() or os.geteuid() != 0:
        raise Missing("no Docker answers, and only root on Linux can start one: start Docker, or use sudo")
    lacking = [package for package, file in PACKAGES.items() if not Path(file).exists()]
    if lacking and os.environ.get("CI") != "true":
        packages = " ".join(lacking)
        raise Missing(f"no Docker answers, and Debian packages are missing to start one: apt-get install {packages}")
    if lacking:
        _install(lacking)


def cache() -> Path:
    """The folder outside the repository that keeps what is costly to make."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "tinderbox"


def _client() -> str:
    """A docker command that can build with BuildKit: version 23 and later need the plugin buildx for it."""
    for client in filter(None, (shutil.which("docker"), "/usr/bin/docker")):
        if Path(client).exists() and (_major(client) < 23 or _ends_well(client, "buildx", "version")):
            return client
    if os.environ.get("CI") == "true" and not Path(DAEMON).exists():
        check()
        return _client()
    raise Missing("there is no docker that can build: install Docker with buildx, or Debian's package docker.io")


def _major(client: str) -> int:
    said = subprocess.run([client, "--version"], capture_output=True, text=True).stdout  # noqa: S603
    match = re.search(r"version (\d+)", said)
    return int(match[1]) if match else 0


def _ends_well(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0  # noqa: S603


def _gently() -> list[str]:
    return ["nice", "-n", "19"] if shutil.which("nice") else []


def _install(packages: list[str]) -> None:
    say(f"installing {' '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        command = ["apt-get", "--quiet", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise ImageError(f"apt-get {arguments[0]} failed: {done.stderr.strip()}")


def _start(ours: Engine) -> None:
    data, log = cache() / "docker", cache() / "docker.log"
    data.mkdir(parents=True, exist_ok=True)
    options = {
        "--host": f"unix://{SOCKET}",
        "--pidfile": f"{RUN}/pid",
        "--exec-root": f"{RUN}/exec",
        "--data-root": str(data),
        "--bridge": "none",
        # The test cluster's registry speaks plain http, at an address of the machine's own networks.
        "--insecure-registry": "10.0.0.0/8",
    }
    command = [*_gently(), DAEMON, "--iptables=false", "--ip6tables=false", *chain.from_iterable(options.items())]
    with log.open("w") as output:
        daemon = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)  # noqa: S603
    end = time.monotonic() + SECONDS_TO_START
    while not ours.succeeds("info"):
        if daemon.poll() is not None or time.monotonic() > end:
            raise ImageError(f"dockerd does not start, {log} says:\n{tail(log)}")
        time.sleep(0.2)
    daemon.returncode = 0  # the last of its users ends it, which may be another program, and Python would warn of that


def _stop_if_last(users: IO[str]) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    pid = int((RUN / "pid").read_text())
    os.kill(pid, 15)
    while Path(f"/proc/{pid}").exists() and not _ended(pid):
        time.sleep(0.1)


def _ended(pid: int) -> bool:
    """Whether a process is only a zombie, which it stays until its parent, this process, has looked."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False
