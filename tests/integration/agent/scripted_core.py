"""A core that answers as a test says: what a real one never should, and what a broken one might."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = tuple[int, dict[str, str], bytes]
NOT_CHANGED: Answer = (304, {}, b"")


class ScriptedCore:
    """Serves until closed.

    Attributes:
        answers: by what is asked (`keyring`, `snapshot`, `spool`, `edges`), given the last part of the path.
        segments: what was handed over, by segment id, each time.
        etags: what was said to be here already, when it was asked for last.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[str], Answer]] = {
            "keyring": lambda _: NOT_CHANGED,
            "snapshot": lambda _: NOT_CHANGED,
            "edges": lambda _: (204, {}, b""),
        }
        self.segments: list[tuple[str, bytes]] = []
        self.etags: dict[str, str] = {}
        core = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                _, _, what, *rest = self.path.split("/")
                core.etags[what] = self.headers.get("If-None-Match", "")
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if what == "spool":
                    core.segments.append((rest[1], gzip.decompress(body)))
                status, headers, data = core.answers[what](self.path.rpartition("/")[2])
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = answer  # noqa: N815 -- the standard library's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
