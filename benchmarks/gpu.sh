#!/usr/bin/env bash
# Test and time on one CUDA GPU, in under nine minutes, without network or data: features, token
# states and sentence vectors are random numbers of HumanML3D's lengths.
#
#   bash benchmarks/gpu.sh > gpu.txt
#
# Tests that need CUDA; then a row each for plain torch, ours and ours compiled at batch sizes 32 to
# 1,024 (samples/s, parts of a step, peak memory); then encoding and the protocols.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python}
export PYTHONUNBUFFERED=1

if ! "$python" -c "import torch, sys; sys.exit(not torch.cuda.is_available())"; then
    echo "error: torch finds no CUDA GPU here" >&2
    exit 2
fi
"$python" -c "import torch; print(torch.__version__, torch.cuda.get_device_name())"
failed=0
timeout 90 "$python" -m pytest tests/model/test_cuda.py -q -p no:cacheprovider || failed=1
timeout 150 "$python" benchmarks/train.py --device cuda --steps 30 --batch-sizes 32 256 \
    --settings "plain, bf16" "ours, bf16" "ours, bf16, compiled" || failed=1
timeout 110 "$python" benchmarks/train.py --device cuda --steps 15 --batch-sizes 1024 \
    --settings "plain, bf16" "ours, bf16" "ours, bf16, compiled" || failed=1
timeout 80 "$python" benchmarks/train.py --device cuda --steps 20 --batch-sizes 32 \
    --settings plain ours || failed=1
timeout 90 "$python" benchmarks/retrieval.py --device cuda --threads 8 --precision fp32 bf16 || failed=1
exit $failed
