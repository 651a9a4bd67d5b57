"""A report that follows runs while they train, served to this machine alone."""

import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ...errors import UserError
from .page import make_report
from .reading import find_folders

HOST = "127.0.0.1"
_HOSTS = (HOST, "localhost")


class _Handler(BaseHTTPRequestHandler):
    """Answers `/` with the page, and `/stamp` with a text that changes when the page does."""

    server: "LiveReport"  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        if self.headers.get("Host", "").partition(":")[0] not in _HOSTS:
            self.send_error(403)  # a page from elsewhere that gave its name this machine's address
            return
        try:
            if self.path == "/":
                self._answer(self.server.page(), "text/html; charset=utf-8")
            elif self.path == "/stamp":
                self._answer(self.server.stamp().encode(), "text/plain")
            else:
                self.send_error(404)
        except UserError:
            self.send_error(503)  # the folder has gone

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal belongs to the training."""


class LiveReport(ThreadingHTTPServer):
    """A server of one page, on the loopback address."""

    daemon_threads = True

    def __init__(self, paths: Sequence[str | Path], port: int = 0):
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UserError(f"--port {port} cannot be served: {error.strerror}; name another port") from error
        self.paths = list(paths)
        self.lock = threading.Lock()  # one page at a time

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.server_port}/"

    def start(self) -> str:
        """Serve beside what this process does; return the address."""
        threading.Thread(target=self.serve_forever, name="covey report", daemon=True).start()
        return self.address

    def stamp(self) -> str:
        """Return a text that changes when any of the runs has written something."""
        folders = find_folders(self.paths)[0]
        files = [file for folder in folders for file in (folder.metrics, folder.run, folder.summary)]
        times = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists()]
        return f"{hash((len(folders), *times)):x}"

    def page(self) -> bytes:
        """Return the page as of now; agents play only in a page that is written to a file."""
        with self.lock:
            return make_report(self.paths, replay=False, live=True)
