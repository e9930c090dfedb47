"""The Blender add-on and the exported files in Blender itself, without a window.

TMR_BLENDER names a Python that has Blender, of an environment of its own, for Blender holds numpy
back: `python3.11 -m venv blender; blender/bin/pip install "bpy==4.5.*"`.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client

from tests.workspace import ROOT

PYTHON = os.environ.get("TMR_BLENDER", "")
# Takes in centimeters with Y up, and in a decimeter and in inches with Z up: their left hands.
RECORDED = {
    "maya_character1_walk": "Character1_LeftHand",
    "makehuman_walk1": "Hand_L",
    "pn_like_pybvh_example": "LeftHand",
}
pytestmark = pytest.mark.skipif(not PYTHON, reason="no Blender: name its Python in TMR_BLENDER")


def in_blender(address: str, library: str = "", *files: Path) -> dict:
    """What the script saw in Blender."""
    script, addon = ROOT / "tests/demo/in_blender.py", ROOT / "extras/blender/tmr_search.py"
    done = subprocess.run(
        [PYTHON, script, addon, address, library, *files],
        env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "REPORT " in done.stdout, done.stderr
    return json.loads(done.stdout.partition("REPORT ")[2].splitlines()[0])


@pytest.fixture(scope="module")
def seen(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict:
    query = {"q": "walk", "k": 1, "min_seconds": 3}
    api = f"{address}/api"
    (motion,) = httpx.get(f"{api}/search", params=query, timeout=120).json()["results"]
    part = {"start": motion["start"] + 1, "end": motion["start"] + 2.5}
    file = tmp_path_factory.mktemp("glb") / "part.glb"
    file.write_bytes(
        httpx.get(f"{api}/motions/{motion['id']}.glb", params=part, timeout=120).content
    )
    return in_blender(address, "", file) | {"cut": motion["id"].partition("/")[2]}


@pytest.fixture(scope="module")
def recorded(address: str, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The same on real takes that have a rig, a unit and an up axis of their own."""
    takes = tmp_path_factory.mktemp("takes") / "recorded"
    takes.mkdir()
    for name in RECORDED:
        shutil.copy2(shared / f"data/real_bvh/{name}.bvh", takes)
    page = Client(address, verbose=False, ssl_verify=False)
    page.predict(str(takes), "as stated", 0, api_name="/import_folder")
    try:
        return in_blender(address, takes.name)
    finally:
        page.predict(takes.name, api_name="/remove_library")


def check_person(person: dict, hand: str, foot: str) -> None:
    """A person is upright in Blender, where Z is up, and the left hand is at the left."""
    places = person["places"]
    assert 1.5 < person["height"] < 2.1
    assert places[hand][2] > places[foot][2] + 0.4
    other = hand.replace("Left", "Right").replace("left", "right").replace("_L", "_R")
    toes = np.subtract(places[f"{foot}.tail"], places[foot])[:2]
    aside = np.subtract(places[hand], places[other])[:2]
    assert toes[0] * aside[1] - toes[1] * aside[0] > 0.1 * np.linalg.norm(toes)


def test_a_result_becomes_an_action_of_a_person(seen: dict):
    for new in seen["new"]:
        assert new["ok"]
        assert new["name"] == new["action"] == new["record"]["id"].partition("/")[2]
        check_person(new, "left_wrist", "left_ankle")
        seconds = new["record"]["end"] - new["record"]["start"]
        assert new["seconds"] == pytest.approx(seconds, abs=0.06)


def test_recorded_takes_are_as_tall_as_people(recorded: dict):
    assert {new["name"] for new in recorded["new"]} == {*RECORDED}
    for new in recorded["new"]:
        hand = RECORDED[new["name"]]
        check_person(new, hand, hand.replace("Hand", "Foot"))
        seconds = new["record"]["end"] - new["record"]["start"]
        assert new["seconds"] == pytest.approx(seconds, abs=0.06)


def test_the_action_goes_onto_the_selected_armature(seen: dict):
    last, selected = seen["new"][-1], seen["selected"]
    assert selected["ok"]
    assert selected["objects"] == last["objects"]
    assert selected["name"] == last["name"]
    assert selected["action"].startswith(selected["record"]["id"].partition("/")[2])


def test_a_glb_file_is_a_person_in_meters(seen: dict):
    (glb,) = seen["glb"]
    check_person(glb, "left_wrist", "left_ankle")
    assert glb["seconds"] == pytest.approx(1.45, abs=0.06)
    assert glb["name"] == glb["action"]
    assert glb["name"].startswith(f"{seen['cut']}_")


def test_a_page_that_does_not_answer_is_said(seen: dict):
    assert "no page answers at" in seen["no_page"]
    assert "no address of a page" in seen["no_address"]
