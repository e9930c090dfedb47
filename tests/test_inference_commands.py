"""The inference commands as people type them, after the quickstart."""

import json

import numpy as np
import pytest

import tmr
from tests.workspace import Workspace

RUN = "outputs/quickstart"
MOTION = "datasets/motions/joints/synthetic/00000.npy"
SENTENCE = 'a person walks, then it\'s (almost) [over]: 100% "done"'


@pytest.fixture(scope="module")
def workspace(quickstart: tuple[Workspace, str]) -> Workspace:
    return quickstart[0]


@pytest.fixture(scope="module")
def model(workspace: Workspace) -> "tmr.Model":
    return tmr.load(workspace.folder / RUN)


def test_a_sentence_with_every_sign_is_encoded(workspace: Workspace, model: "tmr.Model") -> None:
    typed = SENTENCE.replace('"', '\\"')
    printed = workspace.succeed(f'python encode_text.py run_dir={RUN} text="{typed}" device=cpu')
    (path,) = (workspace.folder / RUN / "latents" / "texts").glob("*.npy")
    assert f"wrote {path.relative_to(workspace.folder)}" in printed
    expected = model.encode_texts([SENTENCE])[0].numpy()
    assert np.load(path) == pytest.approx(expected, abs=1e-5)


def test_a_motion_is_encoded_from_its_joints(workspace: Workspace, model: "tmr.Model") -> None:
    out = f"{RUN}/motion.npy"
    workspace.succeed(f"python encode_motion.py run_dir={RUN} npy={MOTION} output={out} device=cpu")
    expected = model.encode_motions([np.load(workspace.folder / MOTION)])[0].numpy()
    assert np.load(workspace.folder / out) == pytest.approx(expected, abs=1e-5)


def test_a_text_and_a_motion_have_a_score(workspace: Workspace, model: "tmr.Model") -> None:
    printed = workspace.succeed(
        f"python text_motion_sim.py run_dir={RUN} text='a bow, deep' npy={MOTION} device=cpu"
    )
    score = model.score(["a bow, deep"], [np.load(workspace.folder / MOTION)])
    assert f"between the text and the motion is: {float(score):.3f}\n" in printed


def test_a_split_is_encoded_with_its_index(workspace: Workspace) -> None:
    workspace.succeed(f"python encode_dataset.py run_dir={RUN} data=synthetic split=val device=cpu")
    folder = workspace.folder / RUN / "latents"
    split = workspace.folder / "datasets/annotations/synthetic/splits/val.txt"
    keys = json.loads((folder / "synthetic_val_keyids_index.json").read_text())
    assert set(keys) == set(split.read_text().split())
    assert len(np.load(folder / "synthetic_val_unit.npy")) == len(keys)


def test_bad_input_is_refused_in_one_line(workspace: Workspace) -> None:
    refusal = workspace.refuse(f"python encode_motion.py run_dir={RUN} npy=nowhere.npy")
    assert refusal.startswith("no motion file nowhere.npy; give npy=FILE")
