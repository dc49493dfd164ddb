"""Given a customer with one of everything, or with many, then each page takes as few statements."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.urls import reverse

from tests.launch_templates.keeping import new_version
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.statements import statements
from tests.web.membership import member_of
from tests.web.second_factor import set_up_app, stored_passkey
from tests.web.test_keys_and_money import PUBLIC
from tests.web.test_others_things import CARD
from tests.web.visiting import ZONE, Visitor, customer, operator, work
from vmart.customers import invitations
from vmart.customers.models import ApiKey
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.launch_templates import keep
from vmart.launch_templates.models import Template
from vmart.monitoring import alarms
from vmart.monitoring.alarms import Wanted as WantedAlarm
from vmart.network.models import Eip, Package
from vmart.orders import placement_groups
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.disks.attach import attach
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
from vmart.placement.models import Group
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import TRAFFIC_POSTPAID_BY_HOUR as BY_TRAFFIC
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.package import PackagePart
from vmart.provisioning import zones
from vmart.security import change, held, starting
from vmart.storage.models import Disk, OwnImage, Snapshot, SnapshotPolicy
from vmart.web.urls import urlpatterns
from vmart.worker.models import Operation

# Name of the address -> statements at most, those of session, user and language among them.
CUSTOMERS = {
    "home": 3, "overview": 9, "search": 6,
    "machines_chosen": 11, "disks_chosen": 3, "snapshots_chosen": 3, "addresses_chosen": 3,
    "buy": 10, "buy_price": 7, "buy_code": 7, "orders": 3, "order": 7, "order_progress": 6,
    "machines": 5, "machine": 23, "machine_live": 21, "machine_stop": 5, "machine_end": 13,
    "machine_another": 7,
    "machine_monitoring": 5, "alarms": 5, "alarm": 3,
    "keys": 3, "networks": 4, "api_keys": 3, "api_key": 3, "members": 4, "member": 3, "members_leave": 2, "settings": 2,
    "invited": 4, "balance": 6, "top_up": 4,
    "activity": 4, "payment": 4, "payment_state": 4, "charges": 5, "charges_csv": 4, "charges_by_tag": 3,
    "account_login": 2,
    "account_signup": 2, "account_logout": 2, "account_change_password": 2, "account_inactive": 2,
    "account_reset_password": 2, "account_reset_password_done": 2, "account_reset_password_from_key": 2,
    "account_reset_password_from_key_done": 2, "machine_reset_password": 3, "machine_bandwidth": 3, "machines_renew": 8,
    "machine_type": 4, "machine_prepay": 3, "machine_disk": 4, "machine_keys": 4, "machine_reinstall": 6,
    "machine_rescue": 4, "machine_leave_rescue": 3, "machine_console": 4, "console": 2,
    "machine_network": 5, "machine_host_name": 3, "machine_tags": 4, "tags": 3, "machine_planned_end": 3,
    "machine_window": 3,
    "templates": 4, "template": 6, "template_delete": 3,
    "disks": 7, "disk_new": 3, "disk": 14, "disk_attach": 6, "disk_detach": 5, "disk_size": 5, "disk_end": 5,
    "disk_prepay": 5, "disks_renew": 3,
    "snapshot_policies": 4, "snapshot_policy": 8, "snapshot_policy_delete": 4,
    "snapshots": 4, "snapshot_new": 4, "snapshot": 12, "snapshot_restore": 5, "snapshot_delete": 5,
    "images": 3, "image_new": 5, "image": 8, "image_delete": 3, "image_import": 4,
    "security_groups": 5, "security_group": 6, "security_group_rule": 3, "machine_groups": 5,
    "quotas": 15, "packages": 3, "package_buy": 2, "package": 5,
    "package_tags": 4, "package_bandwidth": 3, "package_add": 3, "package_remove": 3, "package_delete": 3,
    "addresses": 3, "address_buy": 3, "address": 6, "address_bind": 3, "address_unbind": 3,
    "address_bandwidth": 3, "address_release": 3, "addresses_renew": 3, "address_charged": 3, "address_tags": 4,
    "placement_groups": 4, "placement_group": 3,
    "security": 5, "sessions": 3, "account_email": 2, "account_reauthenticate": 8,
    "mfa_index": 2, "mfa_list_webauthn": 2, "mfa_authenticate": 2, "mfa_reauthenticate": 8, "mfa_activate_totp": 6,
    "mfa_deactivate_totp": 7, "mfa_view_recovery_codes": 6, "mfa_generate_recovery_codes": 6,
    "mfa_add_webauthn": 8, "mfa_remove_webauthn": 6, "mfa_login_webauthn": 2, "mfa_reauthenticate_webauthn": 10,
}  # fmt: skip
POSTED = {  # no pages
    "alarm_delete", "alarm_switch", "machine_console_ticket", "list_filter_keep", "list_filter_remove", "list_columns",
    "order_pay", "order_passwords", "machine_password", "machine_power", "machines_renew_flag", "template_default",
    "disks_renew_flag", "addresses_renew_flag",
    "image_share", "image_unshare", "invitation", "act_for",
    "account_email_verification_sent", "account_confirm_email",  # tests/web/test_own_address.py
    "snapshot_policy_bind", "snapshot_policy_unbind", "snapshot_policy_switch",
    "placement_group_join", "placement_group_leave", "placement_group_delete", "security_group_rules",
    "security_group_delete",
}  # fmt: skip
QUERIES = {
    "disks_chosen": {"act": "end", "id": "disk-00000000"}, "snapshots_chosen": {"act": "delete", "id": "snap-00000000"},
    "addresses_chosen": {"act": "release", "id": "eip-00000000"},
    "search": {"q": "10.0.0.12"}, "buy": {"form": "f" * 43}, "buy_price": {"count": "3"},
    "buy_code": {"count": "3", "language": "go"},
}  # fmt: skip
SELLERS = {"seller": 7, "seller_deliveries": 3, "seller_zone": 4, "seller_customers": 3, "seller_checklist": 8,
           "seller_shop": 4, "seller_catalog": 7, "seller_prices": 3, "seller_trial": 9, "seller_trial_progress": 9,
           "seller_catalog_file": 3, "seller_staff": 4, "seller_staff_member": 3, "seller_orders": 3,
           "seller_order": 16, "seller_order_refund": 15,
           "seller_payments": 3, "seller_payment": 8, "seller_payment_refund": 15}  # fmt: skip


def test_every_page_is_here() -> None:
    assert {pattern.name for pattern in urlpatterns} == {*CUSTOMERS, *POSTED}


@pytest.fixture
def having(monkeypatch: pytest.MonkeyPatch, test_clock: BusinessClock, world: World) -> Callable[[int], Visitor]:
    """``having(count)``: a customer with so many of everything a page lists."""
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")

    def fill(count: int) -> Visitor:
        visitor = customer(gift_minor=10_000_000)
        zones.check(ZONE)
        for number in range(count):
            keep.create(f"template {number}", new_version(visitor.account_id))
            if number < 10:  # as many as there may be
                placement_groups.create(by(visitor.account_id), Wanted(f"group {number}"))
            change.create(by(visitor.account_id), "ap-guangzhou", f"group {number}", "", starting.rules("web"))
            if number < 20:  # as many as there may be
                allocate(by(visitor.account_id), NewAddresses("ap-guangzhou", AddressPart(BY_TRAFFIC, 5), ZONE))
            if number < 20:
                create_packages(by(visitor.account_id), NewPackages("ap-guangzhou", PackagePart(1), zone=ZONE))
            visitor.post("/keys/", {"act": "import", "name": f"key-{number}", "public_key": PUBLIC})
            visitor.post("/balance/top-up/", CARD | {"amount": "10", "token": f"{number:043}"})
            if number < 5:  # as many as there may be
                visitor.post("/api-keys/", {"act": "create"})
            if number % 10 == 0:
                visitor.buy("?charge=postpaid&count=10" if count > 1 else "?charge=postpaid")
        _disks(visitor, count)
        world.fail("ensure_present", times=count // 10 or 1, transient=False, sentence="The host refused.")
        visitor.buy("?count=10" if count > 1 else "")
        work()
        test_clock.advance(hours=2)
        work()
        Operation.objects.bulk_create(
            Operation(
                kind="release", subject_kind="machine", subject_id=number, lane=ZONE, due_at=clock.now(), attempt=12,
                attention=True, last_error="stuck", created_at=clock.wall(),
            )
            for number in range(count)
        )  # fmt: skip
        return visitor

    return fill


def _images(visitor: Visitor, count: int) -> None:
    """So many of the snapshot of a machine's system disk."""
    quota(visitor.account_id, images_per_region=count)
    machine = Instance.objects.filter(state="RUNNING").latest("id")
    system = Disk.objects.get(instance_id=machine.id, usage=Disk.Usage.SYSTEM).public_id
    snapshot = snapshots.create(by(visitor.account_id), NewSnapshot(system))
    work()
    for number in range(count):
        images.of_snapshot(by(visitor.account_id), snapshot, NewImage(f"web {number}"))
    work()


def _disks(visitor: Visitor, count: int) -> None:
    """So many with a life of their own, of which one machine has half."""
    zones.check(ZONE)
    quota(visitor.account_id, disks_per_zone=count)
    asked = NewDisks("ap-guangzhou", ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 20), count)
    made = create(by(visitor.account_id), asked)
    work()
    for disk in made:
        snapshots.create(by(visitor.account_id), NewSnapshot(disk))
    work()
    quota(visitor.account_id, snapshot_policies_per_region=count)
    daily = WantedPolicy(name="daily", active=True, hours=(3,), weekdays=(0,), retention_days=7)
    bound = [policies.create(by(visitor.account_id), "ap-guangzhou", daily).public_id for _ in range(count)][-1]
    policies.bind(by(visitor.account_id), bound, made)
    machine = Instance.objects.filter(state="RUNNING").latest("id")
    for first in range(0, count // 2, 10):
        attach(by(visitor.account_id), machine.public_id, made[first : first + 10])
        work()


def _ways_in(visitor: Visitor, count: int) -> Authenticator:
    """So many sessions and passkeys, and an app; shown a moment ago that it is he. The latest passkey."""
    for number in range(count):
        key = f"{number:032}"
        Session.objects.create(session_key=key, session_data="", expire_date=clock.wall() + dt.timedelta(days=1))
        UserSession.objects.create(user=visitor.user, session_key=key, ip="198.51.100.7", user_agent="curl/8")
        passkey = stored_passkey(visitor, f"key {number}")
    set_up_app(visitor)
    return passkey


def _invited(visitor: Visitor) -> str:
    """The word of an invitation into another account."""
    host = customer()
    actor = replace(by(host.account_id), member=host.user.pk, roles=("owner",))
    return invitations.invite(actor, visitor.user.email, "viewer", days=7, mailed=True).word


def _members(visitor: Visitor, count: int) -> None:
    """So many members, and as many who are invited."""
    actor = replace(by(visitor.account_id), member=visitor.user.pk, roles=("owner",))
    for number in range(count):
        member_of(visitor.account_id, "viewer")
        invitations.invite(actor, f"{number}@example.net", "viewer", days=7, mailed=True)


@pytest.mark.parametrize("count", [1, 40])
def test_pages_take_few_statements_however_much_they_show(having: Callable[[int], Visitor], count: int) -> None:
    visitor = having(count)
    _images(visitor, count)
    _members(visitor, count)
    passkey, seller = _ways_in(visitor, count), operator()
    shown = [visitor.get(reverse(name)).content.decode().count(f'href="/{name}/') for name in ("machines", "orders")]
    assert shown[0] >= count and shown[1] >= count // 10
    running = Instance.objects.filter(state="RUNNING").latest("id")
    arguments = {
        **dict.fromkeys(["order", "order_progress"], (Order.objects.latest("id").id,)),
        **dict.fromkeys(
            [
                "machine",
                "machine_live",
                "machine_another",
                "machine_stop",
                "machine_end",
                "machine_reset_password",
                "machine_bandwidth",
                "machine_type",
                "machine_prepay",
                "machine_disk",
                "machine_keys",
                "machine_reinstall",
                "machine_rescue",
                "machine_leave_rescue",
                "machine_console",
                "machine_console_ticket",
                "machine_network",
                "machine_host_name",
                "machine_tags",
                "machine_groups",
                "machine_planned_end",
                "machine_monitoring",
                "machine_window",
            ],
            (running.public_id,),
        ),
        **dict.fromkeys(
            ["disk", "disk_attach", "disk_detach", "disk_size", "disk_end", "disk_prepay"],
            (Disk.objects.exclude(state="").latest("id").public_id,),
        ),
        **dict.fromkeys(
            ["snapshot", "snapshot_restore", "snapshot_delete"], (Snapshot.objects.latest("id").public_id,)
        ),
        "alarm": (alarms.create(by(visitor.account_id), WantedAlarm("busy", "cpu_percent", ">", 80, 5)).public_id,),
        **dict.fromkeys(
            ["snapshot_policy", "snapshot_policy_delete"], (SnapshotPolicy.objects.latest("id").public_id,)
        ),
        **dict.fromkeys(["image", "image_delete"], (OwnImage.objects.latest("id").public_id,)),
        **dict.fromkeys(["template", "template_delete"], (Template.objects.latest("id").public_id,)),
        **dict.fromkeys(
            [
                "address",
                "address_bind",
                "address_unbind",
                "address_bandwidth",
                "address_release",
                "address_tags",
                "address_charged",
            ],
            (Eip.objects.latest("id").public_id,),
        ),
        **dict.fromkeys(
            [
                "package",
                "package_tags",
                "package_bandwidth",
                "package_add",
                "package_remove",
                "package_delete",
            ],
            (Package.objects.latest("id").public_id,),
        ),
        "placement_group": (Group.objects.latest("id").public_id,),
        "security_group": (held.default_id(visitor.account_id),),
        "security_group_rule": (held.default_id(visitor.account_id), "ingress", 0),
        "account_reset_password_from_key": ("a", "set-password"),
        "member": (visitor.user.pk,),
        "api_key": (ApiKey.objects.latest("id").pk,),
        "invited": (_invited(visitor),),
        "mfa_remove_webauthn": (passkey.pk,),
        "seller_zone": (ZONE,),
        "seller_staff_member": (seller.user.pk,),
        **dict.fromkeys(["seller_order", "seller_order_refund"], (Order.objects.latest("id").id,)),
        **dict.fromkeys(["seller_payment", "seller_payment_refund"], (Payment.objects.latest("id").id,)),
        **dict.fromkeys(["payment", "payment_state"], (Payment.objects.latest("id").id,)),
    }
    prepaid = Instance.objects.filter(state="RUNNING", subscription__charge_type="PREPAID").values_list(
        "public_id", flat=True
    )
    assert len(prepaid) >= (1 if count > 1 else 0)
    taken = {}
    for who, names in ((visitor, CUSTOMERS), (seller, SELLERS)):
        for name in names:
            address = reverse(name, args=arguments.get(name, ()))
            query: dict[str, Any] = QUERIES.get(name, {})
            if name == "machines_renew":
                query = {"id": list(prepaid)}
            if name == "machines_chosen":
                query = {"act": "end", "id": list(prepaid)}
            if name == "image_new":
                query = {"machine": running.public_id}
            if name == "snapshot_new":
                query = {"disk": Disk.objects.exclude(state="").latest("id").public_id}
            who.get(address, query)  # reads the catalog
            with statements() as made:
                answer = who.get(address, query)
                list(answer)
            assert answer.status_code in (200, 302), name
            taken[name] = len(made)
    assert {name: n for name, n in taken.items() if n > (CUSTOMERS | SELLERS)[name]} == {}
