"""The cluster's binaries: built from Go modules once, kept outside the repository, one folder a module.

A module's folder carries the digest of everything that goes into its build, so a changed go.mod builds anew and
nothing else does. A build happens beside that folder and is renamed into place, so half a build is never used.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from images.say import say, tail
from tests.cluster.errors import ClusterError, Missing

TOOLS = Path(__file__).parent / "tools"
KUBERNETES = "v1.36.3"

# Without the stamp nodes report v0.0.0-master, and a chart's kubeVersion refuses the cluster.
STAMP = {
    "k8s.io/component-base/version.gitVersion": KUBERNETES,
    "k8s.io/component-base/version.gitMajor": "1",
    "k8s.io/component-base/version.gitMinor": "36",
    "k8s.io/client-go/pkg/version.gitVersion": KUBERNETES,
}


@dataclass(frozen=True)
class Module:
    """One folder under tools/: what is built from it, and under which names."""

    name: str
    packages: dict[str, str]  # name of the binary: package
    stamp: dict[str, str]
    optional: bool = False
    tags: tuple[str, ...] = ()  # Go's build tags

    @property
    def digest(self) -> str:
        """What the binaries depend on, as one short word."""
        content = hashlib.sha256(repr((self.packages, self.stamp, platform.machine(), *self.tags)).encode())
        for file in sorted((TOOLS / self.name).iterdir()):
            content.update(file.name.encode() + file.read_bytes())
        return content.hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where the module's binaries are once they are built."""
        return cache() / f"{self.name}-{self.digest}"

    @property
    def built(self) -> bool:
        """Whether there is nothing left to build."""
        return self.folder.is_dir()


def _same_names(prefix: str, *names: str) -> dict[str, str]:
    return {name: f"{prefix}/{name}" for name in names}


MODULES = (
    Module(
        "kubernetes",
        _same_names(
            "k8s.io/kubernetes/cmd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
            "kubeadm",
        ),
        STAMP,
    ),
    Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, {}),
    Module(
        "containerd",
        _same_names("github.com/containerd/containerd/v2/cmd", "containerd", "containerd-shim-runc-v2", "ctr"),
        {},
    ),
    Module("coredns", {"coredns": "."}, {}),
    Module("pause", {"pause": "."}, {}),
    # Both from one go.mod: what they share is compiled once.
    Module("helm", {"helm": "helm.sh/helm/v4/cmd/helm", "helm3": "helm.sh/helm/v3/cmd/helm"}, STAMP, True),
    # Of some thirty service discoveries only Kubernetes': the others bring the SDK of a cloud each.
    Module(
        "prometheus",
        _same_names("github.com/prometheus/prometheus/cmd", "prometheus", "promtool"),
        {},
        True,
        ("remove_all_sd", "enable_kubernetes_sd"),
    ),
    Module(
        "operator",
        _same_names("github.com/prometheus-operator/prometheus-operator/cmd", "operator", "prometheus-config-reloader"),
        {},
        True,
    ),
    Module("cyclonus", {"cyclonus": "github.com/mattfenwick/cyclonus/cmd/cyclonus"}, {}, True),
)


def cache() -> Path:
    """The folder outside the repository that keeps what is costly to make: binaries and registry data."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "tinderbox" / "cluster"


def needed(extra: Iterable[str] = ()) -> list[Module]:
    """The modules of a cluster, and the optional ones that are asked for by name."""
    return [module for module in MODULES if not module.optional or module.name in extra]


def missing(extra: Iterable[str] = ()) -> list[str]:
    """The names of the modules that are not built yet."""
    return [module.name for module in needed(extra) if not module.built]


def binary(name: str) -> Path:
    """The path of one built binary."""
    for module in MODULES:
        if name in module.packages:
            if not module.built:
                raise Missing(f"{name} is not built: run python -m tests.cluster build {module.name}")
            return module.folder / name
    raise KeyError(name)


def folder() -> Path:
    """One folder with a link to every binary that is built, for a PATH."""
    built = [module for module in MODULES if module.built]
    digest = hashlib.sha256("".join(module.digest for module in built).encode()).hexdigest()[:16]
    links = cache() / f"bin-{digest}"
    links.mkdir(parents=True, exist_ok=True)
    for module in built:
        for name in module.packages:
            if not (links / name).exists():
                (links / name).symlink_to(module.folder / name)
    return links


def build(extra: Iterable[str] = ()) -> None:
    """Build what is missing, one module after the other, and never twice at the same time."""
    if not missing(extra):
        return
    if shutil.which("go") is None:
        raise Missing("the cluster's binaries are built from Go modules and there is no go: install Go 1.26 or newer")
    with _alone():
        for module in needed(extra):
            if not module.built:
                _build(module)


@contextmanager
def _alone() -> Iterator[None]:
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(module: Module) -> None:
    say(f"building {module.name} from Go modules, once")
    log = cache() / f"build-{module.name}.log"
    partial = cache() / f"{module.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    with log.open("w") as output:
        for command in _commands(module, partial):
            done = subprocess.run(
                command, cwd=TOOLS / module.name, env=_environment(), stdout=output, stderr=subprocess.STDOUT
            )
            if done.returncode:
                raise ClusterError(f"go build of {module.name} failed, {log} says:\n{tail(log)}")
    partial.rename(module.folder)


def _commands(module: Module, folder: Path) -> list[list[str]]:
    flags = " ".join(["-s -w", *(f"-X {variable}={value}" for variable, value in module.stamp.items())])
    # The lowest priority: a build takes all cores for minutes, and somebody else works on the machine.
    build = ["nice", "-n", "19", "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags]
    build += ["-tags", ",".join(module.tags), "-o"]
    if all(package.endswith(f"/{name}") for name, package in module.packages.items()):
        return [[*build, f"{folder}/", *module.packages.values()]]
    return [[*build, f"{folder}/{name}", package] for name, package in module.packages.items()]


def _environment() -> dict[str, str]:
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
