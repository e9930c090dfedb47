#!/usr/bin/env bash
# The published annotations, splits and statistics, into datasets/annotations/ and stats/.
#   bash prepare/download_annotations.sh
set -euo pipefail
cd "$(dirname "$0")/.."
python -m prepare.download what=annotations "$@"
exec python -m prepare.download what=stats "$@"
