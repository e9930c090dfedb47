"""The results view: the part of the page that shows what was found, and the values it takes.

A value is plain JSON: ``kind`` ("cards", "map" or "moments"), ``heading``, ``note``, and ``items``,
the motions. An item has no field "path": Gradio's clients would download what it names. The
JavaScript is in ``static/``.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import gradio as gr

from tmr.motion.skeleton import FPS, JOINTS, PARENTS
from tmr.motion.skeleton_maps import PROFILES
from tmr.search.entry import Entry

STATIC_URL = "/viewer"
MOTIONS_URL = "/motions"
Value = dict[str, Any]

_MOUNT = f"""
const more = (id) => trigger('more', {{ id }});
const ask = (query) => trigger('ask', query);
const manage = (given) => trigger('manage', given);
const retry = (given) => trigger('retry', given);
const ready = () => trigger('ready', {{}});
import('{STATIC_URL}/results_view.js')
  .then((view) => view.mount({{ element, props, watch, more, ask, manage, retry, ready }}));
"""
# Fetched beside Gradio's own files, not after them.
MODULES = (
    "results_view.js",
    "alerts.js",
    "clip.js",
    "libraries.js",
    "map.js",
    "preview.js",
    "scene.js",
    "trim.js",
    "vendor/OrbitControls.js",
    "vendor/three.module.min.js",
    "vendor/three.core.min.js",
)
HEAD = "".join(f'<link rel="modulepreload" href="{STATIC_URL}/{name}">' for name in MODULES)


def side_of(joint: str) -> str:
    """Which limb color a joint has: left, right or trunk."""
    side = joint.partition("_")[0]
    return side if side in ("left", "right") else "trunk"


SKELETON = {
    "joints": JOINTS,
    "parents": PARENTS,
    "sides": [side_of(name) for name in JOINTS],
    "fps": FPS,
    "profiles": list(PROFILES),
}


def results_view(value: Value) -> gr.HTML:
    """The Gradio component, and what it shows first.

    Its event ``more`` carries the ``id`` of a motion, ``ask`` the ``q`` or ``like`` and the
    ``library`` of the page's address, ``manage`` the ``action`` on a ``library``, ``retry`` the
    ``files`` of one and what is given about them, or ``all``; ``ready`` comes once the value is
    drawn.
    """
    return gr.HTML(
        value,
        html_template="",
        js_on_load=_MOUNT,
        apply_default_css=False,
        elem_id="results-view",
        skeleton=SKELETON,
    )


def place_of_view(elem_id: str) -> gr.HTML:
    """A place in a tab that the results view fills, which is told once it is on the page."""
    return gr.HTML(
        "<div class=of-view></div>",
        js_on_load="document.dispatchEvent(new Event('placed'))",
        apply_default_css=False,
        elem_id=elem_id,
        padding=False,
    )


def cards(heading: str, note: str, items: Sequence[Value]) -> Value:
    """Motions as cards."""
    return {"kind": "cards", "heading": heading, "note": note, "items": list(items)}


def card(library: str, entry: Entry, score: float | None = None) -> Value:
    """A motion of a library as the results view takes it; a moment of one with where it is."""
    moment = entry.window > 0
    length = entry.take.frames / entry.take.fps if moment else entry.seconds
    return {
        **_motion(f"{library}/{entry.key}", entry.key, score),
        "captions": list(entry.captions),
        "tags": [],
        "file": entry.file,
        "seconds": round(length, 3),
        "start": 0.0 if moment else float(entry.start),
        "moment": [round(float(entry.start), 3), round(float(entry.end), 3)] if moment else None,
        "fps": float(entry.take.fps),
        "badge": "",
    }


def upload_card(motion_id: str, name: str, frames: int) -> Value:
    """An uploaded motion as the results view takes it."""
    return {
        **_motion(motion_id, name, None),
        "captions": [],
        "tags": [],
        "moment": None,
        "file": name,
        "seconds": round(frames / FPS, 3),
        "start": 0.0,
        "fps": float(FPS),
        "badge": "your file",
    }


def _motion(motion_id: str, key: str, score: float | None) -> Value:
    return {
        "id": motion_id,
        "key": key,
        "url": f"{MOTIONS_URL}/{quote(motion_id)}",
        "score": None if score is None else round(score, 4),
    }
