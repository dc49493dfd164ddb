"""Waiting for the engine: an operation longer than one look at it is waited for, one that failed is an error."""

import httpx
import pytest

from vmart.engines.contract import EngineError
from vmart.engines.incus.client import IncusClient, IncusError

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
