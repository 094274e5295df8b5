#!/bin/bash
# What the container runs: `executor` is all that Spark says to its executor pods, anything else is a command.
set -euo pipefail
[ "${1:-}" = executor ] || exec "$@"

# Java options come as SPARK_JAVA_OPT_0, _1, ... and count in the order of their numbers: one each, spaces and all.
options=()
while read -r name; do
    options+=("${!name}")
done < <(compgen -e SPARK_JAVA_OPT_ | sort --field-separator=_ --key=4 --numeric-sort)

# Slots look for this file, which the preStop hook makes, decommission.sh.
export TINDERBOX_DECOMMISSION="${TINDERBOX_DECOMMISSION:-/tmp/tinderbox-decommission}"

# Tells Prometheus what this pod does; the executor runs on without it.
if [ -n "${TINDERBOX_METRICS_PORT:-}" ]; then
    python -m tinderbox.metrics &
fi

# The archive of loaded classes fits only the class path that it was made with, so that one is first; the jars in
# Spark's folder follow for those who add some. No -Xms: memory that the JVM does not use is Python's.
exec java "${options[@]}" ${TINDERBOX_ARCHIVE:--XX:SharedArchiveFile=/opt/tinderbox/cds/executor.jsa} \
    -Xmx"$SPARK_EXECUTOR_MEMORY" \
    -cp "/opt/tinderbox/cds/classpath.jar:${SPARK_CONF_DIR:-}:$SPARK_HOME/jars/*:${SPARK_DIST_CLASSPATH:-}" \
    org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
    --driver-url "$SPARK_DRIVER_URL" \
    --executor-id "$SPARK_EXECUTOR_ID" \
    --cores "$SPARK_EXECUTOR_CORES" \
    --app-id "$SPARK_APPLICATION_ID" \
    --hostname "$SPARK_EXECUTOR_POD_IP" \
    --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \
    --podName "$SPARK_EXECUTOR_POD_NAME"
