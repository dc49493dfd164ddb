"""Given things of a customer, when their tags are changed, then dated rows tell what each had, and when."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.customer import nothing_written
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import open_purse
from tests.tags.tagging import at, group, now, rows, tags
from vmart.events.models import Event
from vmart.instances import key_pairs
from vmart.kernel import db
from vmart.kernel.errors import MissingParameter, Refused
from vmart.tags import modify
from vmart.tags.errors import BadTag, TooManyInRequest, TooManyTags, UnknownThing
from vmart.tags.models import Tag as Row
from vmart.tags.things import INSTANCE, KEY_PAIR, KINDS, Thing
from vmart.tags.wanted import Tag

pytestmark = pytest.mark.usefixtures("shop")


def test_a_change_closes_a_row_and_opens_another(test_clock: BusinessClock) -> None:
    account = open_purse()
    thing = group(account)
    modify.modify(by(account), [thing], tags(team="a", kept="k"))
    changed = test_clock.advance(minutes=30)
    modify.modify(by(account), [thing], tags(team="b", kept="k"))
    taken = test_clock.advance(minutes=30)
    modify.modify(by(account), [thing], [], ["team", "never"])
    assert rows(thing) == [
        ("kept", "k", START, None), ("team", "a", START, changed), ("team", "b", changed, taken),
    ]  # fmt: skip
    assert now(account, thing) == {"kept": "k"}


def test_the_same_again_writes_nothing(test_clock: BusinessClock) -> None:
    account = open_purse()
    modify.modify(by(account), [group(account)], tags(team="a"))
    test_clock.advance(hours=1)
    with nothing_written():
        modify.modify(by(account), [group(account)], tags(team="a"), ["never"])


def test_what_held_for_no_time_leaves_no_row() -> None:
    account = open_purse()
    thing = group(account)
    modify.modify(by(account), [thing], tags(team="a", gone="x"))
    modify.modify(by(account), [thing], tags(team="b"), ["gone"])
    assert rows(thing) == [("team", "b", START, None)]


def test_a_clock_that_is_behind_ends_nothing_before_it_began(test_clock: BusinessClock) -> None:
    account = open_purse()
    thing = group(account)
    modify.modify(by(account), [thing], tags(team="a"))
    ended = test_clock.advance(minutes=10)
    modify.modify(by(account), [thing], [], ["team"])
    test_clock.advance(minutes=-5)
    modify.modify(by(account), [thing], tags(team="b"))
    assert rows(thing) == [("team", "a", START, ended), ("team", "b", ended, None)]


def test_things_of_several_kinds_are_told_of_each() -> None:
    account = open_purse()
    pair, _pem = key_pairs.create(by(account), "work")
    modify.modify(by(account, "r-1"), [group(account), Thing(KEY_PAIR, pair.public_id)], tags(team="a"))
    told = Event.objects.filter(kind="ModifyResourceTags").order_by("subject_kind")
    assert list(told.values_list("subject_kind", "subject_id", "detail", "actor__request")) == [
        ("key_pair", pair.id, {"name": pair.public_id, "tags": {"team": "a"}}, "r-1"),
        ("security_group", account, {"name": group(account).public_id, "tags": {"team": "a"}}, "r-1"),
    ]


def test_a_thing_that_is_named_twice_is_one() -> None:
    account = open_purse()
    modify.modify(by(account), [group(account), group(account)], tags(team="a"))
    assert rows(group(account)) == [("team", "a", START, None)]
    assert Event.objects.filter(kind="ModifyResourceTags").count() == 1


LONG_KEY, LONG_VALUE = "k" * 127, "值" * 255


@pytest.mark.parametrize("tag", [Tag(LONG_KEY, LONG_VALUE), Tag("部门 1", "研发 + a-b=c.d_e:f/g@h"), Tag("A", "a")])
def test_what_a_tag_can_be(tag: Tag) -> None:
    account = open_purse()
    modify.modify(by(account), [group(account)], [tag])
    assert now(account, group(account)) == {tag.key: tag.value}


_VALUE = "InvalidParameterValue."


@pytest.mark.parametrize(
    ("put", "take", "kind", "code", "field"),
    [
        ([], [], MissingParameter, "MissingParameter", "tags"),
        ([Tag("", "v")], [], BadTag, _VALUE + "TagKeyEmpty", "tags.0.key"),
        ([Tag("k" * 128, "v")], [], BadTag, _VALUE + "TagKeyLengthExceeded", "tags.0.key"),
        ([Tag("a", "b"), Tag("k\0", "v")], [], BadTag, _VALUE + "TagKeyCharacterIllegal", "tags.1.key"),
        ([Tag("k\n", "v")], [], BadTag, _VALUE + "TagKeyCharacterIllegal", "tags.0.key"),
        ([Tag("k<", "v")], [], BadTag, _VALUE + "TagKeyCharacterIllegal", "tags.0.key"),
        ([Tag("Project-x", "v")], [], BadTag, _VALUE + "ReservedTagKey", "tags.0.key"),
        ([Tag("qcloud", "v")], [], BadTag, _VALUE + "ReservedTagKey", "tags.0.key"),
        ([Tag("k", "")], [], BadTag, _VALUE + "TagValueEmpty", "tags.0.value"),
        ([Tag("k", "v" * 256)], [], BadTag, _VALUE + "TagValueLengthExceeded", "tags.0.value"),
        ([Tag("k", "v\t")], [], BadTag, _VALUE + "TagValueCharacterIllegal", "tags.0.value"),
        ([Tag("k", "v"), Tag("k", "w")], [], BadTag, _VALUE + "TagKeyDuplicate", "tags.1.key"),
        ([Tag("k", "v")], ["k"], BadTag, _VALUE + "DeleteTagsParamError", "without"),
        (tags(**{f"k{n}": "v" for n in range(11)}), [], TooManyInRequest, "LimitExceeded.TagNumPerRequest", "tags"),
        ([], [f"k{n}" for n in range(11)], TooManyInRequest, "LimitExceeded.TagNumPerRequest", "without"),
    ],
)
def test_refused(put: list[Tag], take: list[str], kind: type[Refused], code: str, field: str) -> None:
    account = open_purse()
    modify.modify(by(account), [group(account)], tags(k="before"))
    with nothing_written(), pytest.raises(kind) as refused:
        modify.modify(by(account), [group(account)], put, take)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("public_id", ["", "no-such-thing", "sg\0", "x" * 300])
def test_what_is_not_there_is_unknown(kind: str, public_id: str) -> None:
    account = open_purse()
    with nothing_written(), pytest.raises(UnknownThing) as refused:
        modify.modify(by(account), [group(account), Thing(kind, public_id)], tags(team="a"))
    assert (refused.value.code, refused.value.field) == ("InvalidParameterValue.ResourceIdInvalid", "things.1")


def test_anothers_thing_is_unknown() -> None:
    account, other = open_purse(), open_purse("other")
    pair, _pem = key_pairs.create(by(other), "theirs")
    for thing in (group(other), Thing(KEY_PAIR, pair.public_id)):
        with nothing_written(), pytest.raises(UnknownThing):
            modify.modify(by(account), [group(account), thing], tags(team="a"))
    modify.modify(by(other), [group(other)], tags(team="theirs"))
    assert now(account, group(other)) == {}


def test_a_thing_has_fifty_tags_at_most() -> None:
    account = open_purse()
    for n in range(0, 50, 10):
        modify.modify(by(account), [group(account)], tags(**{f"k{n + m}": "v" for m in range(10)}))
    with nothing_written(), pytest.raises(TooManyTags) as refused:
        modify.modify(by(account), [group(account)], tags(more="v"))
    assert (refused.value.code, refused.value.field) == ("LimitExceeded.ResourceAttachedTags", "tags")
    modify.modify(by(account), [group(account)], tags(more="v", k1="w"), ["k0"])
    assert len(now(account, group(account))) == 50


def test_what_ends_has_no_tags_any_more(test_clock: BusinessClock) -> None:
    account = open_purse()
    thing = group(account)
    modify.modify(by(account), [thing], tags(team="a"))
    ended = test_clock.advance(hours=1)
    with db.act():
        modify.end(account, [thing, Thing(INSTANCE, "ins-other")])
    assert rows(thing) == [("team", "a", START, ended)]
    with pytest.raises(db.TransactionRequired):
        modify.end(account, [thing])


_KEYS = st.sampled_from(["a", "b", "c"])
_ACTS = st.lists(
    st.tuples(
        st.dictionaries(_KEYS, st.sampled_from(["1", "2"]), max_size=3), st.sets(_KEYS, max_size=2),
        st.integers(0, 2),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(acts=_ACTS)
def test_at_any_instant_a_thing_had_the_tags_last_set(test_clock: BusinessClock, acts: list[Any]) -> None:
    """Also where several changes fall on one instant: then the last of them."""
    Row.objects.all().delete()
    account = db.rows("SELECT min(id) AS id FROM customers_account")[0]["id"] or open_purse()
    thing, has, had = group(account), dict[str, str](), dict[dt.datetime, dict[str, str]]()
    test_clock.set(START)
    for put, named, minutes in acts:
        take = named - put.keys()
        test_clock.advance(minutes=minutes)
        if put or take:
            modify.modify(by(account), [thing], tags(**put), sorted(take))
        has = {key: value for key, value in {**has, **put}.items() if key not in take}
        had[test_clock.at] = has
    assert {instant: at(thing, instant) for instant in had} == had
    assert now(account, thing) == has


def test_the_database_takes_no_second_open_row_and_no_time_backwards() -> None:
    account = open_purse()
    thing = group(account)
    modify.modify(by(account), [thing], tags(team="a"))
    again: dict[str, Any] = {
        "account_id": account, "kind": thing.kind, "resource_id": thing.public_id, "key": "team", "value": "b",
        "from_at": START,
    }  # fmt: skip
    for wrong in ({}, {"to_at": START}, {"key": "", "to_at": START + dt.timedelta(1)}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Row.objects.create(**{**again, **wrong})
