"""Given machines that must lie apart, then they do, or the purchase is refused and moves no money."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import quotas
from tests.support.actors import by
from tests.support.at_once import at_once
from tests.support.shopper import HOURLY, IMAGE, LOGIN, ZONE, open_purse, purses, wanted, work
from tests.support.written import refused
from vmart.config import reconcile
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Unsupported
from vmart.listings import placement_groups as listed
from vmart.orders import placement_groups, terminate
from vmart.orders.errors import (
    GroupInUse,
    NoPlaceInGroup,
    NotInGroup,
    SoldOut,
    TokenReused,
    TooManyGroups,
    UnknownInstance,
    UnknownPlacementGroup,
)
from vmart.orders.placement_groups import Wanted
from vmart.orders.purchase import dry_run, purchase
from vmart.orders.wanted import Machine
from vmart.placement import racks
from vmart.placement.models import Allocation, Group, Host, Member
from vmart.provisioning import zones

pytestmark = pytest.mark.usefixtures("in_business")
ROOM = {"vcpu_capacity": 64, "memory_capacity_mib": 256 * 1024, "disk_capacity_gib": 10_000}
_NUMBERS = itertools.count()
NOWHERE = "ps-00000000"


def _hosts(*racks: str) -> None:
    """The zone's hosts by the racks that they are in; those that were there take nothing more."""
    Host.objects.filter(zone_id=ZONE).update(enabled=False, name=Concat(Value("before "), Cast("id", TextField())))
    Host.objects.bulk_create(
        Host(zone_id=ZONE, name=f"gz4-{name}", rack=rack, **ROOM) for name, rack in zip("abcd", racks, strict=False)
    )


def _group(account: int, **of: Any) -> str:
    return placement_groups.create(by(account), Wanted(**{"name": "apart", **of})).public_id


def _buy(account: int, group: str | None = None, count: int = 1, **what: Any) -> list[str]:
    machine = Machine(IMAGE, LOGIN, name="web", placement_groups=(group,) if group else ())
    return list(purchase(wanted(account, replace(HOURLY, count=count), machine=machine, **what)).instance_ids)


def _deliver() -> None:
    zones.prepare_images(ZONE)
    work()


def _where(*ids: str) -> list[str]:
    numbers = dict(Instance.objects.values_list("public_id", "id"))
    hosts = dict(Allocation.objects.values_list("pk", "host__name"))
    return [hosts[numbers[public_id]] for public_id in ids]


def _members(group: str) -> list[str]:
    found = listed.group(Group.objects.get(public_id=group).account_id, group)
    assert found is not None
    return list(found.machines)


def test_machines_of_one_order_lie_on_hosts_of_their_own() -> None:
    _hosts("", "", "")
    account = open_purse(cash_minor=100_000)
    group = _group(account)
    bought = _buy(account, group, 3)
    assert sorted(_where(*bought)) == ["gz4-a", "gz4-b", "gz4-c"]
    assert _members(group) == bought


def test_without_a_group_they_lie_together() -> None:
    _hosts("", "", "")
    assert len(set(_where(*_buy(open_purse(cash_minor=100_000), None, 3)))) == 1


def test_a_further_machine_goes_where_none_of_them_is() -> None:
    _hosts("", "")
    account = open_purse(cash_minor=100_000)
    group = _group(account)
    first = _buy(account, group)
    _buy(account, None, 3)  # the emptier host is another by now, or the first's again
    assert {*_where(*first), *_where(*_buy(account, group))} == {"gz4-a", "gz4-b"}


def test_no_host_is_left_for_the_group_and_no_money_moves() -> None:
    _hosts("", "")
    account = open_purse(cash_minor=100_000)
    group = _group(account)
    _buy(account, group, 2)
    held = purses(account)
    with refused(NoPlaceInGroup, match="room for 0 machines apart", field="placement_groups"):
        _buy(account, group)
    with refused(NoPlaceInGroup):
        dry_run(wanted(account, HOURLY, machine=Machine(IMAGE, LOGIN, placement_groups=(group,))))
    assert purses(account) == held
    assert len(_buy(account)) == 1  # there is room for what need not lie apart


def test_all_or_nothing_and_at_least_so_many() -> None:
    _hosts("", "")
    account = open_purse(cash_minor=100_000)
    group = _group(account)
    with refused(NoPlaceInGroup, match="room for 2 machines apart"):
        _buy(account, group, 3)
    bought = _buy(account, group, 3, min_count=2)
    assert (len(bought), _members(group)) == (2, bought)


def test_where_nobody_finds_room_it_is_sold_out() -> None:
    _hosts("")
    Host.objects.update(vcpu_capacity=1)
    account = open_purse(cash_minor=100_000)
    group = _group(account)
    with refused(SoldOut, field="instance_type"):
        _buy(account, group)


def test_the_affinity_is_how_many_lie_together() -> None:
    _hosts("", "")
    account = open_purse(cash_minor=100_000)
    group = _group(account, affinity=2)
    places = _where(*_buy(account, group, 4))
    assert {name: places.count(name) for name in places} == {"gz4-a": 2, "gz4-b": 2}
    with refused(NoPlaceInGroup):
        _buy(account, group)
    placement_groups.modify(by(account), group, affinity=3)
    assert len(_buy(account, group)) == 1


def test_by_rack_hosts_of_one_rack_are_one_place_and_those_of_none_are_none() -> None:
    _hosts("a", "a", "b", "")
    account = open_purse(cash_minor=100_000)
    group = _group(account, apart="RACK")
    bought = _buy(account, group, 2)
    assert {Host.objects.get(name=name).rack for name in _where(*bought)} == {"a", "b"}
    with refused(NoPlaceInGroup):
        _buy(account, group)


def test_a_host_stays_in_its_rack_while_a_group_relies_on_it() -> None:
    _hosts("a", "b")
    account = open_purse(cash_minor=100_000)
    group = _group(account, apart="RACK")
    (name,) = _where(*_buy(account, group))
    other = "gz4-b" if name == "gz4-a" else "gz4-a"
    rack = Host.objects.get(name=name).rack
    with refused(racks.NotPossible, match=f"lie on {name}: its rack stays {rack}"):
        racks.put(ZONE, name, "c")
    racks.put(ZONE, name, rack)
    racks.put(ZONE, other, rack)
    with refused(NoPlaceInGroup):
        _buy(account, group)


def test_groups_know_nothing_of_each_other() -> None:
    _hosts("")
    account, other = open_purse(cash_minor=100_000), open_purse("other", cash_minor=100_000)
    for group in (_group(account), _group(account)):
        assert len(_buy(account, group)) == 1
    assert len(_buy(other, _group(other))) == 1


def test_a_group_has_as_many_machines_as_its_quota_says() -> None:
    _hosts("", "", "")
    account = open_purse(cash_minor=100_000)
    quotas.one(account, machines_per_group=2)
    group = _group(account)
    _buy(account, group, 2)
    with refused(NoPlaceInGroup, match="may have no further machine: there is room for 0", field="placement_groups"):
        _buy(account, group)
    others = _buy(account)
    _deliver()
    with refused(NoPlaceInGroup, match="may have no further machine", field="group.id"):
        placement_groups.join(by(account), others, group)


def test_what_is_released_leaves_its_group() -> None:
    _hosts("")
    account = open_purse(cash_minor=100_000)
    group = _group(account)
    (first,) = _buy(account, group)
    _deliver()
    for _ in range(2):
        terminate.terminate(by(account), [first])
        work()
    assert _members(group) == []
    assert len(_buy(account, group)) == 1


def test_a_machine_joins_where_its_host_allows_it_and_leaves() -> None:
    _hosts("", "")
    account = open_purse(cash_minor=100_000)
    actor, group, other = by(account), _group(account), _group(account)
    first, second = _buy(account, None, 2)
    _deliver()
    assert len(set(_where(first, second))) == 1
    placement_groups.join(actor, [first], group)
    with refused(NoPlaceInGroup, match="is not moved", field="machines"):
        placement_groups.join(actor, [second], group)
    placement_groups.join(actor, [first], group)  # once more: it is there
    placement_groups.join(actor, [first], other)
    assert (_members(group), _members(other)) == ([], [first])
    with refused(NotInGroup, field="machines"):
        placement_groups.leave(actor, [first, second], [other])
    placement_groups.leave(actor, [first], [group, other])
    assert _members(other) == []
    told = Event.objects.filter(subject_kind="machine", kind__contains="DisasterRecover").order_by("id")
    assert list(told.values_list("kind", flat=True)) == [
        *["ModifyInstancesDisasterRecoverGroup"] * 3, "DeleteInstancesDisasterRecoverGroups",
    ]  # fmt: skip


def test_all_join_or_none() -> None:
    _hosts("")
    account = open_purse(cash_minor=100_000)
    group = _group(account)
    both = _buy(account, None, 2)
    _deliver()
    with refused(NoPlaceInGroup):
        placement_groups.join(by(account), both, group)


def test_a_group_that_has_machines_is_not_deleted() -> None:
    _hosts("")
    account = open_purse(cash_minor=100_000)
    empty, group = _group(account), _group(account)
    (machine,) = _buy(account, group)
    with refused(GroupInUse, match=f"{group} has the instance {machine}", field="group.ids.1"):
        placement_groups.delete(by(account), [empty, group])
    placement_groups.delete(by(account), [empty])
    assert list(Group.objects.values_list("public_id", flat=True)) == [group]


def test_another_accounts_group_does_not_exist() -> None:
    _hosts("")
    account, other = open_purse(cash_minor=100_000), open_purse("other", cash_minor=100_000)
    theirs = _group(other)
    (machine,) = _buy(account)
    (theirs_machine,) = _buy(other)
    _deliver()
    with refused(UnknownPlacementGroup, field="placement_groups"):
        _buy(account, theirs)
    for act in (
        lambda: placement_groups.modify(by(account), theirs, name="mine"),
        lambda: placement_groups.delete(by(account), [theirs]),
        lambda: placement_groups.join(by(account), [machine], theirs),
        lambda: placement_groups.leave(by(account), [machine], [theirs]),
    ):
        with refused(UnknownPlacementGroup):
            act()
    group = _group(account)
    with refused(UnknownInstance):
        placement_groups.join(by(account), [theirs_machine], group)
    assert listed.group(account, theirs) is None


@pytest.mark.parametrize("group", ["", "ps-1", "PS-00000000", "sg-00000000", "ps-0000000\0"])
def test_what_is_no_id_of_a_group(group: str) -> None:
    account = open_purse(cash_minor=100_000)
    code = "InvalidParameterValue.DisasterRecoverGroupIdMalformed"
    with refused(UnknownPlacementGroup, code=code, field="group.ids.0"):
        placement_groups.delete(by(account), [group])
    with refused(UnknownPlacementGroup, code=code, field="group.id"):
        placement_groups.modify(by(account), group, name="n")


def test_bad_input_says_what_would_be_right() -> None:
    account = open_purse(cash_minor=100_000)
    actor, group = by(account), _group(account, affinity=3)
    for name in ("", "n" * 61, "two\nlines"):
        with refused(InvalidValue, match="1 to 60 characters", field="group.name"):
            _group(account, name=name)
        with refused(InvalidValue, match="1 to 60 characters", field="group.name"):
            placement_groups.modify(actor, group, name=name)
    for affinity in (0, 11):
        with refused(InvalidValue, match="1 to 10", field="group.affinity"):
            _group(account, affinity=affinity)
    with refused(InvalidValue, match="can only become larger", field="group.affinity"):
        placement_groups.modify(actor, group, affinity=2)
    with refused(MissingParameter, match="Name and Affinity"):
        placement_groups.modify(actor, group)
    with refused(Unsupported, match="HOST and RACK", field="group.apart"):
        _group(account, apart="SW")
    with refused(InvalidValue, match="HOST or RACK", field="group.apart"):
        _group(account, apart="ROOM")
    with refused(MissingParameter, field="group.ids"):
        placement_groups.delete(actor, [])
    with refused(InvalidParameter, match="twice", field="group.ids"):
        placement_groups.delete(actor, [group, group])
    with refused(InvalidParameter, match="At most 10", field="group.ids"):
        placement_groups.delete(actor, [f"ps-{number:08d}" for number in range(11)])
    with refused(UnknownPlacementGroup, field="group.ids.1"):
        placement_groups.delete(actor, [group, NOWHERE])


def test_so_many_groups_as_the_quota_says() -> None:
    account = open_purse()
    quotas.one(account, placement_groups=2)
    _group(account)
    _group(account)
    with refused(TooManyGroups, match="at most 2 placement groups"):
        _group(account)
    quotas.one(account, placement_groups=4)
    outcomes = at_once(*[lambda: _group(account)] * 3)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["TooManyGroups", "str", "str"]


def test_a_repeated_token_gets_the_first_group() -> None:
    account = open_purse()
    first = placement_groups.create(by(account), Wanted("apart"), client_token="t")
    assert placement_groups.create(by(account), Wanted("apart"), client_token="t") == first
    with refused(TokenReused):
        placement_groups.create(by(account), Wanted("other"), client_token="t")
    assert Group.objects.count() == 1


def test_two_purchases_at_once_do_not_take_one_place_twice() -> None:
    _hosts("", "")
    account = open_purse(cash_minor=1_000_000)
    group = _group(account)
    outcomes = at_once(*[lambda: _buy(account, group) for _ in range(4)])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "NoPlaceApart",
        "NoPlaceApart",
        "list",
        "list",
    ]
    assert sorted(_where(*_members(group))) == ["gz4-a", "gz4-b"]


def test_a_group_is_not_deleted_while_it_is_bought_into() -> None:
    _hosts("")
    account = open_purse(cash_minor=1_000_000)
    for _ in range(5):
        group = _group(account)
        bought, gone = at_once(
            lambda g=group: _buy(account, g), lambda g=group: placement_groups.delete(by(account), [g])
        )
        if gone is None:
            assert (type(bought), Group.objects.filter(public_id=group).exists()) == (UnknownPlacementGroup, False)
        else:
            assert (type(gone), _members(group)) == (GroupInUse, bought)


def test_control_the_database_has_no_member_of_a_group_that_is_gone() -> None:
    _hosts("")
    account = open_purse(cash_minor=1_000_000)
    group = _group(account)
    _buy(account, group)
    with pytest.raises(IntegrityError), transaction.atomic():
        Group.objects.filter(public_id=group)._raw_delete("default")
    assert Member.objects.count() == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    racks=st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=4),
    apart=st.sampled_from(["HOST", "RACK"]),
    affinity=st.integers(1, 3),
    orders=st.lists(st.integers(1, 3), max_size=4),
)
def test_never_more_in_one_place_and_never_fewer_than_there_is_room(
    racks: list[str], apart: str, affinity: int, orders: list[int]
) -> None:
    _hosts(*racks)
    account = open_purse(f"p{next(_NUMBERS)}", cash_minor=1_000_000)
    group = _group(account, apart=apart, affinity=affinity)
    bought = [public_id for count in orders for public_id in _buy_what_fits(account, group, count)]
    places = [rack for rack in set(racks) if rack] if apart == "RACK" else racks
    assert len(bought) == min(sum(orders), len(places) * affinity)
    hosts = dict(Host.objects.values_list("name", "rack"))
    taken = [hosts[name] if apart == "RACK" else name for name in _where(*bought)]
    assert all(0 < taken.count(place) <= affinity for place in taken)


def _buy_what_fits(account: int, group: str, count: int) -> list[str]:
    try:
        return _buy(account, group, count, min_count=1)
    except NoPlaceInGroup:
        return []


def test_reconcile_finds_machines_that_lie_together() -> None:
    _hosts("", "")
    account = open_purse(cash_minor=1_000_000)
    group = _group(account)
    _buy(account, group, 2)
    _deliver()
    assert list(reconcile.reconcile()) == []
    Allocation.objects.update(host=Host.objects.get(name="gz4-a"))
    found = [line for line in reconcile.reconcile() if line.startswith("machines of a placement group")]
    said = f"public_id {group}, host gz4-a, machines 2, affinity 1"
    assert found == [f"machines of a placement group lie closer than it allows: {said}"]
