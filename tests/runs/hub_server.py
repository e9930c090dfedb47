"""A Hugging Face hub in small: the endpoints that the real client calls, over HTTP on localhost."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TOKEN = "hf_for_tests"
LARGE = (".pt", ".safetensors")


class Hub:
    """What the server keeps: commits of repositories (files by path) and large files by hash."""

    def __init__(self) -> None:
        self.repos: dict[str, list[dict[str, bytes]]] = {}
        self.large: dict[str, bytes] = {}
        self.private: set[str] = set()

    def hashes(self, repo: str) -> list[str]:
        """The hashes of a repository's commits, the newest last."""
        commits = range(len(self.repos[repo]))
        return [hashlib.sha1(f"{repo} {i}".encode()).hexdigest() for i in commits]

    def sha(self, repo: str, revision: str) -> str | None:
        """The full hash of a revision: ``main`` is the newest commit."""
        hashes = self.hashes(repo)
        return hashes[-1] if revision == "main" else revision if revision in hashes else None

    def files(self, repo: str, sha: str) -> dict[str, bytes]:
        """The files of a commit."""
        return self.repos[repo][self.hashes(repo).index(sha)]


REPO = r"([^/]+/[^/]+)"
ROUTES = {
    "api/repos/create": "create",
    "api/validate-yaml": "validate",
    r"lfs/(\w+)": "store",
    rf"{REPO}\.git/info/lfs/objects/batch": "batch",
    rf"api/models/{REPO}(?:/(\w+)/(\w+))?": "api",
    rf"{REPO}/resolve/(\w+)/(.+)": "resolve",
}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""

    def route(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0].strip("/")
        for pattern, name in ROUTES.items():
            if found := re.fullmatch(pattern, path):
                return getattr(self, name)(*found.groups())
        return self.refuse(404, "NoSuchPage")  # the client asks for pages it can do without

    do_GET = do_HEAD = do_POST = do_PUT = route

    def reply(self, content: Any, status: int = 200, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status: int, code: str) -> None:
        self.reply({"error": code}, status, X_Error_Code=code, X_Error_Message=code)

    def authorised(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def validate(self) -> None:
        self.reply({"errors": [], "warnings": []})

    def store(self, oid: str) -> None:
        self.hub.large[oid] = self.body
        self.reply({})

    def create(self) -> None:
        if not self.authorised():
            return self.refuse(401, "Unauthorized")
        wanted = json.loads(self.body)
        repo = f"{wanted['organization']}/{wanted['name']}"
        if wanted.get("visibility") == "private" or wanted.get("private"):
            self.hub.private.add(repo)
        status = 409 if repo in self.hub.repos else 200
        self.hub.repos.setdefault(repo, [])
        return self.reply({"name": repo, "url": f"https://huggingface.co/{repo}"}, status)

    def batch(self, repo: str) -> None:
        host = self.headers["Host"]
        objects = [
            {**o, "actions": {"upload": {"href": f"http://{host}/lfs/{o['oid']}"}}}
            for o in json.loads(self.body)["objects"]
        ]
        self.reply({"transfer": "basic", "objects": objects})

    def api(self, repo: str, what: str | None, revision: str | None) -> None:
        private = repo in self.hub.private
        writing = what in ("preupload", "commit")
        if repo not in self.hub.repos or ((private or writing) and not self.authorised()):
            return self.refuse(401, "RepoNotFound")
        if what is not None and writing:
            return getattr(self, what)(repo)
        sha = self.hub.sha(repo, revision or "main")
        if sha is None:
            return self.refuse(404, "RevisionNotFound")
        if what == "tree":
            return self.reply([self.entry(*f) for f in self.hub.files(repo, sha).items()])
        return self.reply({"id": repo, "sha": sha, "siblings": [], "private": private})

    def preupload(self, repo: str) -> None:
        paths = [file["path"] for file in json.loads(self.body)["files"]]
        modes = {path: "lfs" if path.endswith(LARGE) else "regular" for path in paths}
        self.reply(
            {
                "files": [
                    {"path": path, "uploadMode": mode, "shouldIgnore": False}
                    for path, mode in modes.items()
                ]
            }
        )

    def commit(self, repo: str) -> None:
        files = dict(self.hub.repos[repo][-1]) if self.hub.repos[repo] else {}
        for line in map(json.loads, self.body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        self.hub.repos[repo].append(files)
        sha = self.hub.sha(repo, "main")
        url = f"https://huggingface.co/{repo}/commit/{sha}"
        self.reply({"success": True, "commitUrl": url, "commitOid": sha, "hookOutput": ""})

    def entry(self, path: str, content: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content)}
        entry["oid"] = hashlib.sha1(content).hexdigest()
        if path.endswith(LARGE):
            oid = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
        return entry

    def resolve(self, repo: str, revision: str, path: str) -> None:
        if repo not in self.hub.repos or (repo in self.hub.private and not self.authorised()):
            return self.refuse(401, "RepoNotFound")
        sha = self.hub.sha(repo, revision)
        if sha is None or path not in self.hub.files(repo, sha):
            return self.refuse(404, "EntryNotFound")
        content = self.hub.files(repo, sha)[path]
        entry = self.entry(path, content)
        tag = entry.get("lfs", entry)["oid"]
        return self.reply(
            content, ETag=f'"{tag}"', X_Repo_Commit=sha, X_Linked_Etag=f'"{tag}"',
            X_Linked_Size=str(len(content)),
        )  # fmt: skip


@contextmanager
def serve(patch: pytest.MonkeyPatch, cache: str) -> Iterator[Hub]:
    """A hub on localhost that the client library talks to, logged in, with a cache of its own."""
    from huggingface_hub import constants

    hub = Hub()
    handler = type("BoundHandler", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    patch.setattr(constants, "ENDPOINT", address)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(constants, "HF_HUB_CACHE", cache)
    # Files go over plain HTTP, not to the chunk store that the real hub has beside it.
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setenv("HF_TOKEN", TOKEN)
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
