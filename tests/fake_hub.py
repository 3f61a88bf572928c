"""A Hugging Face Hub on this machine: as much of its HTTP interface as pushing and fetching a repository takes.

Files that end in `.safetensors` go through LFS, the others in the commit itself, as on the real one.
"""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.commit({".gitattributes": b"*.safetensors filter=lfs\n"})

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.refs["main"]]

    def commit(self, files: dict[str, bytes]) -> str:
        names = "".join(f"{name} {hashlib.sha1(content).hexdigest()}" for name, content in sorted(files.items()))
        oid = hashlib.sha1(f"{len(self.commits)} {names}".encode()).hexdigest()
        self.commits[oid], self.refs["main"] = files, oid
        return oid


@dataclass
class FakeHub:
    """`repositories` by name; `refuse`: a status to answer every request with; `refuse_uploads`: LFS alone fails."""

    url: str = ""
    token: str = "hf_fake"
    repositories: dict[str, Repository] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refuse: int | None = None
    refuse_uploads: bool = False


@contextmanager
def fake_hub():
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True  # Kept-alive connections do not keep the test.
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"  # One connection for many files.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.hub.requests.append(f"{self.command} {self.path}")
        if self.hub.refuse:
            return self._send(self.hub.refuse, {"error": "refused"})
        if self.command == "POST" and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._send(401, {"error": "Invalid username or password."})
        match parts:
            case ["api", "repos", "create"]:
                return self._create(json.loads(body))
            case ["api", "validate-yaml"]:
                return self._send(200, {"errors": [], "warnings": []})
            case ["lfs", oid]:  # A signed address: no token is sent.
                if self.hub.refuse_uploads:
                    return self._send(403, {"error": "expired"})
                self.hub.blobs[oid] = body
                return self._send(200, {})
            case [user, repo, "info", "lfs", "objects", "batch"]:
                return self._send(200, self._batch(f"{user}/{repo.removesuffix('.git')}", json.loads(body)))
            case ["api", "models", user, repo, *rest]:
                return self._of_repository(f"{user}/{repo}", rest, body)
            case [user, repo, "resolve", revision, *path]:
                return self._of_repository(f"{user}/{repo}", ["resolve", revision, *path], body)
        return self._send(404, {"error": "not there"})

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def _create(self, asked: dict):
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        if name in self.hub.repositories:
            return self._send(409, {"error": "exists", "url": f"{self.hub.url}/{name}"})
        self.hub.repositories[name] = Repository(asked.get("visibility") == "private" or bool(asked.get("private")))
        return self._send(200, {"url": f"{self.hub.url}/{name}"})

    def _batch(self, name: str, asked: dict) -> dict:
        assert name in self.hub.repositories
        objects = [
            {**wanted, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{wanted['oid']}", "header": {}}}}
            for wanted in asked["objects"]
        ]
        return {"transfer": "basic", "objects": objects}

    def _of_repository(self, name: str, rest: list[str], body: bytes):
        repository = self.hub.repositories.get(name)
        is_known = self.headers.get("Authorization") == f"Bearer {self.hub.token}"
        if repository is None or (repository.private and not is_known):
            return self._send(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        kind, revision, path = (rest[0], rest[1], "/".join(rest[2:])) if len(rest) > 1 else ("revision", "main", "")
        oid = repository.refs.get(revision, revision)
        if oid not in repository.commits:
            return self._send(404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"})
        files = repository.commits[oid]
        match kind:
            case "revision":
                return self._send(
                    200,
                    {"id": name, "sha": oid, "private": repository.private, "tags": [], "downloads": 0, "likes": 0}
                    | {"siblings": [{"rfilename": file} for file in sorted(files)]},
                )
            case "tree":
                return self._send(200, [_entry(file, content) for file, content in sorted(files.items())])
            case "preupload":
                asked = json.loads(body)["files"]
                return self._send(200, {"files": [_upload_mode(wanted, files) for wanted in asked]})
            case "commit":
                return self._commit(name, repository, [json.loads(line) for line in body.splitlines()])
            case "resolve" if path in files:
                headers = {"X-Repo-Commit": oid, "ETag": f'"{_entry(path, files[path])["oid"]}"'}
                return self._send(200, files[path], headers)
        return self._send(404, {"error": "no such entry"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid})

    def _commit(self, name: str, repository: Repository, lines: list[dict]):
        files = dict(repository.files)
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.hub.blobs[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        oid = repository.commit(files)
        self._send(200, {"commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "commitOid": oid})

    def _send(self, status: int, content, headers=None):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _entry(file: str, content: bytes) -> dict:
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    entry = {"type": "file", "path": file, "size": len(content), "oid": blob}
    if file.endswith(".safetensors"):
        sha = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 134}
    return entry


def _upload_mode(wanted: dict, files: dict[str, bytes]) -> dict:
    mode = "lfs" if wanted["path"].endswith(".safetensors") else "regular"
    held = files.get(wanted["path"])
    entry = None if held is None else _entry(wanted["path"], held)
    oid = entry and (entry["lfs"]["oid"] if mode == "lfs" else entry["oid"])
    return {"path": wanted["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}
