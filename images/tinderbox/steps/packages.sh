#!/bin/sh
# Install Python packages into a venv and cut what is unused: packages.sh VENV LAYERS CONSTRAINTS REQUIREMENTS PACKAGE...
# The two largest go to the folder LAYERS: layers of their own, so that a new version of one moves that one only.
set -eu
venv=$1 layers=$2 constraints=$3 requirements=$4
shift 4
# For machines that trust certificates of their own.
[ ! -s /run/secrets/certificates ] || export PIP_CERT=/run/secrets/certificates
python3 -m venv "$venv"
# PEP 517, or pyspark is installed in a way that pip is about to drop.
"$venv/bin/pip" install -q --use-pep517 -c "$constraints" -r "$requirements" "$@"
site=$(echo "$venv"/lib/python3.*/site-packages)
python3 "$(dirname "$0")/trim.py" "$site"
mkdir -p "$layers"
mv "$site/pyspark" "$site/tensorflow" "$layers/"
