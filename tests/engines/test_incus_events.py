"""What an Incus server tells over its websocket, as recorded from one, and what becomes of a line that is lost."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.http11 import Request
from websockets.sync.server import ServerConnection, unix_serve

from vmart.engines.contract import EngineError
from vmart.engines.incus import events
from vmart.engines.incus.client import IncusClient


def _told(action: str, source: str) -> dict[str, Any]:
    """An event of Incus 6.0, as it was recorded."""
    return {
        "type": "lifecycle",
        "timestamp": "2026-11-28T05:24:55.959298Z",
        "metadata": {"action": action, "source": source, "requestor": None, "name": "", "project": "default"},
        "location": "none",
        "project": "default",
    }


class _Server:
    """Says its events on each line; then closes it, or (``stays``) leaves it open."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.says: list[Any] = []
        self.stays = threading.Event()
        self.asked: list[str] = []

    def note(self, line: ServerConnection, request: Request) -> None:
        """Before the line is open: a client that closes it at once has asked all the same."""
        self.asked.append(request.path)

    def serve(self, line: ServerConnection) -> None:
        for event in self.says:
            line.send(event if isinstance(event, str) else json.dumps(event))
        if self.stays.is_set():
            list(line)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[_Server]:
    server = _Server(tmp_path / "incus.sock")
    with unix_serve(server.serve, str(server.socket), process_request=server.note) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield server
        listening.shutdown()
        thread.join(10)


def _client(server: _Server, **more: object) -> IncusClient:
    return IncusClient({"socket": str(server.socket), **more})


def test_names_of_machines_turned_on_or_off_are_told_in_order(server: _Server) -> None:
    server.stays.set()
    server.says = [
        _told("instance-shutdown", "/1.0/instances/ins-00000001"),
        _told("instance-updated", "/1.0/instances/ins-00000002"),
        _told("instance-exec", "/1.0/instances/ins-00000002"),
        _told("network-created", "/1.0/networks/v12345-0"),
        {"type": "lifecycle", "metadata": None},
        _told("instance-started", "/1.0/instances/ins-00000003?project=shop"),
        _told("instance-stopped", "/1.0/instances/ins-00000004"),
        _told("instance-restarted", "/1.0/instances/ins-00000005"),
    ]
    with _client(server) as client, events.changes(client) as following:
        assert [following(5) for _ in range(4)] == ["ins-00000001", "ins-00000003", "ins-00000004", "ins-00000005"]
        assert following(0.05) is None
    assert server.asked == ["/1.0/events?project=default&type=lifecycle"]


def test_only_the_zones_project_is_asked_for(server: _Server) -> None:
    server.stays.set()
    with _client(server, project="a shop") as client, events.changes(client):
        pass
    assert server.asked == ["/1.0/events?project=a+shop&type=lifecycle"]


@pytest.mark.parametrize("says", [[], ["not JSON"]])
def test_a_line_that_ends_or_says_nonsense_is_lost(server: _Server, says: list[Any]) -> None:
    server.says = says
    with _client(server) as client, events.changes(client) as following:
        with pytest.raises(EngineError, match="does not answer") as lost:
            following(5)
        assert lost.value.transient


def test_a_server_that_is_not_there_gives_no_line(tmp_path: Path) -> None:
    with IncusClient({"socket": str(tmp_path / "nobody")}) as client:
        with pytest.raises(EngineError, match="does not answer") as lost, events.changes(client):
            pass
        assert lost.value.transient
