"""The wire to an Incus server: REST over its unix socket, or TLS with a client certificate.

A server reached over TLS is known by the SHA-256 fingerprint of its certificate and by nothing else:
its certificate is fetched, compared, and then the only one trusted.
"""

import hashlib
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

import httpx

from vmart.engines.contract import EngineError
from vmart.kernel import clock

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

Json = dict[str, Any]

NO_ANSWER = "The compute engine does not answer."
_SLICE_S = 20
_NOT_YET = "context deadline exceeded"  # Incus 6.0 answers so to a wait that was over before its operation


_FILE_MAX_BYTES, _PART_BYTES = 2**20, 2**16
_FILE_HEADERS = ("X-Incus-uid", "X-Incus-gid", "X-Incus-mode")


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file inside a machine: content, and owner, group and mode in the server's headers."""

    content: bytes
    owner: Mapping[str, str]


class IncusError(EngineError):
    """The server answered with an error; ``code`` is its HTTP-like status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__("The compute engine refused the request.", transient=code >= 500 or code == 423, detail=text)
        self.code = code
        self.text = text

    @property
    def missing(self) -> bool:
        return self.code == 404 or "not found" in self.text.lower()

    @property
    def exists(self) -> bool:
        signs = ("already exists", "already in use", "unique constraint failed")
        return self.code == 409 or any(sign in self.text.lower() for sign in signs)


class TooLong(IncusError):
    """An answer whose length a customer decides is longer than what is read of one."""


class IncusClient:
    """Settings: ``socket``, or ``url`` with ``client_cert``, ``client_key`` (files) and ``server_fingerprint``;
    ``project`` (default ``default``), ``timeout_s`` of one exchange (default 30)."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.project = str(settings.get("project") or "default")
        self._timeout_s = float(settings.get("timeout_s") or 30.0)
        self.is_local = bool(settings.get("socket"))
        self._socket = str(settings.get("socket") or "")
        self._context: ssl.SSLContext | None = None
        if self.is_local:
            transport = httpx.HTTPTransport(uds=str(settings["socket"]), retries=0)
            base_url = "http://incus"
        elif settings.get("url"):
            base_url = str(settings["url"]).rstrip("/")
            self._context = _pinned(base_url, settings)
            transport = httpx.HTTPTransport(verify=self._context, retries=1)
        else:
            raise EngineError("The zone names neither a socket nor a URL of its engine.", transient=False)
        self._base_url = base_url
        self._http = httpx.Client(transport=transport, base_url=base_url, timeout=self._timeout_s, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # A driver that is dropped gives its connections back; the constructor may not have got that far.
        http = getattr(self, "_http", None)
        if http is not None:
            try:  # noqa: SIM105  at the end of the process modules are gone already, contextlib too
                http.close()
            except (AttributeError, TypeError):
                pass

    def get(self, path: str, **parameters: object) -> Any:
        """The ``metadata`` of a GET; raises IncusError, EngineError."""
        return self._exchange("GET", path, None, parameters)["metadata"]

    def get_within(self, limit_s: float, path: str, **parameters: object) -> Any:
        """The same, given up after so many seconds."""
        return self._exchange("GET", path, None, parameters, limit_s)["metadata"]

    def text(self, path: str, *, limit_s: float) -> str:
        """What a GET says that answers in plain text; raises IncusError, EngineError."""
        response = self._raw("GET", path, {"project": self.project}, limit_s)
        if response.status_code != 200:
            self._read(response)
        return response.text

    def find(self, path: str, **parameters: object) -> Any | None:
        """The same, or None where there is nothing."""
        try:
            return self.get(path, **parameters)
        except IncusError as refusal:
            if refusal.missing:
                return None
            raise

    def send(
        self, method: str, path: str, /, body: object = None, *, limit_s: float = 120.0, **parameters: object
    ) -> Any:
        """A request that changes something, its operation waited for at most ``limit_s``; returns metadata."""
        answer = self._exchange(method, path, body, parameters)
        if answer.get("type") != "async":
            return answer.get("metadata")
        return self.wait(answer["operation"], limit_s)

    def begin(self, method: str, path: str, body: object = None, **parameters: object) -> str:
        """Start an operation without waiting for it; returns its path, or empty when it was done at once."""
        return str(self._exchange(method, path, body, parameters).get("operation") or "")

    def wait(self, operation: str, limit_s: float) -> Any:
        """Wait for an operation; an EngineError (transient) when the limit runs out or it is gone."""
        ends = clock.monotonic() + limit_s
        path = urlsplit(operation).path
        while True:
            left_s = ends - clock.monotonic()
            if left_s <= 0:
                raise EngineError("The compute engine takes too long.", transient=True, detail=path)
            state = self._wait_a_while(path, max(1, min(int(left_s), _SLICE_S)))
            if state["status_code"] == 200:
                return state
            if state["status_code"] >= 400:
                # Begun is not refused: what it failed at may pass. (Incus 6.0 answers its wait with 500 by itself.)
                raise IncusError(500, str(state.get("err") or state["status"]))

    def _wait_a_while(self, path: str, slice_s: int) -> Json:
        """The operation's state when it has ended, or ``slice_s`` later as it is then."""
        try:
            answer = self._exchange("GET", f"{path}/wait", None, {"timeout": slice_s}, self._timeout_s + slice_s)
        except IncusError as error:
            if _NOT_YET not in error.text:
                raise
            return dict(self.get(path))
        return dict(answer["metadata"])

    def post_file(self, path: str, content: Any, headers: Mapping[str, str], limit_s: float) -> Any:
        """Upload a stream (an image); waits for the operation."""
        answer = self._read(
            self._raw("POST", path, {"project": self.project}, limit_s, content=content, headers=dict(headers))
        )
        return self.wait(answer["operation"], limit_s)

    def upload(self, path: str, pieces: Iterable[bytes], /, **parameters: str) -> None:
        """Upload a stream that is in its place when it is answered."""
        self._read(self._raw("POST", path, {"project": self.project, **parameters}, self._timeout_s, content=pieces))

    @contextmanager
    def websocket(self, path: str, **parameters: str) -> "Iterator[ClientConnection]":
        """An open line; EngineError (transient) where there is none."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect, unix_connect

        query = urlencode({"project": self.project, **parameters})
        uri = f"{self._base_url.replace('http', 'ws', 1)}{path}?{query}"
        try:
            if self.is_local:
                line = unix_connect(self._socket, uri, compression=None)
            else:
                line = connect(uri, ssl=self._context, compression=None, proxy=None)
        except (WebSocketException, OSError) as error:
            raise EngineError(NO_ANSWER, transient=True, detail=f"{path}: {error}") from error
        with line:
            yield line

    def read_file(self, machine: str, path: str) -> "GuestFile | None":
        """A file inside a machine, at most 1 MiB long; None where there is none. Raises IncusError, EngineError."""
        response = self._short("GET", path_of("instances", machine, "files"), {"project": self.project, "path": path})
        if response.headers.get("X-Incus-type") == "file":
            owner = {name: response.headers[name] for name in _FILE_HEADERS if name in response.headers}
            return GuestFile(response.content, owner)
        if "X-Incus-type" in response.headers:
            raise IncusError(400, f"{path} is no file")  # a folder or a link
        try:
            self._read(response)
        except IncusError as refusal:
            if refusal.missing:
                return None
            raise
        raise EngineError(NO_ANSWER, transient=True, detail=f"nothing is said of {path}")

    def list_folder(self, machine: str, path: str) -> list[str] | None:
        """Names in a folder inside a machine; None for what is no folder, a link to one too, or is not there."""
        response = self._short("GET", path_of("instances", machine, "files"), {"project": self.project, "path": path})
        kind = response.headers.get("X-Incus-type")
        if kind is not None and kind != "directory":
            return None
        try:
            return list(self._read(response)["metadata"] or ())
        except IncusError as refusal:
            if refusal.missing:
                return None
            raise

    def _short(self, method: str, path: str, query: Mapping[str, str]) -> httpx.Response:
        """An answer whose length a customer decides, so it is read to a limit."""
        try:
            with self._http.stream(method, path, params=dict(query), timeout=self._timeout_s) as response:
                content = bytearray()
                for part in response.iter_bytes(_PART_BYTES):
                    content += part
                    if len(content) > _FILE_MAX_BYTES:
                        raise TooLong(400, f"{query['path']} is too long")
                return httpx.Response(response.status_code, headers=response.headers, content=bytes(content))
        except httpx.TransportError as error:
            raise EngineError(NO_ANSWER, transient=True, detail=f"{method} {path}: {error}") from error

    def write_file(self, machine: str, path: str, file: "GuestFile") -> None:
        """The same, written; whoever owns it and may read it is said with it."""
        headers = {**file.owner, "X-Incus-type": "file", "X-Incus-write": "overwrite"}
        self._read(
            self._raw(
                "POST", path_of("instances", machine, "files"), {"project": self.project, "path": path},
                self._timeout_s, content=file.content, headers=headers,
            )
        )  # fmt: skip

    def make_folder(self, machine: str, path: str, owner: Mapping[str, str]) -> None:
        """A folder inside a machine; one that is there gets this owner and mode."""
        headers = {**owner, "X-Incus-type": "directory"}
        where = {"project": self.project, "path": path}
        self._read(self._raw("POST", path_of("instances", machine, "files"), where, self._timeout_s, headers=headers))

    def remove_file(self, machine: str, path: str) -> None:
        """The file is not there any more."""
        where = {"project": self.project, "path": path}
        try:
            self._read(self._raw("DELETE", path_of("instances", machine, "files"), where, self._timeout_s))
        except IncusError as refusal:
            if not refusal.missing:
                raise

    def _exchange(
        self, method: str, path: str, body: object, parameters: Mapping[str, object], timeout_s: float | None = None
    ) -> Json:
        query = {key: str(value) for key, value in parameters.items() if value is not None and value != ""}
        query.setdefault("project", self.project)
        return self._read(self._raw(method, path, query, timeout_s or self._timeout_s, json=body))

    def _raw(
        self, method: str, path: str, query: Mapping[str, str], timeout_s: float, **content: Any
    ) -> httpx.Response:
        if content.get("json") is None:
            content.pop("json", None)
        try:
            return self._http.request(method, path, params=dict(query), timeout=timeout_s, **content)
        except httpx.TimeoutException as error:
            raise EngineError(NO_ANSWER, transient=True, detail=f"{method} {path}: timed out") from error
        except httpx.TransportError as error:
            raise EngineError(NO_ANSWER, transient=True, detail=f"{method} {path}: {error}") from error

    @staticmethod
    def _read(response: httpx.Response) -> Json:
        try:
            answer: Json = response.json()
        except ValueError as error:
            raise EngineError(NO_ANSWER, transient=True, detail=f"not JSON, status {response.status_code}") from error
        if answer.get("type") == "error":
            raise IncusError(int(answer.get("error_code") or response.status_code), str(answer.get("error")))
        return answer


def path_of(*parts: str) -> str:
    """``/1.0/instances/ins-…`` with each part quoted."""
    return "/1.0/" + "/".join(quote(part, safe="") for part in parts)


def _pinned(url: str, settings: Mapping[str, Any]) -> ssl.SSLContext:
    """A context that trusts exactly the certificate with the pinned fingerprint."""
    wanted = str(settings.get("server_fingerprint") or "").replace(":", "").lower()
    if not wanted:
        raise EngineError("The zone's engine has no pinned certificate fingerprint.", transient=False)
    address = urlsplit(url)
    try:
        pem = ssl.get_server_certificate((address.hostname or "", address.port or 8443), timeout=10)
    except OSError as error:
        raise EngineError(NO_ANSWER, transient=True, detail=str(error)) from error
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    if found != wanted:
        raise EngineError(
            "The compute engine shows another certificate than the pinned one.", transient=False, detail=found
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # the certificate itself is pinned, whatever name it carries
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=pem)
    if settings.get("client_cert"):
        context.load_cert_chain(str(settings["client_cert"]), str(settings.get("client_key") or "") or None)
    return context
