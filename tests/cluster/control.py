"""The control plane, as plain processes of the machine: keys, etcd, API server, controllers, scheduler."""

from pathlib import Path

from tests.cluster import processes, templates
from tests.cluster.binaries import binary
from tests.cluster.commands import run, succeeds
from tests.cluster.layout import API_PORT, ETCD_PORT, HOST, KEYS, KUBECONFIG, ROOT, SERVICES, nodes

ETCD = f"http://127.0.0.1:{ETCD_PORT}"
SUPER = ROOT / "super-admin.conf"
MADE = KEYS / "complete"
KUBEADM = ROOT / "kubeadm.yaml"


def kubectl(*arguments: str, given: str | None = None, kubeconfig: Path = KUBECONFIG) -> str:
    """What kubectl prints, as the administrator of this cluster."""
    return run(binary("kubectl"), "--kubeconfig", kubeconfig, *arguments, given=given)


def make_keys() -> None:
    """Make all certificates and credentials, once."""
    if MADE.exists():
        return
    templates.write(KUBEADM, "kubeadm.yaml")
    run(binary("kubeadm"), "init", "phase", "certs", "all", "--config", KUBEADM)
    run(binary("kubeadm"), "init", "phase", "kubeconfig", "all", "--config", KUBEADM, "--kubeconfig-dir", ROOT)
    _make_credential(ROOT / "kube-proxy.conf", "system:kube-proxy")
    for node in nodes():
        _make_credential(node.folder / "kubelet.conf", f"system:node:{node.name}", "--org", "system:nodes")
    MADE.touch()


def _make_credential(target: Path, user: str, *more: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(run(binary("kubeadm"), "kubeconfig", "user", "--config", KUBEADM, "--client-name", user, *more))
    target.chmod(0o600)


def start() -> None:
    """Start etcd and the API server, and what works through it once it answers."""
    processes.ensure("etcd", _etcd())
    processes.ensure("kube-apiserver", _api_server())
    processes.wait("the API server did not answer", answers, 90, "etcd", "kube-apiserver")
    processes.ensure("kube-controller-manager", _controllers())
    processes.ensure("kube-scheduler", _scheduler())


def answers() -> bool:
    """Whether the API server is ready for requests."""
    return KUBECONFIG.exists() and succeeds(
        binary("kubectl"), "--kubeconfig", SUPER, "--request-timeout=5s", "get", "--raw", "/readyz"
    )


def install(manifests: str) -> None:
    """Put objects on the cluster, or bring them up to date."""
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", given=manifests, kubeconfig=SUPER)


def _etcd() -> list[str | Path]:
    peers = "http://127.0.0.1:2380"
    return [
        binary("etcd"), "--name=tinderbox", f"--data-dir={ROOT / 'etcd'}",
        f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=tinderbox={peers}",
        "--unsafe-no-fsync",  # a lost cluster is made anew
    ]  # fmt: skip


def _api_server() -> list[str | Path]:
    return [
        binary("kube-apiserver"),
        f"--advertise-address={HOST}",
        f"--secure-port={API_PORT}",
        f"--etcd-servers={ETCD}",
        f"--service-cluster-ip-range={SERVICES}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--kubelet-preferred-address-types=InternalIP",  # node names resolve nowhere
        f"--client-ca-file={KEYS}/ca.crt",
        f"--tls-cert-file={KEYS}/apiserver.crt",
        f"--tls-private-key-file={KEYS}/apiserver.key",
        f"--kubelet-client-certificate={KEYS}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={KEYS}/apiserver-kubelet-client.key",
        f"--service-account-key-file={KEYS}/sa.pub",
        f"--service-account-signing-key-file={KEYS}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        *_aggregation(),
    ]


def _aggregation() -> list[str]:
    """How the API server passes requests on to others in the cluster, as every real one can."""
    return [
        f"--requestheader-client-ca-file={KEYS}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={KEYS}/front-proxy-client.crt",
        f"--proxy-client-key-file={KEYS}/front-proxy-client.key",
    ]


def _controllers() -> list[str | Path]:
    return [
        binary("kube-controller-manager"),
        *_credential("controller-manager.conf"),
        f"--client-ca-file={KEYS}/ca.crt",
        f"--root-ca-file={KEYS}/ca.crt",
        f"--service-account-private-key-file={KEYS}/sa.key",
        f"--cluster-signing-cert-file={KEYS}/ca.crt",
        f"--cluster-signing-key-file={KEYS}/ca.key",
        "--use-service-account-credentials",
        "--node-monitor-grace-period=20s",
        "--node-monitor-period=2s",
        f"--flex-volume-plugin-dir={ROOT}/flexvolume",  # by default it makes a folder under /usr
    ]


def _scheduler() -> list[str | Path]:
    return [binary("kube-scheduler"), *_credential("scheduler.conf")]


def _credential(name: str) -> list[str]:
    flags = ("--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig")
    return [*(f"{flag}={ROOT / name}" for flag in flags), "--bind-address=127.0.0.1", "--leader-elect=false"]
