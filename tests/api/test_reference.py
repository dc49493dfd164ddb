"""Given the pages of docs/reference, then they are what is declared, and each example is answered as it says."""

import json
import os
import re
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.test_every_action import LEGACY, OTHERS, WITH_THINGS, Things, owner  # noqa: F401  a fixture
from tests.support import api_pages
from vmart.api import services
from vmart.api.registry import Action

pytestmark = pytest.mark.usefixtures("shop")

WRITE = bool(os.environ.get("VMART_WRITE_EXAMPLES"))
# What is another at each run, whatever was asked: ids, and the numbers of requests, accounts, users, orders and tasks.
_ID = re.compile(r"\b(?!ap-)([a-z]+)-[a-z0-9]{8}\b")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_NUMBER = re.compile(
    r'("Uin": |"AppId": |"AccountId": "|"ImageCreator": "|"UserId": "|"PrincipalId": "|cam:|uin/|"dealIds": \["?'
    r'|"TaskId": "?)\d+'
    r'|(?<=")\d+(?=": \[)'
)
_KEY = re.compile(r"^(-----BEGIN [A-Z ]+-----|ssh-[a-z0-9]+ |[^#]*/console/#).*$", re.DOTALL)


def _asked(action: Action, has: Things) -> dict[str, Any]:
    """The sample of ``test_every_action``."""
    if not action.version:
        return LEGACY[action.name][0](has)
    of_no_thing = OTHERS.get((action.name, action.version))
    return of_no_thing[0] if of_no_thing else WITH_THINGS[action.name][0](has)


def _told(client: Client, action: Action, asked: dict[str, Any]) -> dict[str, Any]:
    if not action.version:
        return client.legacy(action.name, asked)
    return client.call(action.name, asked, version=action.version, service=action.service).body


def _shown(value: Any) -> Any:
    """Lists of structures up to their second item and no whole key, as the page says."""
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in (value[:2] if all(isinstance(item, dict) for item in value) else value)]
    return _KEY.sub(r"\1…", value) if isinstance(value, str) else value


def _alike(example: api_pages.Example) -> tuple[Any, ...]:
    """``example`` with each id as the how-manieth it is, and without numbers that count what was there before."""
    seen: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return seen.setdefault(found[0], f"{found[1]}-{len(seen)}")

    text = _UUID.sub("uuid", _ID.sub(numbered, json.dumps(example)))
    return tuple(json.loads(_NUMBER.sub(r"\g<1>0", text)))


@pytest.mark.parametrize("action", api_pages.ACTIONS, ids=api_pages.name_of)
def test_an_example_is_answered_as_its_page_says(owner: tuple[Client, Things], action: Action) -> None:  # noqa: F811
    """Where not, and it is right: ``VMART_WRITE_EXAMPLES=1`` before this test writes it."""
    client, has = owner
    asked = _asked(action, has)
    seen = (_shown(asked), _shown(_told(client, action, asked)))
    written = api_pages.example_of(action)
    if WRITE and (written is None or _alike(written) != _alike(seen)):
        api_pages.file_of(action).write_text(api_pages.page(action, seen))
        written = seen
    assert written is not None, "no example yet"
    assert _alike(seen) == _alike(written)
    assert "Error" not in written[1].get("Response", {})
    assert written[1].get("code", 0) == 0


def test_a_page_says_which_numbers_a_member_takes() -> None:
    page = api_pages.file_of(services.LEGACY.find("SetAutoRenew", "")).read_text()
    assert "| autoRenew | integer | yes | `0`, `1` |  |" in page


def test_the_pages_are_what_is_declared() -> None:
    """Where not: ``python -m tests.support.api_tables``."""
    told = api_pages.pages()
    assert {file: file.read_text() for file in api_pages.FOLDER.rglob("*.md")} == told
    assert len(told) == len(list(services.API)) + len(list(services.LEGACY)) + 1
