"""A small API server on this machine, and a kubeconfig that names it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tinderbox.kube.cluster import Cluster, connect

Answer = Callable[["Request"], tuple[int, Any]]


@dataclass(frozen=True)
class Request:
    """What was asked of the API server."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes


@dataclass
class Api:
    """Answers by path with a status and a body, which is JSON unless it is bytes; 404 where there is none."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Return status and body."""
        self.requests.append(request)
        unknown = {"kind": "Status", "message": f"{request.path} not found"}
        status, body = self.answers.get(request.path, lambda _: (404, unknown))(request)
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()

    def cluster(self, namespace: str | None = None, context: str | None = None) -> Cluster:
        """Return the cluster as a person has it."""
        return connect(namespace, context)


Kubeconfig = Callable[..., Path]


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubeconfig:
    """A function that writes a kubeconfig whose context `here` is a server, with some keys replaced."""
    from kubernetes.config import kube_config

    path = tmp_path / "kubeconfig"
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))

    def write(server: str = "http://127.0.0.1:1", **keys: Any) -> Path:
        here = {"cluster": "here", "user": "me", "namespace": "lab"}
        tree = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": server}}],
            "users": [{"name": "me", "user": {"token": "secret"}}],
            "contexts": [{"name": "here", "context": here}, {"name": "bare", "context": {"cluster": "here"}}],
            **keys,
        }
        path.write_text(yaml.safe_dump({key: value for key, value in tree.items() if value is not None}))
        return path

    return write


@pytest.fixture
def api(kubeconfig: Kubeconfig) -> Iterator[Api]:
    """An API server that kubeconfig names, and that answers what it is told to."""

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            status, body = served.answer(Request(self.command, path, query, self.headers, self.rfile.read(length)))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _reply  # noqa: N815 - names of the base class

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
            """Print nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False

    with Server(("127.0.0.1", 0), Handler) as server:
        served = Api(f"http://127.0.0.1:{server.server_port}")
        kubeconfig(served.url)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield served
        server.shutdown()
        thread.join()
