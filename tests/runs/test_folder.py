"""A run folder writes what it reads, and says what is wrong with one that cannot be read."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from tests.workspace import ROOT
from tmr.data import Normalizer, TextMotionData
from tmr.data.normalizer import STATISTICS
from tmr.errors import InputError
from tmr.runs.default import default_run
from tmr.runs.folder import RunDir, git_revision

CONFIG = {
    "data": {"_target_": "tmr.data.TextMotionData", "name": "bandai"},
    "language_model": {"_target_": "tmr.text.TextModel", "token_dim": 384},
    "model": {
        "_target_": "tmr.model.TMR",
        "motion_encoder": {"_target_": "tmr.model.ActorEncoder"},
    },
    "seed": 1234,
}
NORMALIZER = Normalizer(torch.randn(263), torch.rand(263))


def test_what_is_created_is_read_back(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "new" / "run")
    run.create(CONFIG, NORMALIZER)
    assert run.read_config() == CONFIG
    assert torch.equal(Normalizer.load(run.stats).mean, NORMALIZER.mean)
    names = {str(p.relative_to(run.root)) for p in run.root.rglob("*") if p.is_file()}
    assert names == {"config.json", "environment.json", f"stats/{STATISTICS}"}


def test_a_run_of_before_names_its_language_model_text(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.create({"text" if k == "language_model" else k: v for k, v in CONFIG.items()}, NORMALIZER)
    assert run.read_config() == CONFIG


def test_the_environment_tells_versions_and_date(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.create(CONFIG, NORMALIZER)
    environment = json.loads(run.environment.read_text())
    assert environment["packages"]["torch"] == torch.__version__
    assert set(environment) == {"date", "git", "python", "platform", "packages"}
    assert environment["date"].endswith("+00:00")


def test_the_git_revision_is_the_commit_and_marks_changes(tmp_path: Path) -> None:
    assert git_revision(tmp_path) is None
    git = ["git", "-c", "user.name=n", "-c", "user.email=e"]

    def call(*command: str) -> str:
        done = subprocess.run([*git, *command], cwd=tmp_path, capture_output=True, check=True)
        return done.stdout.decode().strip()

    call("init", "-q")
    (tmp_path / "file").write_text("1")
    call("add", "file")
    call("commit", "-q", "-m", "one")
    call("tag", "v1")
    commit = call("rev-parse", "HEAD")
    assert git_revision(tmp_path) == commit
    (tmp_path / "file").write_text("2")
    assert git_revision(tmp_path) == f"{commit}-dirty"


def test_statistics_in_the_folder_come_before_those_of_the_data_set(tmp_path: Path) -> None:
    data = TextMotionData("d", str(tmp_path), str(tmp_path), str(tmp_path / "data_stats"))
    Normalizer(torch.zeros(263), torch.ones(263)).save(Path(data.stats))
    run = RunDir(tmp_path / "run")
    assert torch.equal(run.normalizer(data).mean, torch.zeros(263))
    NORMALIZER.save(run.stats)
    assert torch.equal(run.normalizer(data).mean, NORMALIZER.mean)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no config\.json in .*train\.py"),
        ("{", r"config\.json is not JSON"),
        ("[1]", r"no JSON object"),
        ("{}", r"no data, language_model, model; is this the config"),
        (json.dumps(CONFIG | {"extra": [{"_target_": "os.system"}]}), r"'os\.system'.*no class"),
        (json.dumps({"model": {"_target_": "src.model.TMR"}}), r"without the key 'data'"),
    ],
)
def test_an_unreadable_config_is_explained(tmp_path: Path, content: str, message: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=message):
        RunDir(tmp_path).read_config()


def test_a_missing_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run folder at .*nowhere; give run_dir="):
        RunDir(tmp_path / "nowhere").read_config()


def test_published_weights_find_their_statistics_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    published = TextMotionData("kitml", "a", "m", "stats/kitml/guoh3dfeats")
    run = RunDir(tmp_path / "run")
    found = run.normalizer(published)
    assert torch.equal(found.std, Normalizer.load(ROOT / "stats/kitml/guoh3dfeats").std)
    NORMALIZER.save(tmp_path / published.stats)
    assert torch.equal(run.normalizer(published).std, NORMALIZER.std)
    assert default_run().root == ROOT / "models/open"
