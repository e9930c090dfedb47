"""The Blender add-on and the exported files in Blender itself, without a window."""

import importlib.util
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from tests.workspace import ROOT

bpy = pytest.importorskip("bpy", reason="no Blender: pip install bpy", exc_type=ImportError)


@pytest.fixture(scope="module")
def addon() -> ModuleType:
    path = ROOT / "extras/blender/tmr_search.py"
    spec = importlib.util.spec_from_file_location("tmr_search", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    module.register()
    return module


def heads(armature, frame: int) -> dict:
    """The places of all bones' heads in the world."""
    bpy.context.scene.frame_set(frame)
    world = armature.matrix_world
    return {bone.name: world @ bone.head for bone in armature.pose.bones}


def check_person(armature) -> None:
    """Blender has Z up; a person who faces forward has the left side at larger X."""
    places = heads(armature, 1)
    height = max(p.z for p in places.values()) - min(p.z for p in places.values())
    assert 1.2 < height < 2.1
    assert places["head"].z > places["pelvis"].z > places["left_ankle"].z
    assert places["left_hip"].x > places["right_hip"].x


def test_a_result_becomes_an_action_of_a_person(addon: ModuleType, address: str):
    settings = bpy.context.scene.tmr_search
    settings.address, settings.text, settings.count = address, "a person walks", 3
    assert bpy.ops.tmr.search() == {"FINISHED"}
    assert len(settings.results) == 3
    settings.chosen = 1
    assert bpy.ops.tmr.bring_in() == {"FINISHED"}
    armature = bpy.context.scene.objects[-1]
    found = httpx.get(f"{address}/api/search?q=a person walks&k=3", timeout=60).json()["results"]
    assert armature.name == found[1]["id"].partition("/")[2]
    assert armature.animation_data.action.name == armature.name
    check_person(armature)
    start, end = armature.animation_data.action.frame_range
    seconds = (end - start) / (bpy.context.scene.render.fps / bpy.context.scene.render.fps_base)
    assert seconds == pytest.approx(found[1]["end"] - found[1]["start"], abs=0.15)


def test_the_action_goes_onto_an_armature_with_these_bones(addon: ModuleType, address: str):
    settings = bpy.context.scene.tmr_search
    settings.address, settings.text, settings.count = address, "a person jumps", 2
    assert bpy.ops.tmr.search() == {"FINISHED"}
    settings.chosen = 0
    assert bpy.ops.tmr.bring_in() == {"FINISHED"}
    target = bpy.context.active_object
    before, count = target.animation_data.action, len(bpy.context.scene.objects)
    settings.chosen, settings.on_selected = 1, True
    assert bpy.ops.tmr.bring_in() == {"FINISHED"}
    assert len(bpy.context.scene.objects) == count
    assert target.animation_data.action != before
    settings.on_selected = False


def test_a_page_that_does_not_answer_is_said(addon: ModuleType):
    with pytest.raises(OSError, match="no page answers at"):
        addon.search("http://127.0.0.1:1", "walk", 3)
    with pytest.raises(OSError, match="no address of a page"):
        addon.search("file:///etc", "walk", 3)


def test_a_glb_file_is_a_person_in_meters(addon: ModuleType, address: str, tmp_path: Path):
    found = httpx.get(f"{address}/api/search?q=walk&k=1", timeout=60).json()["results"][0]
    file = tmp_path / "walk.glb"
    file.write_bytes(httpx.get(f"{address}/api/motions/{found['id']}.glb", timeout=60).content)
    before = {*bpy.context.scene.objects}
    bpy.ops.import_scene.gltf(filepath=str(file))
    new = [thing for thing in bpy.context.scene.objects if thing not in before]
    check_person(next(thing for thing in new if thing.type == "ARMATURE"))
