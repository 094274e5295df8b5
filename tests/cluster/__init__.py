"""A real three-node Kubernetes on one Linux machine, for the tests: `python -m tests.cluster up`."""
