"""The side-aware recipe: it resumes exactly, and trains on two processes."""

import torch

from tests.processes import together
from tests.training.toy import checkpoint, finished, same, train
from tmr.model import TextContrastiveTMR

AUGMENTATION = {
    "speed": 0.18, "crop": 0.8, "gain": 0.1, "offset": 0.25, "noise": 0.1, "drop": 0.15,
    "drop_turn": 0.05,
}  # fmt: skip
RECIPE = {"kind": TextContrastiveTMR, "ema": 0.9}  # the side-aware one, with text_contrastive


def member(rank: int, world: int, folder, run_dir) -> dict[str, float]:
    """One of several processes that train together."""
    import os

    os.environ |= {"WORLD_SIZE": str(world), "RANK": str(rank), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29512", "TORCHELASTIC_RUN_ID": "0"}
    trainer = {"strategy": "ddp", "devices": world, "max_epochs": 1}
    return train(folder, run_dir, trainer, checkpoint_minutes=10, **RECIPE)


def test_stopped_in_mid_epoch_it_ends_with_the_same_weights_and_averages(data, tmp_path):
    options = RECIPE | {"augmentation": AUGMENTATION}
    whole = {"trainer": {"max_epochs": 2}}
    finished(data, tmp_path / "whole", **options, **whole)
    finished(data, tmp_path / "cut", **options, trainer={"max_epochs": 2, "max_steps": 7})
    finished(data, tmp_path / "cut", **options, **whole)
    ours, theirs = (checkpoint(tmp_path / name) for name in ("cut", "whole"))
    assert same(ours["state_dict"], theirs["state_dict"])
    assert same(ours["current_model_state"], theirs["current_model_state"])
    assert not same(ours["state_dict"], ours["current_model_state"])
    learnt = ours["current_model_state"]["model.temperature.log_scale"]
    assert not torch.isclose(learnt, torch.tensor(10.0).log(), atol=1e-5)


def test_two_processes_train_as_one(data, tmp_path):
    """Without augmentation, whose random numbers each process draws for itself."""
    finished(data, tmp_path / "one", trainer={"max_epochs": 1}, checkpoint_minutes=10, **RECIPE)
    results = together(2, member, data, tmp_path / "two")
    one, two = (checkpoint(tmp_path / name)["state_dict"] for name in ("one", "two"))
    for name in ("model.side_head.linear.weight", "model.temperature.log_scale"):
        torch.testing.assert_close(two[name], one[name], atol=1e-5, rtol=0)
    for term in ("val/side", "val/text_contrastive"):
        assert all(found[term] == results[0][term] for found in results)
