"""Two processes train as one does."""

from pathlib import Path

import pytest

from tests.processes import together
from tests.training.toy import SIZES, Still, checkpoint, finished, train


def member(rank: int, world: int, folder: Path, run_dir: Path) -> dict[str, float]:
    """One of several processes that train together, in a group that exists already."""
    import os

    os.environ |= {"WORLD_SIZE": str(world), "RANK": str(rank), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "TORCHELASTIC_RUN_ID": "0"}
    trainer = {"strategy": "ddp", "devices": world}
    return train(folder, run_dir, trainer, kind=Still, checkpoint_minutes=10)


def test_two_processes_reach_the_weights_and_figures_of_one(data, tmp_path):
    """Batches of 8 are shared out as 4 and 4, partial ones too; dropout and sampling are off."""
    finished(data, tmp_path / "one", kind=Still, checkpoint_minutes=10)
    results = together(2, member, data, tmp_path / "two")
    one, two = (checkpoint(tmp_path / name) for name in ("one", "two"))
    assert one["global_step"] == two["global_step"] == 15
    for name, weight in one["state_dict"].items():
        difference = (two["state_dict"][name] - weight).abs()
        if name.endswith("self_attn.in_proj_bias"):
            # A bias of keys moves all of a query's scores alike, so its gradient is zero but for
            # rounding, which Adam blows up.
            difference[SIZES["latent_dim"] : 2 * SIZES["latent_dim"]] = 0
        assert difference.max() < 2e-5, name
    (log,) = [state for name, state in one["callbacks"].items() if "EpochLog" in name]
    alone = log["rows"][-1]
    for found in results:
        figures = {name: value for name, value in alone.items() if "/" in name}
        assert {name: found[name] for name in figures} == pytest.approx(figures, rel=1e-4)
