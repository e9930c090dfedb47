"""Options of Lightning's Trainer: open to users, but for those that must be ours."""

import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import CSVLogger

from tests.processes import CONTEXT
from tests.training.toy import train
from tmr.errors import InputError
from tmr.training import epoch_log
from tmr.training.epoch_log import ProgressLog
from tmr.training.trainer import OWNED, precision_of, trainer_of

CPU = {"accelerator": "cpu", "devices": 1, "max_epochs": 1}


def test_a_precision_by_name_stays():
    assert precision_of({"precision": "16-mixed"}) == "16-mixed"
    assert precision_of({}) is None


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2": True, "amx_bf16": False, "avx512_bf16": False}, "32-true"),
        ({"avx2": True, "amx_bf16": True, "avx512_bf16": True}, "bf16-mixed"),
    ],
)
def test_a_cpu_trains_in_bfloat16_only_with_units_for_it(monkeypatch, flags, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    assert precision_of({"accelerator": "cpu", "precision": "auto"}) == expected


def test_callbacks_and_loggers_are_objects_or_classes_of_lightning_by_name(tmp_path: Path) -> None:
    mine = EarlyStopping("val/loss")
    named = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": "val/recall"}
    logger = {"_target_": "pytorch_lightning.loggers.CSVLogger", "name": "more"}
    ours = ProgressLog()
    options = CPU | {"callbacks": [mine, named], "profiler": "simple", "gradient_clip_val": 1.0}
    trainer: Any = trainer_of(options, tmp_path, [ours], logger)
    stopping = [c for c in trainer.callbacks if isinstance(c, EarlyStopping)]
    assert stopping[0] is mine
    assert stopping[1].monitor == "val/recall"
    assert ours in trainer.callbacks
    assert trainer.gradient_clip_val == 1.0
    assert type(trainer.profiler).__name__ == "SimpleProfiler"
    (made,) = trainer.loggers
    assert isinstance(made, CSVLogger)
    assert made.log_dir == f"{tmp_path}/logs/more/version_0"
    own = CSVLogger(str(tmp_path))
    assert trainer_of(CPU | {"logger": own}, tmp_path, [], logger).loggers == [own]
    assert trainer_of(CPU | {"logger": False}, tmp_path, [], None).loggers == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({name: None}, rf"trainer\.{name} is not open") for name in OWNED),
        ({"max_epoch": 3}, r"trainer\.max_epoch: .* did you mean max_epochs\?"),
        ({"precision": "33"}, "options of trainer: .*33"),
        ({"callbacks": {"_target_": "os.system"}}, "expected _target_=pytorch_lightning.callbacks"),
        ({"callbacks": ["x"]}, "expected _target_=pytorch_lightning.callbacks.CLASS .* found x"),
        (
            {"logger": {"_target_": "pytorch_lightning.loggers.os"}},
            "expected _target_=pytorch_lightning.loggers.CLASS",
        ),
        (
            {"callbacks": {"_target_": "pytorch_lightning.callbacks.EarlyStopping", "x": 1}},
            "options of trainer: .*x",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        trainer_of(CPU | options, tmp_path, [], None)
    assert "\n" not in str(refused.value)


def train_with_progress(folder: Path, run_dir: Path) -> None:
    epoch_log.PROGRESS_SECONDS = 0
    train(folder, run_dir, {"max_epochs": 1, "limit_val_batches": 0})


def test_without_a_terminal_progress_is_logged(data: Path, tmp_path: Path) -> None:
    """Every half minute; here after every step."""
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        pool.submit(train_with_progress, data, tmp_path).result()
    found = re.findall(
        r"INFO epoch 1/1: batch (\d) of 5, loss \d\.\d{4}$",
        (tmp_path / "train.log").read_text(),
        re.MULTILINE,
    )
    assert found == ["1", "2", "3", "4"]
