"""``vmart web``: pages and API under Granian, one listening address, plain or TLS."""

import os
import socket
import threading
import time
from pathlib import Path

from vmart.config import readiness
from vmart.config.health import health

_HEADERS_MAX_BYTES = 2**18  # well above the longest request line that the server takes, so that none is a 431 before


def serve(host: str, port: int, *, certificate: Path | None = None, key: Path | None = None) -> None:
    """Serve until SIGTERM. Announces readiness when the address answers.

    ``VMART_WEB_WORKERS`` processes (default: one for two cores, four at most: the database works on the others, and
    a second one on two cores sold less, not more) of ``VMART_WEB_THREADS`` threads each.
    """
    from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server.mp import MPServer

    workers = int(os.environ.get("VMART_WEB_WORKERS", "0")) or min(4, max(1, (os.cpu_count() or 1) // 2))
    threads = int(os.environ.get("VMART_WEB_THREADS", "16"))
    os.environ["VMART_WEB_PARENT"] = str(os.getpid())
    http1 = HTTP1Settings(keep_alive=True, max_buffer_size=_HEADERS_MAX_BYTES)
    server = MPServer(
        "vmart.config.web_process:application",
        address=host, port=port, interface=Interfaces.WSGI, workers=workers, blocking_threads=threads,
        blocking_threads_idle_timeout=600, http=HTTPModes.http1, http1_settings=http1,
        websockets=False, log_level=LogLevels.error, log_access=False, respawn_failed_workers=True,
        respawn_interval=0.1, ssl_cert=certificate, ssl_key=key, ssl_protocol_min=SSLProtocols.tls12,
        workers_kill_timeout=10, loop=Loops.asyncio,
    )  # fmt: skip
    loaded = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    loaded.bind(loaded_address(os.getpid()))
    scheme = "https" if certificate else "http"
    threading.Thread(target=_announce_when_serving, args=(loaded, workers, scheme, host, port), daemon=True).start()
    server.serve()


def loaded_address(parent_pid: int) -> str:
    """Abstract address to which each worker process says that it has loaded the application."""
    return f"\0vmart-web-{parent_pid}"


def _announce_when_serving(loaded: socket.socket, workers: int, scheme: str, host: str, port: int) -> None:
    """All worker processes have loaded, and /healthz answers: only then it serves."""
    with loaded:
        for _ in range(workers):
            loaded.recv(1)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
    url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    while not (health(url) or {}).get("database"):
        time.sleep(0.03)
    readiness.announce()
