"""Who asks in a test: a program of the account, unless the test is about who it was."""

from vmart.events.actor import API, COMMAND, Actor

SELLER = Actor(None, COMMAND, "me")


def by(account_id: int, request_id: str = "") -> Actor:
    """A customer's program."""
    return Actor(account_id, API, key="AKIDtest", request_id=request_id)
