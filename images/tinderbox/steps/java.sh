#!/bin/sh
# Make a Java of the modules in java-modules.txt: java.sh TO
set -eu
modules=$(grep -v '^#' "$(dirname "$0")/java-modules.txt" | paste -sd,)
# Debian's modules carry debug symbols; vm=server leaves out two more virtual machines.
jlink --add-modules "$modules" --output "$1" --vm server --compress 2 --strip-debug --no-header-files --no-man-pages
# In Debian the certificates are a link to a file outside of Java's folder.
cp --dereference /etc/ssl/certs/java/cacerts "$1/lib/security/cacerts"
