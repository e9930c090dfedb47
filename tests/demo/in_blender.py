"""What a person does with the add-on and the exported files, in a Python that has Blender.

`python in_blender.py ADD_ON ADDRESS LIBRARY GLB...` prints what Blender makes of each as JSON.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

import bpy  # pyright: ignore[reportMissingImports]


def load(path: str):
    """The add-on, switched on in an empty scene."""
    sys.path.insert(0, str(Path(path).parent))
    addon = importlib.import_module(Path(path).stem)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    return addon


def ends(armature, frame: int) -> dict:
    """The places of all bones' heads and tails in the world, by name."""
    bpy.context.scene.frame_set(frame)
    world = armature.matrix_world
    found = {bone.name: world @ bone.head for bone in armature.pose.bones}
    tails = {f"{bone.name}.tail": world @ bone.tail for bone in armature.pose.bones}
    return {name: tuple(place) for name, place in (found | tails).items()}


def person(armature) -> dict:
    """How tall a person is and where everything is in the first frame, and how long it lasts."""
    action = armature.animation_data.action
    start, end = action.frame_range
    render = bpy.context.scene.render
    places = ends(armature, round(start))
    body = ("head", "foot", "toe", "ankle")  # a rig may have a root far away
    heights = [z for name, (_, _, z) in places.items() if any(b in name.lower() for b in body)]
    return {
        "name": armature.name, "action": action.name, "places": places,
        "height": max(heights) - min(heights),
        "seconds": (end - start) * render.fps_base / render.fps,
    }  # fmt: skip


def found(text: str, chosen: int, on_selected: bool = False) -> dict:
    """Search as the panel does and bring a result in."""
    settings = bpy.context.scene.tmr_search
    settings.text, settings.count, settings.on_selected = text, 3, on_selected
    searched = bpy.ops.tmr.search()
    settings.chosen = chosen
    brought = bpy.ops.tmr.bring_in()
    record = json.loads(settings.results[chosen].record)
    armature = bpy.context.active_object
    return person(armature) | {
        "ok": (searched, brought) == ({"FINISHED"}, {"FINISHED"}),
        "record": record,
        "objects": len(bpy.context.scene.objects),
    }


def refused(call, *arguments) -> str:
    """What a call says that cannot be."""
    try:
        call(*arguments)
    except OSError as error:
        return str(error)
    return ""


def imported(path: str) -> dict:
    """The person in a GLB file."""
    before = {*bpy.context.scene.objects}
    bpy.ops.import_scene.gltf(filepath=path)
    new = [thing for thing in bpy.context.scene.objects if thing not in before]
    return person(next(thing for thing in new if thing.type == "ARMATURE"))


def main() -> None:
    """Do it all once: starting Blender takes longest."""
    path, address, library, *files = sys.argv[1:]
    addon = load(path)
    settings = bpy.context.scene.tmr_search
    settings.address, settings.library = address, library
    report = {
        "new": [found("a person walks", place) for place in range(3)],
        "selected": found("a person jumps", 0, on_selected=True),
        "glb": [imported(file) for file in files],
        "no_page": refused(addon.search, "http://127.0.0.1:1", "walk", 3),
        "no_address": refused(addon.search, "file:///etc", "walk", 3),
    }
    addon.unregister()
    print("REPORT " + json.dumps(report, default=list), flush=True)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)  # Blender as a module now and then hangs where Python tears it down
