"""Given a purchase without a login, then each machine has a password that its owner alone is shown, until he has it."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, IMAGE, MONTHLY, buy_running, open_purse, wanted, work
from tests.support.written import contents, nothing_written, refused
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, SealedPassword
from vmart.kernel import clock, db, unix_password
from vmart.kernel.secrets import MASTER_KEY_VARIABLE, Secrets, SecretsUnreadable
from vmart.orders import actions, login, passwords, place, terminate
from vmart.orders.errors import PasswordNotKept, TokenReused, UnknownInstance
from vmart.orders.models import Idempotency, Order
from vmart.orders.purchase import dry_run, purchase
from vmart.orders.wanted import Bought, Machine
from vmart.placement.models import Host
from vmart.provisioning import zones
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

NO_LOGIN = Machine(IMAGE, login.LoginWanted(), name="web")


def _buy(account: int, count: int = 1, **what: object) -> Bought:
    return purchase(wanted(account, replace(HOURLY, count=count), machine=NO_LOGIN, **what))


def _deliver() -> None:
    zones.check(HOURLY.zone)
    zones.prepare_images(HOURLY.zone)
    work()


def _events(kind: str) -> list[int]:
    return list(Event.objects.filter(kind=kind).order_by("id").values_list("subject_id", flat=True))


def test_each_machine_has_a_password_of_its_own_that_opens_it() -> None:
    account = open_purse(cash_minor=1000)
    bought = _buy(account, 3)
    shown = passwords.show(by(account), bought.instance_ids)
    assert list(shown) == list(bought.instance_ids)
    assert len(set(shown.values())) == 3
    for machine in Instance.objects.all():
        assert unix_password.matches(shown[machine.public_id], machine.password_hash)
        assert machine.password_hash.startswith("$6$")


def test_it_is_in_clear_nowhere_in_the_database() -> None:
    account = open_purse(cash_minor=1000)
    bought = _buy(account, client_token="t")
    (password,) = passwords.show(by(account), bought.instance_ids).values()
    work()
    tables = contents()
    assert tables["instances_sealed_password"][0] == 1
    for table in tables:
        found = db.rows(f"SELECT count(*) AS n FROM {table} t WHERE position(%s IN t::text) > 0", password)
        assert found == [{"n": 0}], table
    (row,) = SealedPassword.objects.all()
    assert password.encode() not in bytes(row.sealed)


@pytest.mark.parametrize("wanted_login", [login.LoginWanted("Str0ng-pass"), login.Login("$6$s$h")])
def test_a_login_that_was_given_is_the_only_one(wanted_login: login.Login | login.LoginWanted) -> None:
    account = open_purse(cash_minor=1000)
    bought = purchase(wanted(account, HOURLY, machine=Machine(IMAGE, wanted_login)))
    assert not SealedPassword.objects.exists()
    with refused(PasswordNotKept, field="machines"):
        passwords.show(by(account), bought.instance_ids)


def test_fewer_machines_than_asked_for_have_fewer_passwords() -> None:
    account = open_purse(cash_minor=1000)
    hosts = list(Host.objects.filter(zone_id=HOURLY.zone).order_by("id"))
    Host.objects.filter(id__in=[host.id for host in hosts[1:]]).update(enabled=False)
    Host.objects.filter(id=hosts[0].id).update(vcpu_capacity=4)
    bought = _buy(account, 3, min_count=1)
    assert len(bought.instance_ids) == 2
    assert set(SealedPassword.objects.values_list("instance_id", flat=True)) == set(
        Instance.objects.values_list("id", flat=True)
    )


def test_a_repeated_token_makes_no_password_and_changes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse(cash_minor=1000)
    first = _buy(account, client_token="t")
    made: list[int] = []
    monkeypatch.setattr(passwords, "make", made.append)
    with nothing_written():
        assert _buy(account, client_token="t") == replace(first, repeated=True)
    assert made == []


def test_a_repeat_that_was_too_early_to_be_known_changes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given both were begun before either was known, then what the second made is nobody's."""
    account = open_purse(cash_minor=1000)
    first = _buy(account, client_token="t")
    monkeypatch.setattr("vmart.orders.purchase.answered", lambda *_: None)
    with nothing_written():
        assert _buy(account, client_token="t") == replace(first, repeated=True)


def test_a_token_is_of_a_request_without_login_and_of_no_other() -> None:
    account = open_purse(cash_minor=1000)
    _buy(account, client_token="t")
    typed = Machine(IMAGE, login.LoginWanted("Str0ng-pass"), name="web")
    with refused(TokenReused, field="client_token"):
        purchase(wanted(account, HOURLY, machine=typed, client_token="t"))


def test_a_dry_run_leaves_none() -> None:
    account = open_purse(cash_minor=1000)
    with nothing_written():
        dry_run(wanted(account, HOURLY, machine=NO_LOGIN))


def test_an_unpaid_order_has_none_and_gets_one_when_it_is_paid() -> None:
    account = open_purse(cash_minor=100_000)
    number = place.place(wanted(account, replace(MONTHLY, count=2), machine=NO_LOGIN))
    order = Order.objects.get(id=number)
    kept = {"password_hash": "", "key_ids": [], "ssh_keys": [], "generated": True}
    assert order.request["machine"]["login"] == kept
    assert not SealedPassword.objects.exists()
    actions.pay(by(account), number)
    shown = passwords.show(by(account), list(Instance.objects.values_list("public_id", flat=True)))
    assert len(set(shown.values())) == 2
    for machine in Instance.objects.all():
        assert unix_password.matches(shown[machine.public_id], machine.password_hash)


def test_it_is_shown_as_often_as_asked_and_each_time_is_an_event() -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    passwords.keep(machine, passwords.seal(machine.id, "Abcd-2345"))
    for times in (1, 2, 3):
        assert passwords.show(by(account), [machine.public_id]) == {machine.public_id: "Abcd-2345"}
        assert _events("password_shown") == [machine.id] * times
    assert list(Event.objects.filter(kind="password_shown").values_list("detail", flat=True)) == [{}] * 3


def test_another_customer_is_shown_nothing() -> None:
    account, stranger = open_purse("owner", cash_minor=1000), open_purse("stranger", cash_minor=1000)
    theirs, own = _buy(account).instance_ids, _buy(stranger).instance_ids
    for ids in (theirs, [*own, *theirs], ["ins-00000000"]):
        with refused(UnknownInstance, field="machines"):
            passwords.show(by(stranger), ids)
        with refused(UnknownInstance, field="machines"):
            passwords.put_away(by(stranger), ids, clock.now())


def test_once_its_owner_has_it_nobody_is_shown_it() -> None:
    account = open_purse(cash_minor=1000)
    first, second = _buy(account, 2).instance_ids
    assert passwords.put_away(by(account), [first], clock.now())
    assert _events("password_taken") == [Instance.objects.get(public_id=first).id]
    with refused(PasswordNotKept, field="machines"):
        passwords.show(by(account), [first])
    assert list(passwords.show(by(account), [first, second])) == [second]
    with nothing_written():
        assert passwords.put_away(by(account), [first], clock.now())


def test_one_that_was_made_after_those_he_has_is_left(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    old, new = _buy(account, 2).instance_ids
    machines = [Instance.objects.get(public_id=public_id) for public_id in (old, new)]
    seen = passwords.newest([machine.id for machine in machines])
    assert seen == test_clock.at
    test_clock.advance(seconds=1)
    passwords.keep(machines[1], passwords.seal(machines[1].id, "Abcd-2345"))
    assert not passwords.put_away(by(account), [old, new], seen)
    assert passwords.show(by(account), [old, new]) == {new: "Abcd-2345"}
    assert _events("password_taken") == [machines[0].id]
    assert passwords.newest([machines[0].id]) is None


def test_after_seven_days_it_is_not_shown_and_then_erased(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=100_000)
    bought = purchase(wanted(account, MONTHLY, machine=NO_LOGIN))
    machine = Instance.objects.get()
    assert passwords.kept([machine.id]) == {machine.id: test_clock.at + dt.timedelta(days=7)}
    test_clock.advance(days=6, hours=23, minutes=59, seconds=59)
    assert len(passwords.show(by(account), bought.instance_ids)) == 1
    assert passwords.erase_old(test_clock.at) == 0
    test_clock.advance(seconds=1)
    assert passwords.kept([machine.id]) == {}
    with refused(PasswordNotKept, field="machines"):
        passwords.show(by(account), bought.instance_ids)
    assert passwords.erase_old(test_clock.at) == 1
    assert not SealedPassword.objects.exists()


def test_it_is_erased_with_its_machine() -> None:
    account = open_purse(cash_minor=100_000)
    kept = _buy(account).instance_ids[0]
    ended = _buy(account).instance_ids[0]
    _deliver()
    assert set(Instance.objects.values_list("state", flat=True)) == {"RUNNING"}
    terminate.terminate(by(account), [ended])
    work()
    assert SealedPassword.objects.count() == 2  # in the bin its owner may still want it
    terminate.terminate(by(account), [ended])
    work()
    assert Instance.objects.get(public_id=ended).state == "GONE"
    assert list(SealedPassword.objects.values_list("instance__public_id", flat=True)) == [kept]


def test_it_is_erased_when_the_machine_cannot_be_delivered(world: World) -> None:
    account = open_purse(cash_minor=1000)
    world.fail("ensure_present", transient=False, sentence="No.")
    bought = _buy(account)
    _deliver()
    assert Instance.objects.get().state == "LAUNCH_FAILED"
    assert not SealedPassword.objects.exists()
    with refused(PasswordNotKept, field="machines"):
        passwords.show(by(account), bought.instance_ids)


def test_what_is_generated_passes_every_rule_of_passwords() -> None:
    made = {passwords.generate() for _ in range(500)}
    assert len(made) == 500
    for password in made:
        login.check_password(password, 4)
        login.check_new_password(password)
        assert re.fullmatch(r"[a-zA-Z2-9]{4}(-[a-zA-Z2-9]{4}){3}", password)
        assert not set(password) & set("0Oo1lI")


@given(machine=st.integers(1, 2**63 - 1), other=st.integers(1, 2**63 - 1), password=st.text("abcXYZ189-!/", min_size=8))
def test_a_sealed_password_opens_with_its_machine_and_key_alone(
    tmp_path_factory: pytest.TempPathFactory, machine: int, other: int, password: str
) -> None:
    sealed = passwords.seal(machine, password)
    assert passwords.unseal(machine, sealed) == password
    assert password.encode() not in sealed
    if other != machine:
        with pytest.raises(SecretsUnreadable):
            passwords.unseal(other, sealed)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(MASTER_KEY_VARIABLE, raising=False)
        patch.setattr("django.conf.settings.SECRETS", _other_key(tmp_path_factory.getbasetemp()))
        with pytest.raises(SecretsUnreadable):
            passwords.unseal(machine, sealed)


def _other_key(folder: Path) -> Secrets:
    found = Secrets(folder / "another-shop")
    found.create()
    return found


def test_nobody_can_move_a_password_to_a_machine_of_his_own() -> None:
    """Given someone who may write the table, when he copies a row to his machine, then it is not shown there."""
    account, thief = open_purse("owner", cash_minor=1000), open_purse("thief", cash_minor=1000)
    _buy(account)
    stolen = SealedPassword.objects.get()
    own = _buy(thief).instance_ids
    SealedPassword.objects.filter(instance__account_id=thief).update(sealed=stolen.sealed)
    with nothing_written(), pytest.raises(SecretsUnreadable):
        passwords.show(by(thief), own)


def test_work_and_answers_know_nothing_of_it() -> None:
    account = open_purse(cash_minor=1000)
    bought = _buy(account, client_token="t")
    assert [row.payload for row in Operation.objects.filter(kind="deliver")] == [{}]
    assert Idempotency.objects.get().answer == {
        "order_id": bought.order_id, "instance_ids": list(bought.instance_ids),
    }  # fmt: skip
