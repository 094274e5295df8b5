"""The two versions of cgroups, told apart and prepared, on folders that look like them."""

from pathlib import Path

import pytest

from tests.cluster import cgroups
from tests.cluster.errors import Missing

VERSION_1 = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""
VERSION_2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"


def test_version_1_has_a_tree_for_each_controller() -> None:
    """On a hybrid the tree of version 2 is one more."""
    trees = cgroups.parse_trees(VERSION_1)

    assert trees.version == 1
    assert [root.name for root in trees.roots] == ["cpu,cpuacct", "cpuset", "systemd", "unified"]


def test_version_2_has_one_tree() -> None:
    """The one tree is mounted at the top."""
    assert cgroups.parse_trees(VERSION_2) == cgroups.Trees(2, (Path("/sys/fs/cgroup"),))


def test_no_cgroups_is_a_missing_prerequisite() -> None:
    """The sentence says what is not there."""
    with pytest.raises(Missing, match="no cgroups are mounted"):
        cgroups.parse_trees("proc /proc proc rw 0 0\n")


def test_new_cpusets_take_their_parents_processors(tmp_path: Path) -> None:
    """On version 1 an empty cpuset refuses every process."""
    node = tmp_path / "tinderbox-cluster" / "node1"
    node.mkdir(parents=True)
    for folder, content in ((tmp_path, "0-1\n"), (node.parent, "\n"), (node, "\n")):
        for name in cgroups.CPUSET:
            (folder / name).write_text(content)

    cgroups.make(cgroups.Trees(1, (tmp_path,)))

    assert (node / "cpuset.cpus").read_text() == "0-1\n"
    assert (node / "cpuset.mems").read_text() == "0-1\n"


def test_version_2_lacking_a_controller_is_told(tmp_path: Path) -> None:
    """The sentence names the controllers."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cgroup.subtree_control").write_text("")

    with pytest.raises(Missing, match="no controller cpuset, pids"):
        cgroups.make(cgroups.Trees(2, (tmp_path,)))


def test_cgroups_are_removed_from_the_leaves_up(tmp_path: Path) -> None:
    """A kubelet leaves a tree of its own behind."""
    (tmp_path / "tinderbox-cluster" / "node1" / "kubepods" / "pod1").mkdir(parents=True)

    cgroups.remove(cgroups.Trees(1, (tmp_path,)))

    assert list(tmp_path.iterdir()) == []


def test_the_cgroups_of_one_node_are_removed(tmp_path: Path) -> None:
    """Those of the others hold its pods."""
    for node in ("node1", "node2"):
        (tmp_path / "tinderbox-cluster" / node / "kubepods").mkdir(parents=True)

    cgroups.remove(cgroups.Trees(1, (tmp_path,)), "node1")

    assert [path.name for path in (tmp_path / "tinderbox-cluster").iterdir()] == ["node2"]
