"""Given two who change or buy from a template at once, then each finds it whole."""

import threading
import time

import pytest
from django.db import IntegrityError, connection, transaction

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.launch_templates.keeping import new_version, template
from tests.support import quotas
from tests.support.actors import by
from tests.support.at_once import at_once, wait_until_blocked
from tests.support.shopper import open_purse
from vmart.customers import accounts
from vmart.customers.models import Account
from vmart.instances.models import Instance
from vmart.launch_templates import change, held, keep
from vmart.launch_templates.errors import TooManyTemplates, UnknownTemplate, UnknownVersion
from vmart.launch_templates.models import Template, Version

pytestmark = pytest.mark.usefixtures("shop")


def _two_versions_at_once(monkeypatch: pytest.MonkeyPatch, *, locked: bool = True) -> list[object]:
    """Two new versions, of which the first waits before it writes until the second waits for it, or writes too."""
    account = open_purse()
    public_id = template(account)
    if not locked:
        monkeypatch.setattr(accounts, "lock", lambda _account_id: None)
        monkeypatch.setattr(Template, "save", lambda *_of, **_named: None)  # else the second would wait for its row
    write, second_is_there = keep._write, threading.Event()

    def late(*of: object) -> None:
        if threading.current_thread().name == "first":
            second_is_there.wait(2)
        else:
            second_is_there.set()
        write(*of)  # type: ignore[arg-type]

    monkeypatch.setattr(keep, "_write", late)

    def first() -> int:
        threading.current_thread().name = "first"
        return keep.add_version(public_id, new_version(account))

    return at_once(first, lambda: keep.add_version(public_id, new_version(account)))


def test_two_versions_made_at_once_have_two_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = _two_versions_at_once(monkeypatch)
    assert sorted(map(str, numbers)) == ["2", "3"]
    assert sorted(Version.objects.values_list("number", flat=True)) == [1, 2, 3]
    assert Template.objects.get().last_version == 3


def test_control_without_the_lock_one_of_them_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = _two_versions_at_once(monkeypatch, locked=False)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["IntegrityError", "int"]
    assert any(isinstance(outcome, IntegrityError) for outcome in outcomes)


def test_two_templates_made_at_once_do_not_both_take_the_last_of_the_quota() -> None:
    account = open_purse()
    quotas.one(account, launch_templates=1)
    outcomes = at_once(lambda: template(account, "one"), lambda: template(account, "two"))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["TooManyTemplates", "str"]
    assert any(isinstance(outcome, TooManyTemplates) for outcome in outcomes)
    assert Template.objects.count() == 1


def test_who_reads_while_the_default_goes_finds_the_old_or_the_new() -> None:
    """Given another default and the end of the one before, under way, then a reader finds the one before."""
    account = open_purse()
    public_id = template(account)
    keep.add_version(public_id, new_version(account))
    read: list[int] = []

    def look() -> None:
        read.append(held.version(account, public_id).number)
        connection.close()

    with transaction.atomic():
        Template.objects.update(default_version=2)
        Version.objects.filter(number=1).delete()
        _in_a_thread(look)
    _in_a_thread(look)
    assert read == [1, 2]


def test_control_read_in_two_statements_it_is_neither() -> None:
    account = open_purse()
    public_id = template(account)
    keep.add_version(public_id, new_version(account))
    default = held.template(account, public_id).default_version
    change.make_default(by(account), public_id, 2)
    change.delete_versions(by(account), public_id, [1])
    with pytest.raises(UnknownVersion):
        held.version(account, public_id, default)


def _in_a_thread(do: object) -> None:
    thread = threading.Thread(target=do)  # type: ignore[arg-type]
    thread.start()
    thread.join(10)


def test_a_template_that_is_deleted_while_it_is_bought_from() -> None:
    """Then the machine is as the template said, or there is none."""
    client, account = open_customer()
    for _ in range(5):
        before = Instance.objects.count()
        public_id = template(account, name="of-template")
        asked = {"LaunchTemplate": {"LaunchTemplateId": public_id}}
        told, gone = at_once(lambda c=client, a=asked: _bought(c, a), lambda p=public_id: change.delete(by(account), p))
        assert gone is None
        assert told in ("bought", "InvalidParameterValue.LaunchTemplateIdNotExisted")
        made = list(Instance.objects.order_by("id").values_list("name", "instance_type_id"))[before:]
        assert made == ([("web", "S5.MEDIUM4")] if told == "bought" else [])
    assert not Template.objects.exists()


def _bought(client: Client, asked: dict[str, object]) -> str:
    answer = client.call("RunInstances", asked).response
    return str(answer["Error"]["Code"]) if "Error" in answer else "bought"


def test_a_version_is_not_added_to_a_template_that_is_being_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse()
    public_id = template(account)
    write, waited = change.told, []

    def late(*of: object, **more: object) -> None:
        wait_until_blocked()  # the new version, for the lock that the deletion has
        waited.append(True)
        write(*of, **more)  # type: ignore[arg-type]

    def add() -> object:
        while _lock_is_free(account):
            time.sleep(0.01)
        return keep.add_version(public_id, new_version(account))

    monkeypatch.setattr(change, "told", late)
    gone, added = at_once(lambda: change.delete(by(account), public_id), add)
    assert (gone, type(added)) == (None, UnknownTemplate)
    assert (Template.objects.count(), Version.objects.count()) == (0, 0)


def _lock_is_free(account: int) -> bool:
    with transaction.atomic():
        return Account.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=account).exists()
