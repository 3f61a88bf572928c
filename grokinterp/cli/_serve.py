"""A few files over HTTP on this machine alone: what `grokinterp open` serves.

Only the files that are named are served, and the scripts of one folder, whatever else lies beside them; no path of a
request is ever looked up on the disk. Each must be a regular file that lies in its folder, and hold what the caller
accepts. A page elsewhere whose name is made to point at this machine (DNS rebinding) names its own host, and is
refused. A page that is served may ask nothing of any other place.
"""

import errno
import socket
import sys
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import urlsplit

from grokinterp.errors import GrokinterpError
from grokinterp.runs import read_regular

LOOPBACK = "127.0.0.1"
_HOSTS = (LOOPBACK, "localhost")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
# Bytes of a file that is served; the largest pages have 15 MB.
_MOST = 256 * 2**20
# Connections at a time, and seconds that one may say nothing, or last.
MOST_CONNECTIONS, LONGEST_SILENCE, LONGEST = 32, 30, 300
# The pages are whole: nothing but the scripts beside them is ever asked for, and from here alone.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def file_server(
    files: Mapping[str, Path],
    port: int = 0,
    *,
    folder: Path | None = None,
    accepts: Callable[[bytes], bool] = lambda _: True,
) -> ThreadingHTTPServer:
    """A server on 127.0.0.1 of `files`, by the paths they are asked for by, such as `/report.html`.

    With a `folder` also of the scripts that lie in it, under its name: `/report_steps/step-0.js`. `accepts` says of a
    file's bytes whether they may be served.

    It is listening, and answers once `serve_forever` is called. Port 0 is one that is free. Files are read anew for
    each request.

    **Raises** `GrokinterpError` where the port cannot be had.
    """

    class Handler(_OnlyThese):
        served, scripts, accepted = files, folder, staticmethod(accepts)

    try:
        return _Server((LOOPBACK, port), Handler)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "another program listens there",
            errno.EACCES: "this user may not listen there",
        }.get(error.errno or 0, error.strerror or str(error))
        raise GrokinterpError(f"--port {port}: {reason}; give another port, or none for one that is free") from error


class _Server(ThreadingHTTPServer):
    """A thread per connection, of which there are so many at a time, for so long."""

    def __init__(self, *arguments: Any) -> None:
        self._free = BoundedSemaphore(MOST_CONNECTIONS)
        self._since: dict[socket.socket, float] = {}
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self._since[request] = time.monotonic()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._since.pop(request, None)
            self._free.release()

    def service_actions(self) -> None:
        """Called between connections: end those that have lasted too long."""
        for request, since in list(self._since.items()):
            if time.monotonic() - since > LONGEST:
                try:
                    request.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # It has ended by itself.

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves, or says nothing, is no fault."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _OnlyThese(BaseHTTPRequestHandler):
    served: Mapping[str, Path]
    scripts: Path | None
    accepted: Callable[[bytes], bool]
    timeout = LONGEST_SILENCE
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
        for name, value in _HEADERS.items():
            self.send_header(name, value)
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
        body = None if file is None else self._content(file)
        if file is None or body is None:
            return HTTPStatus.NOT_FOUND, plain, b"There is no such page.\n"
        return HTTPStatus.OK, _TYPES.get(file.suffix, "application/octet-stream"), body

    def _content(self, file: Path) -> bytes | None:
        """What the file holds, if it is one that may be served."""
        # The folder of the scripts, too, must lie where the pages do.
        within = file.parent.parent if file.parent == self.scripts else file.parent
        try:
            content = read_regular(file, _MOST, within=within)
        except GrokinterpError:
            return None
        return content if self.accepted(content) else None

    def _script(self, asked: str) -> Path | None:
        """The script of this address, found by looking through the folder and not by the address."""
        scripts = self.scripts.glob("step-*.js") if self.scripts else ()
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
