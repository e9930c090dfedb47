"""The page: Gradio components around the results view, and the named endpoints of its handlers."""

import threading
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import gradio as gr
import torch
from gradio.events import api

from tmr.demo.export import FORMATS, export
from tmr.demo.handlers import EVERYTHING, Handlers, Limits
from tmr.demo.results_view import Value, results_view
from tmr.demo.session import SUFFIXES
from tmr.errors import InputError

EXAMPLES = (
    "a person waves with the left hand",
    "someone walks in a circle",
    "jumping forward twice",
    "a person kicks with the right leg, then bows",
    '"a person walks" + 0.5 "arms raised" - "turning"',
)
MOST = 48  # results at once
HIGH = 80  # pixels of a place for a file
# Puts the id of the motion in the viewer in place of the first input.
IN_VIEWER = "(_, ...rest) => [document.querySelector('.results-view').dataset.motion, ...rest]"


def shown(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler with an InputError as a message on the page; what is shown there stays."""

    @wraps(handler)  # Gradio reads from the signature who wants events and progress
    def with_message(*args: Any) -> Any:
        try:
            return handler(*args)
        except InputError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error

    return with_message


def on_one_core(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler with torch on one core: of one sentence, several make more waiting than work."""

    @wraps(handler)
    def alone(*args: Any) -> Any:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return handler(*args)
        finally:
            torch.set_num_threads(before)

    return alone


class Page:
    """Builds the page for a session's handlers; ``importing`` offers the import of folders."""

    def __init__(self, handlers: Handlers, importing: bool) -> None:
        self.handlers = handlers
        self.importing = importing
        self.turn = threading.Lock()

    def build(self) -> gr.Blocks:
        """The page, ready to be mounted."""
        main = self.handlers.session.main
        with gr.Blocks(title="Motion search", analytics_enabled=False, fill_width=True) as page:
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
                    folder, take_in, color, draw = self._library_tab()
            self.limits = self._limits_row(main.name, main.splits)
            self.results_view = results_view(self.handlers.browse(Limits(main.name)))

            search = self._limited(on_one_core(self.handlers.search), 1)
            combine = self._limited(on_one_core(self._combine), 2 * len(sentences))
            by_file = self._limited(self.handlers.search_by_file, 1)
            browse = self._limited(self.handlers.browse)
            library = self.limits[0]
            chosen = examples.click(_first, examples, text, api_visibility="private")
            self.results_view.ready(self._in_turn(self.handlers.warm_up), api_visibility="private")
            self._on(library.input, browse, self.limits, "browse", queue=False)
            self._on(text.submit, search, [text, *self.limits], "search", queue=False)
            self._on(go.click, search, [text, *self.limits], queue=False)
            self._on(chosen.then, search, [text, *self.limits], queue=False)
            mixed = [*sentences, *weights, *self.limits]
            self._on(mix.click, combine, mixed, "combine", queue=False)
            self._on(file.upload, by_file, [file, *self.limits], "search_by_file")
            moments = [motion, long_file, what]
            self._on(look.click, self._moments, moments, "find_moments", js=IN_VIEWER)
            self._on(what.submit, self._moments, moments, js=IN_VIEWER)
            self._on(self.results_view.more, self._more, self.limits, queue=False)
            self._on(draw.click, self.handlers.latent_map, [library, color], "latent_map")
            self._on(color.submit, self.handlers.latent_map, [library, color])
            if self.importing:
                take_in.click(
                    shown(self._import),
                    folder,
                    [self.results_view, library],
                    api_name="import_folder",
                )
            self._plain_endpoints()
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
        with gr.Row():
            mix = gr.Button("Search this combination", variant="primary", scale=0, min_width=180)
        return sentences, weights, mix

    def _file_tab(self) -> gr.File:
        label = "A motion file: BVH, .npz of AMASS, or .npy with joints or features"
        return gr.File(label=label, file_types=list(SUFFIXES), height=HIGH)

    def _moment_tab(self) -> tuple[gr.Textbox, gr.File, gr.Textbox, gr.Button]:
        motion = gr.Textbox(visible=False, label="motion")
        with gr.Row(elem_classes="line"):
            what = gr.Textbox(
                label="Where does this happen?", placeholder="a person kicks", scale=5
            )
            label = "in this file, or else in the selected motion"
            file = gr.File(
                label=label, file_types=list(SUFFIXES), height=HIGH, scale=4, min_width=300
            )
            look = gr.Button("Find", variant="primary", scale=1, min_width=110)
        return motion, file, what, look

    def _library_tab(self) -> tuple[gr.Textbox, gr.Button, gr.Textbox, gr.Button]:
        with gr.Row(elem_classes="line", visible=self.importing):
            folder = gr.Textbox(
                label="Folder of BVH files on this computer", placeholder="/home/me/mocap", scale=8
            )
            take_in = gr.Button("Import", scale=1, min_width=110)
        with gr.Row(elem_classes="line"):
            color = gr.Textbox(
                label="Color the map by a sentence (or leave empty for groups)", scale=8
            )
            draw = gr.Button("Show the map", variant="primary", scale=1, min_width=110)
        return folder, take_in, color, draw

    def _limits_row(self, library: str, splits: Sequence[str]) -> list[Any]:
        with gr.Row(elem_id="limits"):
            return [
                gr.Dropdown([library], value=library, label="library", min_width=150),
                gr.Dropdown(
                    [EVERYTHING, *splits],
                    value=EVERYTHING,
                    label="set",
                    min_width=150,
                ),
                gr.Number(12, minimum=1, maximum=MOST, precision=0, label="results", min_width=120),
                gr.Number(0, minimum=0, step=0.5, label="minimum length (s)", min_width=150),
            ]

    def _limited(self, handler: Callable[..., Value], count: int = 0) -> Callable[..., Value]:
        """The handler with the values of the limits row in place of its last argument."""

        def limited(*args: Any) -> Value:
            return handler(*args[:count], Limits(*args[count:]))

        return limited

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
            shown(self._in_turn(handler)),
            inputs,
            self.results_view,
            api_name=api_name,
            api_visibility="public" if api_name else "private",
            js=js,
            queue=queue,
        )

    def _in_turn(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """The handler when it alone asks the model: tokenizers are not made for several threads."""

        @wraps(handler)
        def waiting(*args: Any) -> Any:
            with self.turn:
                return handler(*args)

        return waiting

    def _combine(self, *values: Any) -> Value:
        *given, limits = values
        half = len(given) // 2
        return self.handlers.combine(given[:half], given[half:], limits)

    def _moments(self, motion: str, file: str | None, text: str) -> Value:
        session = self.handlers.session
        return self.handlers.find_moments(session.add_upload(file) if file else motion, text)

    def _more(self, event: gr.EventData, *limits: Any) -> Value:
        return self.handlers.more_like_this(event.id, Limits(*limits))

    def _import(
        self,
        folder: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Value, gr.Dropdown]:
        def report(done: int, total: int) -> None:
            progress((done, total), desc="reading motions", unit="motions")

        library = self.handlers.import_folder(folder, report)
        name = library.name
        value = self.handlers.browse(Limits(name))
        return value, gr.Dropdown(choices=list(self.handlers.session.libraries), value=name)

    def _plain_endpoints(self) -> None:
        """Handlers for programs alone: on the page they have no form of their own."""
        main = self.handlers.session.main.name

        def more_like_this(
            motion: str, library: str = main, split: str = EVERYTHING, top: int = 12,
            min_seconds: float = 0.0,
        ) -> dict:  # fmt: skip
            limits = Limits(library, split, top, min_seconds)
            return shown(self._in_turn(self.handlers.more_like_this))(motion, limits)

        def sentences(motion: str, top: int = 8) -> list[dict]:
            return shown(self._in_turn(self.handlers.sentences))(motion, top)

        api(more_like_this)
        api(sentences)
        motion = gr.Textbox(visible=False, label="motion")
        kind = gr.Textbox(visible=False, label="format")
        file = gr.File(visible=False)
        motion.submit(shown(self._download), [motion, kind], file, api_name="download")

    def _download(self, motion: str, kind: str) -> str:
        if kind not in FORMATS:
            raise InputError(f"no format {kind!r}; there is {', '.join(FORMATS)}")
        path = Path(mkdtemp(prefix="motion-"), f"{motion.replace('/', '_')}.{kind}")
        export(self.handlers.session, motion, path)
        return str(path)


def _first(sample: Sequence[str]) -> str:
    return sample[0]
