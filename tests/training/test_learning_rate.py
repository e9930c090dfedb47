"""The learning rate over a run, and in a resumed one."""

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


class Rates(pl.Callback):
    """What the optimizer went by in each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


def trained(
    lr: float, epochs: int, resume_from: Path | None = None, decay: float = 0.0
) -> tuple[pl.Trainer, list[float]]:
    rates = Rates()
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False,
        callbacks=[LearningRate(lr, decay), rates], enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    loader = DataLoader(TensorDataset(torch.ones(2, 1)))
    trainer.fit(Line(lr), loader, ckpt_path=resume_from, weights_only=True)
    return trainer, rates.seen


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec")
def test_a_resumed_run_takes_the_learning_rate_it_is_given(tmp_path: Path) -> None:
    trained(1e-3, epochs=1)[0].save_checkpoint(tmp_path / "last.ckpt")
    resumed, rates = trained(1e-4, epochs=2, resume_from=tmp_path / "last.ckpt")
    assert resumed.global_step == 4
    assert rates == [1e-4, 1e-4]


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec")
def test_the_learning_rate_falls_to_zero_at_the_end(tmp_path: Path) -> None:
    _, rates = trained(1.0, epochs=5, decay=0.4)
    assert rates == pytest.approx([1, 1, 1, 1, 1, 1, 1, 3 / 4, 2 / 4, 1 / 4])
    trained(1.0, epochs=4, decay=0.4)[0].save_checkpoint(tmp_path / "last.ckpt")
    _, resumed = trained(1.0, epochs=5, resume_from=tmp_path / "last.ckpt", decay=0.4)
    assert resumed == pytest.approx(rates[8:])
