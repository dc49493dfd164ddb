"""A web server on this host that gives what a test put there."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = bytes | Callable[[BaseHTTPRequestHandler], None]


class FileServer:
    """``files``: by path, what is given, or what gives it; all else is not there. ``asked``: paths, in order.

    ``certified``: a folder of ``config.tls``, for one that speaks TLS.
    """

    def __init__(self, certified: Path | None = None) -> None:
        self.files: dict[str, Answer] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                answer = outer.files.get(self.path)
                if callable(answer):
                    answer(self)
                    return
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Length", str(len(answer or b"")))
                self.end_headers()
                self.wfile.write(answer or b"")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certified is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certified / "server.pem", certified / "server.key")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(certified: Path | None = None) -> Iterator[FileServer]:
    server = FileServer(certified)
    try:
        yield server
    finally:
        server.close()


def redirect(to: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Another place."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(302)
        asked.send_header("Location", to)
        asked.send_header("Content-Length", "0")
        asked.end_headers()

    return answer
