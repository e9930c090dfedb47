"""The page: Gradio components around the results view, and the named endpoints of its handlers."""

import logging
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from tmr.demo.export import FORMATS, Part, export
from tmr.demo.handlers import (
    ALL,
    ALL_LIBRARIES,
    EVERYTHING,
    MAX_RESULTS,
    MAX_SECONDS,
    MAX_SENTENCES,
    SHOWN,
    Handlers,
    Limits,
)
from tmr.demo.libraries import rate_shown
from tmr.demo.results_view import Value, place_of_view, results_view
from tmr.demo.security import check_room
from tmr.demo.tags import FAVORITE
from tmr.demo.uploads import SUFFIXES, upload_folder
from tmr.demo.validation import choice, message, motion_id, number, text_of, whole_number
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.skeleton_maps import PROFILES
from tmr.progress import wanted_until
from tmr.search.query import check_sentence

log = logging.getLogger(__name__)

EXAMPLES = (
    "a person waves with the left hand",
    "someone walks in a circle",
    "jumping forward twice",
    "a person kicks with the right leg, then bows",
    '"a person walks" + 0.5 "arms raised" - "turning"',
)
STATED = "as stated"  # what a file says itself, or what its joints show
UP_AXES = (STATED, "y", "z")
MAX_FPS = 1000
SECONDS_BETWEEN = 0.3  # two messages of progress
MAX_WAITING = 64  # events in Gradio's queue
SWEEP_SECONDS, KEEP_SECONDS = 300, 3600  # how often old files are deleted, and how old they are
HIGH = 80  # pixels of a place for a file
# Puts the id of the motion in the viewer in place of the first input.
IN_VIEWER = "(_, ...rest) => [document.querySelector('.results-view').dataset.motion, ...rest]"
# Puts what is shown results of, a sentence or the id of a motion, in place of the first two inputs.
ASKED = """(q, like, ...limits) =>
    [...document.querySelector('.results-view').parentElement.resultsView.asked(), ...limits]"""
# And another library is searched in all its splits.
ASKED_ANEW = f"(...given) => {{ given[3] = '{EVERYTHING}'; return ({ASKED})(...given); }}"


def shown(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler with an InputError as a message on the page; what is shown there stays.

    Anything else that goes wrong is logged, and the page says so.
    """

    @wraps(handler)  # Gradio reads from the signature who wants events and progress
    def with_message(*args: Any) -> Any:
        try:
            with _for_its_client():
                return handler(*args)
        except InputError as error:
            reason = message(error)
        except Exception:
            log.exception("%s failed", getattr(handler, "__name__", "a handler"))
            reason = "something went wrong here; the window of the server says more"
        raise gr.Error(reason, duration=None, print_exception=False)

    return with_message


def _for_its_client() -> AbstractContextManager[None]:
    """What an event of Gradio's queue does stops once its client has gone away.

    Other requests are watched by the guard before the server.
    """
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    event = blocks._queue.event_ids_to_events.get(event_id) if blocks and event_id else None
    return wanted_until(lambda: not event.alive) if event else nullcontext()


class Page:
    """Builds the page for a session's handlers; ``importing`` offers the import of folders."""

    def __init__(self, handlers: Handlers, importing: bool) -> None:
        self.handlers = handlers
        self.importing = importing

    def build(self) -> gr.Blocks:
        """The page, ready to be mounted."""
        main = self.handlers.session.main
        with gr.Blocks(
            title="Motion search",
            analytics_enabled=False,
            fill_width=True,
            delete_cache=(SWEEP_SECONDS, KEEP_SECONDS),
        ) as page:
            gr.HTML(
                "<h1>Motion search</h1><p>describe a movement, watch what fits</p>",
                elem_id="head",
                apply_default_css=False,
            )
            with gr.Tabs():
                with gr.Tab("Search"):
                    text, go, examples = self._search_tab()
                with gr.Tab("Combine"):
                    sentences, weights, mix = self._combine_tab()
                with gr.Tab("By example"):
                    file = self._file_tab()
                with gr.Tab("Moments"):
                    motion, long_file, what, look = self._moment_tab()
                with gr.Tab("Library"):
                    imports, color, draw = self._library_tab()
            self.limits = self._limits_row(main.name, self.handlers.session.splits(main.name))
            self.results_view = results_view(self.handlers.browse(Limits(main.name)))

            limits = self.limits
            library = limits[0]
            chosen = examples.click(_first, examples, text, api_visibility="private")
            private = {"api_visibility": "private", "preprocess": False}
            ready = self.results_view.ready(shown(self.handlers.warm_up), api_visibility="private")
            # Nobody waits for these, and a sign of waiting would cover the list of sets.
            quiet = {"outputs": [examples, limits[1]], "show_progress": "hidden", **private}
            ready.then(shown(self._of_library), library, queue=False, **quiet)
            library.change(shown(self._of_library), library, queue=False, **quiet)
            self._on(text.submit, self._search, [text, *limits], "search", queue=False)
            # A limit applies as soon as it is chosen, or typed and entered.
            split, count, shortest, longest, name, tag, show = limits[1:]
            again = [text, motion, *limits]
            self._on(library.input, self._again, again, queue=False, js=ASKED_ANEW)
            for some in (
                split.input,
                show.input,
                *(field.submit for field in (count, shortest, longest, name, tag)),
            ):
                self._on(some, self._again, again, queue=False, js=ASKED)
            self._on(go.click, self._search, [text, *limits], queue=False)
            self._on(chosen.then, self._search, [text, *limits], queue=False)
            mixed = [*sentences, *weights, *limits]
            self._on(mix.click, self._combine, mixed, "combine", queue=False)
            self._on(file.upload, self._search_by_file, [file, *limits], "search_by_file")
            moments = [motion, long_file, what]
            self._on(look.click, self._moments, moments, "find_moments", js=IN_VIEWER)
            self._on(what.submit, self._moments, moments, js=IN_VIEWER)
            self._on(self.results_view.more, self._more, limits, queue=False)
            self.results_view.ask(
                shown(self._ask), limits, [self.results_view, text, library],
                queue=False, **private,
            )  # fmt: skip
            self.results_view.manage(
                shown(self._manage), None, [self.results_view, library], queue=False, **private
            )
            self._on(draw.click, self._latent_map, [library, color], "latent_map")
            self._on(color.submit, self._latent_map, [library, color])
            if self.importing:
                self._import_events(imports, library)
            self._plain_endpoints()
        page.queue(max_size=MAX_WAITING, api_open=False)  # nobody goes past the queue
        # As after a launch of its own: a request can then name no file but those uploaded.
        page.has_launched = True
        return page

    def _search_tab(self) -> tuple[gr.Textbox, gr.Button, gr.Dataset]:
        with gr.Row(elem_classes="line"):
            text = gr.Textbox(
                show_label=False, container=False, scale=8, autofocus=True, elem_id="text",
                label="sentence", max_lines=1, placeholder="a person walks forward, then sits down",
            )  # fmt: skip
            go = gr.Button("Search", variant="primary", scale=1, min_width=110)
        examples = gr.Dataset(
            components=[text], samples=[[example] for example in EXAMPLES],
            show_label=False, elem_id="examples",
        )  # fmt: skip
        return text, go, examples

    def _combine_tab(self) -> tuple[list[gr.Textbox], list[gr.Slider], gr.Button]:
        start = (("a person walks", 1.0), ("angry", 0.5), ("turning around", -0.5))
        sentences, weights = [], []
        with gr.Row():
            for place, (sentence, weight) in enumerate(start, start=1):
                with gr.Column(min_width=220):
                    sentences.append(gr.Textbox(sentence, label=f"Sentence {place}"))
                    weights.append(
                        gr.Slider(-1, 1, weight, step=0.25, label="how much (below 0: avoid it)")
                    )
        with gr.Row(elem_classes="line"):
            mix = gr.Button("Search this combination", variant="primary", scale=0)
        return sentences, weights, mix

    def _file_tab(self) -> gr.File:
        label = f"A motion file ({', '.join(SUFFIXES)}); motions like it are found"
        return gr.File(label=label, file_types=list(SUFFIXES), height=HIGH)

    def _moment_tab(self) -> tuple[gr.Textbox, gr.File, gr.Textbox, gr.Button]:
        motion = gr.Textbox(visible=False, label="motion")
        with gr.Row(elem_classes="line"):
            what = gr.Textbox(
                label="Where does this happen?", placeholder="a person kicks", scale=5
            )
            label = "in this file, or else in the selected motion"
            file = gr.File(
                label=label, file_types=list(SUFFIXES), height=HIGH, scale=4, min_width=300,
                elem_id="moments-file",
            )  # fmt: skip
            look = gr.Button("Find", variant="primary", scale=1, min_width=110)
        place_of_view("moments-motion")
        return motion, file, what, look

    def _library_tab(self) -> tuple["_Imports", gr.Textbox, gr.Button]:
        with gr.Row(elem_classes="line", visible=self.importing):
            folder = gr.Textbox(
                label="Folder of motion files on this computer", placeholder="/home/me/mocap",
                scale=6,
            )  # fmt: skip
            up = gr.Dropdown(UP_AXES, value=UP_AXES[0], label="Up axis", scale=1, min_width=130)
            fps = gr.Number(
                0, minimum=0, maximum=MAX_FPS, label="Frames/s (0: as stated)", scale=1,
                min_width=190,
            )  # fmt: skip
            add = gr.Button("Import", variant="primary", scale=1, min_width=100)
            stop = gr.Button("Stop", scale=0, min_width=80)
        # Progress is shown here: what was found stays in sight, and can be used.
        status = gr.HTML("", elem_id="import-status", apply_default_css=False)
        place_of_view("libraries")
        with gr.Row(elem_classes="line"):
            color = gr.Textbox(
                label="Color the map of the chosen library by a sentence (empty: by groups)",
                scale=8,
            )
            draw = gr.Button("Show the map", scale=1, min_width=110)
        return _Imports(folder, up, fps, add, stop, status), color, draw

    def _import_events(self, imports: "_Imports", library: gr.Dropdown) -> None:
        shared = {
            "outputs": [self.results_view, library], "preprocess": False,
            "concurrency_id": "import", "concurrency_limit": 1,
            "show_progress_on": imports.status,
        }  # fmt: skip
        private: dict[str, Any] = {"api_visibility": "private"}
        given = [imports.folder, imports.up, imports.fps]
        imports.add.click(shown(self._import), given, api_name="import_folder", **shared)
        imports.folder.submit(shown(self._import), given, **shared, **private)
        self.results_view.retry(shown(self._retry), None, **shared, **private)
        imports.stop.click(shown(self._stop), None, None, api_visibility="private", queue=False)

    def _limits_row(self, library: str, splits: Sequence[str]) -> list[Any]:
        with gr.Row(elem_id="limits"):
            return [
                gr.Dropdown(self._names(), value=library, label="library", min_width=150),
                self._splits(splits),
                gr.Number(
                    MAX_RESULTS,
                    minimum=1,
                    maximum=MAX_RESULTS,
                    precision=0,
                    label="results",
                    min_width=120,
                ),
                gr.Number(0, minimum=0, step=0.5, label="minimum length (s)", min_width=150),
                gr.Number(
                    MAX_SECONDS, minimum=0, maximum=MAX_SECONDS, label="maximum length (s)",
                    min_width=150,
                ),
                gr.Textbox(
                    "", label="name or folder", placeholder="walks/", max_lines=1, min_width=150
                ),
                gr.Textbox("", label="tag", placeholder=FAVORITE, max_lines=1, min_width=120),
                gr.Dropdown(list(SHOWN), value=ALL, label="find", min_width=150),
            ]  # fmt: skip

    def _on(
        self,
        event: Callable[..., Any],
        handler: Callable[..., Value],
        inputs: Sequence[Any],
        api_name: str | None = None,
        js: str | None = None,
        queue: bool = True,
    ) -> None:
        """Show on the results view what the handler returns, and name it for programs.

        Without Gradio's queue where the page answers at once: the queue takes longer than that.
        """
        event(
            shown(handler),
            inputs,
            self.results_view,
            api_name=api_name,
            api_visibility="public" if api_name else "private",
            js=js,
            queue=queue,
            preprocess=False,
        )

    def _limits(self, *values: Any) -> Limits:
        return Limits.checked(self.handlers.session, *values)

    def _browse(self, *limits: Any) -> Value:
        return self.handlers.browse(self._limits(*limits))

    def _again(self, text: Any, like: Any, *limits: Any) -> Value:
        """What is shown, once a limit has changed: of a sentence, or of the motion ``like``."""
        if like:
            return self._more_like_this(like, *limits)
        return self._search(text, *limits) if text else self._browse(*limits)

    def _of_library(self, library: Any) -> tuple[gr.Dataset, gr.Dropdown]:
        """Examples that work, and the splits: of a folder, sentences that its motions fit."""
        sentences: Sequence[str] = EXAMPLES
        splits: Sequence[str] = ()
        session = self.handlers.session
        if library in session.libraries:
            splits = session.splits(library)
            if not session.library(library).captions.texts:
                sentences = self.handlers.examples(library)
        samples = [[sentence] for sentence in sentences]
        return gr.Dataset(samples=samples), self._splits(splits)

    @staticmethod
    def _splits(splits: Sequence[str]) -> gr.Dropdown:
        """The list of a library's splits, where it has any."""
        return gr.Dropdown(
            [EVERYTHING, *splits], value=EVERYTHING, label="set", min_width=150,
            visible=bool(splits),
        )  # fmt: skip

    def _retry(
        self,
        event: gr.EventData,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Value, Any]:
        """Read files of a library once more: all, or some with what is given about them."""
        name = self._known(getattr(event, "library", None))
        if getattr(event, "all", False) is True:
            return self.handlers.refresh(name, _reporting(progress)), gr.Dropdown(value=name)
        files = getattr(event, "files", None)
        if not isinstance(files, list) or not files:
            raise InputError("choose the files that are to be tried again")
        given = _overrides(*(getattr(event, field, None) for field in ("up", "fps", "skeleton")))
        value = self.handlers.retry(
            name, [text_of(file, "file") for file in files], given, _reporting(progress)
        )
        return value, gr.Dropdown(value=name)

    def _manage(self, event: gr.EventData) -> tuple[Value, Any]:
        """Show a library, remove it, or have it encoded again."""
        actions = {"show": self._known, "remove": self._remove, "renew": self._renew}
        action = choice(getattr(event, "action", None), "action", list(actions))
        if action != "show" and not self.importing:
            raise InputError("libraries can be changed on the computer of the page alone")
        name = actions[action](getattr(event, "library", None))
        return self.handlers.contents(name), gr.Dropdown(choices=self._names(), value=name)

    def _known(self, library: Any) -> str:
        return choice(library, "library", list(self.handlers.session.libraries))

    def _search(self, text: Any, *limits: Any) -> Value:
        return self.handlers.search(check_sentence(text), self._limits(*limits))

    def _combine(self, *values: Any) -> Value:
        sentences, weights, limits = values[:3], values[3:6], values[6:]
        return self.handlers.combine(sentences, weights, self._limits(*limits))

    def _search_by_file(self, file: Any, *limits: Any) -> Value:
        checked = self._limits(*limits)
        return self.handlers.more_like_this(self.handlers.session.receive(file), checked)

    def _moments(self, motion: Any, file: Any, text: Any) -> Value:
        sentence = check_sentence(text)
        if file:
            return self.handlers.find_moments(self.handlers.session.receive(file), sentence)
        return self.handlers.find_moments(motion_id(motion), sentence)

    def _more(self, event: gr.EventData, *limits: Any) -> Value:
        motion = motion_id(getattr(event, "id", None))
        return self.handlers.more_like_this(motion, self._limits(*limits))

    def _ask(self, event: gr.EventData, *limits: Any) -> tuple[Value, str, str]:
        """The search that the page's address holds."""
        query, like, library = (getattr(event, name, "") for name in ("q", "like", "library"))
        known = [*self.handlers.session.libraries, ALL_LIBRARIES]
        chosen = [library, EVERYTHING] if library in known else limits[:2]
        return self._again(query, like, *chosen, *limits[2:]), query, chosen[0]

    def _latent_map(self, library: Any, text: Any) -> Value:
        limits = self._limits(library)
        return self.handlers.latent_map(limits.library, check_sentence(text) if text else "")

    def _names(self) -> list[str]:
        """The choices of the list of libraries."""
        names = list(self.handlers.session.libraries)
        return [*names, ALL_LIBRARIES] if len(names) > 1 else names

    def _import(
        self,
        folder: Any,
        up: Any = UP_AXES[0],
        fps: Any = 0,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Value, Any]:
        overrides = _overrides(up, fps)
        path = text_of(folder, "folder")
        given = overrides if overrides != Overrides() else None
        name, value = self.handlers.import_folder(path, _reporting(progress), given)
        return value, gr.Dropdown(choices=self._names(), value=name)

    def _refresh_library(self, library: Any) -> Value:
        return self.handlers.refresh(self._known(library), lambda *_: None)

    def _remove_library(self, library: Any) -> Value:
        return self.handlers.contents(self._remove(library))

    def _remove(self, library: Any) -> str:
        """Forget a library; the name of the one to show then."""
        known = self.handlers.session.libraries
        known.remove(choice(library, "library", [*known, *known.outdated]))
        return known.main.name

    def _renew(self, library: Any) -> str:
        """Have a library of another model encoded again; the name of the one to show meanwhile."""
        known = self.handlers.session.libraries
        known.renew(choice(library, "library", list(known.outdated)))
        return known.main.name

    def _stop(self) -> None:
        self.handlers.session.libraries.stopping.set()

    def _plain_endpoints(self) -> None:
        """Handlers for programs alone: on the page they have no form of their own."""
        motion = gr.Textbox(visible=False, label="motion")
        kind = gr.Textbox(visible=False, label="format")
        top = gr.Number(8, visible=False, label="how many")
        file = gr.File(visible=False)
        found = gr.JSON(visible=False)
        for trigger, handler, inputs, output in (
            (motion.submit, self._browse, self.limits, found),
            (motion.submit, self._more_like_this, [motion, *self.limits], found),
            (motion.submit, self._sentences, [motion, top], found),
            (motion.submit, self._download, [motion, kind], file),
            *(
                (motion.submit, handler, [self.limits[0]], found)
                for handler in (self._refresh_library, self._remove_library)
                if self.importing
            ),
        ):
            name = handler.__name__.removeprefix("_")
            trigger(shown(handler), inputs, output, api_name=name, preprocess=False)

    def _more_like_this(self, motion: Any, *limits: Any) -> Value:
        return self.handlers.more_like_this(motion_id(motion), self._limits(*limits))

    def _sentences(self, motion: Any, top: Any) -> list[dict]:
        count = whole_number(top, "how many", 1, MAX_SENTENCES)
        return self.handlers.sentences(motion_id(motion), count)

    def _download(self, motion: Any, kind: Any) -> str:
        suffix = choice(kind, "format", list(FORMATS))
        check_room(upload_folder())
        folder = Path(tempfile.mkdtemp(dir=upload_folder()))
        return str(export(self.handlers.session, Part(motion_id(motion)), suffix, folder))


@dataclass(frozen=True, slots=True)
class _Imports:
    """The controls that import folders, and where progress is shown."""

    folder: gr.Textbox
    up: gr.Dropdown
    fps: gr.Number
    add: gr.Button
    stop: gr.Button
    status: gr.HTML


def _overrides(up: Any, fps: Any, skeleton: Any = STATED) -> Overrides:
    """What the files of a folder do not state, as it is given on the page."""
    axis = choice(up, "up axis", UP_AXES)
    profile = choice(skeleton, "skeleton", [STATED, *PROFILES])
    rate = number(fps, "frames a second", 0, MAX_FPS)
    return Overrides(
        profile=None if profile == STATED else profile,
        fps=rate or None,
        up=None if axis == STATED else axis,
    )


def _reporting(progress: gr.Progress) -> Callable[[int, int], None]:
    """Shows on the page how far an import is."""
    text = rate_shown()
    last = -math.inf

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < SECONDS_BETWEEN and done < total:
            return
        last = now
        progress((done, total), desc=text(done, total), unit="files")

    return report


def _first(sample: Sequence[str]) -> str:
    return sample[0]
