import json
import logging
import shutil
from pathlib import Path

import pytest

from tests.workspace import Workspace
from tmr.commands.retrieval import protocols_of, splits_for
from tmr.data import TextMotionData
from tmr.errors import InputError
from tmr.retrieval import PROTOCOLS


@pytest.fixture
def data(tmp_path) -> TextMotionData:
    """A data set with a test split and none of dissimilar captions."""
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "test.txt").write_text("a\n")
    return TextMotionData("some", str(tmp_path), "", "")


def test_protocols_are_all_or_those_that_are_named():
    assert protocols_of(None) == PROTOCOLS
    assert protocols_of(["guo"]) == {"guo": PROTOCOLS["guo"]}


def test_a_protocol_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(InputError, match="no protocol 'batches'; there are normal, threshold_0"):
        protocols_of(["normal", "batches"])


def test_nsim_is_left_out_where_its_split_is_missing_or_another_one_is_evaluated(data, caplog):
    with caplog.at_level(logging.WARNING):
        assert splits_for(PROTOCOLS, "test", data) == {"test": "test"}
    assert "no split nsim_test" in caplog.text
    (Path(data.annotations) / "splits" / "nsim_test.txt").write_text("a\n")
    assert splits_for(PROTOCOLS, "test", data) == {"test": "test", "nsim_test": "nsim_test"}
    assert splits_for(PROTOCOLS, "val", data) == {"test": "val"}


def test_protocols_without_any_split_are_refused(data):
    with pytest.raises(InputError, match="'some' has no split for nsim with split=test"):
        splits_for({"nsim": PROTOCOLS["nsim"]}, "test", data)


def test_another_split_has_its_own_folders_and_only_what_was_asked_for(quickstart, tmp_path):
    workspace: Workspace = quickstart[0]
    run = tmp_path / "copy"
    shutil.copytree(workspace.folder / "outputs" / "quickstart", run)
    printed = workspace.succeed(
        f"python retrieval.py run_dir={run} split=train protocols=[caption,guo]"
    )
    assert "\ncaption " in printed
    assert "\nnormal " not in printed
    names = {path.name for path in (run / "contrastive_metrics" / "train").iterdir()}
    assert names == {"caption.yaml", "guo.yaml", "sides.yaml"}
    report = json.loads((run / "retrieval_report" / "train" / "metrics.json").read_text())
    assert report["split"] == "train"
    assert report["protocols"].keys() == {"caption", "guo"}
    pictures = {path.stem for path in (run / "retrieval_report").glob("*.png")}
    assert pictures == {"recall_curve", "rank_histogram", "worst_queries", "similarity_nsim"}
