"""Waiting for the engine: an operation is waited for, one that failed is an error. Files of guests, to a limit."""

import httpx
import pytest

from vmart.engines.contract import EngineError
from vmart.engines.incus.client import GuestFile, IncusClient, IncusError

_OPERATION = "/1.0/operations/7"
_NOT_YET = {"type": "error", "error_code": 500, "error": "context deadline exceeded"}


def _state(code: int, error: str = "") -> dict[str, object]:
    return {"type": "sync", "metadata": {"status": "…", "status_code": code, "err": error}}


def _client(*answers: dict[str, object]) -> tuple[IncusClient, list[str]]:
    """A client of a server that gives these answers in turn, and the paths it was asked for."""
    waiting, asked = list(answers), []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json=waiting.pop(0))

    client = IncusClient({"socket": "/nonexistent"})
    client._http.close()
    client._http = httpx.Client(transport=httpx.MockTransport(serve), base_url="http://incus")
    return client, asked


def test_an_operation_longer_than_one_look_is_waited_for() -> None:
    client, asked = _client(_NOT_YET, _state(103), _state(103), _state(200))
    assert client.wait(_OPERATION, 60)["status_code"] == 200
    assert asked == [f"{_OPERATION}/wait", _OPERATION, f"{_OPERATION}/wait", f"{_OPERATION}/wait"]


def test_one_that_failed_with_those_very_words_is_an_error() -> None:
    client, _ = _client(_NOT_YET, _state(400, "context deadline exceeded"))
    with pytest.raises(IncusError, match="refused") as refusal:
        client.wait(_OPERATION, 60)
    assert (refusal.value.code, refusal.value.text) == (500, "context deadline exceeded")


def test_one_that_failed_otherwise_is_an_error_at_once_whichever_way_it_is_told() -> None:
    for answer in ({"type": "error", "error_code": 500, "error": "no space left"}, _state(400, "no space left")):
        client, asked = _client(answer)
        with pytest.raises(IncusError) as refusal:
            client.wait(_OPERATION, 60)
        assert (refusal.value.code, refusal.value.text) == (500, "no space left")
        assert len(asked) == 1


def test_one_that_takes_too_long_is_left_alone() -> None:
    client, asked = _client()
    with pytest.raises(EngineError, match="takes too long") as late:
        client.wait(_OPERATION, 0)
    assert late.value.transient
    assert asked == []


def _of_files(content: bytes, kind: str = "file", status: int = 200) -> IncusClient:
    client, _ = _client()
    headers = {"X-Incus-type": kind, "X-Incus-uid": "0", "X-Incus-gid": "42", "X-Incus-mode": "0640"}
    answer = httpx.Response(status, headers=headers if status == 200 else {}, content=content)
    client._http = httpx.Client(transport=httpx.MockTransport(lambda _: answer), base_url="http://incus")
    return client


def test_a_file_of_a_machine_is_read_with_its_owner() -> None:
    found = _of_files(b"root:x\n").read_file("ins-1", "/etc/shadow")
    owner = {"X-Incus-uid": "0", "X-Incus-gid": "42", "X-Incus-mode": "0640"}
    assert found == GuestFile(b"root:x\n", owner)


def test_a_file_that_a_customer_made_long_is_not_read_to_its_end() -> None:
    assert _of_files(b"x" * 2**20).read_file("ins-1", "/etc/shadow") is not None
    with pytest.raises(IncusError, match="too long"):
        _of_files(b"x" * (2**20 + 1)).read_file("ins-1", "/etc/shadow")


def test_what_is_no_file_is_refused_and_what_is_not_there_is_none() -> None:
    missing = b'{"type": "error", "error_code": 404, "error": "Not Found"}'
    assert _of_files(missing, status=404).read_file("ins-1", "/etc/shadow") is None
    with pytest.raises(IncusError, match="is no file"):
        _of_files(b'{"type": "sync", "metadata": ["a"]}', "directory").read_file("ins-1", "/etc/shadow")
    with pytest.raises(IncusError, match="is no file"):
        _of_files(b"/etc/other", "symlink").read_file("ins-1", "/etc/shadow")
    for content in (b"a proxy's page", b'{"type": "sync"}'):
        with pytest.raises(EngineError, match="does not answer"):
            _of_files(content, status=502).read_file("ins-1", "/etc/shadow")


def test_a_folder_is_made_with_its_owner_and_a_file_removed_however_often() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) == 1:
            return httpx.Response(200, json={"type": "sync", "metadata": {}})
        return httpx.Response(404, json={"type": "error", "error_code": 404 if len(asked) == 2 else 500, "error": "No"})

    client, _ = _client()
    client._http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://incus")
    client.make_folder("ins-1", "/root/.ssh", {"X-Incus-uid": "0", "X-Incus-mode": "0700"})
    client.remove_file("ins-1", "/root/a b")
    with pytest.raises(IncusError, match="No"):
        client.remove_file("ins-1", "/root/a b")
    made, removed, _ = asked
    assert (made.method, made.url.path, made.url.params["path"]) == ("POST", "/1.0/instances/ins-1/files", "/root/.ssh")
    told = [made.headers[name] for name in ("X-Incus-type", "X-Incus-uid", "X-Incus-mode")]
    assert told == ["directory", "0", "0700"]
    assert (removed.method, removed.url.params["path"]) == ("DELETE", "/root/a b")
