"""Who has something done, and for whom."""

from collections.abc import Mapping
from dataclasses import dataclass

_KEY_SHOWN = 10  # characters of a SecretId, enough to tell keys of one user apart
API, PAGE, SELLER, COMMAND, TIMER = "api", "page", "seller", "command", "timer"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asked for an act, as every event of it keeps it.

    ``account_id``: whose machines and money it is about; None for the seller, who acts on any account's.
    ``via``: API, PAGE, SELLER (the seller's pages), COMMAND or TIMER. ``user``: who signed in, or whose key signed.
    ``key``: the SecretId that signed the request. ``request_id``: what the answer and the log name it by.
    ``member``: the number of the user whose role is asked, 0 of whoever has none (seller, command line, timer).
    ``roles``: those of the account's members, or of the seller's staff, that may have this done.
    ``staff``: the number of the user of the seller's staff whose role is asked, 0 of everybody else.
    ``behalf``: the seller's staff acts on the account's own pages, for the customer.
    """

    account_id: int | None
    via: str
    user: str = ""
    key: str = ""
    address: str = ""
    request_id: str = ""
    member: int = 0
    roles: tuple[str, ...] = ()
    staff: int = 0
    behalf: bool = False

    @property
    def account(self) -> int:
        """The account that the act is about, of an actor that is a customer."""
        assert self.account_id is not None, "the seller acts through acts of its own"
        return self.account_id

    @property
    def name(self) -> str:
        """One line for the books and for pages: who it was, or through what."""
        return told_by(self.told())

    def told(self) -> dict[str, str]:
        """What an event keeps of it, without what is not known."""
        known = {
            "via": self.via, "user": self.user, "key": self.key, "address": self.address, "request": self.request_id,
            "behalf": "yes" if self.behalf else "",
        }  # fmt: skip
        return {name: value for name, value in known.items() if value}


def told_by(told: Mapping[str, str]) -> str:
    """``Actor.name`` of what an event keeps of an actor; "" of nobody, and of an instant that has come."""
    if told.get("via") == TIMER:
        return ""
    if told.get("via") == COMMAND:
        return f"command line ({told.get('user', '')})"
    if told.get("behalf"):
        return f"{told.get('user', '')} (on behalf)"
    if told.get("user") and told.get("key"):
        return f"{told['user']} ({told['key'][:_KEY_SHOWN]}…)"
    return told.get("user") or told.get("key") or told.get("via", "")


def timer(account_id: int) -> Actor:
    """Nobody: an instant has come that was agreed before."""
    return Actor(account_id, TIMER)
