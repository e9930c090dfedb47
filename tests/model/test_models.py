"""What every model promises, and the golden outputs of the original."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tmr.errors import InputError
from tmr.model import TEMOS, TMR, ActorDecoder, ActorEncoder
from tmr.sequences import Padded, mask_of, pad

SIZES = {"latent_dim": 16, "ff_size": 24, "num_layers": 2, "num_heads": 4, "dropout": 0.1}
PAPER = {"latent_dim": 256, "ff_size": 1024, "num_layers": 6, "num_heads": 4, "dropout": 0.1}
WEIGHTS = {"recons": 1.0, "kl": 1e-5, "latent": 1e-5}


def modules(motion: int, text: int, sizes: dict) -> dict[str, Any]:
    return {
        "motion_encoder": ActorEncoder(nfeats=motion, **sizes),
        "text_encoder": ActorEncoder(nfeats=text, **sizes),
        "motion_decoder": ActorDecoder(nfeats=motion, **sizes),
    }


def temos(sizes: dict = SIZES, motion: int = 10, text: int = 7) -> TEMOS:
    return TEMOS(**modules(motion, text, sizes), loss_weights=WEIGHTS)


def tmr(sizes: dict = SIZES, motion: int = 10, text: int = 7) -> TMR:
    return TMR(
        **modules(motion, text, sizes),
        loss_weights=WEIGHTS | {"contrastive": 0.1},
        temperature=0.1,
        threshold_selfsim=0.8,
    )


def sequences(lengths: list[int], features: int) -> Padded:
    return pad([torch.randn(length, features) for length in lengths])


def stretched(sequence: Padded, extra: int) -> Padded:
    """The same sequences with more padding, and rubbish in all of it."""
    batch, _, feat = sequence.x.shape
    x = torch.cat([sequence.x, torch.zeros(batch, extra, feat)], dim=1)
    mask = torch.cat([sequence.mask, torch.zeros(batch, extra, dtype=torch.bool)], dim=1)
    return Padded(torch.where(mask[..., None], x, 100 * torch.randn_like(x)), mask)


class ModelContract:
    """Promises of every model; a subclass names the model."""

    make = staticmethod(temos)

    @pytest.fixture
    def model(self) -> TEMOS:
        torch.manual_seed(0)
        return self.make().eval()

    @pytest.fixture
    def batch(self) -> tuple[Padded, Padded, Tensor]:
        torch.manual_seed(1)
        return sequences([9, 4, 6], 10), sequences([5, 2, 3], 7), torch.randn(3, 12)

    def test_the_loss_is_the_weighted_sum_of_its_named_terms(self, model, batch) -> None:
        losses = model.losses(*batch)
        assert set(losses) == {*model.terms, "loss"}
        total = sum(model.loss_weights[name] * losses[name] for name in model.terms)
        torch.testing.assert_close(losses["loss"], total)

    def test_padding_changes_nothing(self, model, batch) -> None:
        motion, text, _ = batch
        more_motion, more_text = stretched(motion, 5), stretched(text, 3)
        for first, second in [
            (model.encode_motion(motion), model.encode_motion(more_motion)),
            (model.encode_text(text), model.encode_text(more_text)),
        ]:
            torch.testing.assert_close(first.mu, second.mu)
            torch.testing.assert_close(first.logvar, second.logvar)
        latents = torch.randn(3, SIZES["latent_dim"])
        decoded, longer = (
            model.decode(latents, motion.mask),
            model.decode(latents, more_motion.mask),
        )
        torch.testing.assert_close(decoded, longer[:, :9])
        assert not longer[~more_motion.mask].any()

    def test_rubbish_in_the_padding_changes_no_loss(self, model, batch) -> None:
        motion, text, sentences = batch
        rubbish = model.losses(stretched(motion, 0), stretched(text, 0), sentences)
        for name, value in model.losses(*batch).items():
            torch.testing.assert_close(rubbish[name], value, msg=name)

    def test_a_sequence_alone_is_encoded_as_in_a_batch(self, model, batch) -> None:
        motion, text, _ = batch
        together = model.encode_motion(motion).mu, model.encode_text(text).mu
        for i in range(3):
            one_motion = pad([motion.x[i, motion.mask[i]]])
            one_text = pad([text.x[i, text.mask[i]]])
            torch.testing.assert_close(model.encode_motion(one_motion).mu[0], together[0][i])
            torch.testing.assert_close(model.encode_text(one_text).mu[0], together[1][i])

    def test_evaluation_repeats_and_training_samples(self, model, batch) -> None:
        assert torch.equal(model.losses(*batch)["loss"], model.losses(*batch)["loss"])
        model.train()
        assert not torch.equal(model.losses(*batch)["loss"], model.losses(*batch)["loss"])

    def test_training_repeats_with_the_seed(self, model, batch) -> None:
        model.train()
        totals = []
        for _ in range(2):
            torch.manual_seed(5)
            generator = torch.Generator().manual_seed(6)
            totals.append(model.losses(*batch, generator)["loss"])
        assert torch.equal(*totals)

    def test_the_latents_of_a_step_are_the_means(self, model, batch) -> None:
        step = model(*batch)
        torch.testing.assert_close(step.motion, model.encode_motion(batch[0]).mu)
        torch.testing.assert_close(step.text, model.encode_text(batch[1]).mu)

    def test_every_weight_learns(self, model, batch) -> None:
        model.train()
        model.losses(*batch)["loss"].backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name

    def test_a_few_steps_fit_one_batch(self, model, batch) -> None:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        totals = []
        for _ in range(60):
            optimizer.zero_grad()
            loss = model.losses(*batch)["loss"]
            loss.backward()
            optimizer.step()
            totals.append(loss.item())
        assert totals[-1] < 0.5 * totals[0]

    def test_a_misnamed_loss_weight_is_refused(self, model) -> None:
        wrong = dict(model.loss_weights)
        wrong["reconstruction"] = wrong.pop("recons")
        parts: dict[str, Any] = dict(model.named_children())
        extra: dict[str, Any] = (
            {"temperature": 0.1, "threshold_selfsim": 0.8} if isinstance(model, TMR) else {}
        )
        with pytest.raises(InputError, match=r"reconstruction.*each needs a weight"):
            type(model)(**parts, loss_weights=wrong, **extra)

    def test_autocast_to_bfloat16_stays_near(self, model, batch) -> None:
        exact = model.losses(*batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model.losses(*batch)
        for name, value in exact.items():
            torch.testing.assert_close(rough[name].float(), value, rtol=0.1, atol=0.02, msg=name)

    def test_sixteen_million_weights_at_the_size_of_the_paper(self) -> None:
        with torch.device("meta"):
            model = self.make(PAPER, motion=263, text=768)
        millions = {
            name: sum(p.numel() for p in module.parameters()) / 1e6
            for name, module in model.named_children()
        }
        assert millions["motion_encoder"] == pytest.approx(4.8, abs=0.05)
        assert millions["text_encoder"] == pytest.approx(4.9, abs=0.1)
        assert millions["motion_decoder"] == pytest.approx(6.4, abs=0.05)
        assert sum(millions.values()) == pytest.approx(16.1, abs=0.1)


class TestTEMOS(ModelContract):
    make = staticmethod(temos)


class TestTMR(ModelContract):
    make = staticmethod(tmr)

    def test_without_its_own_term_it_is_temos(self, model, batch) -> None:
        plain = temos().eval()
        plain.load_state_dict(model.state_dict())
        expected = plain.losses(*batch)
        for name, value in model.losses(*batch).items():
            if name in plain.terms:
                torch.testing.assert_close(value, expected[name])


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "model.npz"))


@pytest.fixture(scope="module")
def original(shared: Path) -> TMR:
    """The golden run's model, its files read by hand rather than by the code under test."""
    sizes = {"latent_dim": 32, "ff_size": 64, "num_layers": 2, "num_heads": 4, "dropout": 0.1}
    model = tmr(sizes, motion=263, text=48)
    for name, module in model.named_children():
        file = shared / "golden" / "run" / "last_weights" / f"{name}.pt"
        state = torch.load(file, weights_only=True)
        module.load_state_dict({key.split("coder.", 1)[-1]: value for key, value in state.items()})
    return model.eval()


def golden_batch(golden: dict[str, np.ndarray]) -> tuple[Padded, Padded, Tensor]:
    motion = pad([torch.from_numpy(golden[f"motion_{i}"]) for i in range(4)])
    text = pad([torch.from_numpy(golden[f"tokens_{i}"]) for i in range(4)])
    return motion, text, torch.from_numpy(golden["sent_emb"])


@torch.inference_mode()
def test_latents_and_decoded_motions_are_the_golden_ones(original, golden) -> None:
    motion, text, _ = golden_batch(golden)
    from_motion, from_text = original.encode_motion(motion), original.encode_text(text)
    measured = {
        "motion_mu": from_motion.mu,
        "motion_logvar": from_motion.logvar,
        "text_mu": from_text.mu,
        "text_logvar": from_text.logvar,
        "decoded_from_text": original.decode(from_text.mu, motion.mask),
    }
    for name, value in measured.items():
        scale = np.abs(golden[name]).max()
        assert np.abs(value.numpy() - golden[name]).max() < 1e-5 * scale, name


@torch.inference_mode()
def test_each_loss_is_the_golden_one(original, golden) -> None:
    losses = original.losses(*golden_batch(golden))
    for name, value in losses.items():
        assert float(value) == pytest.approx(float(golden[f"loss_{name}"]), rel=1e-5), name


def test_a_mask_without_padding_and_one_with_agree() -> None:
    """The path that skips the mask gives what the masked path gives."""
    torch.manual_seed(0)
    model = tmr().eval()
    x = torch.randn(2, 6, 10)
    longer = Padded(torch.cat([x, torch.zeros(2, 1, 10)], dim=1), mask_of([6, 6, 7])[:2])
    short = model.encode_motion(Padded(x, mask_of([6, 6])))
    torch.testing.assert_close(short.mu, model.encode_motion(longer).mu)
