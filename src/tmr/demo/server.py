"""The web server of the page: Gradio, the viewer's files, and the motions."""

import socket
import tempfile
from functools import partial
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from gradio.themes import Default
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from tmr.demo.export import FORMATS, export, millimeters
from tmr.demo.handlers import Handlers
from tmr.demo.page import Page
from tmr.demo.results_view import HEAD, MOTIONS_URL, STATIC_URL
from tmr.demo.session import Session
from tmr.errors import InputError

STATIC = Path(__file__).parent / "static"
LOCAL = ("127.0.0.1", "localhost", "::1")
# Names of fonts that the computer has: Gradio's own would be fetched from elsewhere.
FONTS = ["system-ui", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif"]
MONOSPACE = ["ui-monospace", "Consolas", "monospace"]
LARGEST_UPLOAD = "64mb"


def build_app(handlers: Handlers, importing: bool = True) -> FastAPI:
    """The page and all it needs as a web application; ``importing`` offers folders of this disk."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.get(f"{STATIC_URL}/vendor/OrbitControls.js")(_orbit_controls)
    app.mount(STATIC_URL, StaticFiles(directory=STATIC))
    app.get(f"{MOTIONS_URL}/{{motion_id:path}}")(partial(_motion, handlers))
    return gr.mount_gradio_app(
        app,
        Page(handlers, importing).build(),
        path="/",
        theme=Default(primary_hue="blue", neutral_hue="slate", font=FONTS, font_mono=MONOSPACE),
        css_paths=STATIC / "page.css",
        head=HEAD,
        footer_links=["api"],
        max_file_size=LARGEST_UPLOAD,
        ssr_mode=False,
    )


def serve(handlers: Handlers, host: str, port: int) -> None:
    """Serve the page until the process is stopped.

    Folders of this computer can be imported only while the page can be reached from it alone.

    Raises:
        InputError: the port is taken, or the host is no address of this computer.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror}; try port={port + 1}"
        ) from error
    app = build_app(handlers, importing=host in LOCAL)
    address = f"http://{host}:{listener.getsockname()[1]}"  # port=0 takes any free one
    print(f"Motion search is open at {address} (Ctrl-C stops it)", flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    server.run(sockets=[listener])


def _orbit_controls() -> Response:
    """The vendored file with the bare name of its import resolved, as a bundler would do."""
    source = (STATIC / "vendor" / "OrbitControls.js").read_text(encoding="utf-8")
    resolved = source.replace("from 'three'", "from './three.module.min.js'")
    return Response(resolved, media_type="text/javascript")


def _motion(handlers: Handlers, motion_id: str, format: str) -> Response:
    """A motion for the viewer (``joints``), what fits it (``sentences``), or a file to keep."""
    try:
        if format == "joints":
            return Response(
                millimeters(handlers.session, motion_id), media_type="application/octet-stream"
            )
        if format == "sentences":
            return JSONResponse(handlers.sentences(motion_id))
        if format not in FORMATS:
            raise InputError(f"no format {format!r}; there is {', '.join(FORMATS)}")
        return _file(handlers.session, motion_id, format)
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def _file(session: Session, motion_id: str, format: str) -> FileResponse:
    folder = tempfile.TemporaryDirectory(prefix="motion-")
    path = Path(folder.name, f"{motion_id.replace('/', '_')}.{format}")
    export(session, motion_id, path)
    return FileResponse(path, filename=path.name, background=BackgroundTask(folder.cleanup))
