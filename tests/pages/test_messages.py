"""Everything that a page says, it says in Chinese too."""

import re

import pytest
from django.utils import translation

from vmart.instances.errors import BadKeyName
from vmart.kernel.errors import Refused
from vmart.orders.errors import InsufficientBalance, WrongState
from vmart.pages import messages, wording


def test_every_message_of_the_source_is_translated() -> None:
    catalogue = messages.read()
    missing = []
    for message in messages.find():
        entry = catalogue.get(message.msgid, message.context or None)
        if entry is None or not messages.is_translated(entry.string) or entry.fuzzy:
            missing.append(message.msgid)
    assert missing == [], "run python -m vmart.pages.messages, then translate these"


def test_translations_have_the_same_places() -> None:
    places = re.compile(r"\{\w+\}|%\(\w+\)s|%%")
    for entry in messages.read():
        if not entry.id:
            continue
        one = entry.id if isinstance(entry.id, str) else entry.id[-1]
        said = entry.string if isinstance(entry.string, str) else entry.string[0]
        assert sorted(places.findall(one)) == sorted(places.findall(said)), one


def test_stored_sentences_are_translated_line_by_line() -> None:
    stored = "The machine could not be started.\nThe system disk is full.\nAsk the seller."
    with translation.override("en"):
        assert wording.said(stored) == "The machine could not be started. The system disk is full. Ask the seller."
    with translation.override("zh-hans"):
        assert wording.said(stored) == "云服务器未能开机。 系统盘已满。 请联系卖家。"


@pytest.mark.parametrize(
    ("refused", "english", "chinese"),
    [
        (
            InsufficientBalance(
                "The balance is not enough: {needed} are needed and {available} are available.",
                needed="¥1.00", available="¥0.50",
            ),
            "The balance is not enough: ¥1.00 are needed and ¥0.50 are available.",
            "余额不足：需要 ¥1.00，可用 ¥0.50。",
        ),
        (
            WrongState("The instance {id} cannot be used: {why}.", id="ins-1", why="it has expired"),
            "The instance ins-1 cannot be used: it has expired.",
            "云服务器 ins-1 不可用：已到期。",
        ),
        (Refused("Never translated {x}.", x=""), "Never translated .", "Never translated ."),
        (
            BadKeyName("There is a key pair called {name} already.", name="Memory"),  # also the title of a column
            "There is a key pair called Memory already.",
            "已有名为 Memory 的密钥对。",
        ),
    ],
)  # fmt: skip
def test_refusals_are_said_in_the_readers_language(refused: Refused, english: str, chinese: str) -> None:
    with translation.override("en"):
        assert wording.sentence(refused) == english
    with translation.override("zh-hans"):
        assert wording.sentence(refused) == chinese
