"""Everything that touches Kubernetes: the pod we run in, why other pods died, submitting and following jobs."""
