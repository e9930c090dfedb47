"""Packed training, by hand and by torch, against plain torch, differences and padded dropout."""

import pytest
import torch
from torch import Tensor

from benchmarks.plain import PlainTMR
from tests.model.test_models import tmr
from tmr.model import TMR, places, rows
from tmr.model import packed as by_hand
from tmr.model.packed import Dropout, decoder_layer, encoder_layer
from tmr.model.places import Places
from tmr.model.transformer import DecoderLayer, EncoderLayer
from tmr.sequences import Packed, Padded, mask_of, owners, pad, spans, starts

SIZES = {"latent_dim": 32, "ff_size": 48, "num_layers": 3, "num_heads": 4, "dropout": 0.0}


def batch_of(lengths: list[int], words: list[int]) -> tuple[Padded, Padded, Tensor]:
    sentences = torch.randn(len(lengths), 12)
    sentences[0] = sentences[-1] + 0.05  # the same in other words: left out of the negatives
    motion = pad([torch.randn(n, 10) for n in lengths])
    return motion, pad([torch.randn(n, 7) for n in words]), sentences


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one group in a small batch."""
    monkeypatch.setattr(places, "GROUP_SIZE", 8)


@pytest.fixture
def gradients_of_torch(monkeypatch: pytest.MonkeyPatch, small_groups: None) -> None:
    """The way of GPUs, on the CPU."""
    monkeypatch.setattr(by_hand, "applies", lambda x: False)


@pytest.fixture(params=["by hand", "torch"])
def way(request: pytest.FixtureRequest) -> None:
    """Both ways to train on packed rows."""
    if request.param == "torch":
        request.getfixturevalue("gradients_of_torch")


def models() -> tuple[TMR, PlainTMR]:
    """The same weights packed and in plain torch, without dropout."""
    torch.manual_seed(0)
    model = tmr(SIZES, motion=10, text=7).train()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    plain = PlainTMR(10, 7, (32, 48, 3, 4, 0.0)).train()
    plain.take(model)
    return model, plain


def step(bfloat16: bool = False) -> tuple[tuple[float, float], dict[str, tuple[Tensor, Tensor]]]:
    """Packed and in plain torch: the losses of a batch, and the gradients of each weight."""
    model, plain = models()
    batch = batch_of([40, 7, 23, 1, 40, 9, 9, 30, 8, 16, 2], [3, 9, 1, 5, 2, 4, 6, 8, 2, 2, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        ours = model.losses(*batch, torch.Generator().manual_seed(1))["loss"]
    theirs = plain(*batch, torch.Generator().manual_seed(1))
    ours.backward()
    theirs.backward()
    mine, gradients = dict(model.named_parameters()), {}
    for name, parameter in plain.named_parameters():
        gradient = mine[name.replace(".transformer.", ".")].grad
        assert gradient is not None and parameter.grad is not None
        gradients[name] = gradient, parameter.grad
    return (ours.item(), theirs.item()), gradients


@pytest.mark.usefixtures("way")
def test_the_step_and_its_gradients_are_those_of_plain_torch() -> None:
    """Dropout zero, the same draws of latents: only the order of the sums differs."""
    (ours, theirs), gradients = step()
    assert ours == pytest.approx(theirs, rel=1e-5)
    for name, (gradient, expected) in gradients.items():
        scale = expected.abs().max().item()
        assert (gradient - expected).abs().max().item() <= 1e-5 * max(scale, 1e-3), name


@pytest.mark.usefixtures("way")
def test_in_bfloat16_the_step_is_that_of_plain_torch_to_a_hundredth() -> None:
    """Of the loss, and of each gradient by its norm to a twentieth: bfloat16 has 8 bits."""
    (ours, theirs), gradients = step(bfloat16=True)
    assert ours == pytest.approx(theirs, rel=0.01)
    for name, (gradient, expected) in gradients.items():
        error = (gradient - expected).norm() / expected.norm()
        assert error < 0.05, (name, float(error))


@pytest.mark.parametrize("p", [0.0, 0.25])
@pytest.mark.parametrize("kind", ["encoder", "read", "decoder"])
def test_gradients_are_finite_differences_of_the_loss(kind: str, p: float) -> None:
    """In float64, with the same entries dropped each time."""
    torch.manual_seed(0)
    layer = (DecoderLayer if kind == "decoder" else EncoderLayer)(8, 12, 2, p).double().train()
    lengths = (3, 1, 4)
    x = torch.randn(8, 8, dtype=torch.float64, requires_grad=True)
    memory = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
    first = torch.tensor(starts(lengths))

    def outcome(x: Tensor, memory: Tensor, *_: Tensor) -> Tensor:
        torch.manual_seed(1)
        if isinstance(layer, DecoderLayer):
            return decoder_layer(layer, Packed(x, lengths), memory).x
        return encoder_layer(layer, Packed(x, lengths), first if kind == "read" else None).x

    torch.autograd.gradcheck(outcome, (x, memory, *layer.parameters()), atol=1e-6, fast_mode=True)


@pytest.mark.parametrize("way", ["by hand", "torch"])
@pytest.mark.parametrize("kind", [EncoderLayer, DecoderLayer])
def test_dropout_has_the_distribution_of_the_padded_layers(kind, way) -> None:
    """Mean and deviation of each output, over many copies of one sequence."""
    torch.manual_seed(0)
    layer = kind(8, 16, 2, 0.25).train()
    copies, time = 4000, 3
    x, memory = torch.randn(time, 8), torch.randn(8).expand(copies, 8)
    padded = x.expand(copies, time, 8)
    packed = Packed(padded.flatten(0, 1), (time,) * copies)
    laid_out = Places.of(packed.lengths, x.device)
    with torch.no_grad():
        if isinstance(layer, DecoderLayer):
            expected = layer(padded, memory, None)
            found = (
                decoder_layer(layer, packed, memory).x
                if way == "by hand"
                else rows.decoder_layer(layer, packed.x, memory, laid_out)
            )
        else:
            expected = layer(padded, None)
            found = (
                encoder_layer(layer, packed).x
                if way == "by hand"
                else rows.encoder_layer(layer, packed.x, laid_out)
            )
    found = found.view(copies, time, 8)
    noise = expected.std(dim=0) / copies**0.5
    assert ((found.mean(dim=0) - expected.mean(dim=0)).abs() < 6 * noise).all()
    torch.testing.assert_close(found.std(dim=0), expected.std(dim=0), rtol=0.1, atol=0)


def test_a_dropout_keeps_the_mean_and_drops_its_share() -> None:
    torch.manual_seed(0)
    dropout = Dropout((1000, 50), 0.1)
    found = dropout(torch.ones(1000, 50))
    assert (found == 0).float().mean().item() == pytest.approx(26 / 256, abs=0.005)
    assert found.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(dropout(torch.ones(10, 50), slice(20, 30)), found[20:30])


def test_padding_and_packing_agree_on_rows_and_positions() -> None:
    x = torch.arange(24.0).view(3, 4, 2)
    packed = Packed.of(Padded(x, mask_of([2, 4, 1])))
    assert packed.lengths == (2, 4, 1)
    assert torch.equal(packed.x, torch.cat([x[0, :2], x[1], x[2, :1]]))
    owner, position = owners(packed.lengths, x.device)
    assert owner.tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert position.tolist() == [0, 1, 0, 1, 2, 3, 0]


@pytest.mark.usefixtures("small_groups")
def test_groups_hold_each_sequence_once_with_few_of_other_lengths() -> None:
    lengths = torch.randint(1, 200, (45,), generator=torch.Generator().manual_seed(0)).tolist()
    laid_out = Places.of(lengths, torch.device("cpu"))
    x = torch.randn(sum(lengths), 3)
    groups = laid_out.pad(x)
    sequences = [x[span] for span in spans(lengths)]
    order = iter(laid_out.order.tolist())
    for group, mask in zip(groups, laid_out.masks, strict=True):
        for padded, added in zip(group, mask, strict=True):
            whole = sequences[next(order)]
            assert torch.equal(padded[: len(whole)], whole)
            assert not padded[len(whole) :].any()
            assert added.isneginf().sum() == len(padded) - len(whole)
    assert next(order, None) is None
    assert torch.equal(laid_out.unpad(groups), x)
    owner, _ = owners(lengths, x.device)
    of_each = torch.randn(45, 3)
    assert torch.equal(laid_out.spread(of_each), of_each[owner])
    assert torch.equal(laid_out.unshare(laid_out.share(of_each)), of_each)
    assert laid_out.real.float().mean() > 0.8
