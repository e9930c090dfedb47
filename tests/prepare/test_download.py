"""Downloads from a real server on this machine, with cut connections and damaged content."""

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tmr import download
from tmr.download import fetch, fetch_archive, fetch_files, unpack
from tmr.errors import InputError

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``files``; cuts the connection after as many bytes as ``cuts`` says, one a request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.errors: list[int] = []
        self.ranges = True
        self.asked: list[tuple[str, str | None]] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        name, wanted = self.path.strip("/"), self.headers["Range"]
        self.server.asked.append((name, wanted))
        if self.server.errors:
            return self.send_error(self.server.errors.pop(0))
        if name not in self.server.files:
            return self.send_error(404)
        content = self.server.files[name]
        first = 0
        if wanted and self.server.ranges:
            first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # pyright: ignore
            if first >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                return self.end_headers()
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else None
        self.wfile.write(content[first:][:cut])
        self.close_connection = True
        return None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "FIRST_WAIT", 0.001)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def tar_of(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_transfer_cut_many_times_is_continued_where_it_stopped(server, tmp_path):
    server.files["a.bin"] = CONTENT
    server.cuts = [1000, 70_000, 1, 0, 100_000]
    assert fetch(server.url("a.bin"), tmp_path / "a.bin", MD5).read_bytes() == CONTENT
    assert [r for _, r in server.asked] == [
        None, "bytes=1000-", "bytes=71000-", "bytes=71001-", "bytes=71001-", "bytes=171001-",
    ]  # fmt: skip
    assert files(tmp_path) == {"a.bin"}


def test_a_second_run_continues_what_the_first_had_to_give_up(server, tmp_path):
    server.files["a.bin"] = CONTENT
    server.cuts = [123_456] + [0] * 10
    with pytest.raises(InputError, match="5 times in a row; run the command again to go on"):
        fetch(server.url("a.bin"), tmp_path / "a.bin", MD5)
    assert files(tmp_path) == {".a.bin.part"}
    server.cuts = []
    server.asked.clear()
    assert fetch(server.url("a.bin"), tmp_path / "a.bin", MD5).read_bytes() == CONTENT
    assert server.asked == [("a.bin", "bytes=123456-")]
    assert fetch("http://127.0.0.1:1/gone", tmp_path / "a.bin", MD5).is_file()  # nothing to do


def test_a_server_without_ranges_is_read_from_the_beginning(server, tmp_path):
    server.files["a.bin"], server.ranges = CONTENT, False
    server.cuts = [200_000, 250_000]
    assert fetch(server.url("a.bin"), tmp_path / "a.bin", MD5).read_bytes() == CONTENT


@pytest.mark.parametrize("left", [len(CONTENT), len(CONTENT) + 5])
def test_a_part_file_that_is_whole_or_too_long_is_recognized(server, tmp_path, left):
    server.files["a.bin"] = CONTENT
    (tmp_path / ".a.bin.part").write_bytes((CONTENT + b"extra")[:left])
    assert fetch(server.url("a.bin"), tmp_path / "a.bin", MD5).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again_and_a_refusal_is_final(server, tmp_path):
    server.files["a.bin"], server.errors = CONTENT, [503, 429]
    assert fetch(server.url("a.bin"), tmp_path / "a.bin", MD5).is_file()
    with pytest.raises(InputError, match=r"the server answers 404 .* url="):
        fetch(server.url("b.bin"), tmp_path / "b.bin", MD5)
    with pytest.raises(InputError, match="refused"):
        fetch("http://127.0.0.1:1/b.bin", tmp_path / "b.bin", MD5)
    with pytest.raises(InputError, match="url=nonsense"):
        fetch("nonsense", tmp_path / "b.bin", MD5)
    assert files(tmp_path) == {"a.bin"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"<!DOCTYPE html><p>Quota exceeded", "it is a web page"), (CONTENT[::-1], "another file")],
)
def test_other_content_is_refused_and_nothing_is_left(server, tmp_path, content, reason):
    server.files["a.bin"] = content
    with pytest.raises(InputError, match=reason):
        fetch(server.url("a.bin"), tmp_path / "a.bin", MD5)
    assert files(tmp_path) == set()


def test_an_archive_is_unpacked_once_and_without_its_outer_folder(server, tmp_path):
    members = {"models/tmr_a/config.json": b"{}", "models/tmr_b/last_weights/x.pt": CONTENT}
    server.files["m.tgz"] = tar_of(members)
    server.cuts = [150_000]
    md5 = hashlib.md5(server.files["m.tgz"]).hexdigest()
    target = tmp_path / "models"
    fetch_archive(server.url("m.tgz"), md5, target)
    unpacked = {name.removeprefix("models/") for name in members}
    assert files(target) == unpacked | {f".{md5}.json"}
    server.asked.clear()
    fetch_archive(server.url("m.tgz"), md5, target)
    assert server.asked == []
    shutil.rmtree(target / "tmr_b")
    (target / "tmr_a/config.json").write_text("mine")
    fetch_archive(server.url("m.tgz"), md5, target)
    assert files(target) == unpacked | {f".{md5}.json"}
    assert (target / "tmr_a/config.json").read_text() == "mine"


def test_a_damaged_archive_leaves_no_folder_behind(tmp_path):
    whole = tar_of({f"run/{i}.bin": CONTENT[:5000] for i in range(20)})
    for name, content in {
        "cut.tgz": whole[: len(whole) // 2],
        "text.tgz": b"not an archive",
        "out.tgz": tar_of({"run/a": b"a", "../outside": b"b"}),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="cannot be unpacked"):
            unpack(tmp_path / name, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []
    assert not (tmp_path / "outside").exists()


def test_what_a_killed_run_had_unpacked_is_done_again(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("run/config.json", "{}")
    (tmp_path / "models" / "m.zip.unpacking" / "run").mkdir(parents=True)
    assert unpack(tmp_path / "m.zip", tmp_path / "models") == ["run"]
    assert files(tmp_path / "models") == {"run/config.json"}


def test_single_files_go_to_their_places(server, tmp_path):
    server.files |= {"base/kitml/a.json": b"[]", "base/kitml/splits/b.txt": CONTENT}
    fetch_files(server.url("base"), {"kitml/a.json": None, "kitml/splits/b.txt": MD5}, tmp_path)
    assert files(tmp_path) == {"kitml/a.json", "kitml/splits/b.txt"}
    (tmp_path / "kitml/splits/b.txt").write_bytes(b"changed")
    with pytest.raises(InputError, match="move it away first"):
        fetch_files(server.url("base"), {"kitml/splits/b.txt": MD5}, tmp_path)


def test_the_shell_command_takes_another_address(server, tmp_path, root):
    """The script as users call it, in a folder that has only what the command needs."""
    server.files["m.tgz"] = tar_of({"tmr_a/config.json": b"{}"})
    md5 = hashlib.md5(server.files["m.tgz"]).hexdigest()
    for name in ("prepare", "configs"):
        shutil.copytree(root / name, tmp_path / name)
    script = "bash prepare/download_pretrain_models.sh"
    path = f"{root / '.venv' / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        f"{script} url={server.url('m.tgz')} md5={md5}",
        shell=True, cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "models") == {"tmr_a/config.json", f".{md5}.json"}
