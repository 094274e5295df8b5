#!/bin/bash
# The preStop hook of an executor pod: tell its slots to hand in what they have, tell Spark to send nothing new, and
# keep the pod until the JVM has ended. Kubernetes ends the wait with the pod's grace period.
set -uo pipefail
touch "${TINDERBOX_DECOMMISSION:-/tmp/tinderbox-decommission}"
pid=$(pgrep --oldest --full org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend) || exit 0
# A JVM that has not set up Spark's handler yet dies of the signal: there is nothing to hand in then.
kill -PWR "$pid" || exit 0
exec tail --pid="$pid" --follow /dev/null
