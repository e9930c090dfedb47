"""TMR in plain torch, as most code has it: what the benchmark of training compares with.

``nn.TransformerEncoder`` and ``nn.TransformerDecoder`` over padded batches in float32, one decoder
call for the text's latents and one for the motion's. It takes the weights of ``tmr.model.TMR``.

    python -m benchmarks.plain data=bandai model=tmr language_model=minilm \
        trainer.precision=32-true run_dir=outputs/plain

trains so, with the options of train.py, from the same first weights and on the same batches as
that; curves.py draws both.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tmr.commands.cli import run
from tmr.data import Batch
from tmr.model import SINGLE_PROCESS, TMR, ActorEncoder, ProcessGroup, Step
from tmr.model.transformer import EncoderLayer
from tmr.runs.build import CLASSES
from tmr.sequences import Packed


@dataclass(frozen=True)
class Padded:
    """Sequences padded with zeros to the longest; ``mask`` is True on real frames."""

    x: Tensor
    mask: Tensor

    def to(self, device: str, non_blocking: bool = False) -> "Padded":
        """The same sequences on ``device``."""
        x, mask = (part.to(device, non_blocking=non_blocking) for part in (self.x, self.mask))
        return replace(self, x=x, mask=mask)

    def pin_memory(self) -> "Padded":
        """The same sequences in page-locked memory."""
        return Padded(self.x.pin_memory(), self.mask.pin_memory())


def pad(sequences: Packed) -> Padded:
    """Sequences as most code has them."""
    x = torch.nn.utils.rnn.pad_sequence(list(sequences.unpack()), batch_first=True)
    lengths = torch.tensor(sequences.lengths)[:, None]
    return Padded(x, (torch.arange(x.shape[1]) < lengths).to(x.device))


class PlainEncoder(nn.Module):
    """ACTOR's encoder: mu and logvar come out where two learned tokens went in."""

    def __init__(self, nfeats: int, dim: int, ff: int, layers: int, heads: int, p: float) -> None:
        super().__init__()
        self.projection = nn.Linear(nfeats, dim)
        self.tokens = nn.Parameter(torch.randn(2, dim))
        layer = nn.TransformerEncoderLayer(dim, heads, ff, p, "gelu", batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.dropout = nn.Dropout(p)

    def forward(self, sequence: Padded) -> tuple[Tensor, Tensor]:
        """Means and log variances."""
        batch = len(sequence.x)
        x = torch.cat([self.tokens.expand(batch, -1, -1), self.projection(sequence.x)], dim=1)
        mask = torch.cat([sequence.mask.new_ones(batch, 2), sequence.mask], dim=1)
        x = self.dropout(x + positions(x.shape[1], x.shape[2]).to(x))
        x = self.transformer(x, src_key_padding_mask=~mask)
        return x[:, 0], x[:, 1]


class PlainDecoder(nn.Module):
    """ACTOR's decoder: positions are the queries, the latent is the one memory item."""

    def __init__(self, nfeats: int, dim: int, ff: int, layers: int, heads: int, p: float) -> None:
        super().__init__()
        layer = nn.TransformerDecoderLayer(dim, heads, ff, p, "gelu", batch_first=True)
        self.transformer = nn.TransformerDecoder(layer, layers)
        self.final_layer = nn.Linear(dim, nfeats)
        self.dropout = nn.Dropout(p)

    def forward(self, latent: Tensor, mask: Tensor) -> Tensor:
        """Motions as long as the mask says; zero on padding."""
        queries = positions(mask.shape[1], latent.shape[1]).to(latent)
        x = self.dropout(queries.expand(len(latent), -1, -1))
        x = self.transformer(x, latent[:, None], tgt_key_padding_mask=~mask)
        return self.final_layer(x) * mask[..., None]


class PlainTMR(nn.Module):
    """The three transformers and the losses of TMR (weights of the paper)."""

    def __init__(self, motion: int, text: int, sizes: tuple[int, int, int, int, float]) -> None:
        super().__init__()
        self.motion_encoder = PlainEncoder(motion, *sizes)
        self.text_encoder = PlainEncoder(text, *sizes)
        self.motion_decoder = PlainDecoder(motion, *sizes)

    def take(self, model: TMR) -> None:
        """Load the weights of ``model``."""
        self.load_state_dict({plain_name(n): value for n, value in model.state_dict().items()})

    def forward(
        self, motion: Padded, text: Padded, sentences: Tensor, generator: Generator | None = None
    ) -> Tensor:
        """The loss of a batch, with sampled latents."""
        return self.step(motion, text, sentences, generator).losses["loss"]

    def step(
        self, motion: Padded, text: Padded, sentences: Tensor, generator: Generator | None = None
    ) -> Step:
        """Loss, terms and means of a batch."""
        text_mu, text_logvar = self.text_encoder(text)
        motion_mu, motion_logvar = self.motion_encoder(motion)
        of_text = sample(text_mu, text_logvar, generator)
        of_motion = sample(motion_mu, motion_logvar, generator)
        recons = F.smooth_l1_loss(self.motion_decoder(of_text, motion.mask), motion.x)
        recons = recons + F.smooth_l1_loss(self.motion_decoder(of_motion, motion.mask), motion.x)
        zero = torch.zeros_like(text_mu)
        kl = (
            divergence(text_mu, text_logvar, motion_mu, motion_logvar)
            + divergence(motion_mu, motion_logvar, text_mu, text_logvar)
            + divergence(motion_mu, motion_logvar, zero, zero)
            + divergence(text_mu, text_logvar, zero, zero)
        )
        latent = F.smooth_l1_loss(of_text, of_motion)
        logits = F.normalize(of_text, dim=1) @ F.normalize(of_motion, dim=1).T / 0.1
        captions = F.normalize(sentences, dim=1)
        close = (captions @ captions.T + 1) / 2 > 0.8
        logits = logits.masked_fill(close.fill_diagonal_(False), -torch.inf)
        rows = torch.arange(len(logits), device=logits.device)
        contrastive = (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2
        losses = {"recons": recons, "kl": kl, "latent": latent, "contrastive": contrastive}
        losses["loss"] = recons + 1e-5 * kl + 1e-5 * latent + 0.1 * contrastive
        return Step(losses, motion_mu, text_mu)


def plain_name(name: str) -> str:
    """What a weight of ``TMR`` is called in a ``PlainTMR``."""
    return name.replace(".layers.", ".transformer.layers.")


class Trained(TMR):
    """A TMR whose step in training is that of a ``PlainTMR`` with its weights: for `train.py`."""

    def __init__(self, motion_encoder: ActorEncoder, **options: Any) -> None:
        super().__init__(motion_encoder, **options)
        first = motion_encoder.layers[0]
        assert isinstance(first, EncoderLayer) and isinstance(self.text_encoder, ActorEncoder)
        projection, words = motion_encoder.projection, self.text_encoder.projection
        assert isinstance(projection, nn.Linear) and isinstance(words, nn.Linear)
        sizes = (
            projection.out_features,
            first.linear1.out_features,
            len(motion_encoder.layers),
            first.self_attn.num_heads,
            motion_encoder.dropout,
        )
        plain = PlainTMR(projection.in_features, words.in_features, sizes).train()
        for name, weight in self.named_parameters():
            place, _, leaf = plain_name(name).rpartition(".")
            setattr(plain.get_submodule(place), leaf, weight)
        self.plain = [plain]  # in a list torch does not see it: the weights count once

    def forward(
        self,
        batch: Batch,
        generator: Generator | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> Step:
        """As plain torch in training; evaluation is the model's own."""
        if self.training:
            motion, text = pad(batch.motion), pad(batch.text)
            return self.plain[0].step(motion, text, batch.sentences, generator)
        return super().forward(batch, generator, group)


def positions(time: int, dim: int) -> Tensor:
    """Sinusoidal encodings: sines in even columns, cosines in odd ones."""
    angles = torch.arange(time)[:, None] * torch.exp(
        -math.log(10000) / dim * torch.arange(0, dim, 2)
    )
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def sample(mu: Tensor, logvar: Tensor, generator: Generator | None) -> Tensor:
    """A draw from a Gaussian."""
    noise = torch.empty_like(mu).normal_(generator=generator)
    return mu + torch.exp(0.5 * logvar) * noise


def divergence(mu_q: Tensor, logvar_q: Tensor, mu_p: Tensor, logvar_p: Tensor) -> Tensor:
    """KL(q | p), mean over entries, by torch's own distributions."""
    q = torch.distributions.Normal(mu_q, torch.exp(0.5 * logvar_q))
    p = torch.distributions.Normal(mu_p, torch.exp(0.5 * logvar_p))
    return torch.distributions.kl_divergence(q, p).mean()


if __name__ == "__main__":
    CLASSES["model"]["tmr.model.TMR"] = Trained
    run(str(Path(__file__).resolve().parent.parent / "train.py"))
