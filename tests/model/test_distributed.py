"""A batch on two processes gives the losses and gradients of the same batch on one."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from tests.model.test_mirror_negatives import model as side_aware
from tests.model.toy import batch_of, sequences, temos, tmr
from tests.processes import together
from tmr.data import Batch, DistributedBatchSampler
from tmr.model import TEMOS, DistributedProcessGroup
from tmr.motion.features import NUM_FEATURES
from tmr.sequences import pack

MODELS = {
    "temos": partial(temos, motion=NUM_FEATURES),
    "tmr": partial(tmr, motion=NUM_FEATURES),
    "mirror_negatives": partial(side_aware, mirror_negatives=True, hardness=0.5),
}
CASES = [("temos", 32), ("tmr", 32), ("tmr", 5), ("tmr", 1), ("mirror_negatives", 5)]


def whole_batch(size: int) -> Batch:
    """Motions of 4 to 12 frames; some captions mean the same, so that negatives are left out."""
    torch.manual_seed(1)
    lengths = torch.randint(4, 13, (size,)).tolist()
    sentences = torch.randn(size, 12)
    sentences[size // 2 :] = sentences[: size - size // 2] + 0.05
    motions = sequences(lengths, NUM_FEATURES)
    return batch_of(motions, sequences([n // 2 for n in lengths], 7), sentences)


def taken(batch: Batch, rows: list[int]) -> Batch:
    """Some samples of a batch."""
    motions, texts = batch.motion.unpack(), batch.text.unpack()
    motion, text = pack([motions[i] for i in rows]), pack([texts[i] for i in rows])
    return batch_of(motion, text, batch.sentences[rows])


def model_named(name: str) -> TEMOS:
    """In evaluation mode: latents are means and nothing is dropped, or noise would differ."""
    torch.manual_seed(0)
    return MODELS[name]().eval()


def outcome(losses: dict[str, Tensor], model: TEMOS) -> tuple[dict[str, float], dict[str, Tensor]]:
    losses["loss"].backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: value.item() for name, value in losses.items()}, gradients


def outcome_of_process(rank: int, world: int, name: str, size: int) -> tuple[dict, dict]:
    """What one process finds, with gradients averaged by DistributedDataParallel."""
    model = model_named(name)
    batch = whole_batch(size)
    shares = [DistributedBatchSampler([list(range(size))], r, world) for r in range(world)]
    rows = [next(iter(share)) for share in shares]
    counts = [0 if s.placeholder_batches else len(r) for s, r in zip(shares, rows, strict=True)]
    group = DistributedProcessGroup(rank, counts, max(batch.motion.lengths))
    wrapped = DistributedDataParallel(model, broadcast_buffers=False)
    return outcome(wrapped(taken(batch, rows[rank]), group=group).losses, model)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_two_processes_find_the_losses_and_gradients_of_one(name, size):
    """Also with shares of different size, and with one process without a share."""
    alone = model_named(name)
    losses, gradients = outcome(alone(whole_batch(size)).losses, alone)
    results = together(2, outcome_of_process, name, size)
    for term, value in losses.items():
        mean = sum(found[term] for found, _ in results) / 2
        assert mean == pytest.approx(value, rel=1e-5, abs=1e-7), term
    for _, found in results:
        assert found.keys() == gradients.keys() == dict(alone.named_parameters()).keys()
        for parameter, gradient in gradients.items():
            torch.testing.assert_close(found[parameter], gradient, rtol=1e-4, atol=1e-6)
