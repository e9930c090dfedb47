#!/usr/bin/env bash
# The published weights, into models/. Interrupted, run it again: it goes on where it stopped.
#   bash prepare/download_pretrain_models.sh [url=ANOTHER_ADDRESS]
set -euo pipefail
cd "$(dirname "$0")/.."
exec python -m prepare.download what=pretrain_models "$@"
