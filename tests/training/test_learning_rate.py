"""The learning rate over a run, and in a resumed one."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from tests.processes import CONTEXT
from tests.training.toy import error_of, train

STEPS = 5  # of an epoch


class Rates(pl.Callback):
    """What the optimizer went by in each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


def rates_of(folder: Path, run_dir: Path, epochs: int, options: dict[str, Any]) -> list[float]:
    rates = Rates()
    limits = {"max_epochs": epochs, "limit_val_batches": 0}
    train(folder, run_dir, limits | {"callbacks": [rates]}, checkpoint_minutes=10, **options)
    return rates.seen


def test_it_is_constant_or_falls_to_zero_at_the_end_by_the_options_of_each_run(
    data: Path, tmp_path: Path
) -> None:
    """A resumed run goes by what it is given, not by what the checkpoint brings."""
    runs = [
        (tmp_path / "a", 1, {"lr": 1e-3}),
        (tmp_path / "a", 2, {"lr": 1e-4}),
        (tmp_path / "a", 4, {"lr": 1e-3, "decay": 0.25}),
    ]
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        constant, other, falling = (pool.submit(rates_of, data, *run).result() for run in runs)
    assert constant == [1e-3] * STEPS
    assert other == [1e-4] * STEPS
    assert falling == pytest.approx([1e-3] * STEPS + [1e-3, 8e-4, 6e-4, 4e-4, 2e-4])


@pytest.mark.parametrize("decay", [-0.1, 1.5])
def test_a_decay_that_is_no_share_is_refused(data: Path, tmp_path: Path, decay: float) -> None:
    assert f"decay={decay} is no share" in error_of(data, tmp_path, decay=decay)
