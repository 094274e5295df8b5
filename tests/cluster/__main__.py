"""`python -m tests.cluster up|down|status|build|stop-node|start-node`."""

import argparse
import sys

from images.say import answer, say
from tests.cluster import binaries, elsewhere, lifecycle, machines, prerequisites, processes
from tests.cluster.control import kubectl
from tests.cluster.errors import ClusterError, Missing
from tests.cluster.layout import KUBECONFIG, LOGS, REGISTRY, ROOT


def up(_: argparse.Namespace) -> None:
    """Make the cluster, heal it, or use the one that is there; the kubeconfig comes last."""
    if value := elsewhere.named():
        say("KUBECONFIG names a cluster that answers: it is used as it is")
        answer(value)
    elif elsewhere.kind_usable():
        say("kind and Docker are here: kind makes the cluster")
        answer(str(elsewhere.kind_up()))
    else:
        lifecycle.up()
        answer(str(KUBECONFIG))


def down(_: argparse.Namespace) -> None:
    """Remove what `up` made; a cluster that KUBECONFIG named is left alone."""
    elsewhere.kind_down()
    if ROOT.exists() and (reason := prerequisites.unfit()):
        raise Missing(reason)
    lifecycle.down()


def status(_: argparse.Namespace) -> None:
    """Tell what runs and where everything is."""
    if not lifecycle.running():
        raise ClusterError("no cluster of its own runs here; make cluster-up starts one")
    answer(kubectl("get", "nodes,pods", "--all-namespaces", "--output", "wide").rstrip())
    for record in processes.records():
        answer(f"{record.name:<24} {'runs' if record.alive else 'ended'} {record.pid:>8}  {record.log}")
    answer(f"binaries {binaries.folder()}\nregistry {REGISTRY}\nlogs {LOGS}\nkubeconfig {KUBECONFIG}")


def build(options: argparse.Namespace) -> None:
    """Build what is not built yet; the folder with all binaries comes last."""
    binaries.build(options.extra)
    answer(str(binaries.folder()))


def stop_node(options: argparse.Namespace) -> None:
    """Lose a node the hard way."""
    lifecycle.stop_node(machines.find(options.node))


def start_node(options: argparse.Namespace) -> None:
    """Bring a lost node back."""
    lifecycle.start_node(machines.find(options.node))


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    top = argparse.ArgumentParser(prog="python -m tests.cluster", description="A real Kubernetes on this machine.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for act in (up, down, status, build, stop_node, start_node):
        text = (act.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(act.__name__.replace("_", "-"), help=text, description=text)
        command.set_defaults(act=act)
        if act is build:
            optional = ", ".join(module.name for module in binaries.MODULES if module.optional)
            command.add_argument("extra", nargs="*", help=f"optional ones to build too: {optional}")
        if act in (stop_node, start_node):
            command.add_argument("node", help="its name or number")
    return top


def main() -> int:
    """Run one command; its failure is a sentence and an exit code."""
    options = parser().parse_args()
    try:
        options.act(options)
    except ClusterError as error:
        say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
