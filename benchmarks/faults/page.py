"""Requests and files sent to the page, a real server, and its end while it is busy."""

import contextlib
import gzip
import json
import os
import pickle
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.faults.common import MAX_MEGABYTES, SECONDS, Act, Faults, NotHeld, Place
from benchmarks.faults.files import bvh, npy_header, npy_of, npz
from tests.workspace import ROOT

CODE = pickle.dumps(partial(os.system, "touch CODE_RAN"))
LIMITS = ["synthetic", "everything", 3, 0, 3600, "", "", "all"]
FILE = {"meta": {"_type": "gradio.FileData"}}
ENDPOINTS: dict[str, list[Any]] = {
    "search": ["a person walks", *LIMITS],
    "browse": LIMITS,
    "combine": ["a", "b", "c", 1, 0.5, -0.5, *LIMITS],
    "more_like_this": ["synthetic/FIRST", *LIMITS],
    "sentences": ["synthetic/FIRST", 3],
    "download": ["synthetic/FIRST", "npy"],
    "latent_map": ["synthetic", "walk"],
    "search_by_file": [None, *LIMITS],
    "find_moments": ["synthetic/FIRST", None, "walks"],
    "import_folder": ["/nowhere", "as stated", 0],
    "remove_library": ["none"],
}
SENT: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 10**15, 10**400, [], [[[]]], {}, {"path": "/etc/passwd", **FILE},
    {"path": "/dev/zero", **FILE}, {"path": "http://127.0.0.1/", **FILE}, {"path": [1], **FILE},
    {"url": "file:///etc/passwd", **FILE}, {"__class__": "x"}, "", "/etc/passwd", "../../x",
    "file:///etc/passwd", "a\0b", "x" * 501, "x" * 200_000, '"a" - "a"', '"a" + ' + "1" * 490,
    '"' * 400, '"a"' * 100, "<img src=x onerror=alert(1)>", "\u202e" * 50, "%s%n{0}${x}",
    "synthetic/../../x", "uploads/x", "all libraries", "' or 1=1 --", "length > 0", "/dev/zero",
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = tuple(
    {"Host": host}
    for host in ("evil.example", "evil.example:PORT", "localhost.evil.example", "127.0.0.1.nip.io",
                 "192.168.0.7", "0.0.0.0", "[::2]", "", "localhost@evil.example", "LOCALHOST.:PORT")
) + tuple(
    {"Origin": origin}
    for origin in ("https://evil.example", "null", "http://localhost:1", "file://", "x", "//")
) + tuple({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site"))  # fmt: skip
URLS = (
    "/static/../../../../etc/passwd", "/viewer/..%2f..%2f..%2fetc%2fpasswd", "/viewer//etc/passwd",
    "/gradio_api/file=/etc/passwd", "/gradio_api/file=..%2f..%2fetc%2fpasswd", "/assets/../../x",
    "/gradio_api/file=http://127.0.0.1/", "/gradio_api/proxy=http://127.0.0.1:22/", "/login",
    "/gradio_api/upload_progress?upload_id=../x", "/monitoring", "/gradio_api/dev/reload", "/docs",
    "/motions/synthetic/..%2f..%2fetc%2fpasswd?format=joints", "/motions/x?format=exe", "/motions/",
    "/api/motions/synthetic/%00.bvh", "/api/motions/..%2f..%2fetc%2fpasswd.npy", "/openapi.json",
    "/api/search?q=walk&k=1e9", "/api/search?q=%00", "/api/search?q=" + "a" * 9000, "/.env",
    "/api/search?q=walk&library=../x", "/api/search?q=walk&split='", "/gradio_api/call/search/none",
    "/gradio_api/heartbeat/../../x", "/gradio_api/stream/a/b/1/x.ts", "/svelte/../../../etc/passwd",
)  # fmt: skip


@dataclass
class Server:
    """`python app.py`, answering."""

    client: httpx.Client
    process: subprocess.Popen
    first: str

    def search(self) -> float:
        """Seconds that a search takes."""
        began = time.monotonic()
        answer = self.client.get("/api/search", params={"q": "a person walks", "k": 3})
        if answer.status_code != 200 or not answer.json()["results"]:
            raise NotHeld(f"a search is answered with {answer.status_code}")
        return time.monotonic() - began

    def memory(self, entry: str) -> int:
        """Megabytes that its processes have (``VmRSS``) or had at most (``VmHWM``)."""
        total = 0
        for folder in self.processes():
            with contextlib.suppress(OSError):  # ended meanwhile
                found = re.search(rf"{entry}:\s*(\d+) kB", (folder / "status").read_text())
                total += int(found[1]) if found else 0
        return total // 1024

    def processes(self) -> list[Path]:
        """The server, and those that read files for it."""
        own = Path(f"/proc/{self.process.pid}")
        children = " ".join(path.read_text() for path in own.glob("task/*/children")).split()
        return [own, *(Path("/proc", child) for child in children)]


@contextlib.contextmanager
def served(place: Place) -> Iterator[Server]:
    """The page on a small library, for the time of the block."""
    assert place.workspace is not None
    environment = os.environ | {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}
    with subprocess.Popen(
        ["python", "app.py", "run_dir=outputs/quickstart", "port=0", "device=cpu"],
        cwd=place.workspace.folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", next(x for x in process.stdout if "is open" in x))
            assert found is not None
            with httpx.Client(base_url=found[0], timeout=5 * SECONDS) as client:
                answer = client.get("/api/search", params={"q": "walk", "k": 1}).json()
                server = Server(client, process, answer["results"][0]["id"].partition("/")[2])
                yield server
        finally:
            process.kill()


def requests(place: Place, count: int = 250) -> Faults:
    """Requests with hostile values, headers and paths; a search is answered after each."""
    with served(place) as server:
        for _ in range(count):
            name = place.random.choice([*ENDPOINTS])
            given = [
                v.replace("FIRST", server.first) if isinstance(v, str) else v
                for v in ENDPOINTS[name]
            ]
            for _ in range(place.random.randint(1, 2)):
                given[place.random.randrange(len(given))] = place.random.choice(SENT)
            yield f"{name} with {given!r:.120}", partial(asked, server, name, given)
        for number in (0, 1, 30, 500):
            yield f"{number} values", partial(asked, server, "search", ["walk"] * number)
        for body in (
            b"",
            b"[",
            b"[" * 9000,
            b"null",
            b"[]",
            b'{"data": {}}',
            b'{"data": 1}',
            b'{"data": [NaN]}',
            b'{"data": ["\\ud83d"]}',
            b"\xff",
            b"a=1&b=2",
        ):
            yield (
                f"the body {body[:20]!r}",
                partial(answered, server, "POST", "/gradio_api/run/search", content=body),
            )
        for headers in HEADERS:
            port = str(server.client.base_url.port)
            filled = {name: value.replace("PORT", port) for name, value in headers.items()}
            for method, url in (
                ("GET", "/config"),
                ("POST", "/gradio_api/run/search"),
                ("GET", f"/api/motions/synthetic/{server.first}.npy"),
            ):
                yield (
                    f"{method} {url} from {filled}",
                    partial(refused, server, method, url, headers=filled),
                )
        for url in URLS:
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
                yield f"{method} {url[:60]}", partial(answered, server, method, url)


def asked(server: Server, name: str, data: list) -> None:
    """Call an endpoint, by Gradio's queue where it has to."""
    queued = name not in ("search", "combine", "remove_library")
    way = "call" if queued else "run"
    try:
        body = json.dumps({"data": data})
    except UnicodeEncodeError:
        return
    answer = answered(server, "POST", f"/gradio_api/{way}/{name}", content=body)
    if queued and answer.status_code == 200 and "event_id" in answer.json():
        answered(server, "GET", f"/gradio_api/call/{name}/{answer.json()['event_id']}")


def refused(server: Server, method: str, url: str, **given: Any) -> None:
    """A request that must be refused."""
    answer = answered(server, method, url, **given)
    if answer.status_code < 400:
        raise NotHeld(f"answered with {answer.status_code}")


def answered(server: Server, method: str, url: str, **given: Any) -> httpx.Response:
    """The answer, which tells nothing of the server and came in time; a search still works."""
    began = time.monotonic()
    answer = server.client.request(method, url, **given)
    took = time.monotonic() - began
    if answer.status_code >= 500:
        raise NotHeld(f"status {answer.status_code}: {answer.text[:200]}")
    told = re.search(r"root:x:|Traceback|/tmp/motion-search|site-packages|/src/tmr", answer.text)
    if told and answer.headers.get("content-type", "").startswith(
        ("application/json", "text/event")
    ):
        raise NotHeld(f"tells {told[0]!r}: {answer.text[:200]}")
    if took > 20:
        raise NotHeld(f"took {took:.0f} s")
    server.search()
    return answer


def uploads(place: Place) -> Faults:
    """Files that would fill memory, sent to the page; memory and longest wait beside them."""
    zeros = npz(poses=npy_header((2**28,)) + bytes(2**29), trans=npy_header((3, 3)))
    sent = {
        "npz of 512 MB of zeros": ("zeros.npz", zeros),
        "npz that claims 36 TB": ("claims.npz", npz(poses=npy_header((2**46, 156)))),
        "npy that claims 9 PB": ("claims.npy", npy_header((2**46, 22, 3))),
        "npy of pickled code": ("objects.npy", npy_of(CODE)),
        "BVH, 100,000 joints deep": ("deep.bvh", bvh(0, 1, 100_000)),
        "BVH, 200,000 joints wide": ("wide.bvh", bvh(200_000, 1)),
        "BVH, a billion frames": ("frames.bvh", bvh(50, 10**9)),
        "BVH of 48 MB": ("large.bvh", bvh(20, 16_000) + b"0.001 " * 8_000_000),
        "glTF, a million brackets": ("deep.gltf", b"[" * 10**6),
        "GLB that claims 4 GB": ("huge.glb", b"glTF" + (2).to_bytes(4, "little") + b"\xff" * 12),
        "zip in a zip in a zip": ("zips.npz", npz(a=npz(b=npz(c=bytes(2**26))))),
        "60 MB of noise": ("noise.npy", random.Random(0).randbytes(60 << 20)),
        "gzip of 1 GB": ("gzip.bvh", gzip.compress(bytes(2**30), 1)),
    }  # fmt: skip
    with served(place) as server:
        for name, (file, content) in sent.items():
            yield (
                name,
                partial(weighed, place, server, name, partial(by_file, server, file, content)),
            )
        for suffix, count in (("gif", 20), ("bvh", 100), ("glb", 100)):
            items = [{"id": f"synthetic/{server.first}"}] * count
            yield f"{count} {suffix} files in a zip", partial(
                weighed, place, server, f"{count} {suffix} files in a zip",
                partial(many, server, {"items": items, "format": suffix}),
            )  # fmt: skip


def by_file(server: Server, name: str, content: bytes) -> None:
    """Search by an uploaded file."""
    with httpx.Client(base_url=server.client.base_url, timeout=5 * SECONDS) as client:
        answer = client.post("/gradio_api/upload", files={"files": (name, content)})
        if answer.status_code >= 500:
            raise NotHeld(f"status {answer.status_code}")
        if answer.status_code == 200:
            file = {"path": answer.json()[0], "orig_name": name, **FILE}
            call = "/gradio_api/call/search_by_file"
            started = client.post(call, json={"data": [file, *LIMITS]}).json()
            found = client.get(f"{call}/{started['event_id']}").text
            if "event: error" not in found:
                raise NotHeld(f"accepted: {found[:100]}")
            if Path(file["path"]).exists():
                raise NotHeld("the file is still there")


def many(server: Server, given: dict) -> None:
    """Export motions."""
    with httpx.Client(base_url=server.client.base_url, timeout=600) as client:
        answer = client.post("/api/export", json=given)
        if answer.status_code != 200:
            raise NotHeld(f"status {answer.status_code}: {answer.text[:100]}")


def weighed(place: Place, server: Server, name: str, act: Act) -> None:
    """Do something while searches go on; memory above what the server had, and the longest wait."""
    for folder in server.processes():
        (folder / "clear_refs").write_text("5")  # begins the highest anew
    before, reasons = server.memory("VmRSS"), []

    def run() -> None:
        try:
            act()
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {error}")

    began, longest, most = time.monotonic(), 0.0, before
    worker = threading.Thread(target=run)
    worker.start()
    while worker.is_alive():
        longest, most = max(longest, server.search()), max(most, server.memory("VmHWM"))
        time.sleep(0.02)
    worker.join()
    grown = max(most, server.memory("VmHWM")) - before
    took = time.monotonic() - began
    place.note(f"| {name} | {grown:,} MB | {longest:.2f} s | {took:.1f} s |")
    if reasons or grown > MAX_MEGABYTES or longest > 10:
        raise NotHeld(f"{grown} MB, {longest:.1f} s; {reasons}")


def stops(place: Place) -> Faults:
    """SIGTERM and Ctrl-C while the page is busy: it ends within two seconds and leaves no files."""
    for busy in ("an export of GIFs", "an upload", "nothing", "a half-sent request"):
        for number in (signal.SIGTERM, signal.SIGINT):
            yield f"{number.name} during {busy}", partial(stopped, place, number, busy)


def quietly(act: Act) -> None:
    """Do something that the end of the server cuts off."""
    with contextlib.suppress(Exception):
        act()


def stopped(place: Place, number: signal.Signals, busy: str) -> None:
    """Send a signal to a server that is busy."""
    with served(place) as server:
        scratch = {p.name for p in Path(tempfile.gettempdir()).glob("motion-search-*")}
        acts: dict[str, Act] = {
            "an export of GIFs": partial(
                many,
                server,
                {"items": [{"id": f"synthetic/{server.first}"}] * 100, "format": "gif"},
            ),
            "an upload": partial(by_file, server, "large.bvh", bvh(20, 16_000) + b"0 " * 10**7),
        }
        if busy in acts:
            threading.Thread(target=quietly, args=[acts[busy]], daemon=True).start()
        if busy == "a half-sent request":
            url = server.client.base_url
            raw = socket.create_connection((url.host, url.port or 80))
            raw.sendall(
                b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n"
            )
        time.sleep(1.5)
        began = time.monotonic()
        server.process.send_signal(number)
        server.process.wait(SECONDS)
        took = time.monotonic() - began
        place.note(f"| {number.name} during {busy} | | | {took:.2f} s |")
        left = {p.name for p in Path(tempfile.gettempdir()).glob("motion-search-*")} & scratch
        if took > 2.5 or left - {""} == scratch != set():
            raise NotHeld(f"ended after {took:.1f} s with {server.process.returncode}; left {left}")
