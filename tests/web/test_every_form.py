"""Given a form that changes something, when it is sent, then events say who had it done; the table names every form.

The addresses are taken from the shop's own table of them: one that is added is tried, or fails here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from django.http import HttpResponse
from django.urls import reverse

from tests.launch_templates.keeping import new_version, template
from tests.support.actors import by
from tests.support.missed import an_interval_ago
from tests.web.membership import member_of
from tests.web.test_keys_and_money import PUBLIC
from tests.web.test_others_things import CARD
from tests.web.visiting import ZONE, Form, Visitor, customer, operator, work
from vmart.backoffice.urls import urlpatterns as sellers
from vmart.catalog import shop
from vmart.customers import invitations
from vmart.customers.models import ApiKey, Invitation
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import clock
from vmart.launch_templates import keep
from vmart.monitoring.models import Alarm
from vmart.network.models import Eip, Package, Subnet, Vpc
from vmart.orders import placement_groups, sweep
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.models import Order, Status
from vmart.orders.packages.members import enter
from vmart.orders.placement_groups import Wanted
from vmart.payments.models import Payment
from vmart.pricing.address import AddressPart
from vmart.provisioning import zones
from vmart.security import change, held, starting
from vmart.storage.models import Disk, OwnImage, Snapshot, SnapshotPolicy
from vmart.web.urls import urlpatterns
from vmart.worker.models import Operation

REQUEST = "0f8fad5b-d9cb-469f-a165-70867728950e"
READ = {
    "home", "search", "buy_price", "orders", "order", "order_progress", "machines", "machine",
    "machine_live", "machine_monitoring",
    "machine_another", "balance", "templates", "template", "disks", "snapshots", "images", "quotas", "tags",
    "addresses", "payment_state", "activity", "packages", "security", "overview", "charges", "charges_csv",
    "charges_by_tag", "seller", "seller_checklist", "seller_customers", "seller_customer", "seller_deliveries",
    "seller_zone", "seller_orders", "seller_order", "seller_payments", "seller_payment", "console", "machine_console",
    "seller_first_run_begin", "seller_first_run_file", "seller_trial", "seller_trial_progress", "seller_catalog",
    "seller_catalog_file", "seller_catalog_file_of",
}  # fmt: skip
ALARM = {
    "name": "busy", "metric": "cpu_percent", "comparison": ">", "threshold": "80", "minutes": "5", "machines": "",
    "tag": "",
}  # fmt: skip
# What changes nothing that is an account's, or only what nobody but a user himself can: his password, his sessions,
# his address, his second factor.
NO_ACCOUNTS = {
    "account_login", "account_signup", "account_logout", "account_change_password", "account_reset_password",
    "account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done",
    "account_inactive", "first_operator", "payment", "seller_dismiss",
    "seller_card_refund_seen",
    "account_email", "account_email_verification_sent", "account_confirm_email", "account_reauthenticate", "sessions",
    "mfa_index", "mfa_authenticate", "mfa_reauthenticate", "mfa_activate_totp", "mfa_deactivate_totp",
    "mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_list_webauthn", "mfa_add_webauthn",
    "mfa_remove_webauthn", "mfa_login_webauthn", "mfa_reauthenticate_webauthn", "settings", "act_for",
    "seller_book_withdraw",  # no account's either: tests/backoffice/test_withdraw_book.py
    "seller_host",  # no account's: tests/backoffice/test_hosts.py
    "list_filter_keep", "list_filter_remove", "list_columns",
    "buy_code",  # sent to be read, changes nothing: tests/web/test_user_data.py
    "seller_shop", "seller_first_run", "seller_first_run_open", "seller_prices", "seller_sold_out",
    "seller_customer_note", "seller_note_strike",  # the seller's own: tests/backoffice/test_notes.py
    "seller_act_as_end",  # tests/web/test_on_behalf.py
    "seller_staff", "seller_staff_member",  # of nobody's account: tests/backoffice/test_staff.py
    "seller_trial_act",  # an account of the seller's own: tests/backoffice/test_first_run.py
}  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """Who sends, and what there is to send about: a machine that runs, by its public id, and its order."""

    buyer: Visitor
    seller: Visitor
    world: World
    machine: str
    order: int

    def of_machine(self, name: str, form: dict[str, str], **named: str) -> HttpResponse:
        return self.buyer.post(reverse(name, kwargs={"public_id": self.machine, **named}), form)

    def left_rescue(self) -> HttpResponse:
        self.of_machine("machine_rescue", {"password": "Rescue-1a"})
        work()
        return self.of_machine("machine_leave_rescue", {})

    def of_customer(self, name: str, form: dict[str, str]) -> HttpResponse:
        return self.seller.post(reverse(name, args=[self.buyer.account_id]), form)

    def of_refund(self) -> HttpResponse:
        address = reverse("seller_order_refund", args=[self.order])
        asked = {"amount": "1", "after": "stays", "reason": "slow", "act": "preview"}
        shown = Form(self.seller.post(address, asked).content.decode(), "").data
        return self.seller.post(address, shown | {"act": "refund"})

    def of_payment(self) -> int:
        self.buyer.post("/balance/top-up/", CARD | {"amount": "10"})
        return Payment.objects.latest("id").id

    def of_card_refund(self) -> HttpResponse:
        address = reverse("seller_payment_refund", args=[self.of_payment()])
        asked = {"amount": "1", "reason": "not wanted", "act": "preview"}
        shown = Form(self.seller.post(address, asked).content.decode(), "").data
        return self.seller.post(address, shown | {"act": "refund"})

    def of_void(self) -> HttpResponse:
        self.buyer.buy(act="card")
        number = Order.objects.get(status=Status.UNPAID).id
        address = reverse("seller_order_void", args=[number])
        shown = Form(self.seller.get(address).content.decode(), "").data
        return self.seller.post(address, shown | {"reason": "twice"})

    def of_unpaid(self, form: dict[str, str]) -> HttpResponse:
        self.buyer.buy(act="card")
        number = Order.objects.get(status=Status.UNPAID).id
        return self.buyer.post(reverse("order_pay", args=[number]), form)

    def renewed(self) -> HttpResponse:
        address = reverse("machines_renew")
        page = self.buyer.get(f"{address}?id={self.machine}").content.decode()
        return self.buyer.post(f"{address}?id={self.machine}", Form(page, "").data)

    def resized(self) -> HttpResponse:
        return self._confirmed("machine_type", "type=S5.LARGE8")

    def prepaid(self) -> HttpResponse:
        """A machine that is charged by the hour, paid ahead."""
        self.buyer.buy("?charge=postpaid")
        work()
        public_id = Instance.objects.get(charge_type="POSTPAID_BY_HOUR").public_id
        address = f"{reverse('machine_prepay', args=[public_id])}?months=1"
        page = self.buyer.get(address).content.decode()
        return self.buyer.post(address, Form(page, "").data | {"act": "pay"})

    def planned_end(self, *acts: str) -> HttpResponse:
        """A machine that is charged by the hour, to be ended by itself; then what ``acts`` says."""
        self.buyer.buy("?charge=postpaid")
        work()
        public_id = Instance.objects.get(charge_type="POSTPAID_BY_HOUR").public_id
        address = reverse("machine_planned_end", args=[public_id])
        for act in ("plan", *acts):
            answer = self.buyer.post(address, {"act": act, "ends_at": "2027-01-01T00:00"})
        return answer

    def for_some_days(self) -> HttpResponse:
        """More bandwidth for today, of a machine that pays for it by the month."""
        self.buyer.buy("?internet=bandwidth&mbps=1")
        work()
        public_id = Instance.objects.get(internet_charge_type="BANDWIDTH_PREPAID").public_id
        today = f"{clock.now().astimezone(shop.snapshot().billing_zone):%Y-%m-%d}"
        address = reverse("machine_window", args=[public_id])
        query = f"{address}?bandwidth=5&starts_on={today}&ends_on={today}"
        return self.buyer.post(query, Form(self.buyer.get(query).content.decode(), "").data | {"act": "pay"})

    def grown(self) -> HttpResponse:
        disk = Disk.objects.get(instance_id=Instance.objects.get(public_id=self.machine).id)
        return self._confirmed("machine_disk", f"disk={disk.public_id}&size=60")

    def _confirmed(self, name: str, query: str) -> HttpResponse:
        """The price shown, and paid."""
        address = f"{reverse(name, args=[self.machine])}?{query}"
        page = self.buyer.get(address).content.decode()
        return self.buyer.post(address, Form(page, "").data | {"act": "pay"})

    def of_api_key(self, act: str) -> HttpResponse:
        self.buyer.post("/api-keys/", {"act": "create"})
        return self.buyer.post("/api-keys/", {"act": act, "secret_id": ApiKey.objects.latest("id").secret_id})

    def of_key_addresses(self) -> HttpResponse:
        self.buyer.post("/api-keys/", {"act": "create"})
        address = reverse("api_key", args=[ApiKey.objects.latest("id").pk])
        return self.buyer.post(address, {"addresses": "203.0.113.0/24"})

    def invited(self) -> HttpResponse:
        return self.buyer.post("/members/", {"email": "new@example.net", "role": "viewer"})

    def withdrawn(self) -> HttpResponse:
        self.invited()
        return self.buyer.post(reverse("invitation", args=[Invitation.objects.get().pk]))

    def joined(self) -> HttpResponse:
        """The buyer is invited into another account, and no other account of his is told."""
        host = customer()
        actor = replace(by(host.account_id), member=host.user.pk, roles=("owner",))
        made = invitations.invite(actor, self.buyer.user.email, "viewer", days=7, mailed=True)
        answer = self.buyer.post(reverse("invited", args=[made.word]))
        self.buyer.account_id = host.account_id
        return answer

    def of_member(self, form: dict[str, str]) -> HttpResponse:
        return self.buyer.post(reverse("member", args=[member_of(self.buyer.account_id, "viewer").user.pk]), form)

    def left(self) -> HttpResponse:
        member_of(self.buyer.account_id, "owner")
        return self.buyer.post("/members/leave/")

    def of_template(self) -> str:
        """A template with two versions, by its public id."""
        public_id = template(self.buyer.account_id)
        keep.add_version(public_id, new_version(self.buyer.account_id))
        return public_id

    def of_group(self, act: str, *with_machine: bool) -> HttpResponse:
        """A group of the buyer's, which has the machine where it is said, and one of its forms."""
        group = placement_groups.create(by(self.buyer.account_id), Wanted("apart")).public_id
        if with_machine:
            placement_groups.join(by(self.buyer.account_id), [self.machine], group)
        typed = {"machine": self.machine, "name": "other", "affinity": "2"}
        return self.buyer.post(reverse(act, args=[group]), typed)

    def of_security_group(self, name: str, form: dict[str, str], **named: object) -> HttpResponse:
        """A security group of the buyer's that lets everything in and out, and one of its forms."""
        group = change.create(by(self.buyer.account_id), "ap-guangzhou", "web", "", starting.rules("web"))
        return self.buyer.post(reverse(name, kwargs={"public_id": group.public_id, **named}), form)

    def of_prepaid_disk(self, address: str, typed: dict[str, str] | None = None) -> HttpResponse:
        """A disk is bought for a month on the page; then the form at an address, filled with what it shows."""
        self.of_disk(months=1)
        work()
        disk = Disk.objects.exclude(state="").get().public_id
        if typed is not None:
            return self.buyer.post(address, {"id": disk, **typed})
        address = address.format(disk=disk)
        return self.buyer.post(address, Form(self.buyer.get(address).content.decode(), "").data | {"act": "pay"})

    def of_disk(self, *acts: tuple[str, dict[str, str]], months: int = 0) -> HttpResponse:
        """A disk is bought on the page, then these forms of it are sent."""
        page = self.buyer.get(f"/disks/new/?zone={ZONE}&type=CLOUD_SSD&size=20&count=1&name=&months={months}")
        answer = self.buyer.post("/disks/new/", Form(page.content.decode(), "/disks/new/").data)
        disk = Disk.objects.exclude(state="").get().public_id
        for name, typed in acts:
            work()
            answer = self.buyer.post(reverse(name, args=[disk]), typed)
        return answer

    def chosen(self, listing: str, act: str, public_id: str = "") -> HttpResponse:
        """The act on what is ticked in the list: the machine, or one of the kind that is bought first."""
        if listing == "addresses":
            self.buy_address()
            public_id = Eip.objects.get().public_id
        elif not public_id:
            self.of_snapshot() if listing == "snapshots" else self.of_disk()
            work()
            kind = Snapshot.objects if listing == "snapshots" else Disk.objects.exclude(state="")
            public_id = kind.get().public_id
        return self.buyer.post(f"/{listing}/chosen/", {"act": act, "id": public_id})

    def disk_prepaid(self) -> HttpResponse:
        """One that was charged by the hour is paid ahead."""
        self.of_disk()
        work()
        address = f"/disks/{Disk.objects.exclude(state='').get().public_id}/prepay/?months=1"
        return self.buyer.post(address, Form(self.buyer.get(address).content.decode(), "").data | {"act": "pay"})

    def of_snapshot(self, *acts: tuple[str, dict[str, str]]) -> HttpResponse:
        """A snapshot of a bought disk is made on the page, then these forms of it are sent."""
        self.of_disk()
        work()
        disk = Disk.objects.exclude(state="").get().public_id
        page = self.buyer.get(f"/snapshots/new/?disk={disk}")
        answer = self.buyer.post("/snapshots/new/", Form(page.content.decode(), "/snapshots/new/").data)
        for name, typed in acts:
            work()
            answer = self.buyer.post(reverse(name, args=[Snapshot.objects.get().public_id]), typed)
        return answer

    def of_policy(self, *acts: tuple[str, dict[str, str]]) -> HttpResponse:
        """A snapshot policy is made on the page, then these forms of it are sent, with the machine's system disk."""
        typed = {"name": "daily", "region": "ap-guangzhou", "weekdays": "0", "hours": "3", "days": "7"}
        answer = self.buyer.post("/snapshots/policies/", typed)
        disk = Disk.objects.get(instance_id=Instance.objects.get(public_id=self.machine).id).public_id
        for name, changed in acts:
            address = reverse(name, args=[SnapshotPolicy.objects.get().public_id])
            answer = self.buyer.post(address, {**typed, "disk": disk, **changed})
        return answer

    def of_alarm(self, *acts: str) -> HttpResponse:
        """An alarm is made on its page, then these forms of it are sent."""
        answer = self.buyer.post("/alarms/", ALARM)
        for name in acts:
            answer = self.buyer.post(reverse(name, args=[Alarm.objects.get().public_id]), ALARM | {"name": "other"})
        return answer

    def of_image(self, *acts: tuple[str, dict[str, str]]) -> HttpResponse:
        """An image of the machine is made on the page, then these forms of it are sent."""
        page = self.buyer.get(f"/images/new/?machine={self.machine}")
        answer = self.buyer.post("/images/new/", Form(page.content.decode(), "/images/new/").data | {"name": "web"})
        other = {"account": str(customer().account_id)}
        for name, typed in acts:
            work()
            answer = self.buyer.post(reverse(name, args=[OwnImage.objects.get().public_id]), typed or other)
        return answer

    def of_import(self) -> HttpResponse:
        """One is asked for on the page, at the price that it shows."""
        typed = Form(self.buyer.get("/images/import/").content.decode(), "/images/import/").data
        named = {"name": "web", "base": "img-db12k7x4", "zone": ZONE, "url": "https://files.example.com/web.tar.xz"}
        return self.buyer.post("/images/import/", typed | named)

    def buy_address(self) -> HttpResponse:
        """One is bought on the page."""
        page = self.buyer.get(f"/addresses/buy/?zone={ZONE}&mode=TRAFFIC_POSTPAID_BY_HOUR&bandwidth=5&count=1&name=")
        return self.buyer.post("/addresses/buy/", Form(page.content.decode(), "/addresses/buy/").data)

    def of_monthly_address(self, address: str, typed: dict[str, str] | None = None) -> HttpResponse:
        """One is bought for a month; then the form at an address, filled with what it shows."""
        asked = NewAddresses("ap-guangzhou", AddressPart("BANDWIDTH_PREPAID_BY_MONTH", 5), ZONE, months=1)
        (public_id,) = allocate(by(self.buyer.account_id), asked).public_ids
        if typed is not None:
            return self.buyer.post(address, {"id": public_id, **typed})
        address = address.format(address=public_id)
        return self.buyer.post(address, Form(self.buyer.get(address).content.decode(), "").data | {"act": "pay"})

    def of_address(self, name: str, typed: dict[str, str], *, bound: bool = False) -> HttpResponse:
        """A public address by itself, at a machine where it is said, and one of its forms."""
        part, who = AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 5), by(self.buyer.account_id)
        (public_id,) = allocate(who, NewAddresses("ap-guangzhou", part, ZONE)).public_ids
        self.buyer.buy("?charge=postpaid&address=0")
        work()
        machine = Instance.objects.get(public_ip_wanted=False).public_id
        if bound:
            associate(who, public_id, machine)
            work()
        return self.buyer.post(reverse(name, args=[public_id]), {"machine": machine, **typed})

    def buy_package(self) -> HttpResponse:
        """One is bought on the page."""
        zones.check(ZONE)
        page = self.buyer.get(f"/packages/buy/?zone={ZONE}&bandwidth=10&name=")
        return self.buyer.post("/packages/buy/", Form(page.content.decode(), "/packages/buy/").data)

    def of_package(self, name: str, typed: dict[str, str], *, inside: bool = False) -> HttpResponse:
        """A bandwidth package, an address beside it or in it, and one of its forms."""
        self.buy_package()
        package, who = Package.objects.get().public_id, by(self.buyer.account_id)
        part = AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 5)
        (address,) = allocate(who, NewAddresses("ap-guangzhou", part, ZONE)).public_ids
        if inside:
            enter(who, package, [address])
        return self.buyer.post(reverse(name, args=[package]), {"address": address, **typed})

    def of_key_pair(self) -> HttpResponse:
        self.buyer.post("/keys/", {"act": "import", "name": "old", "public_key": PUBLIC})
        return self.buyer.post("/keys/", {"act": "delete", "id": KeyPair.objects.get(name="old").public_id})

    def of_network(self, *acts: str) -> HttpResponse:
        """A VPC is made, then these are done to it or to its subnet."""
        form = {"name": "n", "region": "ap-guangzhou", "cidr": "10.0.0.0/16", "zone": ZONE}
        answer = self.buyer.post("/networks/", form | {"act": "create_vpc"})
        vpc = Vpc.objects.get(owner_id=self.buyer.account_id)
        for act in acts:
            subnet = Subnet.objects.filter(owner_id=self.buyer.account_id).first()
            thing = subnet if subnet and act.endswith("subnet") else vpc
            form |= {"vpc": vpc.public_id, "id": thing.public_id, "act": act}
            answer = self.buyer.post("/networks/", form)
        return answer

    def of_bound_key(self, *acts: str) -> HttpResponse:
        self.buyer.post("/keys/", {"act": "import", "name": "old", "public_key": PUBLIC})
        for act in acts:
            work()
            answer = self.of_machine("machine_keys", {"act": act, "key": KeyPair.objects.get(name="old").public_id})
        return answer

    def of_given_up(self) -> HttpResponse:
        given_up = Operation.objects.create(
            kind="isolate", subject_kind="machine", subject_id=Instance.objects.get(public_id=self.machine).id,
            account_id=self.buyer.account_id, lane=ZONE, due_at=clock.now(), attention=True, created_at=clock.wall(),
        )  # fmt: skip
        return self.seller.post(reverse("seller_retry", args=[given_up.id]))

    def of_lost(self, act: str) -> HttpResponse:
        self._lose()
        return self.seller.post(reverse(f"seller_lost_{act}", args=[self.machine]))

    def of_redelivered(self) -> HttpResponse:
        self._lose()
        page = reverse("seller_redeliver", args=[self.machine])
        return self.seller.post(page, Form(self.seller.get(page).content.decode(), "").data)

    def _lose(self) -> None:
        self.world.remove_machine(self.machine)
        for _ in range(2):
            sweep.sweep(ZONE)
            an_interval_ago()


A_RULE = {"action": "DROP", "protocol": "TCP", "port": "23", "cidr": "0.0.0.0/0"}

# (name of the address, what is told of it) -> sending it. Where nothing is told twice, the last is what counts.
FORMS: dict[tuple[str, str], Callable[[Sent], HttpResponse]] = {
    ("buy", "RunInstances"): lambda sent: sent.buyer.buy(),
    ("buy", "order_placed"): lambda sent: sent.buyer.buy(act="card"),
    ("buy", "CreateLaunchTemplate"): lambda sent: sent.buyer.buy(act="save_template", template_name="kept"),
    ("buy", "CreateLaunchTemplateVersion"): lambda sent: sent.buyer.buy(
        f"?template={sent.of_template()}", act="save_version"
    ),
    ("template_default", "ModifyLaunchTemplateDefaultVersion"): lambda sent: sent.buyer.post(
        reverse("template_default", args=[sent.of_template()]), {"version": "1"}
    ),
    ("template_delete", "DeleteLaunchTemplateVersions"): lambda sent: sent.buyer.post(
        reverse("template_delete", args=[sent.of_template()]), {"version": "2"}
    ),
    ("template_delete", "DeleteLaunchTemplate"): lambda sent: sent.buyer.post(
        reverse("template_delete", args=[sent.of_template()])
    ),
    ("disk_new", "CreateDisks"): lambda sent: sent.of_disk(),
    ("disk", "ModifyDiskAttributes"): lambda sent: sent.of_disk(("disk", {"name": "other"})),
    ("disk_attach", "AttachDisks"): lambda sent: sent.of_disk(("disk_attach", {"machine": sent.machine})),
    ("disk_detach", "DetachDisks"): lambda sent: sent.of_disk(
        ("disk_attach", {"machine": sent.machine}), ("disk_detach", {"machine": sent.machine})
    ),
    ("disk_size", "ResizeDisk"): lambda sent: sent.of_disk(("disk_size", {"size": "30"})),
    ("disk_end", "TerminateDisks"): lambda sent: sent.of_disk(("disk_end", {})),
    ("disk_prepay", "converted"): lambda sent: sent.disk_prepaid(),
    ("disks_renew", "renewed"): lambda sent: sent.of_prepaid_disk("/disks/renew/?id={disk}"),
    ("disks_renew_flag", "renew_flag"): lambda sent: sent.of_prepaid_disk(
        "/disks/renew/flag/", {"flag": "NOTIFY_AND_AUTO_RENEW"}
    ),
    ("snapshot_new", "CreateSnapshot"): lambda sent: sent.of_snapshot(),
    ("snapshot", "ModifySnapshotAttribute"): lambda sent: sent.of_snapshot(("snapshot", {"name": "other"})),
    ("snapshot_restore", "ApplySnapshot"): lambda sent: sent.of_snapshot(("snapshot_restore", {})),
    ("snapshot_delete", "DeleteSnapshots"): lambda sent: sent.of_snapshot(("snapshot_delete", {})),
    ("image_new", "CreateImage"): lambda sent: sent.of_image(),
    ("image_import", "ImportImage"): lambda sent: sent.of_import(),
    ("image", "ModifyImageAttribute"): lambda sent: sent.of_image(("image", {"name": "other"})),
    ("image_share", "ModifyImageSharePermission"): lambda sent: sent.of_image(("image_share", {})),
    ("image_unshare", "ModifyImageSharePermission"): lambda sent: sent.of_image(
        ("image_share", {}), ("image_unshare", {})
    ),
    ("image_delete", "DeleteImages"): lambda sent: sent.of_image(("image_delete", {"snapshot": ""})),
    ("placement_groups", "CreateDisasterRecoverGroup"): lambda sent: sent.buyer.post(
        "/placement-groups/", {"name": "apart", "apart": "HOST", "affinity": "1"}
    ),
    ("placement_group", "ModifyDisasterRecoverGroupAttribute"): lambda sent: sent.of_group("placement_group"),
    ("placement_group_join", "ModifyInstancesDisasterRecoverGroup"): lambda sent: sent.of_group("placement_group_join"),
    ("placement_group_leave", "DeleteInstancesDisasterRecoverGroups"): lambda sent: sent.of_group(
        "placement_group_leave", True
    ),
    ("placement_group_delete", "DeleteDisasterRecoverGroups"): lambda sent: sent.of_group("placement_group_delete"),
    ("address_buy", "AllocateAddresses"): lambda sent: sent.buy_address(),
    ("address", "ModifyAddressAttribute"): lambda sent: sent.of_address("address", {"name": "front"}),
    ("address_bind", "AssociateAddress"): lambda sent: sent.of_address("address_bind", {}),
    ("address_unbind", "DisassociateAddress"): lambda sent: sent.of_address("address_unbind", {}, bound=True),
    ("address_bandwidth", "ModifyAddressesBandwidth"): lambda sent: sent.of_address(
        "address_bandwidth", {"bandwidth": "9"}, bound=True
    ),
    ("address_charged", "ModifyAddressInternetChargeType"): lambda sent: sent.of_address(
        "address_charged", {"mode": "BANDWIDTH_POSTPAID_BY_HOUR", "bandwidth": "5"}
    ),
    ("addresses_renew", "renewed"): lambda sent: sent.of_monthly_address("/addresses/renew/?id={address}"),
    ("addresses_renew_flag", "renew_flag"): lambda sent: sent.of_monthly_address(
        "/addresses/renew/flag/", {"flag": "NOTIFY_AND_AUTO_RENEW"}
    ),
    ("address_release", "ReleaseAddresses"): lambda sent: sent.of_address("address_release", {}),
    ("order_pay", "RunInstances"): lambda sent: sent.of_unpaid({}),
    ("order_pay", "payment_begun"): lambda sent: sent.of_unpaid(CARD),
    ("order_passwords", "password_shown"): lambda sent: sent.buyer.post(
        reverse("order_passwords", args=[sent.order]), {"act": "show"}
    ),
    ("machine_password", "password_shown"): lambda sent: sent.of_machine("machine_password", {"act": "show"}),
    ("machine_password", "password_taken"): lambda sent: sent.of_machine(
        "machine_password", {"act": "have", "made_until": "2027-01-01T00:00:00Z"}
    ),
    ("machine_power", "RebootInstances"): lambda sent: sent.of_machine("machine_power", {}, act="reboot"),
    ("machines_chosen", "StopInstances"): lambda sent: sent.chosen("machines", "stop", sent.machine),
    ("disks_chosen", "TerminateDisks"): lambda sent: sent.chosen("disks", "end"),
    ("snapshots_chosen", "DeleteSnapshots"): lambda sent: sent.chosen("snapshots", "delete"),
    ("addresses_chosen", "ReleaseAddresses"): lambda sent: sent.chosen("addresses", "release"),
    ("machine_stop", "StopInstances"): lambda sent: sent.of_machine("machine_stop", {}),
    ("machine_end", "TerminateInstances"): lambda sent: sent.of_machine("machine_end", {}),
    ("machine_reset_password", "ResetInstancesPassword"): lambda sent: sent.of_machine(
        "machine_reset_password", {"how": "generated"}
    ),
    ("machine_reinstall", "ResetInstance"): lambda sent: sent.of_machine("machine_reinstall", {"how": "generated"}),
    ("machine_rescue", "EnterRescueMode"): lambda sent: sent.of_machine("machine_rescue", {"password": "Rescue-1a"}),
    ("machine_console_ticket", "DescribeInstanceVncUrl"): lambda sent: sent.of_machine("machine_console_ticket", {}),
    ("machine_leave_rescue", "ExitRescueMode"): lambda sent: sent.left_rescue(),
    ("machine_network", "ModifyInstancesVpcAttribute"): lambda sent: sent.of_machine(
        "machine_network", {"subnet": Subnet.objects.get().public_id}
    ),
    ("address_tags", "ModifyResourceTags"): lambda sent: sent.of_address(
        "address_tags", {"act": "put", "key": "team", "value": "a"}
    ),
    ("package_buy", "CreateBandwidthPackage"): lambda sent: sent.buy_package(),
    ("package", "ModifyBandwidthPackageAttribute"): lambda sent: sent.of_package("package", {"name": "other"}),
    ("package_bandwidth", "ModifyBandwidthPackageBandwidth"): lambda sent: sent.of_package(
        "package_bandwidth", {"bandwidth": "20"}
    ),
    ("package_add", "AddBandwidthPackageResources"): lambda sent: sent.of_package("package_add", {}),
    ("package_remove", "RemoveBandwidthPackageResources"): lambda sent: sent.of_package(
        "package_remove", {}, inside=True
    ),
    ("package_delete", "DeleteBandwidthPackage"): lambda sent: sent.of_package("package_delete", {}),
    ("package_tags", "ModifyResourceTags"): lambda sent: sent.of_package(
        "package_tags", {"act": "put", "key": "team", "value": "a"}
    ),
    ("machine_host_name", "ModifyInstancesAttribute"): lambda sent: sent.of_machine(
        "machine_host_name", {"hostname": "web-2"}
    ),
    ("machine_tags", "ModifyResourceTags"): lambda sent: sent.of_machine(
        "machine_tags", {"act": "put", "key": "team", "value": "a"}
    ),
    ("machine_keys", "AssociateInstancesKeyPairs"): lambda sent: sent.of_bound_key("bind"),
    ("machine_keys", "DisassociateInstancesKeyPairs"): lambda sent: sent.of_bound_key("bind", "unbind"),
    ("machine_bandwidth", "ResetInstancesInternetMaxBandwidth"): lambda sent: sent.of_machine(
        "machine_bandwidth", {"bandwidth": "9"}
    ),
    ("machine_type", "ResetInstancesType"): lambda sent: sent.resized(),
    ("machine_window", "window_bought"): lambda sent: sent.for_some_days(),
    ("machine_prepay", "converted"): lambda sent: sent.prepaid(),
    ("machine_planned_end", "ImportInstancesActionTimer"): lambda sent: sent.planned_end(),
    ("machine_planned_end", "DeleteInstancesActionTimer"): lambda sent: sent.planned_end("give_up"),
    ("machine_disk", "ResizeInstanceDisks"): lambda sent: sent.grown(),
    ("machines_renew", "renewed"): lambda sent: sent.renewed(),
    ("machines_renew_flag", "renew_flag"): lambda sent: sent.buyer.post(
        reverse("machines_renew_flag"), {"id": sent.machine, "flag": "NOTIFY_AND_AUTO_RENEW"}
    ),
    ("alarms", "CreateAlarm"): lambda sent: sent.of_alarm(),
    ("alarm", "ModifyAlarm"): lambda sent: sent.of_alarm("alarm"),
    ("alarm_switch", "DisableAlarm"): lambda sent: sent.of_alarm("alarm_switch"),
    ("alarm_delete", "DeleteAlarm"): lambda sent: sent.of_alarm("alarm_delete"),
    ("snapshot_policies", "CreateAutoSnapshotPolicy"): lambda sent: sent.of_policy(),
    ("snapshot_policy", "ModifyAutoSnapshotPolicyAttribute"): lambda sent: sent.of_policy(
        ("snapshot_policy", {"name": "other"})
    ),
    ("snapshot_policy_bind", "BindAutoSnapshotPolicy"): lambda sent: sent.of_policy(("snapshot_policy_bind", {})),
    ("snapshot_policy_unbind", "UnbindAutoSnapshotPolicy"): lambda sent: sent.of_policy(
        ("snapshot_policy_bind", {}), ("snapshot_policy_unbind", {})
    ),
    ("snapshot_policy_switch", "ModifyAutoSnapshotPolicyAttribute"): lambda sent: sent.of_policy(
        ("snapshot_policy_switch", {"active": "0"})
    ),
    ("snapshot_policy_delete", "DeleteAutoSnapshotPolicies"): lambda sent: sent.of_policy(
        ("snapshot_policy_delete", {})
    ),
    ("keys", "CreateKeyPair"): lambda sent: sent.buyer.post("/keys/", {"act": "create", "name": "laptop"}),
    ("keys", "ImportKeyPair"): lambda sent: sent.buyer.post(
        "/keys/", {"act": "import", "name": "laptop", "public_key": PUBLIC}
    ),
    ("keys", "DeleteKeyPairs"): lambda sent: sent.of_key_pair(),
    ("networks", "CreateVpc"): lambda sent: sent.of_network(),
    ("networks", "ModifyVpcAttribute"): lambda sent: sent.of_network("rename_vpc"),
    ("networks", "DeleteVpc"): lambda sent: sent.of_network("delete_vpc"),
    ("networks", "CreateSubnet"): lambda sent: sent.of_network("create_subnet"),
    ("networks", "ModifySubnetAttribute"): lambda sent: sent.of_network("create_subnet", "rename_subnet"),
    ("networks", "DeleteSubnet"): lambda sent: sent.of_network("create_subnet", "delete_subnet"),
    ("security_groups", "CreateSecurityGroup"): lambda sent: sent.buyer.post(
        "/security-groups/", {"name": "web", "region": "ap-guangzhou", "starting": "empty"}
    ),
    ("security_group", "ModifySecurityGroupAttribute"): lambda sent: sent.of_security_group(
        "security_group", {"act": "change", "name": "other"}
    ),
    ("security_group", "CreateSecurityGroupPolicies"): lambda sent: sent.of_security_group(
        "security_group", A_RULE | {"act": "add", "way": "ingress"}
    ),
    ("security_group_rules", "DeleteSecurityGroupPolicies"): lambda sent: sent.of_security_group(
        "security_group_rules", {"act": "remove", "way": "ingress", "index": "0"}
    ),
    ("security_group_rules", "ModifySecurityGroupPolicies"): lambda sent: sent.of_security_group(
        "security_group_rules", {"act": "up", "way": "ingress", "index": "1"}
    ),
    ("security_group_rule", "ReplaceSecurityGroupPolicy"): lambda sent: sent.of_security_group(
        "security_group_rule", A_RULE, way="egress", index=0
    ),
    ("security_group_delete", "DeleteSecurityGroup"): lambda sent: sent.of_security_group("security_group_delete", {}),
    ("machine_groups", "ModifyInstancesAttribute"): lambda sent: sent.of_machine(
        "machine_groups", {"security_group": held.default_id(sent.buyer.account_id)}
    ),
    ("api_keys", "api_key_created"): lambda sent: sent.buyer.post("/api-keys/", {"act": "create"}),
    ("api_keys", "api_key_disabled"): lambda sent: sent.of_api_key("disable"),
    ("api_keys", "api_key_deleted"): lambda sent: sent.of_api_key("delete"),
    ("top_up", "payment_begun"): lambda sent: sent.buyer.post("/balance/top-up/", CARD | {"amount": "10"}),
    ("seller_customer_money", "credited"): lambda sent: sent.of_customer(
        "seller_customer_money",
        {"act": "credit", "key": "a" * 32, "amount": "1", "purse": "cash", "reason": "a transfer"},
    ),
    ("seller_customer_discount", "discount"): lambda sent: sent.of_customer(
        "seller_customer_discount", {"act": "set", "percent": "12.5", "reason": "buys much"}
    ),
    ("seller_customer_freeze", "frozen"): lambda sent: sent.of_customer("seller_customer_freeze", {"why": "Stolen."}),
    ("seller_customer_quotas", "quotas"): lambda sent: sent.of_customer("seller_customer_quotas", {"run_per_s": "3"}),
    ("seller_act_as", "behalf_begun"): lambda sent: sent.of_customer("seller_act_as", {"reason": "Ticket 7"}),
    ("seller_order_refund", "order_refunded"): lambda sent: sent.of_refund(),
    ("seller_order_void", "order_voided"): lambda sent: sent.of_void(),
    ("seller_payment_refund", "card_refund_begun"): lambda sent: sent.of_card_refund(),
    ("seller_retry", "retried"): lambda sent: sent.of_given_up(),
    ("seller_redeliver", "to_be_redelivered"): lambda sent: sent.of_redelivered(),
    ("members", "member_invited"): lambda sent: sent.invited(),
    ("invitation", "invitation_withdrawn"): lambda sent: sent.withdrawn(),
    ("invited", "member_joined"): lambda sent: sent.joined(),
    ("member", "role_changed"): lambda sent: sent.of_member({"act": "role", "role": "admin"}),
    ("member", "member_removed"): lambda sent: sent.of_member({"act": "remove"}),
    ("members_leave", "member_left"): lambda sent: sent.left(),
    ("api_key", "api_key_addresses"): lambda sent: sent.of_key_addresses(),
    ("seller_lost_end", "ended_as_lost"): lambda sent: sent.of_lost("end"),
    ("seller_lost_refund", "ended_as_lost"): lambda sent: sent.of_lost("refund"),
}


def test_every_address_is_here() -> None:
    named = {str(pattern.name) for pattern in (*urlpatterns, *sellers)}
    assert {name for name, _ in FORMS} | READ | NO_ACCOUNTS == named


@pytest.fixture
def sent(world: World, monkeypatch: pytest.MonkeyPatch) -> Sent:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    buyer = customer()
    buyer.buy()
    work()
    return Sent(buyer, operator(), world, Instance.objects.get().public_id, Order.objects.get().id)


@pytest.mark.parametrize(("name", "kind"), FORMS)
def test_who_sent_it_is_told(sent: Sent, name: str, kind: str) -> None:
    for sender in (sent.buyer, sent.seller):
        sender.defaults["vmart.request_id"] = REQUEST  # as config/wsgi.py gives it
    FORMS[name, kind](sent)
    told = Event.objects.filter(kind=kind, account_id=sent.buyer.account_id).latest("id")
    by_seller = name.startswith("seller")
    user = sent.seller.user if by_seller else sent.buyer.user
    assert told.actor == {
        "via": "seller" if by_seller else "page", "user": user.email, "address": "127.0.0.1",
        "request": REQUEST,
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(READ))
def test_what_is_read_takes_no_form(sent: Sent, name: str) -> None:
    named = {
        "order": [sent.order], "order_progress": [sent.order], "machine": [sent.machine],
        "machine_monitoring": [sent.machine],
        "machine_live": [sent.machine], "machine_console": [sent.machine], "machine_another": [sent.machine],
        "seller_customer": [sent.buyer.account_id], "payment_state": [1], "seller_catalog_file_of": [1],
        "seller_zone": [ZONE], "seller_order": [sent.order],
        "seller_payment": [sent.of_payment()], "template": [sent.of_template()],
    }  # fmt: skip
    sender = sent.seller if name.startswith("seller") else sent.buyer
    assert sender.post(reverse(name, args=named.get(name, [])), {}).status_code == 405
