"""The plain data of the cluster: complete, readable, and the same bytes each time."""

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.cluster import binaries, images, machines, network, templates
from tests.cluster.errors import Missing
from tests.cluster.layout import DNS, REGISTRY, nodes

VALUES = {
    "COREDNS": "coredns:1",
    "DATA": "/data",
    "NODE_CGROUP": "/a",
    "PAUSE": "pause:1",
    "POD_NETWORK": "10.244.1.0/24",
    "RESERVED": "1Mi",
}


@pytest.mark.parametrize("name", sorted(file.name for file in templates.FOLDER.glob("*.yaml")))
def test_yaml_is_filled_in_and_readable(name: str) -> None:
    """Every document parses, and no name is left open."""
    text = templates.render(name, **VALUES)

    assert list(yaml.safe_load_all(text))
    assert "$" not in text


def test_pods_ask_the_cluster_for_names() -> None:
    """Kubelet and service agree on the address."""
    kubelet = yaml.safe_load(templates.render("kubelet.yaml", **VALUES))
    objects = list(yaml.safe_load_all(templates.render("cluster.yaml", **VALUES)))

    assert kubelet["clusterDNS"] == [DNS]
    assert [thing["spec"]["clusterIP"] for thing in objects if thing and thing["kind"] == "Service"] == [DNS]


def test_every_image_name_leads_to_the_inner_registry() -> None:
    """No node asks the internet."""
    settings = tomllib.loads(templates.render("registries.toml", **VALUES))

    assert settings["server"] == f"http://{REGISTRY}"
    assert list(settings["host"]) == [f"http://{REGISTRY}"]


def test_pods_of_each_node_have_addresses_of_their_own() -> None:
    """The plugin's file says the node's network."""
    plugins = [json.loads(templates.render("pods.conflist", POD_NETWORK=node.pods)) for node in nodes()]
    subnets = {plugin["plugins"][0]["ipam"]["ranges"][0][0]["subnet"] for plugin in plugins}

    assert len(subnets) == len(nodes())


def test_nodes_share_the_machines_memory() -> None:
    """Three nodes leave two thirds to the others."""
    assert machines.reserved(24 * 2**30, 3) == f"{16 * 1024}Mi"


def test_overlapping_network_is_told() -> None:
    """The sentence names both networks and the interface."""
    with pytest.raises(Missing, match=r"needs 10\.200\.0\.0/24 .* 10\.0\.0\.0/8 is routed to vpn0"):
        network._refuse_overlap([{"dst": "default", "dev": "eth0"}, {"dst": "10.0.0.0/8", "dev": "vpn0"}])


def test_changed_module_has_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A new go.mod is built anew, beside the old one."""
    monkeypatch.setattr(binaries, "TOOLS", tmp_path)
    module = binaries.Module("pause", {"pause": "."}, {})
    (tmp_path / "pause").mkdir()
    (tmp_path / "pause" / "go.mod").write_text("go 1.26")
    before = module.folder

    (tmp_path / "pause" / "go.mod").write_text("go 1.27")

    assert module.folder != before


def test_other_build_tags_are_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Go is told the tags of a module, and what was built with others is not used."""
    monkeypatch.setattr(binaries, "TOOLS", tmp_path)
    (tmp_path / "pause").mkdir()
    plain, tagged = (binaries.Module("pause", {"pause": "."}, {}, tags=tags) for tags in ((), ("small", "static")))

    (command,) = binaries._commands(tagged, tmp_path)

    assert command[command.index("-tags") + 1] == "small,static"
    assert tagged.folder != plain.folder


def test_layer_is_the_same_each_time(tmp_path: Path) -> None:
    """Otherwise every start would move every layer."""
    (tmp_path / "tool").write_text("binary")

    first, second = (images.layer({"/bin/tool": tmp_path / "tool"}, ["ls"]) for _ in range(2))

    assert first == second
