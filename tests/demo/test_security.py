"""The page's server against hostile requests: the real server, and requests as they come."""

import asyncio
import base64
import io
import json
import signal
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.demo.conftest import served
from tests.workspace import Workspace
from tmr.demo.security import Guard, names_of
from tmr.progress import Unwanted, check_wanted

LIMITS = ["synthetic", "everything", 3, 0, 3600, "", "", "all"]
# The server closes a connection after some refusals; one that is used again may be reset then.
ONCE = httpx.Limits(max_keepalive_connections=0)
FIELDS = ["library", "set", "results", "shortest", "longest", "name", "tag", "find"]
HOST = [(b"host", b"localhost")]
FILE = {"meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    """A client of a page that is open on this computer, and has been asked for something."""
    with httpx.Client(base_url=address, timeout=120, limits=ONCE) as client:
        assert call(client, "search", "a person walks", *LIMITS).status_code == 200
        yield client


def call(client: httpx.Client, name: str, *data: object, **more: object) -> httpx.Response:
    return client.post(f"/gradio_api/run/{name}", json={"data": data}, **more)  # type: ignore[arg-type]


def limited(**given: object) -> list:
    """What a search for "walk" is sent with some of its limits."""
    return ["walk", *(dict(zip(FIELDS, LIMITS, strict=True)) | given).values()]


def upload(client: httpx.Client, name: str, content: bytes) -> dict:
    answer = client.post("/gradio_api/upload", files={"files": (name, content)})
    assert answer.status_code == 200, answer.text
    return {"path": answer.json()[0], "orig_name": name, **FILE}


def error(answer: httpx.Response) -> str:
    assert answer.status_code >= 400
    return answer.json()["error"]


REFUSED = "a request can only name files that were uploaded"


@pytest.mark.parametrize("path", ["/etc/passwd", "/dev/zero", "http://127.0.0.1/"])
def test_no_request_names_a_file_of_the_server(client: httpx.Client, path: str):
    for field in range(1 + len(LIMITS)):
        data: list = ["a person walks", *LIMITS]
        data[field] = {"path": path, **FILE}
        assert error(call(client, "search", *data)) == REFUSED
    for name in ("search_by_file", "combine", "latent_map"):
        assert error(call(client, name, {"path": path, **FILE}, *LIMITS)) == REFUSED
    assert error(call(client, "find_moments", "", {"path": path, **FILE}, "walks")) == REFUSED
    assert error(client.get(f"/gradio_api/file={path}")) == "there is no such file"


def test_a_link_among_the_uploads_leads_nowhere(client: httpx.Client):
    sent = upload(client, "a.npy", b"nothing")
    link = Path(sent["path"]).with_name("link.npy")
    link.symlink_to("/etc/passwd")
    assert "uploaded" in error(call(client, "search_by_file", {"path": str(link), **FILE}, *LIMITS))
    assert client.get(f"/gradio_api/file={link}").status_code == 404


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (["", *LIMITS], "say what to look for"),
        ([None, *LIMITS], "expected a sentence"),
        ([7, *LIMITS], "expected a sentence"),
        ([["walk"], *LIMITS], "expected a sentence"),
        (["walk " * 101, *LIMITS], "at most 500"),
        (['"a" - "a"', *LIMITS], "cancel out"),
        (['"walk', *LIMITS], "cannot read the query"),
        (limited(library=3), "library"),
        (limited(library="<b>mine</b>"), "&lt;b&gt;mine&lt;/b&gt;"),
        (limited(set=["test"]), "set: found a list"),
        (limited(set="no such"), "set: found 'no such', expected one of everything"),
        (limited(results=True), "results: expected a number"),
        (limited(results=0), "results: expected a number from 1 to 100"),
        (limited(results=2.5), "expected a whole number"),
        (limited(results=10**15), "results: expected a number"),
        (limited(results=None), "results: expected a number, found nothing"),
        (limited(shortest=False), "length (s): expected a number"),
        (limited(shortest=-1), "length (s): expected a number"),
        (limited(longest="1"), "length (s): expected a number"),
        (limited(name=7), "name or folder"),
        (limited(tag=["a"]), "tag"),
        (limited(find="no such"), "find: found 'no such', expected one of"),
    ],
)
def test_a_search_that_cannot_be_is_answered_with_a_sentence(
    client: httpx.Client, data: list, reason: str
):
    assert reason in error(call(client, "search", *data))


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [NaN]}',
        b'{"data": ["\\ud83d", "synthetic", "everything", 3, 0, 3600, "", "", "all"]}',
        b"[" * 5000,
        b'{"data": [1' + b"0" * 400 + b"]}",
        b"\xff\xfe",
    ],
)
def test_a_body_that_is_no_json_is_refused(client: httpx.Client, body: bytes):
    answer = client.post("/gradio_api/run/search", content=body)
    assert error(answer) == "the request cannot be read; type it again"


def test_weights_of_a_combination_are_numbers(client: httpx.Client):
    for weight, reason in ((True, "expected a number"), ("1", "expected a number"), (7, "-1 to 1")):
        answer = call(client, "combine", "a", "b", "c", weight, 0.5, 0.5, *LIMITS)
        assert reason in error(answer)
    assert "cancel out" in error(call(client, "combine", "a", "a", "", 1, -1, 0, *LIMITS))


def test_only_our_own_names_reach_the_page(client: httpx.Client):
    port = client.base_url.port
    for host in (
        f"evil.example:{port}",
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "192.168.0.7",
    ):
        assert client.get("/", headers={"Host": host}).status_code == 400
        forwarded = {"X-Forwarded-Host": f"localhost, {host}".strip()}
        assert client.get("/config", headers=forwarded).status_code == 400
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_other_websites_can_ask_for_nothing(client: httpx.Client):
    for origin in ("https://evil.example", "null", f"http://localhost:{client.base_url.port}", "x"):
        foreign = {"Origin": origin}
        assert call(client, "search", "walk", *LIMITS, headers=foreign).status_code == 403
        assert client.get("/config", headers=foreign).status_code == 403
        assert client.options("/gradio_api/upload", headers=foreign).status_code == 403
    for site in ("cross-site", "same-site"):
        for path in ("/api/motions/synthetic/00003.gif", "/config"):
            assert client.get(path, headers={"Sec-Fetch-Site": site}).status_code == 403
    ours = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert call(client, "search", "walk", *LIMITS, headers=ours).status_code == 200


def test_nothing_frames_the_page_and_no_script_comes_from_elsewhere(client: httpx.Client):
    for path in ("/", "/viewer/results_view.js", "/no/such"):
        headers = client.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "connect-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/proxy=http://127.0.0.1:1/", "/gradio_api/dev/reload", "/monitoring", "/login",
     "/gradio_api/vibe-code/", "/gradio_api/runs", "/gradio_api/stream/a/b/1/playlist.m3u8"],
)  # fmt: skip
def test_what_the_page_does_not_need_is_not_there(client: httpx.Client, path: str):
    assert client.get(path).status_code == 404


def test_bodies_are_bounded(client: httpx.Client):
    assert "at most 256 KB" in error(call(client, "search", "a" * 300_000, *LIMITS))
    chunks = (b"a" * 65_536 for _ in range(8))  # without its length
    assert "256 KB" in error(client.post("/gradio_api/run/search", content=chunks))
    head = "POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\n"
    too_long = f"{head}Content-Length: {2**27}\r\n\r\n"
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address) as raw:
        raw.sendall(too_long.encode())
        with raw.makefile("rb") as answer:
            assert any(b"at most 64 MB can be sent" in line for line in answer)


def bvh(joints: int, frames: int, depth: int = 0, frame_time: float = 0.01) -> bytes:
    inside = "JOINT j\n{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    body = f"{inside}}}\n" * joints + inside * depth + "}\n" * depth
    root = "ROOT r\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n"
    return (
        f"HIERARCHY\n{root}{body}}}\nMOTION\nFrames: {frames}\nFrame Time: {frame_time}\n".encode()
    )


def archive(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return held.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    held = io.BytesIO()
    record = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(held, record)
    return held.getvalue()


# Files that would take much memory or time, made when they are sent, and why they are refused.
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "deep.bvh": (lambda: bvh(0, 1, depth=20_000), "below each other"),
    "wide.bvh": (lambda: bvh(30_000, 1), "30,001 joints"),
    "long.bvh": (lambda: bvh(100, 10**6), "1,000,000 frames of 101 joints"),
    "slow.bvh": (lambda: bvh(1, 10**5, frame_time=1), "minutes long"),
    "names.bvh": (lambda: b"HIERARCHY\n" + b"x" * 3_000_000, "longer than a motion's can be"),
    "zeros.npz": (lambda: archive(poses=header((2**26,)) + bytes(2**29)), "512 MB of numbers"),
    "claims.npz": (lambda: archive(poses=header((2**46,))), "MB of numbers"),
    "claims.npy": (lambda: header((2**46, 22, 3)), "MB of numbers"),
    "objects.npy": (lambda: b"\x93NUMPY\x01\x00", "objects.npy"),
    "<img src=x>.npy": (lambda: b"", ".npy"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_is_measured_before_it_is_read(client: httpx.Client, name: str):
    make, reason = BOMBS[name]
    sent = upload(client, name, make())
    answered = by_file(client, sent)
    assert reason in answered
    assert "<" not in answered
    assert "/tmp" not in answered
    assert not Path(sent["path"]).exists()  # deleted, read or not


def by_file(client: httpx.Client, sent: dict) -> str:
    """What an event that waits in Gradio's queue says of a file."""
    started = client.post(
        "/gradio_api/call/search_by_file", json={"data": [sent, *LIMITS]}
    ).json()["event_id"]  # fmt: skip
    answer = client.get(f"/gradio_api/call/search_by_file/{started}").text
    assert "event: error" in answer, answer
    return json.loads(answer.split("data: ", 1)[1].strip())["error"]


def test_searches_go_on_beside_bombs_and_slow_readers(client: httpx.Client):
    half_sent = []
    for _ in range(20):
        raw = socket.create_connection((client.base_url.host, client.base_url.port or 80))
        raw.sendall(b"POST /gradio_api/run/search HTTP/1.1\r\nHost: localhost\r\n")
        raw.sendall(b"Content-Length: 99\r\n\r\n{")
        half_sent.append(raw)
    sent = upload(client, "wide.bvh", bvh(30_000, 1))
    with ThreadPoolExecutor(16) as pool:
        bomb = pool.submit(by_file, client, sent)
        answers = list(pool.map(lambda n: call(client, "search", f"walk {n}", *LIMITS), range(48)))
        assert "joints" in bomb.result()
    assert {answer.status_code for answer in answers} == {200}
    for raw in half_sent:
        raw.close()


def test_a_page_on_the_network_imports_nothing_and_asks_for_its_password(small: Workspace):
    options = ("host=0.0.0.0", "auth=jo:a b:c")
    with (
        served(small, *options) as (address, _),
        httpx.Client(base_url=address, timeout=120, limits=ONCE) as client,
    ):
        for given in (None, ("jo", "a b"), ("x", "a b:c")):
            answer = client.get("/config", auth=given)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
        assert client.get("/api/search?q=walk").status_code == 401
        client.auth = ("jo", "a b:c")
        assert client.get("/config").status_code == 200
        assert call(client, "import_folder", "/etc").status_code >= 400
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
        assert client.get("/", headers={"Host": "192.168.0.7:80"}).status_code == 200


def test_the_server_ends_within_two_seconds_of_sigterm_and_leaves_nothing(
    small: Workspace, tmp_path: Path
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path))
        with served(small) as (address, server), httpx.Client(base_url=address) as client:
            upload(client, "a.npy", b"nothing")
            assert list(tmp_path.glob("motion-search-*"))
            waiting = threading.Thread(target=lambda: hold(client))
            waiting.start()
            time.sleep(0.5)
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=10)
            waiting.join()
    assert not list(tmp_path.glob("motion-search-*"))


def hold(client: httpx.Client) -> None:
    try:
        client.get("/gradio_api/heartbeat/held")
    except httpx.HTTPError:
        return


def test_names_of_a_server():
    assert names_of("127.0.0.1") == {"localhost", "127.0.0.1", "[::1]"}
    assert "[::1]" in names_of("::1")
    assert names_of("0.0.0.0", ["Motions.example.org"]) > {"motions.example.org", "localhost"}


def test_a_password_is_compared_whole(tmp_path: Path):
    async def unreached(*_: object) -> None:
        raise AssertionError("nothing is passed on here")

    guard = Guard(unreached, frozenset(), False, tmp_path, "jo:secret")
    good = base64.b64encode(b"jo:secret").decode()
    assert guard._knows_password(f"Basic {good}")
    for bad in ("", "Basic", "Basic !!!", f"Bearer {good}", "Basic am86c2VjcmU="):
        assert not guard._knows_password(bad)


def test_work_for_a_client_that_goes_away_is_stopped(tmp_path: Path):
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        gone.set()
        with pytest.raises(Unwanted):
            while True:
                check_wanted()
                await asyncio.sleep(0.001)
        sent.append((await receive())["type"])

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def ignore(_: Message) -> None:
        pass

    for method in ("GET", "POST"):
        messages, gone = (
            [{"type": "http.request", "body": b"", "more_body": False}],
            asyncio.Event(),
        )
        scope = {"type": "http", "method": method, "path": "/config", "headers": HOST}
        guard = Guard(app, names_of("127.0.0.1"), False, tmp_path)
        asyncio.run(asyncio.wait_for(guard(scope, receive, ignore), 60))
    assert sent == ["http.disconnect"] * 2
