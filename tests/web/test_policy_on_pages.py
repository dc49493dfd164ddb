"""Given a shop with rules of its own, then its pages say its numbers, and none that somebody once wrote there."""

import datetime as dt
import re
from pathlib import Path

import pytest

import vmart
from tests.policy.dating import date_policy
from tests.support.business_clock import BusinessClock
from tests.web.test_orders_and_machines import running
from tests.web.visiting import customer, text_of

CHINESE = {"headers": {"accept-language": "zh-CN"}}
TEMPLATES = sorted(Path(vmart.__file__).parent.glob("*/templates/**/*.*"))
A_LINK = "24 hours"  # how long a link by mail is good: no rule of a shop


@pytest.fixture
def own_rules(test_clock: BusinessClock) -> None:
    date_policy(
        test_clock.at + dt.timedelta(seconds=1), password_keep_days=1, bin_prepaid_days=9, arrears_grace_hours=3,
        bin_postpaid_hours=5, arrears_keep_days=11, free_return_days=2, top_up_min={"CNY": 7}, top_up_max={"CNY": 800},
    )  # fmt: skip
    test_clock.advance(seconds=1)


@pytest.mark.usefixtures("own_rules")
def test_the_purchase_page() -> None:
    prepaid = text_of(customer().get("/buy/?charge=prepaid&internet=traffic", follow=True))
    assert "at the first midnight 9 days after the end" in prepaid
    assert "off 3 hours after your balance falls below zero" in prepaid
    assert "kept sealed for 1 day and shown to you" in prepaid
    assert "as your one free return" not in prepaid  # after 3 days none is free
    postpaid = text_of(customer().get("/buy/?charge=postpaid", follow=True))
    assert "when you end it, or 3 hours after your balance falls below zero." in postpaid
    assert "5 hours after you end it; 11 days after a stop for arrears." in postpaid


@pytest.mark.usefixtures("own_rules")
def test_the_purchase_page_in_chinese() -> None:
    prepaid = text_of(customer(**CHINESE).get("/buy/?charge=prepaid&internet=traffic", follow=True))
    assert "到期满 9 天后的首个零点" in prepaid
    assert "余额低于零 3 小时后断开" in prepaid
    assert "加密保存 1 天" in prepaid
    postpaid = text_of(customer(**CHINESE).get("/buy/?charge=postpaid", follow=True))
    assert "您销毁时，或余额为负 3 小时后。" in postpaid
    assert "销毁 5 小时后； 因欠费停机则为 11 天后。" in postpaid


@pytest.mark.usefixtures("own_rules")
@pytest.mark.parametrize(
    ("options", "returned", "ended"),
    [
        (
            {},
            "This is your account's one free return within 2 days: everything comes back. It is switched off at once"
            " and rests in the recycle bin for 9 days;",
            "its disks are erased after 5 hours.",
        ),
        (
            CHINESE,
            "这是您账号唯一一次 2 天内无理由退还，全额退款。 将立即关机并在回收站保留 9 天",
            "云服务器将关机，5 小时后清除硬盘数据。",
        ),
    ],
)
def test_the_page_that_ends_a_machine(options: dict[str, dict[str, str]], returned: str, ended: str) -> None:
    visitor = customer(**options)
    prepaid, postpaid = running(visitor, "?charge=prepaid"), running(visitor, "?charge=postpaid")
    assert returned in text_of(visitor.get(f"/machines/{prepaid.public_id}/end/")).replace("&#x27;", "'")
    assert ended in text_of(visitor.get(f"/machines/{postpaid.public_id}/end/"))


@pytest.mark.usefixtures("own_rules")
def test_the_pages_of_money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    visitor = customer()
    page = text_of(visitor.get("/balance/top-up/"))
    assert re.search(r"¥7\.00.{1,10}¥800\.00", page), page


def test_no_page_says_a_number_of_its_own() -> None:
    """An amount of minutes, hours or days in a template comes out of the policy."""
    found = {
        (file.name, said)
        for file in TEMPLATES
        for said in re.findall(r"(?<![\w.-])[0-9]+ (?:minutes?|hours?|days?)\b", file.read_text())
        if said != A_LINK
    }
    assert found == set()
    in_words = re.compile(r"\b(?:two|three|five|six|seven|ten|fifteen|thirty) (?:minutes|hours|days)\b")
    assert [file.name for file in TEMPLATES if in_words.search(file.read_text())] == []
