"""Packed sequences in padded groups, and training on them against plain torch on padded ones."""

import functools
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from torch import Tensor

from benchmarks.plain import PlainTMR, pad
from tests.model.toy import batch_of, sequences, tmr
from tests.processes import CONTEXT
from tmr.data import Batch
from tmr.model import TMR, packed_attention
from tmr.model.packed_attention import PaddedGroups

SIZES = {"latent_dim": 32, "ff_size": 48, "num_layers": 3, "num_heads": 4, "dropout": 0.0}


@pytest.fixture(params=[3, 8, 64], ids=lambda size: f"groups of {size}")
def group_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of few sequences, of a CPU's and of a GPU's number."""
    monkeypatch.setitem(packed_attention.GROUP_SIZE, "cpu", request.param)


def random_batch(lengths: list[int], words: list[int]) -> Batch:
    sentences = torch.randn(len(lengths), 12)
    sentences[0] = sentences[-1] + 0.05  # the same in other words: left out of the negatives
    return batch_of(sequences(lengths, 10), sequences(words, 7), sentences)


def models() -> tuple[TMR, PlainTMR]:
    """The same weights packed and in plain torch, without dropout."""
    torch.manual_seed(0)
    model = tmr(SIZES, motion=10, text=7).train()
    plain = PlainTMR(10, 7, (32, 48, 3, 4, 0.0)).train()
    plain.take(model)
    return model, plain


def loss_of_plain(plain: PlainTMR, batch: Batch, generator: torch.Generator) -> Tensor:
    return plain(pad(batch.motion), pad(batch.text), batch.sentences, generator)


def step(bfloat16: bool = False) -> tuple[tuple[float, float], dict[str, tuple[Tensor, Tensor]]]:
    """Packed and in plain torch: the losses of a batch, and the gradients of each weight."""
    model, plain = models()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    plain.take(model)
    batch = random_batch([40, 7, 23, 1, 40, 9, 9, 30, 8, 16, 2], [3, 9, 1, 5, 2, 4, 6, 8, 2, 2, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        ours = model(batch, torch.Generator().manual_seed(1)).losses["loss"]
    theirs = loss_of_plain(plain, batch, torch.Generator().manual_seed(1))
    ours.backward()
    theirs.backward()
    mine, gradients = dict(model.named_parameters()), {}
    for name, parameter in plain.named_parameters():
        gradient = mine[name.replace(".transformer.", ".")].grad
        assert gradient is not None and parameter.grad is not None
        gradients[name] = gradient, parameter.grad
    return (ours.item(), theirs.item()), gradients


@pytest.mark.usefixtures("group_size")
def test_the_step_and_its_gradients_are_those_of_plain_torch() -> None:
    """Dropout zero, the same draws of latents: only the order of the sums differs."""
    (ours, theirs), gradients = step()
    assert ours == pytest.approx(theirs, rel=1e-5)
    for name, (gradient, expected) in gradients.items():
        scale = expected.abs().max().item()
        assert (gradient - expected).abs().max().item() <= 1e-5 * max(scale, 1e-3), name


def test_in_bfloat16_the_step_is_that_of_plain_torch_to_a_hundredth() -> None:
    """Of the loss, and of each gradient by its norm to a twentieth: bfloat16 has 8 bits."""
    (ours, theirs), gradients = step(bfloat16=True)
    assert ours == pytest.approx(theirs, rel=0.01)
    for name, (gradient, expected) in gradients.items():
        error = (gradient - expected).norm() / expected.norm()
        assert error < 0.05, (name, float(error))


def test_twenty_steps_of_training_end_where_those_of_plain_torch_do() -> None:
    """The order of sums differs, and twenty steps of Adam carry that on."""
    torch.manual_seed(1)
    batch = random_batch([9, 30, 4, 17], [3, 2, 7, 5])
    ours, theirs = (trained(model, batch) for model in models())
    assert ours[-1] < ours[0]
    assert ours == pytest.approx(theirs, rel=1e-4)


def trained(model: TMR | PlainTMR, batch: Batch) -> list[float]:
    """The loss of each of twenty steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(20):
        draws = torch.Generator().manual_seed(step)
        if isinstance(model, PlainTMR):
            loss = loss_of_plain(model, batch, draws)
        else:
            loss = model(batch, draws).losses["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.usefixtures("group_size")
def test_groups_hold_each_sequence_once_with_few_of_other_lengths() -> None:
    lengths = torch.randint(1, 200, (45,), generator=torch.Generator().manual_seed(0)).tolist()
    layout = PaddedGroups.of(lengths, torch.device("cpu"))
    x = torch.randn(sum(lengths), 3)
    groups = layout.pad(x)
    whole = x.split(lengths)
    order = iter(layout.order.tolist())
    for group, bias in zip(groups, layout.biases, strict=True):
        for padded, added in zip(group, bias, strict=True):
            sequence = whole[next(order)]
            assert torch.equal(padded[: len(sequence)], sequence)
            assert not padded[len(sequence) :].any()
            assert not added[..., : len(sequence)].any()
            assert added[..., len(sequence) :].isneginf().all()
    assert next(order, None) is None
    assert torch.equal(layout.unpad(groups), x)
    of_each = torch.randn(45, 3)
    assert torch.equal(layout.join(layout.split(of_each)), of_each)


def compiled_steps(device: str, backend: str) -> list[tuple[float, float, float, int]]:
    """Of steps of any size: loss as it is and compiled, distance of gradients, programs made."""
    import torch._dynamo as dynamo

    torch.compile = functools.partial(torch.compile, backend=backend)
    plain, fused = (models()[0].to(device) for _ in range(2))
    fused.compile_layers()
    found = []
    for lengths in ([9, 30, 4], [9, 30, 4], [17, 2], [5, 5, 8, 21]):
        batch, losses, gradients = random_batch(lengths, lengths).to(device), [], []
        for model in (plain, fused):
            model.zero_grad()
            loss = model(batch, torch.Generator(device).manual_seed(3)).losses["loss"]
            loss.backward()
            losses.append(loss.item())
            every = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
            gradients.append(torch.cat(every))
        distance = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
        found.append((*losses, distance, dynamo.utils.counters["stats"]["unique_graphs"]))
    return found


def test_compiled_steps_are_the_same_and_no_size_is_compiled_again() -> None:
    """Traced and differentiated as for a GPU, but run without generated code, which takes long."""
    check_compiled_steps("cpu", "aot_eager")


def check_compiled_steps(device: str, backend: str) -> None:
    """In a process without checks of shapes, which do not go with compilation."""
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        steps = pool.submit(compiled_steps, device, backend).result()
    for loss, compiled, distance, _ in steps:
        assert compiled == pytest.approx(loss, rel=1e-5)
        assert distance < 1e-5
    programs = [made for *_, made in steps]
    assert programs == [programs[0]] * len(steps)
    assert 0 < programs[0] <= 4
