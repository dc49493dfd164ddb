"""Given tags of machines, then pages tell, change and find them, and each charge shows those of its hour."""

import csv
import io
import re
from decimal import Decimal

import pytest
from django.urls import reverse

from tests.launch_templates.keeping import template
from tests.orders.addressing import by_traffic
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import ZONE, work
from tests.support.written import nothing_written
from tests.web.visiting import Visitor, customer, text_of
from vmart.instances.models import Instance
from vmart.orders.addresses.allocate import allocate
from vmart.tags import modify
from vmart.tags.models import Tag as Row
from vmart.tags.things import INSTANCE, VOLUME, Thing
from vmart.tags.wanted import Tag, TagsOf


def _machine(visitor: Visitor, name: str = "web") -> Thing:
    visitor.buy("?charge=postpaid", name=name)
    return Thing(INSTANCE, Instance.objects.latest("id").public_id)


def _tag(visitor: Visitor, thing: Thing, key: str, value: str) -> None:
    modify.modify(by(visitor.account_id), [thing], [Tag(key, value)])


def _cpu(visitor: Visitor, query: str = "") -> dict[str, str]:
    """Hour -> tags of the machine's charge, as the file of the month tells it."""
    content = b"".join(visitor.get(f"/charges.csv?month=2026-03{query}"))  # type: ignore[arg-type]
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    return {row["hour_utc"][11:16]: row["tags"] for row in rows if row["component"] == "cpu"}


@pytest.fixture
def changed(test_clock: BusinessClock) -> tuple[Visitor, Thing]:
    """Bought with tag A at 02:00 UTC, B from 03:30, none from 05:15, charged until 07:00."""
    visitor = customer()
    thing = _machine(visitor)
    _tag(visitor, thing, "team", "a")
    work()
    for minutes, value in ((90, "b"), (105, "")):
        test_clock.advance(minutes=minutes)
        work()
        if value:
            _tag(visitor, thing, "team", value)
        else:
            modify.modify(by(visitor.account_id), [thing], [], ["team"])
    test_clock.advance(minutes=105)
    work()
    return visitor, thing


def test_a_charge_shows_the_tags_that_held_last_in_its_hour(changed: tuple[Visitor, Thing]) -> None:
    visitor, _ = changed
    told = {"02:00": "team=a", "03:00": "team=b", "04:00": "team=b", "05:00": "team=b", "06:00": ""}
    assert _cpu(visitor) == told
    page = visitor.get("/charges/").content.decode()
    assert re.findall(r'<span class="pill">(team=.)</span>', page) == ["team=b"] * 3 + ["team=a"]


def test_charges_are_narrowed_to_a_tag(changed: tuple[Visitor, Thing]) -> None:
    visitor, _ = changed
    assert _cpu(visitor, "&tag=team%3Da") == {"02:00": "team=a"}
    assert list(_cpu(visitor, "&tag=team")) == ["05:00", "04:00", "03:00", "02:00"]
    assert [_cpu(visitor, f"&tag={other}") for other in ("team%3Dc", "other", "Team", "team%3D")] == [{}] * 4
    page = visitor.get("/charges/?tag=team%3Da").content.decode()
    assert re.findall(r'<span class="pill">(team=.)</span>', page) == ["team=a"]
    assert 'class="right num strong"></td>' in page  # what was deducted is the whole account's, not these charges'
    assert "No charge of this day shows this tag." in visitor.get("/charges/?tag=team%3Dc").content.decode()
    assert visitor.get("/charges/?tag=%00").status_code == 200


def _by_tag(visitor: Visitor, key: str) -> dict[str, tuple[int, Decimal]]:
    """Value -> how many charges show it and what they come to, as the file tells it."""
    content = b"".join(visitor.get(f"/charges/by-tag/?month=2026-03&key={key}&as=csv"))  # type: ignore[arg-type]
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    return {row["value"]: (int(row["charges"]), Decimal(row["exact"])) for row in rows}


def test_a_month_is_summed_up_by_the_values_that_its_charges_show(changed: tuple[Visitor, Thing]) -> None:
    visitor, _ = changed
    content = b"".join(visitor.get("/charges.csv?month=2026-03"))  # type: ignore[arg-type]
    each = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    expected: dict[str, tuple[int, Decimal]] = {}
    for row in each:
        value = row["tags"].removeprefix("team=")
        count, exact = expected.get(value, (0, Decimal(0)))
        expected[value] = (count + 1, exact + Decimal(row["exact"]))
    assert set(expected) == {"a", "b", ""}
    assert _by_tag(visitor, "team") == expected
    together = (len(each), sum(Decimal(row["exact"]) for row in each))
    assert _by_tag(visitor, "none") == {"": together}  # all charges once, whatever the key
    page = text_of(visitor.get("/charges/by-tag/?month=2026-03&key=team"))
    assert page.count("without this tag") == 1
    assert re.findall(r" ([ab]) (\d+) ", page) == [
        (value, str(expected[value][0])) for value in sorted("ab", key=lambda value: -expected[value][1])
    ]  # fmt: skip
    assert "Nothing was charged by usage" in text_of(visitor.get("/charges/by-tag/?month=2026-02&key=team"))
    assert "Together" not in text_of(visitor.get("/charges/by-tag/"))
    assert _by_tag(customer(), "team") == {}


def test_the_page_of_a_month_by_tag_shows_the_largest_and_names_how_many_more_the_file_has(
    changed: tuple[Visitor, Thing], monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, _ = changed
    monkeypatch.setattr("vmart.web.views.billing._VALUES_SHOWN", 1)
    page = text_of(visitor.get("/charges/by-tag/?month=2026-03&key=team"))
    largest = max("ab", key=lambda value: _by_tag(visitor, "team")[value][1])
    assert re.findall(r" ([ab]) (\d+) ", page) == [(largest, str(_by_tag(visitor, "team")[largest][0]))]
    assert "2 further values are in the file alone." in page
    assert len(_by_tag(visitor, "team")) == 3


def test_a_disk_has_tags_of_its_own(test_clock: BusinessClock) -> None:
    visitor = customer()
    _machine(visitor)
    work()
    disk = Instance.objects.raw("SELECT id, public_id FROM storage_disk")[0].public_id
    _tag(visitor, Thing(VOLUME, disk), "team", "d")
    test_clock.advance(hours=1)
    work()
    content = b"".join(visitor.get("/charges.csv?month=2026-03"))  # type: ignore[arg-type]
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    assert {(row["component"], row["tags"]) for row in rows} == {("cpu", ""), ("disk", "team=d")}


def test_the_last_charge_of_what_was_returned_has_its_tags(test_clock: BusinessClock) -> None:
    visitor = customer()
    thing = _machine(visitor)
    _tag(visitor, thing, "team", "a")
    work()
    test_clock.advance(minutes=20)
    for asked in ({}, {"erase": "1"}):
        visitor.post(f"/machines/{thing.public_id}/end/", asked)
        work()
    test_clock.advance(hours=1)
    work()
    assert _cpu(visitor) == {"02:00": "team=a"}


def test_tags_of_a_machine_are_given_changed_and_taken_away_on_its_page() -> None:
    visitor = customer()
    thing = _machine(visitor)
    address = f"/machines/{thing.public_id}/tags/"
    for value in ("a", "b"):
        assert visitor.post(address, {"act": "put", "key": "团队", "value": value}).headers["Location"] == address
    assert '<span class="pill">团队=b</span>' in visitor.get(f"/machines/{thing.public_id}/").content.decode()
    assert "Take away 团队" in visitor.get(address).content.decode()
    assert visitor.post(address, {"act": "take", "key": "团队"}).status_code == 302
    assert "It has no tag yet." in visitor.get(address).content.decode()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"key": "", "value": "a"}, "A tag needs a key."),
        ({"key": "a<", "value": "a"}, "A tag key has letters, digits, spaces and + - = . _ : / @ only."),
        ({"key": "project", "value": "a"}, "No tag key begins with qcloud, tencent, project."),
        ({"key": "a", "value": ""}, "A tag needs a value."),
        ({"key": "a"}, "A tag needs a value."),
        ({"act": "take", "key": "k" * 200}, ""),
    ],
)
def test_what_is_refused_stands_beside_its_field(typed: dict[str, str], sentence: str) -> None:
    visitor = customer()
    thing = _machine(visitor)
    answer = visitor.post(f"/machines/{thing.public_id}/tags/", {"act": "put", **typed})
    assert (answer.status_code, sentence in answer.content.decode()) == (422 if sentence else 302, True)
    assert Row.objects.count() == 0


def test_machines_are_found_by_a_tag() -> None:
    visitor = customer()
    tagged, other = _machine(visitor, "one"), _machine(visitor, "two")
    _tag(visitor, tagged, "team", "a=b")
    _tag(visitor, other, "env", "x")
    for query, found in [
        ("team", ["one"]), ("team%3Da%3Db", ["one"]), ("team%3Da", []), ("env", ["two"]), ("x", []),
        ("%00", ["two", "one"]),
    ]:  # fmt: skip
        page = visitor.get(f"/machines/?tag={query}").content.decode()
        assert [name for name in ("two", "one") if f">{name}</a>" in page] == found


def test_tags_of_a_public_address_are_given_changed_and_taken_away_on_its_page() -> None:
    visitor = customer()
    (eip,) = allocate(by(visitor.account_id), by_traffic(zone=ZONE)).public_ids
    page = reverse("address_tags", args=[eip])
    assert f'href="{page}"' in visitor.get(f"/addresses/{eip}/").content.decode()
    for value in ("a", "b"):
        assert visitor.post(page, {"act": "put", "key": "team", "value": value})["Location"] == page
    assert '<span class="pill">team=b</span>' in visitor.get(f"/addresses/{eip}/").content.decode()
    assert list(Row.objects.filter(to_at=None).values_list("kind", "resource_id", "value")) == [("eip", eip, "b")]
    with nothing_written():
        answer = visitor.post(page, {"act": "put", "key": "team", "value": ""})
    assert (answer.status_code, "A tag needs a value." in text_of(answer)) == (422, True)
    visitor.post(page, {"act": "take", "key": "team"})
    assert not Row.objects.filter(to_at=None).exists()
    assert customer().get(page).status_code == 404


def _tags_of_all() -> set[tuple[str, str, str]]:
    return set(Row.objects.filter(to_at=None).values_list("kind", "key", "value"))


def test_a_purchase_tags_its_machine_and_disks() -> None:
    visitor = customer()
    answer = visitor.buy("?charge=postpaid", tags=" team = web , cost=a=1,")
    assert answer.status_code == 303
    pairs = {("team", "web"), ("cost", "a=1")}
    assert _tags_of_all() == {(kind, *pair) for kind in ("instance", "volume") for pair in pairs}
    with nothing_written():
        answer = visitor.buy("?charge=postpaid", tags="team")
    assert (answer.status_code, "A tag needs a value." in text_of(answer)) == (422, True)
    assert 'value="team"' in answer.content.decode()
    for typed in ("a=b,a=c", "qcloud=1"):
        with nothing_written():
            assert visitor.buy("?charge=postpaid", tags=typed).status_code == 422


def test_what_is_typed_wins_over_the_tags_of_a_template() -> None:
    visitor = customer()
    given = (TagsOf("instance", (Tag("team", "a"), Tag("kept", "1"))), TagsOf("volume", (Tag("disk", "1"),)))
    made = template(visitor.account_id, "kept", tag_specification=given)
    assert visitor.buy(f"?charge=postpaid&template={made}", tags="team=b").status_code == 303
    assert _tags_of_all() == {
        ("instance", "team", "b"), ("instance", "kept", "1"), ("volume", "disk", "1"), ("volume", "team", "b"),
    }  # fmt: skip


def test_the_tags_of_an_account_with_how_many_have_them() -> None:
    visitor = customer()
    assert "Nothing has a tag yet." in visitor.get("/tags/").content.decode()
    for name, value in (("one", "a+b"), ("two", "a+b"), ("three", "c")):
        _tag(visitor, _machine(visitor, name), "team", value)
    page = visitor.get("/tags/").content.decode()
    addresses = re.findall(r'href="(/machines/\?tag=[^"]+)"', page)
    assert addresses == ["/machines/?tag=team%3Da%2Bb", "/machines/?tag=team%3Dc"]
    assert re.findall(r'class="right num"[^>]*>(\d)<', page) == ["2", "1"]
    assert ">three</a>" in visitor.get(addresses[1]).content.decode()
    assert "team" not in customer().get("/tags/").content.decode()
    assert visitor.get("/tags/?before=9999999999999").status_code == 200


def test_tags_a_page_at_a_time() -> None:
    visitor = customer()
    thing = _machine(visitor)
    for first in range(0, 50, 10):
        put = [Tag(f"k{first + n:02}", "v") for n in range(10)]
        modify.modify(by(visitor.account_id), [thing], put)
    _tag(visitor, _machine(visitor), "k99", "v")
    first_page, second = (visitor.get(f"/tags/{query}").content.decode() for query in ("", "?before=50"))
    assert ("before=50" in first_page, ">k49<" in first_page, ">k99<" in first_page) == (True, True, False)
    assert (">k49<" in second, ">k99<" in second) == (False, True)
