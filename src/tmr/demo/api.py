"""The HTTP API beside the page, for tools: search, and motions as files."""

import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from tmr.demo import validation as checks
from tmr.demo.confidence import WEAK, Level
from tmr.demo.export import MAX_ZIPPED, Part, Result, export, export_zip
from tmr.demo.handlers import ALL, EVERYTHING, MAX_RESULTS, MAX_SECONDS, Handlers, Limits
from tmr.demo.libraries import Libraries
from tmr.demo.tags import MAX_TAGS
from tmr.demo.uploads import upload_folder
from tmr.errors import InputError
from tmr.search.query import MAX_QUERY_LENGTH
from tmr.search.sources import FolderSource
from tmr.search.stores.factory import changed_at

API_URL = "/api"
Format = Literal["bvh", "glb", "npy", "gif"]
Unit = Literal["cm", "m"]
Seconds = Annotated[float | None, Query(ge=0, le=24 * 3600, allow_inf_nan=False)]


class Found(BaseModel):
    """A motion, or a part of one, that fits a query."""

    id: str = Field(description="names the motion in other calls: LIBRARY/KEY")
    library: str
    file: str = Field(description="the motion's file, below the folder of its library")
    start: float = Field(description="seconds in the file")
    end: float
    score: float = Field(description="(1 + cosine) / 2 of the two latents")
    caption: str


class Results(BaseModel):
    """What a search answers, best first."""

    results: list[Found]
    confidence: Level = Field(
        description="how sure it is that the best fits; weak: probably not in this library"
    )


class Chosen(BaseModel):
    """A motion to export, or the seconds from ``start`` to ``end`` of its file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str = Field(max_length=checks.MAX_ID_LENGTH)
    start: float | None = Field(None, ge=0, le=24 * 3600, allow_inf_nan=False)
    end: float | None = Field(None, ge=0, le=24 * 3600, allow_inf_nan=False)
    score: float | None = Field(None, ge=0, le=1)


class Tagged(BaseModel):
    """A motion and its tags."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str = Field(max_length=checks.MAX_ID_LENGTH)
    tags: list[str] = Field(max_length=MAX_TAGS)


class LibraryState(BaseModel):
    """A library, and the takes done and all to do while it is encoded in the background."""

    name: str
    takes: int
    changed: datetime | None = Field(description="when takes were encoded last")
    folder: str | None = Field(description="of its motion files, where people may import folders")
    fixed: bool = Field(description="whether the page was opened with it: it cannot be removed")
    outdated: bool = Field(description="another model encoded it: it has to be encoded again")
    moments: bool = Field(description="whether moments of its takes can be found")
    encoding: tuple[int, int] | None


class Export(BaseModel):
    """Motions that are to go into one zip file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    items: list[Chosen] = Field(min_length=1, max_length=MAX_ZIPPED)
    format: Format = "bvh"
    unit: Unit = "cm"
    origin: bool = False


def build_api(handlers: Handlers, importing: bool) -> FastAPI:
    """The application that is mounted at ``API_URL``; ``openapi.json`` there describes it.

    Paths of this computer are told only where people may import its folders.
    """
    api = FastAPI(title="Motion search", docs_url=None, redoc_url=None)
    session = handlers.session

    @api.exception_handler(InputError)
    def refuse(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": checks.message(str(error))}, 400)

    @api.exception_handler(RequestValidationError)
    def refuse_value(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        return JSONResponse({"error": checks.message(f"{field}: {first['msg']}")}, 400)

    @api.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    def documentation() -> str:
        return _documentation(api.openapi())

    @api.get("/search")
    def search(
        q: Annotated[str, Query(min_length=1, max_length=MAX_QUERY_LENGTH)],
        k: Annotated[int, Query(ge=1, le=MAX_RESULTS)] = 12,
        library: str = "",
        split: str = EVERYTHING,
        min_seconds: Annotated[float, Query(ge=0, le=MAX_SECONDS, allow_inf_nan=False)] = 0,
        max_seconds: Annotated[
            float, Query(ge=0, le=MAX_SECONDS, allow_inf_nan=False)
        ] = MAX_SECONDS,
        name: Annotated[str, Query(max_length=checks.MAX_ID_LENGTH)] = "",
        tag: Annotated[str, Query(max_length=checks.MAX_ID_LENGTH)] = "",
        show: Literal["all", "takes", "moments"] = ALL,
    ) -> Results:
        """The motions that fit a sentence, or a query such as `"walk" + 0.5 "angry"`.

        Parts of long takes are found too, where `start` and `end` tell; `name` is part of the
        name or folder of a take.
        """
        limits = Limits.checked(
            session, library or session.main.name, split, k, min_seconds, max_seconds, name, tag,
            show,
        )  # fmt: skip
        latent = session.encode(q)
        hits = handlers.find(latent, limits)
        found = [
            Found(
                id=f"{where}/{hit.entry.key}", library=where, file=hit.entry.file,
                start=hit.entry.start, end=hit.entry.end, score=round(hit.score, 4),
                caption=next(iter(hit.entry.captions), ""),
            )
            for where, hit in hits
        ]  # fmt: skip
        level = handlers.confidence(latent, hits) or WEAK
        return Results(results=found, confidence=level)

    @api.get("/libraries")
    def libraries() -> list[LibraryState]:
        """The libraries that there are, and how far they are encoded."""
        known = session.libraries
        return [_state(known, name, importing) for name in (*known, *known.outdated)]

    @api.post("/tags")
    def tags(given: Tagged) -> Tagged:
        """Give a motion tags, in place of those that it has; `favorite` is the star."""
        return Tagged(id=given.id, tags=handlers.give_tags(checks.motion_id(given.id), given.tags))

    @api.get("/motions/{id:path}.{format}", response_class=FileResponse)
    def motion(
        id: str,
        format: Format,
        start: Seconds = None,
        end: Seconds = None,
        unit: Unit = "cm",
        origin: bool = False,
    ) -> Response:
        """A motion, or the seconds from `start` to `end` of its file, as a file.

        BVH is cut from the source file where that is BVH. `unit` is that of other BVH files;
        `origin` moves a cut file above the origin. Headers of a BVH file tell its
        `x-meters-per-unit` and its `x-up-axis`.
        """
        part = Part(checks.motion_id(id), start, end)

        def write(folder: Path) -> Path:
            return export(session, part, format, folder, unit == "m", origin)

        answer = _file(write)
        if format == "bvh":
            scale, up = (1.0 if unit == "m" else 0.01, "y")
            if session.bvh_source(part.motion_id) is not None:
                scale, up = session.source_axes(part.motion_id)
            answer.headers.update({"x-meters-per-unit": f"{scale:.6g}", "x-up-axis": up})
        return answer

    @api.post("/export", response_class=FileResponse)
    def many(given: Export) -> Response:
        """Several motions as one zip file, with a `results.csv`."""
        results = [Result(Part(item.id, item.start, item.end), item.score) for item in given.items]

        def write(folder: Path) -> Path:
            path = folder / "motions.zip"
            meters = given.unit == "m"
            export_zip(session, results, given.format, path, meters, given.origin)
            return path

        return _file(write)

    return api


def _state(libraries: Libraries, name: str, with_folder: bool) -> LibraryState:
    library = None if name in libraries.outdated else libraries[name]
    source = libraries.outdated.get(name) if library is None else library.source
    path = libraries.path(name)
    changed = None if path is None else changed_at(path)
    return LibraryState(
        name=name,
        takes=0 if library is None else library.takes,
        changed=None if changed is None else datetime.fromtimestamp(changed, timezone.utc),
        folder=str(source.folder) if with_folder and isinstance(source, FolderSource) else None,
        fixed=library is libraries.main,
        outdated=library is None,
        moments=library is not None and libraries.windowed(name) is not None,
        encoding=libraries.encoding.get(name),
    )


def _file(write: Callable[[Path], Path]) -> FileResponse:
    """The answer with a file that is written into a folder of its own, deleted once it is sent."""
    folder = tempfile.TemporaryDirectory(prefix="motion-", dir=upload_folder())
    try:
        path = write(Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(path, filename=path.name, background=BackgroundTask(folder.cleanup))


def _documentation(schema: dict[str, Any]) -> str:
    """The calls of the API on a page without scripts; Swagger's would be fetched from elsewhere."""
    rows = []
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            parameters = "".join(
                f"<li><code>{p['name']}</code>{' (needed)' if p.get('required') else ''}</li>"
                for p in call.get("parameters", ())
            )
            rows.append(
                f"<h2><code>{method.upper()} {API_URL}{path}</code></h2>"
                f"<p>{call.get('description', '')}</p><ul>{parameters}</ul>"
            )
    return (
        '<!doctype html><html lang="en"><title>Motion search: API</title>'
        '<body style="font: 16px system-ui; max-width: 50em; margin: 2em auto; padding: 0 1em">'
        f'<h1>Motion search: API</h1><p>All of it: <a href="openapi.json">openapi.json</a></p>'
        f"{''.join(rows)}</body></html>"
    )
