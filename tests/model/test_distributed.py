"""A batch on two processes gives the losses and gradients of the same batch on one."""

import pytest
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from tests.model.test_models import sequences, temos, tmr
from tests.processes import together
from tmr.data import DistributedBatchSampler
from tmr.model import TEMOS, DistributedProcessGroup
from tmr.sequences import Padded

MODELS = {"temos": temos, "tmr": tmr}
Arguments = tuple[Padded, Padded, Tensor]


def whole_batch(size: int) -> Arguments:
    """Motions of 4 to 12 frames; some captions mean the same, so that negatives are left out."""
    torch.manual_seed(1)
    lengths = torch.randint(4, 13, (size,)).tolist()
    sentences = torch.randn(size, 12)
    sentences[size // 2 :] = sentences[: size - size // 2] + 0.05
    return sequences(lengths, 10), sequences([n // 2 for n in lengths], 7), sentences


def taken(batch: Arguments, rows: list[int]) -> Arguments:
    """Some rows of a batch, padded to the longest among them."""
    motion, text, sentences = batch
    cut = [
        Padded(
            part.x[rows, : part.lengths[rows].max()], part.mask[rows, : part.lengths[rows].max()]
        )
        for part in (motion, text)
    ]
    return cut[0], cut[1], sentences[rows]


def model_named(name: str) -> TEMOS:
    """In evaluation mode: latents are means and nothing is dropped, or noise would differ."""
    torch.manual_seed(0)
    return MODELS[name]().eval()


def outcome(losses: dict[str, Tensor], model: TEMOS) -> tuple[dict[str, float], dict[str, Tensor]]:
    losses["loss"].backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: value.item() for name, value in losses.items()}, gradients


def share_of(rank: int, world: int, name: str, size: int) -> tuple[dict, dict]:
    """What one process finds, with gradients averaged by DistributedDataParallel."""
    model = model_named(name)
    batch = whole_batch(size)
    shares = [DistributedBatchSampler([list(range(size))], r, world) for r in range(world)]
    rows = [next(iter(share)) for share in shares]
    counts = [0 if s.placeholder_batches else len(r) for s, r in zip(shares, rows, strict=True)]
    ranks = DistributedProcessGroup(rank, counts, batch[0].x.shape[1])
    wrapped = DistributedDataParallel(model, broadcast_buffers=False)
    return outcome(wrapped(*taken(batch, rows[rank]), ranks=ranks).losses, model)


@pytest.mark.parametrize(("name", "size"), [("temos", 32), ("tmr", 32), ("tmr", 5), ("tmr", 1)])
def test_two_processes_find_the_losses_and_gradients_of_one(name, size):
    """Also with shares of different size, and with one process without a share."""
    alone = model_named(name)
    losses, gradients = outcome(alone(*whole_batch(size)).losses, alone)
    results = together(2, share_of, name, size)
    for term, value in losses.items():
        mean = sum(found[term] for found, _ in results) / 2
        assert mean == pytest.approx(value, rel=1e-5, abs=1e-7), term
    for _, found in results:
        assert found.keys() == gradients.keys() == dict(alone.named_parameters()).keys()
        for parameter, gradient in gradients.items():
            torch.testing.assert_close(found[parameter], gradient, rtol=1e-4, atol=1e-6)
