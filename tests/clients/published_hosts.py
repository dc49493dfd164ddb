"""The published API's own hosts, led to a shop: for clients that know no other endpoint.

A proxy of HTTPS. Whichever host it is asked for, it ends TLS itself, with a certificate for that host, and hands what
it reads to the shop, which so sees the host that the client has signed. Clients that bring the authorities they trust
in a file of their own see another file in its place, in a mount namespace of theirs; that needs root.
"""

import asyncio
import os
import ssl
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vmart.config.tls import ensure_certificate

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class PublishedHosts:
    """``with PublishedHosts(access.endpoint, folder) as hosts``: ``hosts.environment`` is a client's."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        host, _, port = endpoint.rpartition(":")
        self._shop, self._folder = (host, int(port)), folder
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "PublishedHosts":
        self._thread.start()
        begun = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = begun.result(10)
        ensure_certificate(self._folder, "localhost")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        """In its own thread: a browser's loop may run in that of the tests."""
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @property
    def environment(self) -> dict[str, str]:
        port = self._server.sockets[0].getsockname()[1]
        return {"PATH": os.environ["PATH"], "HOME": str(self._folder), "HTTPS_PROXY": f"http://127.0.0.1:{port}"}

    def command(self, words: Sequence[str], *trusted: Path) -> list[str]:
        """``words`` where the authority of these certificates is what each of the files in ``trusted`` has."""
        mounts = " && ".join(f'mount --bind "{self._folder}/ca.pem" "{file}"' for file in trusted)
        return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh", *words]

    def run(self, words: Sequence[str], *trusted: Path, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(words, *trusted), env=self.environment | more, capture_output=True, text=True, check=False,
            timeout=240,
        )  # fmt: skip

    def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            ensure_certificate(self._folder, host)
            self._contexts[host] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._contexts[host].load_cert_chain(self._folder / "server.pem", self._folder / "server.key")
        return self._contexts[host]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
        assert method == "CONNECT", method
        writer.write(_ESTABLISHED)
        await writer.drain()
        await writer.start_tls(self._context(target.rpartition(":")[0]))
        up_reader, up_writer = await asyncio.open_connection(*self._shop)
        await asyncio.gather(_copy(reader, up_writer), _copy(up_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the one side ends; the other is told so."""
    try:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def trusted_by(program: Path) -> Path:
    """The file of authorities that the packages of a program in Python bring (``bin/clients.sh``)."""
    return program / "packages" / "certifi" / "cacert.pem"
