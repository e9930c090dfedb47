"""What the page's server lets through: who may ask, for what, and with how much."""

import asyncio
import base64
import binascii
import ipaddress
import os
import re
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tmr.demo.validation import is_ordinary_file_below
from tmr.errors import InputError
from tmr.progress import wanted_until

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
MAX_BODY_BYTES = 256 * 1024  # of a request that is no upload
MAX_UPLOAD_BYTES = 64 * 1024**2
MAX_STORED_BYTES = 1024**3  # of all uploads together

# Gradio evaluates scripts that stand in the page; nothing is fetched from elsewhere or sent there.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "connect-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# All that the page and its programs need; Gradio has more, such as a proxy to other servers.
_PATHS = re.compile(
    r"/|/(config|info|theme\.css|favicon\.ico|manifest\.json|robots\.txt)/?"
    r"|/(assets|static|svelte|viewer|motions|api)/.*"
    r"|/gradio_api/(info|config|app_id|startup-events|heartbeat/\w+|theme\.css)/?"
    r"|/gradio_api/(queue/join|queue/data|cancel|reset|upload|upload_progress)/?"
    r"|/gradio_api/(run|api|call)/[\w/]+"
    r"|/gradio_api/file=.+",
    re.DOTALL,
)
_UPLOAD = "/gradio_api/upload"
_FILE = "/gradio_api/file="
_SAFE_METHODS = ("GET", "HEAD")


class _Refused(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Guard:
    """ASGI middleware that checks every request before Gradio sees it.

    ``names`` are those by which browsers may call the server; with ``any_address``, addresses of
    numbers too: only a name can be made to point elsewhere. ``uploads`` is the folder of uploaded
    files, and ``auth`` is ``user:password``, or empty where none is asked for.
    """

    app: ASGIApp
    names: frozenset[str]
    any_address: bool
    uploads: Path
    auth: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a refusal."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self._check(scope["method"], scope["path"], Headers(scope=scope))
            receive = await self._checked_body(scope, receive)
        except _Refused as refused:
            response = JSONResponse({"error": refused.reason}, refused.status, dict(HEADERS))
            if refused.status == 401:
                response.headers["www-authenticate"] = 'Basic realm="Motion search"'
            await response(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if scope["path"].startswith(_UPLOAD):
            await self.app(scope, receive, send_with_headers)
            return
        client = _Client(receive)
        listening = asyncio.create_task(client.listen())
        try:
            with wanted_until(client.gone.is_set):
                await self.app(scope, client.next_message, send_with_headers)
        finally:
            listening.cancel()

    def _check(self, method: str, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        # Gradio makes links of the name that a proxy says it was called by.
        forwarded = headers.get("x-forwarded-host", host).split(",")
        if not all(self._is_ours(name.strip()) for name in (host, *forwarded)):
            raise _Refused(400, "this page is not known by that name")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise _Refused(403, "requests of other websites are refused")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and path != "/":
            raise _Refused(403, "requests of other websites are refused")
        if self.auth and not self._knows_password(headers.get("authorization", "")):
            raise _Refused(401, "give the name and the password of this page")
        if not _PATHS.fullmatch(path):
            raise _Refused(404, "there is no such page")
        if path.startswith(_FILE) and not is_ordinary_file_below(
            Path(path.removeprefix(_FILE)), self.uploads
        ):
            raise _Refused(404, "there is no such file")
        if method not in (*_SAFE_METHODS, "POST"):
            raise _Refused(405, "this method is not used here")

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name = re.sub(r":\d+$", "", host.lower())
        return name in self.names or (self.any_address and _is_address(name.strip("[]")))

    def _knows_password(self, authorization: str) -> bool:
        kind, _, encoded = authorization.partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        return secrets.compare_digest(given, self.auth.encode())

    async def _checked_body(self, scope: Scope, receive: Receive) -> Receive:
        """What passes the body on: checked whole where it is JSON, measured where it is a file."""
        if scope["method"] in _SAFE_METHODS:
            return receive
        is_upload = scope["path"].startswith(_UPLOAD)
        limit = MAX_UPLOAD_BYTES if is_upload else MAX_BODY_BYTES
        length = Headers(scope=scope).get("content-length", "")
        if length and (not length.isdigit() or int(length) > limit):
            raise _Refused(413, f"at most {_size(limit)} can be sent")
        if is_upload:
            if not length:
                raise _Refused(411, "the size of the file is missing")
            try:
                check_room(self.uploads, int(length))
            except InputError as error:
                raise _Refused(507, str(error)) from None
            return receive
        body = bytearray()
        more = True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part["type"] == "http.request" and part.get("more_body", False)
            if len(body) > limit:
                raise _Refused(413, f"at most {_size(limit)} can be sent")
        self._check_json(bytes(body))
        given = iter([{"type": "http.request", "body": bytes(body), "more_body": False}])

        async def replay() -> Message:
            return next(given, None) or await receive()

        return replay

    def _check_json(self, body: bytes) -> None:
        """Refuse what is no JSON, and every file value that names no uploaded file."""
        try:
            content = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError:
            raise _Refused(400, "the request cannot be read; type it again") from None
        for value in _objects(content):
            if ("meta" in value or "path" in value) and not (
                isinstance(value.get("path"), str)
                and is_ordinary_file_below(Path(value["path"]), self.uploads)
            ):
                raise _Refused(400, "a request can only name files that were uploaded")


class _Client:
    """Passes on what a client sends, and notices at once when it has gone away."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.messages: asyncio.Queue[Message] = asyncio.Queue(1)  # a client that floods has to wait
        self.gone = threading.Event()

    async def listen(self) -> None:
        while not self.gone.is_set():
            message = await self.receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
            await self.messages.put(message)

    async def next_message(self) -> Message:
        if self.gone.is_set() and self.messages.empty():
            return {"type": "http.disconnect"}
        return await self.messages.get()


def _objects(content: Any) -> Iterator[dict]:
    """Every object in a JSON value, however deep."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def is_local(host: str) -> bool:
    """Whether an address can be reached from this computer alone."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def names_of(host: str, more: Sequence[str] = ()) -> frozenset[str]:
    """The names by which a server on ``host`` may be called, as they stand in a Host header."""
    names = [*LOCAL_NAMES, f"[{host}]" if ":" in host else host, *more]
    if not is_local(host):
        names += [socket.gethostname(), socket.getfqdn()]
    return frozenset(name.lower() for name in names)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def check_room(folder: Path, more: int = 0) -> None:
    """Refuse to store more bytes where the files of all people together would be too many.

    Raises:
        InputError: there is no room.
    """
    if _stored_bytes(folder) + more > MAX_STORED_BYTES:
        raise InputError("there is no room for more files now; try again in an hour")


def _stored_bytes(folder: Path) -> int:
    size = 0
    for parent, _, names in os.walk(folder):  # unlike rglob, bears that others delete meanwhile
        for name in names:
            with suppress(FileNotFoundError):
                size += os.lstat(Path(parent, name)).st_size
    return size


def _size(count: int) -> str:
    return f"{count // 1024} KB" if count < 1024**2 else f"{count // 1024**2} MB"
