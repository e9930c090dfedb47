"""The learning rate of a resumed run."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from tmr.training.learning_rate import LearningRate


class Line(pl.LightningModule):
    """A straight line, fitted to nothing in particular."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.linear = torch.nn.Linear(1, 1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.linear(batch[0]).square().mean()


def trained(lr: float, epochs: int, resume_from: Path | None = None) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, callbacks=[LearningRate()],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    loader = DataLoader(TensorDataset(torch.ones(2, 1)))
    trainer.fit(Line(lr), loader, ckpt_path=resume_from, weights_only=True)
    return trainer


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec")
def test_a_resumed_run_takes_the_learning_rate_it_is_given(tmp_path: Path) -> None:
    trained(1e-3, epochs=1).save_checkpoint(tmp_path / "last.ckpt")
    resumed = trained(1e-4, epochs=2, resume_from=tmp_path / "last.ckpt")
    assert resumed.global_step == 4
    assert [group["lr"] for group in resumed.optimizers[0].param_groups] == [1e-4]
