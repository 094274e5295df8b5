#!/bin/bash
# Says to Spark which GPUs an executor has, so that each of its slots is given its own.
set -euo pipefail
addresses=$(nvidia-smi --query-gpu=index --format=csv,noheader | sed 's/.*/"&"/' | paste --serial --delimiters=,)
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
