"""The pod that this process runs in, as the downward API and the API server tell."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tinderbox.errors import BadInput


@dataclass(frozen=True)
class OwnPod:
    """Name, namespace, address and image of the driver's own pod."""

    name: str
    namespace: str
    address: str
    image: str

    def settings(self) -> dict[str, str]:
        """Return what Spark has to know of the driver's pod."""
        return {
            # Executors of Spark 4.3 dial the bind address, so it has to be one that they can reach.
            "spark.driver.host": self.address,
            "spark.driver.bindAddress": self.address,
            "spark.kubernetes.namespace": self.namespace,
            "spark.kubernetes.driver.pod.name": self.name,
            "spark.kubernetes.executor.podNamePrefix": self.name,
            "spark.kubernetes.container.image": self.image,
        }


def in_cluster() -> bool:
    """Whether this process runs in a pod."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and "POD_NAME" in os.environ


def own_pod() -> OwnPod:
    """Return the pod that this process runs in; executors run its image unless they are told otherwise.

    Raises:
        BadInput: The manifest leaves out what the downward API should tell.
    """
    missing = [name for name in ("POD_NAME", "POD_NAMESPACE", "POD_IP") if not os.environ.get(name)]
    if missing:
        raise BadInput(
            f"the driver's pod needs {', '.join(missing)} from the downward API, as in jobs/sweep-digits.yaml"
        )
    name, namespace = os.environ["POD_NAME"], os.environ["POD_NAMESPACE"]
    from kubernetes import client, config

    config.load_incluster_config()
    pod = client.CoreV1Api().read_namespaced_pod(name, namespace)
    return OwnPod(name, namespace, os.environ["POD_IP"], str(pod.spec.containers[0].image))
