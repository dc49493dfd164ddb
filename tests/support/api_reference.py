"""Writes ``docs/actions.md``: every action as it is declared, and the members that are not offered.

Run ``python -m tests.support.api_tables`` after a declaration changed; a test compares the two.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support import published_members
from vmart.api import services
from vmart.api.registry import Action

FILE = Path(__file__).resolve().parents[2] / "docs" / "actions.md"
_SIDES = {
    "request": "Members of requests that are refused by name (`UnsupportedOperation`)",
    "ignored": "Members of requests that are taken and change nothing",
    "answer": "Members of answers that are not told",
}
_HEAD = """# Actions and members

Written by `python -m tests.support.api_tables` out of what the code declares. [api.md](api.md) says what vmart decides.
*Touches*: the account's things that a request names by id. *Calls a second*: the account's quota that bounds them.
"""


def reference() -> str:
    """The page."""
    parts = [
        _HEAD,
        "## API 3.0\n\n" + _actions(services.API, "Service"),
        "## Legacy API\n\n" + _actions(services.LEGACY, ""),
        *(f"## {title}\n\n" + "\n".join(_members(side)) for side, title in _SIDES.items()),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _actions(actions: Iterable[Action], service: str) -> str:
    head = ["Action", "Does", "Touches", "Calls a second"]
    rows = [[action.name, _does(action), ", ".join(action.touches), action.rate] for action in actions]
    if service:
        head = [service, *head]
        rows = [[action.service, *row] for action, row in zip(actions, rows, strict=True)]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |").replace("|  |", "| |") for line in lines)


def _does(action: Action) -> str:
    return "buys" if action.buys else "writes" if action.writes else "reads"


def _members(side: str) -> Iterator[str]:
    yield "| Service | Structure | Member | Why |\n| --- | --- | --- | --- |"
    for service, sides in published_members.table().items():
        for structure, members in sides.get(side, {}).items():
            for member, reason in members.items():
                yield f"| {service} | {structure} | {member} | {reason} |"


def write() -> None:
    """Bring the page up to what is declared."""
    FILE.write_text(reference())
