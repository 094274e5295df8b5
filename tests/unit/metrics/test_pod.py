"""What a pod uses, from folders that look like control groups, and from real processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinderbox.metrics.pod import find_cpu_seconds, look_at_pod

VERSION_2 = {
    "memory.max": "3221225472\n",
    "memory.current": "1073741824\n",
    "memory.stat": "anon 5\nfile 300000000\ninactive_file 73741824\n",
    "cpu.stat": "usage_usec 12500000\nuser_usec 12000000\nsystem_usec 500000\n",
}
VERSION_1 = {
    "memory/memory.limit_in_bytes": "3221225472\n",
    "memory/memory.usage_in_bytes": "1073741824\n",
    "memory/memory.stat": "cache 300000000\ninactive_file 1\ntotal_inactive_file 73741824\n",
    "cpu,cpuacct/cpuacct.usage": "12500000000\n",
}
USED = {
    "tinderbox_pod_memory_limit_bytes": 3 << 30,
    "tinderbox_pod_memory_bytes": 1_000_000_000,
    "tinderbox_pod_cpu_seconds_total": 12.5,
}


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    """Write the files of a control group."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "used"),
    [
        (VERSION_2, USED),
        (VERSION_1, USED),
        ({"cpu.stat": "usage_usec 12500000\n"}, {"tinderbox_pod_cpu_seconds_total": 12.5}),
        ({**VERSION_2, "memory.max": "max\n"}, {**USED, "tinderbox_pod_memory_limit_bytes": None}),
        ({}, {}),
    ],
)
def test_what_a_container_uses(tmp_path: Path, files: dict[str, str], used: dict[str, float | None]) -> None:
    """In both versions of control groups; what nobody counts, or limits, is not told."""
    samples = list(look_at_pod("n", os.getpid(), lay_out(tmp_path, files)))
    found = {sample.metric.name: sample.value for sample in samples if "worker" not in sample.metric.name}
    assert found == {name: value for name, value in used.items() if value is not None}
    assert {sample.labels for sample in samples} == {("n",)}


def test_cpu_time_that_nobody_counts(tmp_path: Path) -> None:
    """Version 1 has it under one of two names, and some systems count none."""
    assert find_cpu_seconds(lay_out(tmp_path, {"cpuacct/cpuacct.usage": "2000000000\n"})) == 2.0
    assert find_cpu_seconds(lay_out(tmp_path, {"cpu.stat": "nr_periods 0\n"})) == 2.0
    assert find_cpu_seconds(tmp_path / "none") is None


def test_python_processes_of_the_pod(tmp_path: Path) -> None:
    """One at least below the process of a test, and none below one that has ended."""
    for root, least in ((os.getpid(), 1), (2**22 + 1, 0)):
        told = {sample.metric.name: sample.value for sample in look_at_pod("n", root, tmp_path)}
        assert set(told) == {"tinderbox_worker_processes", "tinderbox_worker_resident_bytes"}
        assert told["tinderbox_worker_processes"] >= least
        assert (told["tinderbox_worker_resident_bytes"] > 0) == bool(least)
