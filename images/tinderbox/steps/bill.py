"""Add Debian's packages and Java's jars to the bill of materials that cyclonedx-py writes of Python's packages."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

QUERY = "${Package} ${Version} ${Architecture}\n"
# commons-io-2.21.0.jar, spark-core_2.13-4.3.0.jar, netty-...-4.2.13.Final-linux-x86_64.jar
JAR = re.compile(r"(?P<name>.+?)-(?P<version>\d[\w.]*(?:-\d+)?)(?:-.*)?\.jar")


def debian() -> list[dict[str, Any]]:
    """A component for each package that dpkg has installed."""
    command = ["/usr/bin/dpkg-query", "--show", "--showformat", QUERY]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return [_debian(*line.split()) for line in listed.stdout.splitlines()]


def _debian(name: str, version: str, architecture: str) -> dict[str, Any]:
    link = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}&distro=bookworm"
    return _component(name, version, link)


def java(folder: Path) -> list[dict[str, Any]]:
    """A component for each jar."""
    return [_jar(file) for file in sorted(folder.glob("*.jar"))]


def jdk(release: Path) -> dict[str, Any]:
    """The component for Java itself, which jlink has made of Debian's OpenJDK, by the file that tells its version."""
    match = re.search(r'^JAVA_RUNTIME_VERSION="(.+)"|^JAVA_VERSION="(.+)"', release.read_text(), re.MULTILINE)
    version = next(filter(None, match.groups())) if match else ""
    return _component("openjdk", version, f"pkg:generic/openjdk@{quote(version)}")


def _jar(file: Path) -> dict[str, Any]:
    match = JAR.fullmatch(file.name)
    name, version = (match["name"], match["version"]) if match else (file.stem, "")
    group = _group(file, name)
    link = f"pkg:maven/{group}/{name}@{version}" if group else f"pkg:generic/{quote(name)}@{version}"
    component = _component(name, version, f"{link}?file={quote(file.name)}")
    return component | {"group": group} if group else component


def _group(file: Path, name: str) -> str | None:
    """The group that a jar says it is of, in the properties that Maven leaves in it."""
    properties = re.compile(rf"META-INF/maven/([^/]+)/{re.escape(name)}/pom.properties")
    with zipfile.ZipFile(file) as jar:
        return next((match[1] for entry in jar.namelist() if (match := properties.fullmatch(entry))), None)


def _component(name: str, version: str, link: str) -> dict[str, Any]:
    return {"type": "library", "name": name, "version": version, "bom-ref": link, "purl": link}


def merge(bill: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """The bill with more components, checked against its schema."""
    bill["components"] += others
    text = json.dumps(bill, indent=1)
    if (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        raise SystemExit(f"the bill of materials does not fit its schema: {wrong}")
    return text


if __name__ == "__main__":
    python, jars, release = map(Path, sys.argv[1:])
    sys.stdout.write(merge(json.loads(python.read_text()), [*debian(), jdk(release), *java(jars)]) + "\n")
