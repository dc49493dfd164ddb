"""Given a member who acts while his place ends or changes, then one comes first, and the act is whole or is not.

Each race has its control: the same without the change. Who comes second waits for the account's lock, so the test
holds that lock until the other stands before it.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.actors import by
from tests.support.at_once import at_once, wait_until_blocked
from tests.support.shopper import buy_running, open_purse, wanted
from tests.support.written import refused
from vmart.customers import accounts, api_keys, invitations, members, roles
from vmart.customers.models import Account, ApiKey, Invitation, Member, User
from vmart.customers.roles import NotPermitted, Permission, Role
from vmart.events.actor import Actor
from vmart.instances import key_pairs
from vmart.instances.models import Instance, KeyPair, State
from vmart.kernel import clock, db
from vmart.kernel.errors import NotFound, Refused
from vmart.orders import membership, stop
from vmart.orders.membership import LastOwner
from vmart.orders.models import Order
from vmart.orders.purchase import purchase

pytestmark = [pytest.mark.usefixtures("in_business")]
_Change = Callable[[], object]


def member(account_id: int, role: str, permission: Permission) -> Actor:
    """A new member, who asks for what takes this permission."""
    user = User.objects.create_user(f"{role}{User.objects.count()}@example.org", date_joined=clock.now())
    Member.objects.create(account_id=account_id, user=user, role=role, joined_at=clock.now())
    return acting(account_id, user, permission)


def acting(account_id: int, user: User, permission: Permission) -> Actor:
    return replace(by(account_id), user=user.email, member=user.pk, roles=roles.having(permission))


def owner_of(account_id: int, permission: Permission = Permission.MEMBERS) -> Actor:
    return acting(account_id, User.objects.get(member__account_id=account_id, member__role="owner"), permission)


def during(account_id: int, change: _Change | None, act: _Change) -> list[object]:
    """``act`` begins and stands before the account's lock; then ``change`` is committed; what became of the act."""
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.extend(at_once(act)))
    with db.act():
        db.call("ledger_lock", account_id)
        accounts.lock(account_id)
        thread.start()
        wait_until_blocked()
        if change:
            change()
    thread.join(30)
    return done


def removed(who: Actor) -> _Change:
    return lambda: Member.objects.filter(account_id=who.account, user_id=who.member).delete()


def lowered(who: Actor) -> _Change:
    return lambda: Member.objects.filter(account_id=who.account, user_id=who.member).update(role="viewer")


CHANGES: list[Callable[[Actor], _Change]] = [removed, lowered]


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_a_machine_is_stopped_by_who_may_at_the_commit(change: Callable[[Actor], _Change] | None) -> None:
    account_id = open_purse(cash_minor=1_000_000)
    machine = buy_running(account_id)
    operator = member(account_id, "operator", Permission.OPERATE)
    result = during(account_id, change and change(operator), lambda: stop.stop(operator, [machine.public_id]))
    machine.refresh_from_db()
    if change is None:  # the control
        assert machine.state == State.STOPPING
        assert not isinstance(result[0], Exception)
    else:
        assert [type(one) for one in result] == [NotPermitted]
        assert machine.state == State.RUNNING


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_a_purchase_under_way_is_of_who_may_buy_at_its_commit(change: Callable[[Actor], _Change] | None) -> None:
    account_id = open_purse(cash_minor=1_000_000)
    admin = member(account_id, "admin", Permission.SPEND)
    asked = replace(wanted(account_id), actor=admin)
    result = during(account_id, change and change(admin), lambda: purchase(asked))
    if change is None:
        assert Order.objects.count() == Instance.objects.count() == 1
    else:
        assert [type(one) for one in result] == [NotPermitted]
        assert Order.objects.count() == Instance.objects.count() == 0


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_what_locks_the_accounts_row_alone_is_asked_too(change: Callable[[Actor], _Change] | None) -> None:
    account_id = open_purse()
    operator = member(account_id, "operator", Permission.OPERATE)
    result = during(account_id, change and change(operator), lambda: key_pairs.create(operator, "mine"))
    assert KeyPair.objects.count() == (1 if change is None else 0)
    assert (type(result[0]) is NotPermitted) is (change is not None)


def test_the_removal_waits_for_an_act_under_way() -> None:
    """Given an act that has asked already, then it is whole before its member is gone."""
    account_id = open_purse()
    operator, owner = member(account_id, "operator", Permission.OPERATE), owner_of(account_id)
    thread = threading.Thread(target=lambda: at_once(lambda: membership.remove(owner, operator.member)))
    with db.act():
        accounts.lock(account_id)
        members.told(operator, operator.member, operator.user, "role_changed")  # asks, as an act does
        thread.start()
        wait_until_blocked()
        assert members.role_in(account_id, operator.member) == "operator"
    thread.join(30)
    assert members.role_in(account_id, operator.member) == ""


def test_two_owners_who_remove_each_other_leave_one() -> None:
    account_id = open_purse()
    one, other = owner_of(account_id), member(account_id, "owner", Permission.MEMBERS)
    results = at_once(lambda: membership.remove(one, other.member), lambda: membership.remove(other, one.member))
    assert Member.objects.filter(account_id=account_id, role=Role.OWNER).count() == 1
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "NotPermitted"]


def test_two_owners_who_leave_at_once_leave_one() -> None:
    account_id = open_purse()
    one, other = owner_of(account_id), member(account_id, "owner", Permission.LOOK)
    results = at_once(lambda: membership.remove(one, one.member), lambda: membership.remove(other, other.member))
    assert Member.objects.filter(account_id=account_id, role=Role.OWNER).count() == 1
    assert sorted(type(result).__name__ for result in results) == ["LastOwner", "NoneType"]


def test_two_owners_who_lower_themselves_at_once_leave_one() -> None:
    account_id = open_purse()
    one, other = owner_of(account_id), member(account_id, "owner", Permission.MEMBERS)
    results = at_once(
        lambda: membership.change(one, one.member, "viewer"), lambda: membership.change(other, other.member, "viewer")
    )
    assert Member.objects.filter(account_id=account_id, role=Role.OWNER).count() == 1
    assert sorted(type(result).__name__ for result in results) == ["LastOwner", "NoneType"]


def test_two_owners_who_remove_others_both_do() -> None:
    """The control: nothing else is in the way of two at once."""
    account_id = open_purse()
    one, other = owner_of(account_id), member(account_id, "owner", Permission.MEMBERS)
    third, fourth = (member(account_id, "viewer", Permission.LOOK) for _ in range(2))
    results = at_once(lambda: membership.remove(one, third.member), lambda: membership.remove(other, fourth.member))
    assert results == [None, None]
    assert Member.objects.filter(account_id=account_id).count() == 2


def test_an_invitation_that_is_taken_twice_at_once_is_taken_once() -> None:
    account_id = open_purse()
    made = invitations.invite(owner_of(account_id), "new@example.net", "viewer", days=7, mailed=True)
    user = User.objects.create_user("new@example.net", date_joined=clock.now())
    results = at_once(*[lambda: invitations.take(user, made.word, "") for _ in range(2)])
    assert sorted(type(result).__name__ for result in results) == ["Invitation", "NotValid"]
    assert Member.objects.filter(user=user).count() == 1
    assert Invitation.objects.get().ended_at is not None


def test_acts_refuse_who_has_no_role_for_them() -> None:
    """Forged: the actor says that he may, the row says that he may not."""
    account_id = open_purse()
    viewer = member(account_id, "viewer", Permission.OPERATE)
    with refused(NotPermitted):
        key_pairs.create(viewer, "mine")
    stranger = replace(viewer, member=User.objects.create_user("no@example.org", date_joined=clock.now()).pk)
    with refused(NotPermitted):
        key_pairs.create(stranger, "mine")
    with refused(NotPermitted):
        purchase(replace(wanted(account_id), actor=stranger))


def test_what_is_no_member_no_role_or_the_last_owner_is_refused() -> None:
    account_id = open_purse()
    owner = owner_of(account_id)
    for act, error in (
        (lambda: membership.change(owner, 10**9, "viewer"), NotFound),
        (lambda: membership.remove(owner, 10**9), NotFound),
        (lambda: membership.change(owner, owner.member, "king"), Refused),
        (lambda: membership.change(owner, owner.member, "viewer"), LastOwner),
        (lambda: membership.remove(owner, owner.member), LastOwner),
    ):
        with refused(error):
            act()


def test_the_database_knows_the_roles(subtests: pytest.Subtests) -> None:
    account_id = open_purse()
    for model in (Member, Invitation):
        with subtests.test(model=model.__name__):
            checks = {constraint.name for constraint in model._meta.constraints}
            assert any(name.endswith("_role") for name in checks)
    assert db.rows("SELECT fn.customers_permits(%s, 0, 0, '{owner}') AS it", account_id) == [{"it": False}]


def test_keys_are_counted_by_member() -> None:
    account_id = open_purse()
    owner = owner_of(account_id, Permission.KEYS)
    viewer = member(account_id, "viewer", Permission.KEYS)
    account = Account.objects.get(id=account_id)
    for who in (owner, viewer):
        for _ in range(api_keys.KEYS_PER_MEMBER):
            api_keys.create(who, account, User.objects.get(pk=who.member))
    assert ApiKey.objects.count() == 2 * api_keys.KEYS_PER_MEMBER
