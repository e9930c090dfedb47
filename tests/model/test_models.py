"""What every model promises, and the golden outputs of the original."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.model.toy import SIZES, batch_of, modules, sequences, temos, tmr
from tmr.data import Batch
from tmr.errors import InputError
from tmr.model import TEMOS, TMR
from tmr.sequences import pack

PAPER = {"latent_dim": 256, "ff_size": 1024, "num_layers": 6, "num_heads": 4, "dropout": 0.1}


class ModelContract:
    """Promises of every model; a subclass names the model."""

    make = staticmethod(temos)

    @pytest.fixture
    def model(self) -> TEMOS:
        torch.manual_seed(0)
        return self.make().eval()

    @pytest.fixture
    def batch(self) -> Batch:
        torch.manual_seed(1)
        return batch_of(sequences([9, 4, 6], 10), sequences([5, 2, 3], 7), torch.randn(3, 12))

    def test_the_loss_is_the_weighted_sum_of_its_named_terms(self, model, batch) -> None:
        losses = model(batch).losses
        assert set(losses) == {*model.terms, "loss"}
        total = sum(model.loss_weights[name] * losses[name] for name in model.terms)
        torch.testing.assert_close(losses["loss"], total)

    def test_a_sequence_alone_is_encoded_and_decoded_as_in_a_batch(self, model, batch) -> None:
        latents = torch.randn(3, SIZES["latent_dim"])
        together = [model.encode_motion(batch.motion), model.encode_text(batch.text)]
        decoded = model.decode(latents, (9, 4, 6)).unpack()
        for i in range(3):
            motion, text = batch.motion.unpack()[i], batch.text.unpack()[i]
            alone = [model.encode_motion(pack([motion])), model.encode_text(pack([text]))]
            for one, all_of_them in zip(alone, together, strict=True):
                torch.testing.assert_close(one.mu[0], all_of_them.mu[i])
                torch.testing.assert_close(one.logvar[0], all_of_them.logvar[i])
            one = model.decode(latents[i : i + 1], (len(motion),))
            torch.testing.assert_close(one.x, decoded[i])

    def test_the_order_of_a_batch_changes_no_loss(self, model, batch) -> None:
        order = [2, 0, 1]
        motion, text = ([part.unpack()[i] for i in order] for part in (batch.motion, batch.text))
        other = batch_of(pack(motion), pack(text), batch.sentences[order])
        for name, value in model(batch).losses.items():
            torch.testing.assert_close(model(other).losses[name], value, msg=name)

    def test_reconstruction_is_the_mean_over_padded_entries(self, model, batch) -> None:
        """By a loop over numbers: padding adds to the count alone."""
        total = 0.0
        for latents in (model.encode_text(batch.text).mu, model.encode_motion(batch.motion).mu):
            decoded = model.decode(latents, batch.motion.lengths).x
            for error in (decoded - batch.motion.x).abs().flatten().tolist():
                total += 0.5 * error**2 if error < 1 else error - 0.5
        recons = model(batch).losses["recons"].item()
        assert recons == pytest.approx(total / (3 * 9 * 10), rel=1e-5)

    def test_evaluation_repeats_and_training_samples(self, model, batch) -> None:
        assert torch.equal(model(batch).losses["loss"], model(batch).losses["loss"])
        model.train()
        assert not torch.equal(model(batch).losses["loss"], model(batch).losses["loss"])

    def test_training_repeats_with_the_seed(self, model, batch) -> None:
        model.train()
        totals = []
        for _ in range(2):
            torch.manual_seed(5)
            generator = torch.Generator().manual_seed(6)
            totals.append(model(batch, generator).losses["loss"])
        assert torch.equal(*totals)

    def test_the_latents_of_a_step_are_the_means(self, model, batch) -> None:
        step = model(batch)
        torch.testing.assert_close(step.motion, model.encode_motion(batch.motion).mu)
        torch.testing.assert_close(step.text, model.encode_text(batch.text).mu)

    def test_every_weight_learns(self, model, batch) -> None:
        model.train()
        model(batch).losses["loss"].backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name

    def test_a_few_steps_fit_one_batch(self, model, batch) -> None:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        totals = []
        for _ in range(60):
            optimizer.zero_grad()
            loss = model(batch).losses["loss"]
            loss.backward()
            optimizer.step()
            totals.append(loss.item())
        assert totals[-1] < 0.5 * totals[0]

    def test_a_misnamed_loss_weight_is_refused(self, model) -> None:
        wrong = dict(model.loss_weights)
        wrong["reconstruction"] = wrong.pop("recons")
        parts: dict[str, Any] = {name: getattr(model, name) for name in model.parts}
        extra: dict[str, Any] = (
            {"temperature": 0.1, "threshold_selfsim": 0.8} if isinstance(model, TMR) else {}
        )
        with pytest.raises(InputError, match=r"reconstruction.*each needs a weight"):
            type(model)(**parts, loss_weights=wrong, **extra)

    def test_autocast_to_bfloat16_stays_near(self, model, batch) -> None:
        exact = model(batch).losses
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model(batch).losses
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
        expected = plain(batch).losses
        for name, value in model(batch).losses.items():
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
    for name in model.parts:
        file = shared / "golden" / "run" / "last_weights" / f"{name}.pt"
        state = torch.load(file, weights_only=True)
        weights = {key.split("coder.", 1)[-1]: value for key, value in state.items()}
        getattr(model, name).load_state_dict(weights)
    return model.eval()


def golden_batch(golden: dict[str, np.ndarray]) -> Batch:
    motion = pack([torch.from_numpy(golden[f"motion_{i}"]) for i in range(4)])
    text = pack([torch.from_numpy(golden[f"tokens_{i}"]) for i in range(4)])
    return batch_of(motion, text, torch.from_numpy(golden["sent_emb"]))


@torch.inference_mode()
def test_latents_and_decoded_motions_are_the_golden_ones(original, golden) -> None:
    batch = golden_batch(golden)
    from_motion, from_text = original.encode_motion(batch.motion), original.encode_text(batch.text)
    decoded = original.decode(from_text.mu, batch.motion.lengths).unpack()
    measured = {
        "motion_mu": from_motion.mu,
        "motion_logvar": from_motion.logvar,
        "text_mu": from_text.mu,
        "text_logvar": from_text.logvar,
        "decoded_from_text": torch.nn.utils.rnn.pad_sequence(list(decoded), batch_first=True),
    }
    for name, value in measured.items():
        scale = np.abs(golden[name]).max()
        assert np.abs(value.numpy() - golden[name]).max() < 1e-5 * scale, name


@torch.inference_mode()
def test_each_loss_is_the_golden_one(original, golden) -> None:
    losses = original(golden_batch(golden)).losses
    for name, value in losses.items():
        assert float(value) == pytest.approx(float(golden[f"loss_{name}"]), rel=1e-5), name


class TestWithoutDecoder:
    """A model of both encoders alone, trained on means: for retrieval."""

    @pytest.fixture
    def model(self) -> TMR:
        torch.manual_seed(0)
        weights = {"recons": 0, "kl": 0, "latent": 0, "contrastive": 1.0}
        parts: dict[str, Any] = {**modules(10, 7, SIZES), "motion_decoder": None}
        return TMR(
            **parts,
            loss_weights=weights,
            temperature=0.1,
            threshold_selfsim=0.8,
            sample_latents=False,
        )

    @pytest.fixture
    def batch(self) -> Batch:
        torch.manual_seed(1)
        return batch_of(sequences([9, 4, 6], 10), sequences([5, 2, 3], 7), torch.randn(3, 12))

    def test_only_terms_with_a_weight_are_computed_and_every_weight_learns(self, model, batch):
        losses = model.train()(batch).losses
        assert set(losses) == {"contrastive", "loss"}
        assert torch.equal(losses["contrastive"], losses["loss"])
        losses["loss"].backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name

    def test_latents_are_means_in_training_too(self, batch) -> None:
        torch.manual_seed(0)
        sizes = SIZES | {"dropout": 0.0}
        model = TEMOS(
            **modules(10, 7, sizes),
            loss_weights={"recons": 1.0, "kl": 0, "latent": 1.0},
            sample_latents=False,
        )
        losses = model.train()(batch).losses
        for name, value in model.eval()(batch).losses.items():
            torch.testing.assert_close(losses[name], value)

    def test_it_cannot_decode(self, model) -> None:
        with pytest.raises(InputError, match="no motion decoder"):
            model.decode(torch.randn(1, 16), (4,))

    def test_a_decoder_goes_with_reconstruction(self) -> None:
        weights = {"recons": 1.0, "kl": 0, "latent": 0}
        parts = modules(10, 7, SIZES)
        without: dict[str, Any] = {**parts, "motion_decoder": None}
        with pytest.raises(InputError, match="recons is 1 without a motion_decoder"):
            TEMOS(**without, loss_weights=weights)
        with pytest.raises(InputError, match="recons is 0, with a motion_decoder"):
            TEMOS(**parts, loss_weights={"recons": 0, "kl": 1.0, "latent": 1.0})

    def test_something_must_be_learned(self) -> None:
        with pytest.raises(InputError, match="every weight of loss_weights is 0"):
            TEMOS(**modules(10, 7, SIZES), loss_weights={"recons": 0, "kl": 0, "latent": 0})
