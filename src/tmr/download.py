"""Fetch published files: resumed after a cut, verified, and never half in place."""

import http.client
import logging
import shutil
import socket
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from tmr.digests import content_digest
from tmr.errors import InputError
from tmr.io import write_json
from tmr.progress import Progress

log = logging.getLogger(__name__)

CHUNK = 1 << 16  # bytes
TIMEOUT = 30  # seconds without a byte
PATIENCE = 5  # tries in a row that bring nothing
FIRST_WAIT = 1.0  # seconds before the second try; doubles with each further one
AGENT = {"User-Agent": "tmr"}


@dataclass(frozen=True, slots=True)
class Item:
    """Something published: an archive to unpack into ``target``, or ``files`` to put there.

    ``url`` is that of the archive or of the folder that holds the files; ``md5`` is the archive's,
    and ``files`` has the MD5 of each file by its name, None where it is not known.
    """

    target: str
    url: str
    md5: str | None = None
    files: dict[str, str | None] | None = None


def download(item: Item) -> None:
    """Fetch an item; what is there already is not fetched again.

    Raises:
        InputError: the server cannot be reached or refuses, or the content has another MD5.
    """
    if item.files is not None:
        fetch_files(item.url, item.files, Path(item.target))
    else:
        assert item.md5, "archives have a checksum"
        fetch_archive(item.url, item.md5, Path(item.target))


def fetch_files(url: str, files: Mapping[str, str | None], target: Path) -> None:
    """Every file ``url``/NAME as ``target``/NAME; ``files`` has the MD5 of each name, or None."""
    for name, md5 in files.items():
        fetch(f"{url.rstrip('/')}/{name}", target / name, md5)
    log.info("%d files in %s", len(files), target)


def fetch_archive(url: str, md5: str, target: Path) -> None:
    """The folders and files of an archive, put into ``target`` each in one step.

    A list of them is kept in ``target``, so that a second run has nothing to do. What is there
    under the same name stays as it is.
    """
    record = target / f".{md5}.json"
    if record.is_file() and all((target / name).exists() for name in _listed(record)):
        log.info("%s is there already: %s", target, ", ".join(_listed(record)))
        return
    archive = fetch(url, target / f".{md5}.archive", md5)
    names = unpack(archive, target)
    write_json(record, names)
    archive.unlink()
    log.info("unpacked into %s: %s", target, ", ".join(names))


def _listed(record: Path) -> list[str]:
    return orjson.loads(record.read_bytes())


def fetch(url: str, target: Path, md5: str | None) -> Path:
    """``target`` with the content of ``url``: fetched, or there already with this MD5.

    An interrupted transfer lies beside it as ``.NAME.part`` and is continued, now or, with
    ``md5``, by the next run. Without ``md5`` an existing file is taken as it is and a new one is
    only known to be as long as the server said.

    Raises:
        InputError: the server cannot be reached or refuses, or the content has another MD5.
    """
    if target.is_file():
        if md5 is None or (found := _md5(target)) == md5:
            return target
        raise InputError(f"{target} has MD5 {found}, expected {md5}: move it away first")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    if md5 is None:
        part.unlink(missing_ok=True)  # of another file, perhaps: nothing would tell
    _transfer(url, part)
    found = _md5(part)
    if md5 is not None and found != md5:
        page = part.read_bytes()[:512].lstrip().lower().startswith((b"<!doctype", b"<html"))
        part.unlink()
        reason = "it is a web page: the server asks for something" if page else "it is another file"
        raise InputError(
            f"{url} has MD5 {found}, expected {md5}: {reason}, or it was damaged on the way; try "
            "again, or give the address of a good copy as url=..."
        )
    part.replace(target)
    return target


def _md5(path: Path) -> str:
    return content_digest(path, algorithm="md5")


def _transfer(url: str, part: Path) -> None:
    """Fill ``part`` until it is as long as the server says, however often the line is cut."""
    failures, wait = 0, FIRST_WAIT
    with Progress(url.rpartition("/")[2][:40], "MB") as progress:
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                if _continue(url, part, progress):
                    return
                reason = "the connection was cut"
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code not in (408, 429):
                    raise InputError(
                        f"{url}: the server answers {error.code} {error.reason}; "
                        "give another address as url=..."
                    ) from None
                reason = f"the server answers {error.code} {error.reason}"
            except (OSError, http.client.HTTPException) as error:
                cause = getattr(error, "reason", error)
                if isinstance(cause, socket.gaierror):
                    host = urllib.parse.urlsplit(url).hostname
                    raise InputError(
                        f"no network, or no host {host} ({cause.strerror}): connect and run the "
                        "command again, or give another address as url=..."
                    ) from None
                reason = str(cause) or type(error).__name__
            except ValueError as error:
                raise InputError(f"url={url}: {error}") from None
            if part.exists() and part.stat().st_size > before:
                failures, wait = 0, FIRST_WAIT
            failures += 1
            if failures == PATIENCE:
                raise InputError(
                    f"{url}: {reason}, {PATIENCE} times in a row; run the command again to go on "
                    "where it stopped, or give another address as url=..."
                )
            log.warning("%s: %s; going on", url, reason)
            time.sleep(wait)
            wait *= 2


def _continue(url: str, part: Path, progress: Progress) -> bool:
    """Append what the server sends behind the bytes in ``part``; whether the file is whole now."""
    have = part.stat().st_size if part.exists() else 0
    headers = AGENT | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT
        )
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # Nothing lies behind our bytes: all are there, or they are of another file.
        whole = error.headers.get("Content-Range", "").rpartition("/")[2] == str(have)
        if not whole:
            part.unlink()
        return whole
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server starts from the beginning, and so must we
        length = response.headers.get("Content-Length")
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            for chunk in _chunks(response):
                file.write(chunk)
                done = file.tell()
                progress(done >> 20, (have + int(length) if length else done) >> 20)
            return length is None or file.tell() == have + int(length)


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while chunk := response.read(CHUNK):
        yield chunk


def unpack(archive: Path, target: Path) -> list[str]:
    """Names of what an archive (zip or tar, compressed or not) holds, now in ``target``.

    Everything is unpacked beside the target first, and each folder or file then renamed, so that
    none is ever seen in part. A single outer folder called like the target is taken off.

    Raises:
        InputError: not an archive, a damaged one, or one with paths that lead outside.
    """
    target.mkdir(parents=True, exist_ok=True)
    workplace = target / f"{archive.name}.unpacking"
    shutil.rmtree(workplace, ignore_errors=True)  # of a run that was killed
    try:
        _extract(archive, workplace)
        inside = sorted(workplace.iterdir())
        if len(inside) == 1 and inside[0].name == target.name and inside[0].is_dir():
            inside = sorted(inside[0].iterdir())
        for path in inside:
            if (target / path.name).exists():
                log.warning("%s is there already: left as it is", target / path.name)
            else:
                path.replace(target / path.name)
        return [path.name for path in inside]
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    folder.mkdir()
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(folder)
        else:
            with tarfile.open(archive) as opened:
                opened.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InputError(f"{archive} cannot be unpacked: {error}") from None
