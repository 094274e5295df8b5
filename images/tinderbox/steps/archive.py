"""Make the archive of the classes that a driver and an executor load, so that later ones need not read jars.

A JVM tells which classes it loads. So a driver runs here as it does in a pod: it asks the API server for an executor,
over TLS. The server is a stand-in in this process, and the executor a process of the image's own entry point.
"""

import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import Any

WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # a constant of the protocol
ENTRYPOINT = "/opt/tinderbox/entrypoint.sh"
KINDS = ("driver", "executor")
DRIVER_POD = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"name": "driver", "namespace": "default", "uid": "1"},
    "spec": {},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}
# What Kubernetes would fill in by its downward API.
FROM_THE_POD = {"status.podIP": "127.0.0.1", "metadata.name": "driver-exec-1"}

Start = Callable[[dict[str, Any]], None]


class ApiServer(BaseHTTPRequestHandler):
    """As much of an API server as Spark asks for: one driver pod, executor pods that run, and yes to all else."""

    protocol_version = "HTTP/1.1"
    executors: list[dict[str, Any]]
    start: Start

    def do_GET(self) -> None:
        """Answer with the driver's pod, the list of executors, or an empty list."""
        if self.path.partition("?")[0].endswith("/pods/driver"):
            self._answer(DRIVER_POD)
        elif "watch=true" in self.path:
            self._watch()
        else:
            pods = [DRIVER_POD] if "fieldSelector" in self.path else self.executors
            items = pods if "/pods" in self.path else []
            self._answer({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})

    def do_POST(self) -> None:
        """Take what is given; a pod runs from now on."""
        given = self._given()
        given["metadata"] |= {"uid": given["metadata"]["name"], "namespace": "default", "resourceVersion": "1"}
        if given["kind"] == "Pod":
            given["status"] = {"phase": "Running", "podIP": "127.0.0.1"}
            self.executors.append(given)
            type(self).start(given)
        self._answer(given, 201)

    def do_PATCH(self) -> None:
        """Say that it is done."""
        self._given()
        self._answer(DRIVER_POD)

    def do_DELETE(self) -> None:
        """Say that it is done."""
        self._given()
        self._answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the name is the base class's
        """Say nothing: the build's log is for what goes wrong."""

    def _watch(self) -> None:
        """Open a WebSocket and say nothing until the client closes it: Spark lists its pods each second as well."""
        key = self.headers["Sec-WebSocket-Key"].encode() + WEBSOCKET
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key).digest()).decode())  # noqa: S324
        self.end_headers()
        self.close_connection = True
        self.connection.recv(1)

    def _given(self) -> dict[str, Any]:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return dict(json.loads(body)) if body.startswith(b"{") else {}

    def _answer(self, content: dict[str, Any], code: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(certificate: Path, start: Start) -> ThreadingHTTPServer:
    """Start the stand-in on a port of this machine."""
    handler = type("Handler", (ApiServer,), {"executors": [], "start": staticmethod(start)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def make_certificate(file: Path) -> None:
    """Write a key and a certificate for this machine's own address."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=archive"
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {file} -out {file}.public"
    run(command.split())
    file.write_text(file.read_text() + Path(f"{file}.public").read_text())


def make_class_path(file: Path, jars: Path) -> None:
    """Write a jar that names all jars of Spark, sorted: an archive holds for one order of them only.

    By relative paths: what makes archives does not understand others.
    """
    folder = os.path.relpath(jars, file.parent)
    entry = "Class-Path: " + " ".join(f"{folder}/{jar.name}" for jar in sorted(jars.glob("*.jar")))
    # A line of a manifest has at most 72 bytes, and the next one goes on behind a blank.
    lines = [entry[:70], *(" " + entry[i : i + 69] for i in range(70, len(entry), 69))]
    with zipfile.ZipFile(file, "w") as jar:
        manifest = zipfile.ZipInfo("META-INF/MANIFEST.MF")  # with a date that is always the same
        jar.writestr(manifest, "\r\n".join(["Manifest-Version: 1.0", *lines, "", ""]))


def executor_environment(pod: dict[str, Any], options: str) -> dict[str, str]:
    """What a node would make of a pod's variables, and options for the JVM instead of those of the archive."""
    variables = {}
    for variable in pod["spec"]["containers"][0]["env"]:
        source = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        variables[variable["name"]] = FROM_THE_POD[source] if source else variable.get("value", "")
    folders = {"SPARK_LOCAL_DIRS": tempfile.gettempdir(), "SPARK_CONF_DIR": tempfile.gettempdir()}
    return os.environ | variables | folders | {"TINDERBOX_ARCHIVE": options}


def warm_up(class_path: Path, driver: str, executor: str) -> None:
    """Run a driver and its executor, each with options for its JVM, until both have ended."""
    executors: list[subprocess.Popen[bytes]] = []

    def start(pod: dict[str, Any]) -> None:
        executors.append(subprocess.Popen([ENTRYPOINT, "executor"], env=executor_environment(pod, executor)))  # noqa: S603

    with tempfile.TemporaryDirectory() as scratch:
        certificate = Path(scratch, "certificate")
        make_certificate(certificate)
        port = serve(certificate, start).server_port
        command = [sys.executable, Path(__file__).with_name("warm_up.py"), port, f"{certificate}.public"]
        arguments = f"--driver-class-path {class_path} pyspark-shell"
        run(command, os.environ | {"SPARK_SUBMIT_OPTS": driver, "PYSPARK_SUBMIT_ARGS": arguments})
        for process in executors:
            process.wait(timeout=300)


def make(folder: Path) -> None:
    """Write the class path, and one archive for both kinds of JVM: most of what one loads the other does too."""
    folder.mkdir(parents=True)
    class_path, archive = folder / "classpath.jar", folder / "spark.jsa"
    make_class_path(class_path, Path(os.environ["SPARK_HOME"], "jars"))
    with tempfile.TemporaryDirectory() as scratch:
        lists = [Path(scratch, name) for name in KINDS]
        warm_up(class_path, *(f"-XX:DumpLoadedClassList={file}" for file in lists))
        classes = Path(scratch, "classes")
        classes.write_text(
            "\n".join(dict.fromkeys(chain.from_iterable(file.read_text().splitlines() for file in lists)))
        )
        # Only G1 can put Java's own objects into an archive; any collector can read them.
        command = ["java", "-Xshare:dump", "-XX:+UseG1GC", f"-XX:SharedClassListFile={classes}", "-Xlog:cds=error"]
        run([*command, f"-XX:SharedArchiveFile={archive}", "-cp", class_path])
    for name in KINDS:
        (folder / f"{name}.jsa").symlink_to(archive.name)


def run(command: list[Any], environment: dict[str, str] | None = None) -> None:
    """Run a command, which has to end well."""
    subprocess.run([str(word) for word in command], env=environment, check=True)  # noqa: S603


if __name__ == "__main__":
    make(Path(sys.argv[1]))
