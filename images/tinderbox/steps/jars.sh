#!/bin/sh
# Fetch jars with all that they need, as spark-submit --packages does: jars.sh SPARK_JARS TO GROUP:ARTIFACT:VERSION...
set -eu
spark=$1 to=$2
shift 2
mkdir -p "$to"
[ $# -gt 0 ] || exit 0
trust=
if [ -s /run/secrets/certificates ]; then
    java "$(dirname "$0")/Trust.java" /run/secrets/certificates /tmp/trusted
    trust="-Djavax.net.ssl.trustStore=/tmp/trusted -Djavax.net.ssl.trustStorePassword=changeit"
fi
for coordinates; do
    # shellcheck disable=SC2046,SC2086  the parts of the coordinates are three words, the options two or none
    java $trust -cp "$spark/*" org.apache.ivy.Main -m2compatible -confs default -warn \
        -dependency $(echo "$coordinates" | tr : ' ') -retrieve "$to/[artifact]-[revision](-[classifier]).[ext]"
done
