"""The product on a real Kubernetes: chart, image, manifests and commands together."""
