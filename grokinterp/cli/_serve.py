"""A few files over HTTP on this machine alone: what `grokinterp open` serves.

Only the files that are named are served, and the scripts of one folder, whatever else lies beside them; no path of a
request is ever looked up on the disk. A page elsewhere whose name is made to point at this machine (DNS rebinding)
names its own host, and is refused.
"""

import errno
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from grokinterp.errors import GrokinterpError

LOOPBACK = "127.0.0.1"
_HOSTS = (LOOPBACK, "localhost")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def file_server(files: Mapping[str, Path], port: int = 0, *, folder: Path | None = None) -> ThreadingHTTPServer:
    """A server on 127.0.0.1 of `files`, by the paths they are asked for by, such as `/report.html`.

    With a `folder` also of the scripts that lie in it, under its name: `/report_steps/step-0.js`.

    It is listening, and answers once `serve_forever` is called. Port 0 is one that is free. Files are read anew for
    each request.

    **Raises** `GrokinterpError` where the port cannot be had.
    """

    class Handler(_OnlyThese):
        served, scripts = files, folder

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "another program listens there",
            errno.EACCES: "this user may not listen there",
        }.get(error.errno or 0, error.strerror or str(error))
        raise GrokinterpError(f"--port {port}: {reason}; give another port, or none for one that is free") from error


class _OnlyThese(BaseHTTPRequestHandler):
    served: Mapping[str, Path]
    scripts: Path | None
    # Of a connection that says nothing, in seconds.
    timeout = 30
    server_version, sys_version = "grokinterp", ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        status, kind, body = self._found()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _found(self) -> tuple[HTTPStatus, str, bytes]:
        plain = "text/plain; charset=utf-8"
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or not is_this_machine(hosts[0]):
            return HTTPStatus.FORBIDDEN, plain, b"This server answers to localhost and 127.0.0.1 alone.\n"
        # As it was sent: what is percent-encoded is not decoded, and so names nothing.
        asked = self.path.partition("?")[0]
        file = self.served.get(asked) or self._script(asked)
        try:
            body = file.read_bytes() if file else None
        except OSError:
            body = None
        if file is None or body is None:
            return HTTPStatus.NOT_FOUND, plain, b"There is no such page.\n"
        return HTTPStatus.OK, _TYPES.get(file.suffix, "application/octet-stream"), body

    def _script(self, asked: str) -> Path | None:
        """The script of this address, found by looking through the folder and not by the address."""
        scripts = self.scripts.glob("*.js") if self.scripts else ()
        return next((file for file in scripts if asked == f"/{file.parent.name}/{file.name}"), None)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal is the user's."""


def is_this_machine(host: str) -> bool:
    """Whether a Host header names this machine, at any port, which a tunnel may have changed.

    >>> [is_this_machine(host) for host in ("localhost:8000", "127.0.0.1", "evil.example", "localhost.evil.example:80")]
    [True, True, False, False]
    """
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return False
    return parts.hostname in _HOSTS and parts.netloc == host and not (parts.username or parts.password or parts.path)
