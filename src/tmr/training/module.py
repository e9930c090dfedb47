"""The Lightning module around a model: steps, logging, optimiser."""

import pytorch_lightning as pl
import torch

from tmr.data import Batch
from tmr.model import TEMOS
from tmr.retrieval import Encoded, both_ways, cosine_similarity
from tmr.retrieval.encoding import join
from tmr.retrieval.metrics import RECALLS


class Training(pl.LightningModule):
    """Trains a TEMOS or TMR with AdamW and follows its retrieval figures on validation data.

    Logs ``train/TERM`` and ``val/TERM`` for every loss term, ``val/t2m/R01`` and so on for the
    whole validation split, and ``val/recall``, the mean of R@1, 2, 3, 5 and 10 both ways.
    """

    def __init__(self, model: TEMOS, lr: float, seed: int) -> None:
        super().__init__()
        self.model = model
        self.lr = lr
        self.seed = seed
        self.encoded: list[Encoded] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW at a constant learning rate; fused, it takes a sixth of the time."""
        return torch.optim.AdamW(self.model.parameters(), lr=self.lr, fused=True)

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """The batch on ``device``, copied while the last step still computes."""
        return batch.to(device, non_blocking=True)

    def on_train_epoch_start(self) -> None:
        """Choose this epoch's random numbers by seed and epoch: a resumed run draws the same."""
        torch.manual_seed(self.seed + self.current_epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Loss of a batch."""
        step = self.model(batch.motion, batch.text, batch.sentences)
        self._log_terms("train", step.losses, len(batch))
        return step.losses["loss"]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses of a batch, and its latents for the figures over the whole split."""
        step = self.model(batch.motion, batch.text, batch.sentences)
        self._log_terms("val", step.losses, len(batch))
        text, motion = step.text.float().cpu(), step.motion.float().cpu()
        self.encoded.append(
            Encoded(batch.keys, batch.captions, text, motion, batch.sentences.cpu())
        )

    def on_validation_epoch_end(self) -> None:
        """Retrieval figures of the whole validation split."""
        encoded = join(self.encoded)
        self.encoded.clear()
        figures = both_ways(cosine_similarity(encoded.text, encoded.motion), tie_safe=True)
        recalls = [figures[f"{way}/R{k:02d}"] for way in ("t2m", "m2t") for k in RECALLS]
        shown = {f"val/{name}": value for name, value in figures.items() if "len" not in name}
        self.log_dict(shown | {"val/recall": sum(recalls) / len(recalls)})

    def _log_terms(self, stage: str, terms: dict[str, torch.Tensor], batch_size: int) -> None:
        self.log_dict(
            {f"{stage}/{name}": value.detach() for name, value in terms.items()},
            on_step=False,
            on_epoch=True,
            batch_size=batch_size,
        )
