"""The Python files that `helm test` runs inside the cluster."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from tests.charts.chart import CHART


def load(name: str) -> ModuleType:
    """One of the files, as a module."""
    spec = util.spec_from_file_location(f"chart_{name}", CHART / "files" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rights_missing_and_rights_in_excess_are_named() -> None:
    """What may not be done and must, and what may be done and must not, is one sentence each."""
    rights = load("rights")
    allowed = list(rights.requests_of([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]))
    denied = [
        {"resource": "pods", "subresource": "exec", "verb": "create"},
        {"resource": "pods", "verb": "create", "namespace": "kube-system"},
    ]
    assert rights.surprises(allowed, denied, lambda request: request in allowed) == []
    assert rights.surprises(allowed, denied, lambda request: request not in allowed) == [
        "may not get pods, and must",
        "may not list pods, and must",
        "may create pods/exec, and must not",
        "may create pods in kube-system, and must not",
    ]


def test_a_right_too_many_fails_the_test(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 0 only where all is as it must be, and the output says which it was."""
    rights = load("rights")
    rules = '[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]'
    monkeypatch.setattr(rights, "asker", lambda namespace: lambda request: request["verb"] == "get")
    assert rights.main("ml", rules, '[{"resource": "nodes", "verb": "list"}]') == 0
    assert rights.main("ml", rules, '[{"resource": "secrets", "verb": "get"}]') == 1
    assert capsys.readouterr().out.splitlines() == [
        "1 requests are allowed and 1 denied, as they must be",
        "may get secrets, and must not",
    ]


def test_a_token_that_is_mounted_fails_the_test(tmp_path: Path) -> None:
    """The exit code is 1 where there is a token."""
    token = load("token")
    assert token.main(tmp_path / "token") == 0
    (tmp_path / "token").touch()
    assert token.main(tmp_path / "token") == 1


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a server that answers."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_console_that_answers_passes_and_another_does_not(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 0 for an answer, and 1 when none comes in time."""
    answers = load("answers")
    assert answers.main(url) == 0
    assert answers.main("http://127.0.0.1:9", seconds=0) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{url} says hello"
    assert second.startswith("http://127.0.0.1:9 does not answer: ")
