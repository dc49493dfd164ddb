"""Given two who change the tags of one thing at once, then one waits for the other, and counts what it wrote."""

import threading

import pytest

from tests.support.actors import by
from tests.support.at_once import at_once
from tests.support.shopper import open_purse
from tests.tags.tagging import group, now, tags
from vmart.customers import accounts
from vmart.tags import modify

pytestmark = pytest.mark.usefixtures("shop")


def _two_at_once(monkeypatch: pytest.MonkeyPatch, *, locked: bool = True) -> tuple[list[str], int]:
    """Two who give a thing of 49 tags one more; the first writes once the second is about to, or waits for it."""
    account = open_purse()
    for n in range(0, 49, 7):
        modify.modify(by(account), [group(account)], tags(**{f"k{n + m}": "v" for m in range(7)}))
    if not locked:
        monkeypatch.setattr(accounts, "lock", lambda _account_id: None)
    write, second_is_there = modify._write, threading.Event()

    def late(*of: object) -> None:
        if threading.current_thread().name == "first":
            second_is_there.wait(2)
        else:
            second_is_there.set()
        write(*of)  # type: ignore[arg-type]

    monkeypatch.setattr(modify, "_write", late)

    def first() -> None:
        threading.current_thread().name = "first"
        modify.modify(by(account), [group(account)], tags(one="v"))

    outcomes = at_once(first, lambda: modify.modify(by(account), [group(account)], tags(two="v")))
    return sorted(type(outcome).__name__ for outcome in outcomes), len(now(account, group(account)))


def test_two_who_each_give_the_last_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _two_at_once(monkeypatch) == (["NoneType", "TooManyTags"], 50)


def test_control_without_the_lock_there_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _two_at_once(monkeypatch, locked=False) == (["NoneType", "NoneType"], 51)
