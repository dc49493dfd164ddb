"""Given a database that went away, when it is back, then the next request is answered as if nothing had been."""

import pytest
from django.db import connection

from tests.api.calling import Client, application
from tests.support.database import Databases, end_backend
from vmart.api.declarations import Shape
from vmart.api.registry import Action, Call, Members, Registry
from vmart.api.wire import wsgi

OUT_OF_ORDER = "The shop's database is out of order for the moment"
LATER = f"{OUT_OF_ORDER}: try again later."
ONCE = f"{LATER} A purchase that is sent again with its ClientToken is made once."
LOOK = f"{OUT_OF_ORDER}. Whether this call was carried out is not known: look before you send it again."


class Ask(Shape):
    """No members."""


class Buy(Shape):
    """With the token by which a repeat is known."""

    client_token: str = ""


def _ask(_call: Call, _asked: Ask) -> Members:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return {"Backend": cursor.fetchone()[0]}


@pytest.fixture
def client(db: Databases) -> Client:
    return Client(application(Registry([Action("Ask", Ask, dict, _ask, writes=False)])))


def test_a_connection_that_the_server_closed_is_replaced_unnoticed(client: Client, db: Databases) -> None:
    first = client.call("Ask").response["Backend"]
    assert client.call("Ask").response["Backend"] == first
    end_backend(db, first)
    assert client.call("Ask").response["Backend"] != first


def test_without_that_look_the_request_would_fail(
    client: Client, db: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same loss is told, once, and then mended."""
    monkeypatch.setattr(wsgi.db, "drop_dead_connection", lambda: None)
    first = client.call("Ask").response["Backend"]
    end_backend(db, first)
    assert client.call("Ask").error[0] == "ResourceUnavailable"
    assert client.call("Ask").response["Backend"] != first


def test_a_database_out_of_reach_is_told_as_such(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nonexistent")
    code, sentence = client.call("Ask").error
    assert (code, sentence) == ("ResourceUnavailable", LATER)
    monkeypatch.undo()
    assert client.call("Ask").response["Backend"] > 0


@pytest.mark.parametrize(
    ("asked", "declared", "sentence"),
    [
        ((Ask, {}), {"writes": False}, LATER),
        ((Buy, {"ClientToken": "t"}), {"writes": False}, LATER),  # the price of a purchase has its token too
        ((Ask, {}), {"writes": True}, LOOK),
        ((Ask, {}), {"writes": True, "buys": True}, LOOK),  # a renewal that is sent again renews again
        ((Buy, {}), {"writes": True, "buys": True}, LOOK),  # without its token a purchase buys again
        ((Buy, {"ClientToken": "t"}), {"writes": True, "buys": True}, ONCE),
    ],
)
def test_what_is_told_of_a_loss_is_what_the_action_does(
    db: Databases,
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[type[Shape], dict[str, str]],
    declared: dict[str, bool],
    sentence: str,
) -> None:
    """Given a loss while the action is under way, then a reader may ask again, a writer looks before."""
    shape, members = asked
    client = Client(application(Registry([Action("Ask", shape, dict, _ask, **declared)])))
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nonexistent")
    assert client.call("Ask", members).error == ("ResourceUnavailable", sentence)


def test_a_loss_before_the_action_began_has_done_nothing(monkeypatch: pytest.MonkeyPatch, db: Databases) -> None:
    def lost(*_: object) -> bool:
        _ask(None, None)  # type: ignore[arg-type]
        return True

    buying = Registry([Action("Ask", Buy, dict, _ask, writes=True, buys=True)])
    client = Client(application(buying, remember=lost))
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nonexistent")
    assert client.call("Ask", sign_method="HmacSHA256").error == ("ResourceUnavailable", LATER)
