"""Blender add-on: search the motions of a running page, and bring one in as an action.

Install it with Edit > Preferences > Add-ons > Install from Disk; the panel is in the sidebar (N) of
the 3D view, tab "Motion search". Start the page with `python app.py`, or `python app.py
library=my_takes`.
"""

import base64
import json
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from pathlib import Path

import bpy

bl_info = {
    "name": "Motion search",
    "description": "Search motions by a sentence, and bring them in as actions",
    "author": "the TMR project",
    "version": (1, 0, 0),
    "blender": (4, 2, 0),
    "location": "View3D > Sidebar > Motion search",
    "category": "Animation",
}

TIMEOUT = 60  # seconds
FORWARD = {"Y": "-Z", "Z": "Y", "X": "Z"}  # of Blender's import, by the axis that is up


def fetch(address: str, path: str, login: str = "", **query: object) -> tuple[bytes, Message]:
    """The answer of the page to a call of its API, with its headers.

    Raises:
        OSError: the page does not answer, or refuses; the text is the page's sentence.
    """
    wanted = urllib.parse.urlencode({key: value for key, value in query.items() if value != ""})
    request = urllib.request.Request(f"{address.rstrip('/')}/api/{path}?{wanted}")
    if urllib.parse.urlsplit(request.full_url).scheme not in ("http", "https"):
        raise OSError(f"{address} is no address of a page, such as http://127.0.0.1:7860")
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        try:
            reason = json.load(error)["error"]
        except (ValueError, KeyError, TypeError):
            reason = str(error)
        raise OSError(reason) from None
    except urllib.error.URLError as error:
        raise OSError(f"no page answers at {address}: {error.reason}") from None


def search(address: str, text: str, count: int, library: str = "", login: str = "") -> list[dict]:
    """The motions of a library that fit a sentence, best first; takes and parts of them."""
    content, _ = fetch(address, "search", login, q=text, k=count, library=library)
    return json.loads(content)["results"]


def bring_in(
    context: bpy.types.Context, address: str, motion: dict, login: str = ""
) -> bpy.types.Object:
    """A new armature with a motion as its action, both named after the take.

    The page tells how large a unit of the file is and which axis is up: a person stands upright,
    and is as tall as people are.
    """
    path = "motions/" + urllib.parse.quote(f"{motion['id']}.bvh")
    content, headers = fetch(address, path, login, start=motion["start"], end=motion["end"])
    name, up = headers.get_filename() or "motion.bvh", headers["x-up-axis"].upper()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, Path(name).name)
        file.write_bytes(content)
        before = {*context.scene.objects}
        bpy.ops.import_anim.bvh(
            filepath=str(file), global_scale=float(headers["x-meters-per-unit"]),
            axis_up=up, axis_forward=FORWARD[up[-1]], update_scene_fps=False,
            update_scene_duration=True, use_fps_scale=True,
        )  # fmt: skip
    armature = next(thing for thing in context.scene.objects if thing not in before)
    armature.name = Path(name).stem
    armature.animation_data.action.name = Path(name).stem
    return armature


def put_on(target: bpy.types.Object, source: bpy.types.Object) -> bool:
    """Give an armature the action of another, where its bones have the same names."""
    ours = {bone.name for bone in source.data.bones}
    if not ours & {bone.name for bone in target.data.bones}:
        return False
    action = source.animation_data.action
    data = target.animation_data or target.animation_data_create()
    data.action = action
    if hasattr(data, "action_slot") and action.slots:  # Blender 4.4 and later
        data.action_slot = action.slots[0]
    bpy.data.objects.remove(source, do_unlink=True)
    return True


class FoundMotion(bpy.types.PropertyGroup):
    """A line of the list of results."""

    record: bpy.props.StringProperty()
    label: bpy.props.StringProperty()


class Settings(bpy.types.PropertyGroup):
    """What the panel shows."""

    address: bpy.props.StringProperty(name="Page", default="http://127.0.0.1:7860")
    login: bpy.props.StringProperty(
        name="Login", description="user:password, where the page asks for it", subtype="PASSWORD"
    )
    text: bpy.props.StringProperty(name="Motion", description="a sentence, such as: sits down")
    library: bpy.props.StringProperty(
        name="Library", description="as on the page; empty: the one that it was opened with"
    )
    count: bpy.props.IntProperty(name="Results", default=12, min=1, max=100)
    on_selected: bpy.props.BoolProperty(
        name="On the selected armature", description="where its bones have the same names"
    )
    results: bpy.props.CollectionProperty(type=FoundMotion)
    chosen: bpy.props.IntProperty()


class TMR_OT_search(bpy.types.Operator):
    """Search the motions of the page."""

    bl_idname = "tmr.search"
    bl_label = "Search"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill the list of results."""
        settings = context.scene.tmr_search
        try:
            found = search(
                settings.address, settings.text, settings.count, settings.library, settings.login
            )
        except OSError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        settings.results.clear()
        for motion in found:
            line = settings.results.add()
            line.record = json.dumps(motion)
            part = f"{motion['start']:.1f} to {motion['end']:.1f} s"
            line.label = f"{motion['score']:.2f}  {motion['caption'] or motion['file']}  {part}"
        settings.chosen = 0
        return {"FINISHED"}


class TMR_OT_bring_in(bpy.types.Operator):
    """Bring the chosen motion in as an action."""

    bl_idname = "tmr.bring_in"
    bl_label = "Bring in"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  as Blender has it

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make an armature, or give the selected one the action."""
        settings = context.scene.tmr_search
        if not 0 <= settings.chosen < len(settings.results):
            self.report({"ERROR"}, "search first, and choose a result")
            return {"CANCELLED"}
        target = context.active_object if settings.on_selected else None
        motion = json.loads(settings.results[settings.chosen].record)
        try:
            armature = bring_in(context, settings.address, motion, settings.login)
        except (OSError, RuntimeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if target is not None and target.type == "ARMATURE":
            if put_on(target, armature):
                target.select_set(True)
                context.view_layer.objects.active = target
            else:
                self.report({"WARNING"}, "the bones have other names: a new armature was made")
        return {"FINISHED"}


class TMR_UL_results(bpy.types.UIList):
    """The list of results."""

    def draw_item(
        self, context, layout, data, item, icon, active_data, active_property, index=0
    ) -> None:
        """One line; Blender counts the arguments."""
        layout.label(text=item.label)


class TMR_PT_panel(bpy.types.Panel):
    """The panel in the sidebar."""

    bl_label = "Motion search"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Motion search"

    def draw(self, context: bpy.types.Context) -> None:
        """The sentence, the results, and what to do with them."""
        settings = context.scene.tmr_search
        for name in ("address", "login", "library", "text", "count"):
            self.layout.prop(settings, name)
        self.layout.operator(TMR_OT_search.bl_idname)
        self.layout.template_list(
            "TMR_UL_results", "", settings, "results", settings, "chosen", rows=6
        )
        self.layout.prop(settings, "on_selected")
        self.layout.operator(TMR_OT_bring_in.bl_idname)


CLASSES = (FoundMotion, Settings, TMR_OT_search, TMR_OT_bring_in, TMR_UL_results, TMR_PT_panel)


def register() -> None:
    """Called by Blender when the add-on is switched on."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.tmr_search = bpy.props.PointerProperty(type=Settings)


def unregister() -> None:
    """Called by Blender when the add-on is switched off."""
    del bpy.types.Scene.tmr_search
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)


if __name__ == "__main__":
    register()
