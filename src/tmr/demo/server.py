"""The web server of the page: Gradio, the viewer's files, and the motions."""

import gc
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from gradio.themes import Default

from tmr.demo import validation as checks
from tmr.demo.api import API_URL, build_api
from tmr.demo.export import millimeters
from tmr.demo.handlers import Handlers
from tmr.demo.page import Page
from tmr.demo.results_view import HEAD, MOTIONS_URL, STATIC_URL
from tmr.demo.security import MAX_UPLOAD_BYTES, Guard, is_local, names_of
from tmr.errors import InputError
from tmr.motion.apart import children, end_children

STATIC = Path(__file__).parent / "static"
# Names of fonts that the computer has: Gradio's own would be fetched from elsewhere.
FONTS = ["system-ui", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif"]
MONOSPACE = ["ui-monospace", "Consolas", "monospace"]
SECONDS_TO_STOP = 1.0


def build_app(handlers: Handlers, importing: bool = True) -> FastAPI:
    """The page and all it needs as a web application; ``importing`` offers folders of this disk."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.get(f"{STATIC_URL}/vendor/OrbitControls.js")(_orbit_controls)
    app.mount(STATIC_URL, StaticFiles(directory=STATIC))
    app.get(f"{MOTIONS_URL}/{{motion_id:path}}")(partial(_motion, handlers))
    app.mount(API_URL, build_api(handlers, importing))
    return gr.mount_gradio_app(
        app,
        Page(handlers, importing).build(),
        path="/",
        theme=Default(primary_hue="blue", neutral_hue="slate", font=FONTS, font_mono=MONOSPACE),
        css_paths=STATIC / "page.css",
        head=HEAD,
        footer_links=["api"],
        max_file_size=MAX_UPLOAD_BYTES,
        ssr_mode=False,
        run_history=False,
    )


class _Server(uvicorn.Server):
    """Ends within two seconds of a signal, whatever is being done."""

    def __init__(self, config: uvicorn.Config, stopping: threading.Event, scratch: str) -> None:
        super().__init__(config)
        self.stopping = stopping
        self.scratch = scratch

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop taking requests, and tell long work to stop."""
        super().handle_exit(sig, frame)
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)  # answers are cut off now
        self.stopping.set()
        end_children()
        timer = threading.Timer(SECONDS_TO_STOP, self._leave, [128 + sig])
        timer.daemon = True
        timer.start()

    def _leave(self, status: int) -> None:
        for child in multiprocessing.active_children():
            child.terminate()
        shutil.rmtree(self.scratch, ignore_errors=True)
        os._exit(status)


def serve(
    handlers: Handlers, host: str, port: int, auth: str = "", names: Sequence[str] = ()
) -> None:
    """Serve the page until Ctrl-C or SIGTERM, and end within two seconds of it.

    Folders of this computer can be imported only while the page can be reached from it alone.
    ``auth`` is ``user:password``, asked of everybody; ``names`` are those under which a proxy
    passes requests on.

    Raises:
        InputError: the port is taken, the host is no address of this computer, or ``auth`` has
            no name or no password.
    """
    user, _, password = auth.partition(":")
    if auth and not (user and password):
        raise InputError("found auth without a name or a password, expected auth=USER:PASSWORD")
    try:
        listener = socket.create_server((host, port), family=_family(host))
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror}; try port={port + 1}"
        ) from error
    with (
        tempfile.TemporaryDirectory(prefix="motion-search-", ignore_cleanup_errors=True) as scratch,
        children(),
    ):
        os.environ["GRADIO_TEMP_DIR"] = scratch
        app = build_app(handlers, importing=is_local(host))
        guard = Guard(app, names_of(host, names), not is_local(host), Path(scratch), auth)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"  # port=0 takes any free one
        print(f"Motion search is open at {address} (Ctrl-C stops it)", flush=True)
        config = uvicorn.Config(guard, log_level="warning", timeout_graceful_shutdown=1)
        server = _Server(config, handlers.session.libraries.stopping, scratch)
        # Models and libraries are millions of objects that stay. A full garbage collection would
        # look at all of them, and nobody is answered meanwhile.
        gc.collect()
        gc.freeze()
        # After its own handler has run, the server raises the signal again.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        server.run(sockets=[listener])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _orbit_controls() -> Response:
    """The vendored file with the bare name of its import resolved, as a bundler would do."""
    source = (STATIC / "vendor" / "OrbitControls.js").read_text(encoding="utf-8")
    resolved = source.replace("from 'three'", "from './three.module.min.js'")
    return Response(resolved, media_type="text/javascript")


def _motion(handlers: Handlers, motion_id: str, format: str) -> Response:
    """A motion for the viewer (``joints``), or the captions that fit it (``sentences``)."""
    try:
        checks.motion_id(motion_id)
        if checks.choice(format, "format", ("joints", "sentences")) == "sentences":
            return JSONResponse(handlers.sentences(motion_id))
        return Response(
            millimeters(handlers.session, motion_id), media_type="application/octet-stream"
        )
    except InputError as error:
        return JSONResponse({"error": checks.message(error)}, 404)
