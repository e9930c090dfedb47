"""Layers against PyTorch's own, on ragged batches; dropout against its definition."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from tmr.model.actor import ActorDecoder, ActorEncoder
from tmr.model.packed_attention import PaddedGroups, dropout
from tmr.model.transformer import DecoderLayer, EncoderLayer, MemoryAttention, Positions, sinusoids
from tmr.sequences import pack

DIM, FF, LAYERS, HEADS = 32, 48, 3, 4
SHAPES = {"latent_dim": DIM, "ff_size": FF, "num_layers": LAYERS, "num_heads": HEADS}
LENGTHS = {"ragged": [11, 3, 7, 1], "full": [9, 9, 9, 9]}


@pytest.fixture(params=LENGTHS.values(), ids=list(LENGTHS))
def mask(request: pytest.FixtureRequest) -> Tensor:
    torch.manual_seed(0)
    return torch.arange(max(request.param)) < torch.tensor(request.param)[:, None]


def twin(layers: nn.ModuleList, layer: nn.Module, stack: type[nn.Module], **options: bool):
    """PyTorch's own stack of layers with the weights of ours; the names are the same."""
    torch_stack = stack(layer, LAYERS, **options)
    torch_stack.load_state_dict({f"layers.{k}": v for k, v in layers.state_dict().items()})
    return torch_stack


def torch_encoder(ours: ActorEncoder) -> nn.Module:
    layer = nn.TransformerEncoderLayer(DIM, HEADS, FF, 0.0, "gelu", batch_first=True)
    return twin(ours.layers, layer, nn.TransformerEncoder, enable_nested_tensor=False)


def torch_decoder(ours: ActorDecoder) -> nn.Module:
    layer = nn.TransformerDecoderLayer(DIM, HEADS, FF, 0.0, "gelu", batch_first=True)
    return twin(ours.layers, layer, nn.TransformerDecoder)


@pytest.mark.parametrize(
    ("ours", "layer", "stack"),
    [
        (ActorEncoder, nn.TransformerEncoderLayer, nn.TransformerEncoder),
        (ActorDecoder, nn.TransformerDecoderLayer, nn.TransformerDecoder),
    ],
)
def test_a_seed_starts_from_the_weights_of_torch(ours, layer, stack) -> None:
    """A published model drew its weights through torch's stacks; the same seed starts from them."""
    torch.manual_seed(1)
    started = ours(nfeats=6, dropout=0.1, **SHAPES).state_dict()
    torch.manual_seed(1)
    if ours is ActorEncoder:  # its projection and tokens come first
        _ = nn.Linear(6, DIM), torch.randn(2, DIM)
    expected = stack(layer(DIM, HEADS, FF, 0.1, "gelu", batch_first=True), LAYERS)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(started[name], tensor), name


def randomize(module: nn.Module) -> None:
    """Every weight random: zero biases would hide mistakes."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)


def gradients(ours: nn.Module, theirs: nn.Module) -> Iterator[tuple[str, Tensor, Tensor]]:
    mine = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        assert parameter.grad is not None
        gradient = mine[name].grad
        assert gradient is not None
        yield name, gradient, parameter.grad


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_the_encoder_and_its_gradients_are_those_of_torch(mask: Tensor, training: bool) -> None:
    ours = ActorEncoder(nfeats=6, dropout=0.0, **SHAPES)
    randomize(ours)
    theirs = torch_encoder(ours)
    ours.train(training)
    theirs.train(training)
    x = torch.randn(*mask.shape, 6) * mask[..., None]
    gaussian = ours(pack([row[real] for row, real in zip(x, mask, strict=True)]))

    front = ours.tokens.detach().expand(len(x), 2, DIM)
    row = torch.cat([front, ours.projection(x).detach()], dim=1)
    row = row + sinusoids(row.shape[1], DIM)
    padding = ~torch.cat([mask.new_ones(len(mask), 2), mask], dim=1)
    expected = theirs(row, src_key_padding_mask=padding)

    torch.testing.assert_close(gaussian.mu, expected[:, 0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gaussian.logvar, expected[:, 1], rtol=1e-5, atol=1e-5)
    pull = torch.randn(2, len(x), DIM)
    ((gaussian.mu * pull[0]).sum() + (gaussian.logvar * pull[1]).sum()).backward()
    ((expected[:, 0] * pull[0]).sum() + (expected[:, 1] * pull[1]).sum()).backward()
    for name, mine, torchs in gradients(ours, theirs):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-4, msg=name)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_the_decoder_and_its_gradients_are_those_of_torch(mask: Tensor, training: bool) -> None:
    ours = ActorDecoder(nfeats=6, dropout=0.0, **SHAPES)
    randomize(ours)
    theirs = torch_decoder(ours)
    ours.train(training)
    theirs.train(training)
    latent = torch.randn(len(mask), DIM)
    decoded = ours(latent, tuple(mask.sum(dim=1).tolist())).x

    queries = sinusoids(mask.shape[1], DIM).expand(len(mask), -1, -1)
    states = theirs(queries, latent[:, None], tgt_key_padding_mask=~mask)
    expected = ours.final_layer(states)[mask]

    torch.testing.assert_close(decoded, expected, rtol=1e-5, atol=1e-5)
    pull = torch.randn_like(decoded)
    (decoded * pull).sum().backward()
    (expected * pull).sum().backward()
    for name, mine, torchs in gradients(ours, theirs):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-4, msg=name)


def test_dropout_on_one_memory_item_has_the_distribution_of_torch() -> None:
    torch.manual_seed(0)
    ours = MemoryAttention(8, 4, dropout=0.5)
    randomize(ours)
    theirs = nn.MultiheadAttention(8, 4, dropout=0.5, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    memory, frames = torch.randn(1, 8), 40_000
    groups = PaddedGroups.of((frames,), memory.device)
    mine = ours(memory, groups)
    torchs = theirs(torch.randn(1, frames, 8), memory[:, None], memory[:, None])[0][0]
    torch.testing.assert_close(mine.mean(dim=0), torchs.mean(dim=0), rtol=0, atol=0.05)
    torch.testing.assert_close(mine.T.cov(), torchs.T.cov(), rtol=0.05, atol=0.05)
    assert len(mine.detach().round(decimals=4).unique(dim=0)) == 2**4, "each head on its own"
    ours.eval()
    torch.testing.assert_close(ours(memory, groups)[0], torchs.mean(dim=0), rtol=0, atol=0.05)


@pytest.mark.parametrize("kind", [EncoderLayer, DecoderLayer])
def test_dropout_of_a_layer_has_the_distribution_of_torch(kind: type) -> None:
    """Mean and deviation of each output, over many copies of one sequence."""
    torch.manual_seed(0)
    copies, time = 4000, 3
    ours = kind(8, 16, 2, 0.25).train()
    reference = nn.TransformerEncoderLayer if kind is EncoderLayer else nn.TransformerDecoderLayer
    theirs = reference(8, 2, 16, 0.25, "gelu", batch_first=True).train()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(time, 8).expand(copies, time, 8)
    memory = torch.randn(8).expand(copies, 8)
    groups = PaddedGroups.of((time,) * copies, x.device)
    with torch.no_grad():
        if kind is EncoderLayer:
            expected, found = theirs(x), ours(x.flatten(0, 1), groups)
        else:
            expected = theirs(x, memory[:, None])
            found = ours(x.flatten(0, 1), memory, groups)
    found = found.view(copies, time, 8)
    noise = expected.std(dim=0) / copies**0.5
    assert ((found.mean(dim=0) - expected.mean(dim=0)).abs() < 6 * noise).all()
    torch.testing.assert_close(found.std(dim=0), expected.std(dim=0), rtol=0.1, atol=0)


def test_dropout_zeroes_one_entry_in_ten_everywhere_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x = torch.ones(40_000, 8, requires_grad=True)
    y = dropout(x, 0.1)
    kept = y != 0
    assert kept.float().mean(dim=0).tolist() == pytest.approx([1 - 26 / 256] * 8, abs=0.008)
    assert y.mean().item() == pytest.approx(1, abs=0.003)
    lanes = kept.float().T.corrcoef() - torch.eye(8)
    assert float(lanes.abs().max()) < 0.03
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y), "the gradient goes through what was kept"


def test_dropout_repeats_with_the_seed_and_fits_any_size() -> None:
    for shape in [(1,), (3, 5), (0, 4), (2, 3, 7)]:
        torch.manual_seed(3)
        first = dropout(torch.ones(shape), 0.5)
        torch.manual_seed(3)
        assert torch.equal(first, dropout(torch.ones(shape), 0.5))
        assert first.shape == shape


def test_positions_are_sines_and_cosines_of_base_10000_at_any_length() -> None:
    positions = Positions(6)
    assert not positions.state_dict()
    cpu = torch.device("cpu")
    assert torch.equal(positions((2, 3), cpu), positions((3,), cpu)[[0, 1, 0, 1, 2]])
    for time in (4, 1000, 3):
        table = positions((time,), cpu)
        assert table.shape == (time, 6)
        for t in (0, time - 1):
            for i in range(3):
                angle = torch.tensor(t / 10000 ** (2 * i / 6), dtype=torch.float64)
                assert float(table[t, 2 * i]) == pytest.approx(float(angle.sin()), abs=1e-6)
                assert float(table[t, 2 * i + 1]) == pytest.approx(float(angle.cos()), abs=1e-6)
