"""A small library that the page is opened on, and the handlers on it."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.workspace import ROOT, Workspace, call
from tmr.commands import cli
from tmr.data import TextMotionData
from tmr.demo import Handlers, open_session
from tmr.localization import Scoring, WindowPlan
from tmr.motion.preprocessing import compute_features
from tmr.runs.folder import RunDir
from tmr.runs.weights import extract

RUN = Path("outputs/quickstart")
SIZE = "size.motions=215 size.test=20 size.val=10"  # few motions show every action
KEPT = {"train": 16, "val": 4, "test": 12}  # keys of each split that stay, and their mirror images
SMALLER = (
    "model.motion_encoder.num_layers=1",
    "model.motion_encoder.ff_size=64",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "lr=1e-3",
)


def thin_out(datasets: Path) -> None:
    """Leave a few keys of each split."""
    folder = datasets / "annotations" / "synthetic"
    kept = set()
    for split, count in KEPT.items():
        file = folder / "splits" / f"{split}.txt"
        keys = [key for key in file.read_text().split() if not key.startswith("M")]
        keys = keys[:: len(keys) // count][:count]
        keys += [f"M{key}" for key in keys]
        file.write_text("\n".join(keys))
        kept |= {*keys}
    entries = json.loads((folder / "annotations.json").read_text())
    kept_entries = {key: entry for key, entry in entries.items() if key in kept}
    (folder / "annotations.json").write_text(json.dumps(kept_entries))
    for motion in (datasets / "motions" / "joints" / "synthetic").glob("*.npy"):
        if motion.stem not in kept:
            motion.unlink()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace as `make quickstart` leaves it, with few motions and one short epoch.

    Most steps are called here: started as commands, they would spend their time on imports.
    """
    workspace = Workspace(tmp_path_factory.mktemp("page"))
    workspace.succeed(f"python -m prepare.synthesize {SIZE} processes=1")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace.folder)
        thin_out(Path("datasets"))
        compute_features("datasets/motions/joints", "datasets/motions/guoh3dfeats", processes=1)
        call("text_embeddings", "data=synthetic", "language_model=minilm", "device=cpu")
        call("motion_stats", "data=synthetic")
        call("train", "experiment=quickstart", *SMALLER)
        extract(RunDir(RUN))
    return workspace


@pytest.fixture(scope="session")
def handlers(small: Workspace) -> Handlers:
    """The handlers that `python app.py` puts on the page, on the same files."""
    folder = small.folder / "datasets"
    data = TextMotionData(
        "synthetic",
        str(folder / "annotations/synthetic"),
        str(folder / "motions/guoh3dfeats"),
        "",
    )
    config = cli.compose(ROOT / "configs", "app")
    session = open_session(small.folder / RUN, data, "cpu")
    return Handlers(session, WindowPlan(**config["windows"]), Scoring(**config["scoring"]))


@contextmanager
def served(small: Workspace, *options: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """The address of `python app.py` on the small library, on a free port, and its process."""
    path = f"{small.folder / '.venv' / 'bin'}:{os.environ['PATH']}"
    with subprocess.Popen(
        ["python", "app.py", f"run_dir={RUN}", "port=0", *options], cwd=small.folder,
        env=os.environ | {"PATH": path}, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            line = next((line for line in server.stdout if "is open at" in line), "")
            found = re.search(r"http://\S+", line)
            assert found, "the page did not open"
            yield found[0].replace("0.0.0.0", "127.0.0.1"), server
        finally:
            server.kill()  # Popen would wait for it


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """The page on the small library, which ``handlers`` has encoded.

    TMR_PAGE names one that is open already; no library is made then.
    """
    if "TMR_PAGE" in os.environ:
        yield os.environ["TMR_PAGE"]
        return
    request.getfixturevalue("handlers")
    with served(request.getfixturevalue("small")) as (address, _):
        yield address
