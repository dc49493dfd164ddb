"""Given a request to buy, then every field of it takes part in what tells it apart, is stored and is bought."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pricing.demo import demo_book
from tests.support.shopper import HOURLY, IMAGE, LOGIN
from vmart.catalog import shop as catalog
from vmart.events.actor import Actor
from vmart.instances.attributes import Attributes
from vmart.kernel import clock
from vmart.orders import place
from vmart.orders.login import Login, LoginWanted
from vmart.orders.models import Order
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase_values import _bought
from vmart.orders.wanted import PURCHASE, Machine, Purchase, fingerprinted
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.priced import Priced
from vmart.pricing.quote import Quote, quote
from vmart.tags.wanted import Tag, TagsOf

DISKS = (DiskChoice("CLOUD_SSD", 100), DiskChoice("CLOUD_PREMIUM", 20))
CONFIGURATION = replace(HOURLY, data_disks=DISKS)
WANTED = Purchase(
    Actor(7, "api", request_id="r-1"), CONFIGURATION,
    Machine(
        IMAGE, LoginWanted("Abcd1234!", ("skey-1",)), "web", "host", b"\xff\x00",
        tag_specification=(TagsOf("instance", (Tag("team", "a"),)),), ends_at=dt.datetime(2026, 5, 1, tzinfo=dt.UTC),
        attributes=Attributes(max_price=Decimal("0.05")),
    ),
    client_token="once", min_count=1,
)  # fmt: skip
MADE = replace(WANTED, machine=replace(WANTED.machine, login=Login("$6$s$h", ("skey-1",), ("ssh-rsa A",))))
THE_WAY = {"actor", "client_token", "expected", "order_id"}
_OTHER: dict[type, Any] = {
    str: "other", int: 17, bytes: b"other", Decimal: Decimal("0.17"),
    dt.datetime: dt.datetime(2026, 4, 1, tzinfo=dt.UTC),
}  # fmt: skip


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, each field of a dataclass filled."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: _values(hints[field.name]) for field in fields(kind)})
    if get_origin(kind) is tuple and get_args(kind)[-1] is not ...:
        return st.tuples(*(_values(member) for member in get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(_values(get_args(kind)[0]), max_size=3).map(tuple)
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*(_values(choice) for choice in get_args(kind)))
    return {
        int: st.integers(-(2**63), 2**63 - 1), str: st.text(), bool: st.booleans(), bytes: st.binary(),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False), NoneType: st.none(),
        dt.datetime: st.datetimes(timezones=st.just(dt.UTC)),
    }[kind]  # fmt: skip


def _by_json(plain: Any) -> Any:
    return json.loads(json.dumps(plain))


@given(_values(Purchase))
def test_a_purchase_comes_back_as_it_was_but_for_its_password(purchase: Purchase) -> None:
    kept = purchase
    if isinstance(purchase.machine.login, LoginWanted):
        silent = replace(purchase.machine.login, password="")
        kept = replace(purchase, machine=replace(purchase.machine, login=silent))
    assert PURCHASE.of(_by_json(PURCHASE.plain(purchase))) == kept


@given(_values(Quote))
def test_a_quote_comes_back_as_it_was(quoted: Quote) -> None:
    assert Quote.of(_by_json(quoted.plain())) == quoted


@given(_values(Priced))
def test_a_price_comes_back_as_it_was(priced: Priced) -> None:
    assert Priced.of(_by_json(priced.plain())) == priced


@pytest.mark.parametrize("more", [{"unknown": 1}, {"machine": None}, {"min_count": "many"}])
def test_what_is_no_purchase_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(more))):
        PURCHASE.of(PURCHASE.plain(MADE) | more)


def test_a_field_that_was_added_later_is_read_as_its_default() -> None:
    plain = PURCHASE.plain(MADE)
    del plain["machine"]["attributes"]["termination_protected"]
    assert PURCHASE.of(plain) == MADE


def _changes(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The same value with one field changed, for each field of it and of what its fields are made of."""
    if is_dataclass(value):
        for field in fields(value):
            name = f"{path}.{field.name}".lstrip(".")
            for where, changed in _changes(getattr(value, field.name), name):
                yield where, replace(value, **{field.name: changed})  # type: ignore[type-var]
    elif isinstance(value, tuple) and value:
        yield path, value[:-1]
        for where, changed in _changes(value[0], f"{path}.0"):
            yield where, (changed, *value[1:])
    elif isinstance(value, bool):
        yield path, not value
    else:
        yield path, _OTHER.get(type(value), 17 if value is None else ("other",))


def _paths(purchase: Purchase, left_out: set[str]) -> list[Any]:
    found = [(path, changed) for path, changed in _changes(purchase) if path.split(".")[0] not in left_out]
    return [pytest.param(changed, id=path) for path, changed in found]


def test_the_changes_reach_every_field() -> None:
    paths = {path for path, _ in (*_changes(WANTED), *_changes(MADE))}
    kinds = {
        "": Purchase, "configuration": Configuration, "configuration.system_disk": DiskChoice, "machine": Machine,
        "configuration.data_disks.0": DiskChoice, "machine.network": NetworkWanted, "machine.attributes": Attributes,
    }  # fmt: skip
    for at, kind in kinds.items():
        below = {f"{at}.{field.name}".lstrip(".") for field in fields(kind)}
        assert {one for one in below if any(path == one or path.startswith(f"{one}.") for path in paths)} == below
    for login in (Login, LoginWanted):
        below = {f"machine.login.{field.name}" for field in fields(login)}
        assert {one for one in below if any(path == one or path.startswith(f"{one}.") for path in paths)} == below


@pytest.mark.parametrize("changed", _paths(WANTED, THE_WAY))
def test_a_change_of_any_field_is_another_request(changed: Purchase) -> None:
    assert fingerprinted(changed) != fingerprinted(WANTED)


def test_how_it_came_and_what_it_is_charged_is_no_other_request() -> None:
    same = replace(WANTED, actor=Actor(8, "page"), client_token="twice", order_id=1)
    assert fingerprinted(replace(same, expected=quote(demo_book(), CONFIGURATION))) == fingerprinted(WANTED)


@pytest.mark.parametrize("changed", _paths(MADE, THE_WAY))
def test_any_field_is_in_an_order_that_waits(changed: Purchase) -> None:
    quoted = replace(quote(demo_book(), CONFIGURATION), configuration=changed.configuration)
    order = Order(id=5, account_id=7, quote=_by_json(quoted.plain()), request=_by_json(place._stored(changed)))
    payer = Actor(7, "page", user="who pays")
    paid = replace(changed, actor=payer, client_token="", expected=quoted, order_id=5)
    assert place.request_of(order, payer) == paid


def test_a_password_is_in_the_fingerprint_and_in_nothing_plain() -> None:
    assert b"Abcd1234!" in fingerprinted(WANTED)  # which a key digests before it is kept
    assert "Abcd1234!" not in json.dumps(PURCHASE.plain(WANTED)) + repr(WANTED)


def test_what_is_bought_names_nothing_twice(shop: object) -> None:
    """Configuration, machine and what follows of them stand side by side in what SQL is given."""
    made = replace(MADE, machine=replace(MADE.machine, login=LOGIN))
    bought = _bought(made, quote(demo_book(), CONFIGURATION), catalog.snapshot(), clock.now())
    plain = PURCHASE.plain(made)
    follows = {
        "account_id", "request_id", "created_at", "kind", "book_version", "vcpu", "memory_mib", "login_user",
        "own_image",
    }  # fmt: skip
    names = [*plain["configuration"], *plain["machine"], *follows]
    assert sorted(bought) == sorted(names)
    assert len(set(names)) == len(names)
    assert {name: bought[name] for name in plain["machine"]} == plain["machine"]
    assert {name: bought[name] for name in plain["configuration"]} == plain["configuration"]
