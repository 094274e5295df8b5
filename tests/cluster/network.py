"""The cluster's network: a bridge on the machine, and a cable from it to each node.

A node's own network namespace belongs to the node's processes and goes with them, cable and all.
"""

import ipaddress
import json

from tests.cluster.commands import run, succeeds
from tests.cluster.errors import Missing
from tests.cluster.layout import BRIDGE, HOST, NETWORK, PODS, Node, nodes

# Docker and firewalls drop forwarded and incoming frames by default, and bridged frames pass iptables too.
RULES = (
    ("INPUT", "-i", BRIDGE, "-j", "ACCEPT"),
    ("FORWARD", "-i", BRIDGE, "-j", "ACCEPT"),
    ("FORWARD", "-o", BRIDGE, "-j", "ACCEPT"),
)


def make() -> None:
    """Make the bridge, and let its frames through."""
    _refuse_overlap(json.loads(run("ip", "-json", "-4", "route", "show", "table", "all")))
    if not _exists(BRIDGE):
        run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "replace", f"{HOST}/{NETWORK.prefixlen}", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    for rule in RULES:
        if not succeeds("iptables", "--wait", "--check", *rule):
            run("iptables", "--wait", "--insert", *rule)


def connect(node: Node, process: int) -> None:
    """Plug the node, known by the process that holds its namespaces, into the bridge."""
    if not _exists(node.cable):
        run("ip", "link", "add", node.cable, "type", "veth", "peer", "name", "eth0", "netns", str(process))
    run("ip", "link", "set", node.cable, "master", BRIDGE, "up")
    run("nsenter", f"--net=/proc/{process}/ns/net", "ip", "-batch", "-", given="\n".join(_inside(node)))
    run("ip", "route", "replace", node.pods, "via", node.address)


def unplug(node: Node) -> None:
    """Remove the node's cable; the kernel does so too, a moment after the node's end."""
    if _exists(node.cable):
        succeeds("ip", "link", "delete", node.cable)


def remove() -> None:
    """Remove cables, bridge and rules; routes go with the bridge."""
    for node in nodes():
        unplug(node)
    if _exists(BRIDGE):
        run("ip", "link", "delete", BRIDGE)
    for rule in RULES:
        while succeeds("iptables", "--wait", "--check", *rule):
            run("iptables", "--wait", "--delete", *rule)


def _inside(node: Node) -> list[str]:
    others = [other for other in nodes() if other != node]
    return [
        f"address replace {node.address}/{NETWORK.prefixlen} dev eth0",
        "link set lo up",
        "link set eth0 up",
        f"route replace default via {HOST}",
        *(f"route replace {other.pods} via {other.address}" for other in others),
    ]


def _refuse_overlap(routes: list[dict[str, str]]) -> None:
    ours = [NETWORK, ipaddress.ip_network(PODS)]
    for route in routes:
        if route["dst"] == "default" or route.get("dev") == BRIDGE:
            continue
        taken = ipaddress.ip_network(route["dst"], strict=False)
        if any(taken.overlaps(network) for network in ours):
            raise Missing(f"the cluster needs {NETWORK} and {PODS}, and {route['dst']} is routed to {route.get('dev')}")


def _exists(link: str) -> bool:
    return succeeds("ip", "link", "show", link)
