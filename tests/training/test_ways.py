"""Each way to compute a step learns the same: packed by hand, packed by torch, compiled, padded."""

import shutil
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from benchmarks.plain import PlainTMR
from tests.processes import CONTEXT
from tmr.model import TMR, ActorDecoder, ActorEncoder
from tmr.retrieval import both_directions, cosine_similarity
from tmr.sequences import Padded, pad

FEATURES, WORDS, DIM, LAYERS, HEADS, FF_SIZE = 12, 10, 16, 2, 2, 24
STEPS, BATCH, VALIDATION = 40, 16, 64
# The order of sums differs, and forty steps of Adam carry that on; one caption may change place.
LOSS_TOLERANCE, RECALL_TOLERANCE = 1e-5, 100 / VALIDATION

Arguments = tuple[Padded, Padded, Tensor]


def batch_of(count: int, random: torch.Generator) -> Arguments:
    """Motions that do what their text says: both drift along one direction of the other's."""
    meaning = torch.randn(count, 4, generator=random)
    mixed = torch.Generator().manual_seed(7)
    to_motion, to_text = (torch.randn(4, n, generator=mixed) for n in (FEATURES, WORDS))

    def sequences(means: Tensor, low: int, high: int) -> Padded:
        lengths = torch.randint(low, high, (count,), generator=random).tolist()
        noise = [torch.randn(n, means.shape[1], generator=random) for n in lengths]
        return pad([m + 0.3 * x for m, x in zip(means, noise, strict=True)])

    return (
        sequences(meaning @ to_motion, 4, 30),
        sequences(meaning @ to_text, 2, 9),
        torch.randn(count, 6, generator=random),
    )


def packed_model() -> TMR:
    """Small, in training, without dropout."""
    torch.manual_seed(0)
    sizes = (DIM, FF_SIZE, LAYERS, HEADS, 0.0)
    return TMR(
        ActorEncoder(FEATURES, *sizes),
        ActorEncoder(WORDS, *sizes),
        ActorDecoder(FEATURES, *sizes),
        loss_weights={"recons": 1.0, "kl": 1e-5, "latent": 1e-5, "contrastive": 0.1},
        temperature=0.1,
        threshold_selfsim=0.8,
    ).train()


def trained(way: str) -> tuple[list[float], dict[str, float]]:
    """The loss of each step, and the figures on validation data afterwards."""
    from tmr.model import packed

    if way != "by hand":
        packed.applies = lambda x: False
    model: nn.Module = packed_model()
    if way == "padded":
        plain = PlainTMR(FEATURES, WORDS, (DIM, FF_SIZE, LAYERS, HEADS, 0.0)).train()
        assert isinstance(model, TMR)
        plain.take(model)
        model = plain
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    random = torch.Generator().manual_seed(1)
    losses = []
    for step in range(STEPS):
        batch, draws = batch_of(BATCH, random), torch.Generator().manual_seed(step)
        loss = model(*batch, draws)
        loss = loss if isinstance(loss, Tensor) else loss.losses["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, figures(model.eval(), batch_of(VALIDATION, random))


@torch.no_grad()
def figures(model: nn.Module, batch: Arguments) -> dict[str, float]:
    """R@k of the mean latents, both ways."""
    motion, text, _ = batch
    if isinstance(model, TMR):
        text, motion = model.encode_text(text).mu, model.encode_motion(motion).mu
    else:
        assert isinstance(model, PlainTMR)
        text, motion = model.text_encoder(text)[0], model.motion_encoder(motion)[0]
    found = both_directions(cosine_similarity(text, motion), tie_safe=True)
    return {name: value for name, value in found.items() if "/R" in name}


def compiled_steps() -> list[tuple[float, float, float, int]]:
    """Of steps of any size: loss as it is and compiled, distance of gradients, programs made."""
    import torch._dynamo as dynamo

    from tmr.model import packed, rows

    packed.applies = lambda x: False
    if shutil.which("g++") is None:  # without a compiler, what is traced is run as it is
        rows.maybe_compiled = lambda end, compiled: (
            torch.compile(end, dynamic=True, backend="aot_eager") if compiled else end
        )
    model, random, found = packed_model(), torch.Generator().manual_seed(2), []
    for count in (16, 16, 9, 21):
        batch, losses, gradients = batch_of(count, random), [], []
        for compiled in (False, True):
            for module in (model.motion_encoder, model.text_encoder, model.motion_decoder):
                module.compiled = compiled
            model.zero_grad()
            loss = model.losses(*batch, torch.Generator().manual_seed(3))["loss"]
            loss.backward()
            losses.append(loss.item())
            every = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
            gradients.append(torch.cat(every))
        distance = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
        found.append((*losses, distance, dynamo.utils.counters["stats"]["unique_graphs"]))
    return found


def test_a_short_training_ends_where_that_of_padded_torch_does() -> None:
    with ProcessPoolExecutor(1, CONTEXT, max_tasks_per_child=1) as pool:
        ways = ("padded", "by hand", "torch")
        results = dict(zip(ways, pool.map(trained, ways), strict=True))
    losses, recalls = results["padded"]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert recalls["t2m/R10"] > 2 * 100 * 10 / VALIDATION  # it learned: chance is half of that
    for way in ways[1:]:
        assert results[way][0] == pytest.approx(losses, rel=LOSS_TOLERANCE), way
        assert results[way][1] == pytest.approx(recalls, abs=RECALL_TOLERANCE), way


def test_compiled_steps_are_the_same_and_no_size_is_compiled_again() -> None:
    """In a process without checks of shapes, which do not go with compilation."""
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        steps = pool.submit(compiled_steps).result()
    for loss, compiled, distance, _ in steps:
        assert compiled == pytest.approx(loss, rel=1e-5)
        assert distance < 1e-5
    programs = [made for *_, made in steps]
    assert programs == [programs[0]] * len(steps)
    assert 0 < programs[0] <= 4
