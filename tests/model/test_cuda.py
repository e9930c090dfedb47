"""A CUDA GPU computes what the CPU does."""

import copy

import pytest
import torch

from tests.model.test_packed_attention import check_compiled_steps
from tests.model.toy import batch_of, sequences, tmr
from tmr.data import Batch
from tmr.model import TMR

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

SIZES = {"latent_dim": 32, "ff_size": 48, "num_layers": 3, "num_heads": 4, "dropout": 0.0}


@pytest.fixture
def batch() -> Batch:
    """More sequences than one group has, of very different lengths."""
    torch.manual_seed(1)
    lengths = torch.randint(1, 60, (150,)).tolist()
    return batch_of(sequences(lengths, 10), sequences(lengths[::-1], 7), torch.randn(150, 12))


def step(model: TMR, batch: Batch, device: str, precision: str) -> dict[str, torch.Tensor]:
    """The loss and the gradients of one step on means."""
    model = copy.deepcopy(model).to(device)
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        loss = model(batch.to(device)).losses["loss"]
    loss.backward()
    gradients = {n: p.grad.cpu() for n, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach().cpu(), **gradients}


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.05)])
def test_a_step_is_that_of_the_cpu(batch: Batch, precision: str, tolerance: float) -> None:
    """By the norm of each gradient, with latents that are means and no dropout."""
    torch.manual_seed(0)
    model = tmr(SIZES).eval()
    expected = step(model, batch, "cpu", "fp32")
    for name, found in step(model, batch, "cuda", precision).items():
        distance = (found - expected[name]).norm()
        assert distance <= tolerance * expected[name].norm() + 1e-6, name


def test_compiled_steps_are_the_same() -> None:
    check_compiled_steps("cuda", "inductor")


def test_a_training_step_waits_for_the_gpu_nowhere(batch: Batch) -> None:
    """What reads a value from the GPU stops the CPU from launching what comes next."""
    model, on_gpu = tmr(SIZES).cuda().train(), batch.to("cuda")
    model(on_gpu).losses["loss"].backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        model(on_gpu).losses["loss"].backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_dropout_on_the_gpu_changes_a_step(batch: Batch) -> None:
    model, on_gpu = tmr(SIZES | {"dropout": 0.5}).cuda().train(), batch.to("cuda")
    losses = [model(on_gpu).losses["recons"].item() for _ in range(2)]
    assert losses[0] != losses[1]
