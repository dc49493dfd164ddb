"""Given what is another's, when any page that names it is asked for, then it answers as if there were no such thing.

The addresses are taken from the shop's own table of them: one that is added is tested, or fails here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.launch_templates.keeping import template
from tests.support.actors import by
from tests.support.written import nothing_written
from tests.web.second_factor import show_again, stored_passkey
from tests.web.visiting import ZONE, Visitor, customer, operator, order_id_of, text_of, work
from vmart.customers import api_keys, invitations, kept_lists
from vmart.customers.invitations import Made
from vmart.customers.models import Account
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.monitoring import alarms
from vmart.monitoring.alarms import Wanted as WantedAlarm
from vmart.orders import placement_groups
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.images import create as images
from vmart.orders.images.create import NewImage
from vmart.orders.models import Order
from vmart.orders.packages.create import NewPackages
from vmart.orders.packages.create import create as create_packages
from vmart.orders.placement_groups import Wanted
from vmart.orders.snapshots import create as snapshots
from vmart.orders.snapshots import policies
from vmart.orders.snapshots.create import NewSnapshot
from vmart.orders.snapshots.policies import Wanted as WantedPolicy
from vmart.payments.models import Payment
from vmart.payments.providers import sandbox
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import TRAFFIC_POSTPAID_BY_HOUR as BY_TRAFFIC
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.package import PackagePart
from vmart.provisioning import zones
from vmart.security import change, starting
from vmart.worker.models import Operation


@dataclass(frozen=True)
class Things:
    """An account, a running machine, its order, one that waits for payment, a payment, work that needs attention."""

    machine: str = "ins-00000000"
    paid: int = 900_000_001
    unpaid: int = 900_000_002
    payment: int = 900_000_003
    operation: int = 900_000_004
    account: int = 900_000_005
    zone: str = "ap-nowhere-1"
    template: str = "lt-00000000"
    group: str = "ps-00000000"
    security_group: str = "sg-00000000"
    disk: str = "disk-00000000"
    snapshot: str = "snap-00000000"
    policy: str = "asp-00000000"
    alarm: str = "alarm-00000000"
    image: str = "img-00000000"
    eip: str = "eip-00000000"
    package: str = "bwp-00000000"
    passkey: int = 900_000_006
    member: int = 900_000_007
    invitation: int = 900_000_008
    api_key: int = 900_000_009
    kept_filter: int = 900_000_010


Arguments = Callable[[Things], dict[str, Any]]
ORDERS: list[Arguments] = [lambda has: {"order_id": has.unpaid}, lambda has: {"order_id": has.paid}]
SOLD: list[Arguments] = [lambda has: {"number": has.unpaid}, lambda has: {"number": has.paid}]
MACHINE: list[Arguments] = [lambda has: {"public_id": has.machine}]
CUSTOMER: list[Arguments] = [lambda has: {"number": has.account}]
TEMPLATE: list[Arguments] = [lambda has: {"public_id": has.template}]
GROUP: list[Arguments] = [lambda has: {"public_id": has.group}]
SECURITY_GROUP: list[Arguments] = [lambda has: {"public_id": has.security_group}]
DISK: list[Arguments] = [lambda has: {"public_id": has.disk}]
SNAPSHOT: list[Arguments] = [lambda has: {"public_id": has.snapshot}]
POLICY: list[Arguments] = [lambda has: {"public_id": has.policy}]
ALARM: list[Arguments] = [lambda has: {"public_id": has.alarm}]
IMAGE: list[Arguments] = [lambda has: {"public_id": has.image}]
PACKAGE: list[Arguments] = [lambda has: {"public_id": has.package}]
ADDRESS: list[Arguments] = [lambda has: {"public_id": has.eip}]
PAYMENT: list[Arguments] = [lambda has: {"payment_id": has.payment}]
# Name of the address -> its arguments. The webhook names a card provider, which is nobody's.
NAMED: dict[str, list[Arguments]] = {
    "order": ORDERS,
    "order_progress": ORDERS,
    "order_pay": ORDERS,
    "order_passwords": ORDERS,
    "machine": MACHINE,
    "machine_live": MACHINE,
    "machine_monitoring": MACHINE,
    **dict.fromkeys(["alarm", "alarm_switch", "alarm_delete"], ALARM),
    "machine_another": MACHINE,
    "machine_stop": MACHINE,
    "machine_bandwidth": MACHINE,
    "machine_window": MACHINE,
    "machine_type": MACHINE,
    "machine_prepay": MACHINE,
    "machine_disk": MACHINE,
    "machine_end": MACHINE,
    "machine_planned_end": MACHINE,
    "machine_password": MACHINE,
    "machine_keys": MACHINE,
    "machine_tags": MACHINE,
    "machine_reset_password": MACHINE,
    "machine_reinstall": MACHINE,
    "machine_rescue": MACHINE,
    "machine_leave_rescue": MACHINE,
    "machine_console": MACHINE,
    "machine_console_ticket": MACHINE,
    "machine_network": MACHINE,
    "machine_host_name": MACHINE,
    "seller_redeliver": MACHINE,
    "machine_power": [lambda has, act=act: {"public_id": has.machine, "act": act} for act in ("start", "reboot")],
    "template": TEMPLATE,
    "template_default": TEMPLATE,
    "template_delete": TEMPLATE,
    "placement_group": GROUP,
    "placement_group_join": GROUP,
    "placement_group_leave": GROUP,
    "placement_group_delete": GROUP,
    "security_group": SECURITY_GROUP,
    "security_group_rules": SECURITY_GROUP,
    "security_group_rule": [
        lambda has, way=way: {"public_id": has.security_group, "way": way, "index": 0} for way in ("ingress", "egress")
    ],
    "security_group_delete": SECURITY_GROUP,
    "machine_groups": MACHINE,
    "disk": DISK,
    "disk_attach": DISK,
    "disk_detach": DISK,
    "disk_size": DISK,
    "disk_end": DISK,
    "disk_prepay": DISK,
    "snapshot": SNAPSHOT,
    "snapshot_restore": SNAPSHOT,
    "snapshot_delete": SNAPSHOT,
    "snapshot_policy": POLICY,
    "snapshot_policy_bind": POLICY,
    "snapshot_policy_unbind": POLICY,
    "snapshot_policy_switch": POLICY,
    "snapshot_policy_delete": POLICY,
    **dict.fromkeys(["image", "image_share", "image_unshare", "image_delete"], IMAGE),
    "address": ADDRESS,
    "address_bind": ADDRESS,
    "address_unbind": ADDRESS,
    "address_bandwidth": ADDRESS,
    "address_release": ADDRESS,
    "address_charged": ADDRESS,
    "address_tags": ADDRESS,
    **dict.fromkeys(
        ["package", "package_tags", "package_bandwidth", "package_add", "package_remove", "package_delete"], PACKAGE
    ),
    "mfa_remove_webauthn": [lambda has: {"pk": has.passkey}],
    "payment": PAYMENT,
    "payment_state": PAYMENT,
    "seller_retry": [lambda has: {"operation_id": has.operation}],
    "seller_customer": CUSTOMER,
    "seller_customer_money": CUSTOMER,
    "seller_customer_discount": CUSTOMER,
    "seller_customer_freeze": CUSTOMER,
    "seller_customer_quotas": CUSTOMER,
    "seller_customer_note": CUSTOMER,
    "seller_note_strike": [lambda has: {"number": has.account, "note": has.operation}],
    "seller_act_as": CUSTOMER,
    **dict.fromkeys(["seller_order", "seller_order_refund", "seller_order_void"], SOLD),
    "seller_book_withdraw": [lambda has: {"version": has.operation}],
    "seller_host": [lambda has: {"code": has.zone}],
    "seller_zone": [lambda has: {"code": has.zone}],
    "seller_lost_refund": MACHINE,
    "seller_lost_end": MACHINE,
    "seller_staff_member": [lambda has: {"number": has.member}],
    "brand_style": [lambda _: {"kept": "0" * 16}],
    "brand_logo": [lambda _: {"kept": "0" * 16}],
    "brand_icon": [lambda _: {"kept": "0" * 16}],
    "seller_first_run": [lambda _: {"step": "name"}],
    "seller_trial_act": [lambda _, act=act: {"act": act} for act in ("buy", "end")],
    "seller_catalog_file_of": [lambda has: {"applied": has.operation}],
    "first_operator": [lambda _: {"token": "a"}],
    "member": [lambda has: {"user_id": has.member}],
    "invitation": [lambda has: {"number": has.invitation}],
    "api_key": [lambda has: {"number": has.api_key}],
    "list_filter_remove": [lambda has: {"number": has.kept_filter}],
    "seller_payment": [lambda has: {"number": has.payment}],
    "seller_payment_refund": [lambda has: {"number": has.payment}],
    "seller_card_refund_seen": [lambda has: {"number": has.operation}],
    "seller_dismiss": [lambda has: {"number": has.operation}],
}
ONE_ADDRESS = NewAddresses("ap-guangzhou", AddressPart(BY_TRAFFIC, 5), ZONE)
CARD = {"by": "card", "provider": "sandbox", "card": sandbox.PAYS, "token": "t" * 43}
REQUESTS = [("GET", {}), ("POST", {}), ("POST", CARD), ("POST", {"charge": "without"}),
            ("POST", {"act": "show"}), ("POST", {"act": "have"}),
            ("POST", {"act": "bind", "key": "skey-a"}),
            ("POST", {"act": "remove", "way": "ingress", "index": "0"}),
            ("POST", {"act": "add", "way": "ingress", "action": "DROP", "cidr": "0.0.0.0/0"}),
            ("POST", {"act": "put", "key": "team", "value": "a"})]  # fmt: skip


def _addresses(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _addresses(pattern.url_patterns)
        else:
            yield pattern


def test_every_address_that_names_a_thing_is_tried() -> None:
    naming = {pattern.name for pattern in _addresses(get_resolver().url_patterns) if pattern.pattern.converters}
    assert naming - {None} == set(NAMED)


def own_disk(visitor: Visitor) -> str:
    """A disk with a life of its own, that no machine has."""
    asked = NewDisks("ap-guangzhou", ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 20))
    (public_id,) = create(by(visitor.account_id), asked)
    work()
    return public_id


def own_snapshot(visitor: Visitor, disk: str) -> str:
    """A snapshot of the disk."""
    public_id = snapshots.create(by(visitor.account_id), NewSnapshot(disk))
    work()
    return public_id


def own_policy(visitor: Visitor, disk: str) -> str:
    """A snapshot policy of the disk."""
    daily = WantedPolicy(name="daily", active=True, hours=(3,), weekdays=(0,), retention_days=7)
    public_id = policies.create(by(visitor.account_id), "ap-guangzhou", daily).public_id
    policies.bind(by(visitor.account_id), public_id, [disk])
    return public_id


def own_image(visitor: Visitor) -> str:
    """An image of the machine."""
    public_id = images.of_machine(by(visitor.account_id), Instance.objects.get().public_id, NewImage("web"))
    work()
    return public_id


def own_invitation(visitor: Visitor) -> Made:
    """Somebody else is invited."""
    actor = replace(by(visitor.account_id), member=visitor.user.pk, roles=("owner",))
    return invitations.invite(actor, "somebody@example.net", "viewer", days=7, mailed=True)


def own_filter(visitor: Visitor) -> int:
    """A filter that he keeps of the machines."""
    kept_lists.keep(visitor.user.pk, visitor.account_id, "machines", "mine", {"q": "web"})
    return kept_lists.of(visitor.user.pk, visitor.account_id, "machines").filters[0].number


def own_package(visitor: Visitor) -> str:
    """A bandwidth package."""
    zones.check(ZONE)
    (public_id,) = create_packages(by(visitor.account_id), NewPackages("ap-guangzhou", PackagePart(10), zone=ZONE))
    return public_id


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> tuple[Visitor, Things]:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    visitor = customer()
    paid = order_id_of(visitor.buy())
    work()
    db.rows("SELECT setval('payments_payment_id_seq', 700000000)")  # a number that no page says otherwise
    visitor.post("/balance/top-up/", CARD | {"amount": "10"})
    operation = Operation.objects.create(
        kind="release", subject_kind="machine", subject_id=7, lane=ZONE, due_at=clock.now(), attempt=12, attention=True,
        last_error="stuck", created_at=clock.wall(),
    )  # fmt: skip
    return visitor, Things(
        machine=Instance.objects.get().public_id,
        paid=paid,
        unpaid=order_id_of(visitor.buy(act="card")),
        disk=(disk := own_disk(visitor)),
        snapshot=own_snapshot(visitor, disk),
        policy=own_policy(visitor, disk),
        alarm=alarms.create(by(visitor.account_id), WantedAlarm("busy", "cpu_percent", ">", 80, 5)).public_id,
        image=own_image(visitor),
        payment=Payment.objects.get().id,
        operation=operation.id,
        account=Instance.objects.get().account_id,
        zone=ZONE,
        template=template(visitor.account_id),
        group=placement_groups.create(by(visitor.account_id), Wanted("apart")).public_id,
        security_group=change.create(
            by(visitor.account_id), "ap-guangzhou", "web", "", starting.rules("open")
        ).public_id,
        package=own_package(visitor),
        passkey=stored_passkey(visitor).pk,
        member=visitor.user.pk,
        invitation=own_invitation(visitor).invitation.pk,
        kept_filter=own_filter(visitor),
        api_key=api_keys.create(by(visitor.account_id), Account.objects.get(id=visitor.account_id), visitor.user)[0].pk,
        eip=allocate(by(visitor.account_id), NewAddresses("ap-guangzhou", AddressPart(BY_TRAFFIC, 5), ZONE)).public_ids[
            0
        ],
    )


def _answers(visitor: Visitor, address: str) -> list[HttpResponse]:
    return [getattr(visitor, method.lower())(address, data) for method, data in REQUESTS]


def _told(answer: HttpResponse, arguments: dict[str, Any], unknown: dict[str, Any]) -> tuple[int, str, str]:
    """Status, where it leads and what a reader sees, the thing's id replaced by the made-up one."""
    there, text = answer.headers.get("Location", ""), text_of(answer)
    for name, value in arguments.items():
        whole = rf"(?<!\w){re.escape(str(value))}(?!\w)"  # not the digits of an e-mail address
        there, text = (re.sub(whole, str(unknown[name]), each) for each in (there, text))
    return answer.status_code, there, text


@pytest.mark.parametrize("name", NAMED)
def test_what_is_anothers_is_as_if_it_were_not_there(owner: tuple[Visitor, Things], name: str) -> None:
    """Asked for by another customer, and by somebody who has not signed in."""
    _, things = owner
    known = customer()
    show_again(known)
    for visitor in (known, Visitor()):
        for arguments_of in NAMED[name]:
            arguments, unknown = arguments_of(things), arguments_of(Things())
            with nothing_written():
                found = [_told(each, arguments, unknown) for each in _answers(visitor, reverse(name, kwargs=arguments))]
                made_up = [_told(each, {}, {}) for each in _answers(visitor, reverse(name, kwargs=unknown))]
            assert found == made_up
            assert {status for status, _, _ in found} <= {302, 403, 404, 405}


def test_its_owner_is_let_in(owner: tuple[Visitor, Things]) -> None:
    """The control: the same requests by whom they are for do what they say."""
    visitor, things = owner
    seller = operator()
    opened = {
        name: {
            answer.status_code
            for arguments_of in NAMED[name]
            for answer in _answers(
                seller if name == "seller_retry" else visitor, reverse(name, kwargs=arguments_of(things))
            )
        }
        for name in ("order", "order_progress", "machine", "machine_live", "payment", "payment_state", "seller_retry")
    }
    assert opened.pop("seller_retry") == {302, 405}
    assert set(map(frozenset, opened.values())) == {frozenset({200, 405})}
    assert visitor.post(reverse("order_pay", args=[things.unpaid])).status_code == 302
    assert Order.objects.get(id=things.unpaid).paid_at is not None
    assert visitor.post(reverse("machine_power", args=[things.machine, "reboot"])).status_code == 302
    assert Instance.objects.get(public_id=things.machine).state == "REBOOTING"
