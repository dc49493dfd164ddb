"""Given a customer, when purchases are kept as launch templates, then they are checked, numbered and told of."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction

from tests.launch_templates.keeping import new_version, request_of, template
from tests.support import quotas
from tests.support.actors import by
from tests.support.shopper import HOURLY, open_purse, wanted
from vmart.events.models import Event
from vmart.kernel import clock
from vmart.kernel.errors import InvalidParameter, MissingParameter, Refused
from vmart.launch_templates import change, held, keep
from vmart.launch_templates.errors import (
    BadDescription,
    BadTemplateName,
    DefaultVersion,
    PasswordInTemplate,
    TooManyTemplates,
    TooManyVersions,
    UnknownTemplate,
    UnknownVersion,
)
from vmart.launch_templates.models import Template, Version
from vmart.orders import errors, purchase
from vmart.orders.login import LoginWanted
from vmart.orders.wanted import Machine
from vmart.pricing.configuration import DiskChoice

pytestmark = pytest.mark.usefixtures("shop")
CONTENTS = {
    "zone": "ap-guangzhou-4", "instance_type": "S5.MEDIUM4", "charge_type": "POSTPAID_BY_HOUR",
    "system_disk.disk_type": "CLOUD_PREMIUM", "system_disk.size_gib": 50, "system_disk.delete_with_instance": True,
    "internet_charge_type": "TRAFFIC_POSTPAID_BY_HOUR", "bandwidth_mbps": 0, "public_ip": False, "count": 1,
    "image_id": "img-db12k7x4", "name": "web", "attributes.termination_protected": False,
    "network.vpc_id": "DEFAULT", "network.subnet_id": "DEFAULT", "network.ipv6_addresses": 0,
}  # fmt: skip


def test_a_template_holds_what_the_purchase_says() -> None:
    account = open_purse()
    public_id = template(account, name="web")
    kept = Template.objects.get(account_id=account)
    assert (kept.public_id, kept.name, kept.default_version, kept.last_version) == (public_id, "web", 1, 1)
    assert (kept.created_by, kept.created_at) == (70, clock.now())
    version = Version.objects.get(template=kept)
    assert (version.number, version.description, version.created_by) == (1, "", 70)
    assert version.contents == CONTENTS
    assert held.version(account, public_id) == held.Held(public_id, "web", 1, True, CONTENTS)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("w", False), ("ww", True), ("网站", True), ("网", False), ("w" * 128, True), ("w" * 129, False), ("", False),
     ("a\tb", False), ("a\u2028b", False), ("Web 2 (new)", True)],
)  # fmt: skip
def test_names(name: str, kept: bool) -> None:
    account = open_purse()
    if kept:
        template(account, name)
        assert Template.objects.get().name == name
        return
    with pytest.raises(BadTemplateName) as refused:
        template(account, name)
    assert (refused.value.code, refused.value.field) == (
        "InvalidParameterValue.InvalidLaunchTemplateName", "template.name",
    )  # fmt: skip
    assert not Template.objects.exists()


@pytest.mark.parametrize(
    ("text", "kept"), [("", True), ("d", False), ("dd", True), ("d" * 256, True), ("d" * 257, False), ("a\nb", False)]
)
def test_descriptions(text: str, kept: bool) -> None:
    account = open_purse()
    new = replace(new_version(account), description=text)
    if kept:
        keep.create("web", new)
        assert Version.objects.get().description == text
        return
    with pytest.raises(BadDescription) as refused:
        keep.create("web", new)
    assert refused.value.field == "template.description"
    assert not Template.objects.exists()


def test_no_password_is_kept() -> None:
    account = open_purse()
    with pytest.raises(PasswordInTemplate) as refused:
        template(account, login=LoginWanted("Secret-1-word"))
    assert (refused.value.code, refused.value.field) == ("UnsupportedOperation", "login.password")
    assert "Secret-1-word" not in refused.value.sentence
    assert not Template.objects.exists()


@pytest.mark.parametrize(
    ("change_it", "refusal"),
    [
        (lambda asked: replace(asked, configuration=replace(HOURLY, zone="nowhere")), errors.UnknownZone),
        (lambda asked: replace(asked, machine=Machine("img-unknown0")), errors.UnknownImage),
        (lambda asked: replace(asked, machine=replace(asked.machine, hostname="-")), errors.BadHostName),
        (lambda asked: replace(asked, machine=replace(asked.machine, user_data=b"x" * 16385)),
         errors.UserDataTooLarge),
    ],
)  # fmt: skip
def test_it_is_refused_what_a_purchase_is_refused(change_it: Callable, refusal: type[Refused]) -> None:
    """The same refusal, word for word."""
    account = open_purse(cash_minor=100_000)
    asked = change_it(request_of(account))
    with pytest.raises(refusal) as kept:
        keep.create("web", keep.NewVersion(asked, {}, 70))
    with pytest.raises(refusal) as bought:
        purchase.purchase(asked)
    told = (kept.value.code, kept.value.field, kept.value.sentence)
    assert told == (bought.value.code, bought.value.field, bought.value.sentence)
    assert not Template.objects.exists()


def test_a_template_needs_no_money() -> None:
    """Given an account without any, then it keeps what it could not buy."""
    account = open_purse()
    public_id = template(account)
    assert held.version(account, public_id).number == 1
    with pytest.raises(errors.InsufficientBalance):
        purchase.purchase(wanted(account, HOURLY))


def test_what_happens_to_a_template_is_told() -> None:
    account = open_purse()
    public_id = template(account)
    keep.add_version(public_id, new_version(account))
    change.make_default(by(account), public_id, 2)
    change.delete_versions(by(account), public_id, [1])
    change.delete(by(account), public_id)
    of_it = {"name": public_id, "called": "web"}
    assert list(Event.objects.filter(subject_kind="launch_template").order_by("id").values_list("kind", "detail")) == [
        ("CreateLaunchTemplate", of_it),
        ("CreateLaunchTemplateVersion", of_it | {"version": 2}),
        ("ModifyLaunchTemplateDefaultVersion", of_it | {"version": 2}),
        ("DeleteLaunchTemplateVersions", of_it | {"versions": [1]}),
        ("DeleteLaunchTemplate", of_it),
    ]
    assert not Version.objects.exists()


def test_deleting_versions_is_all_or_none() -> None:
    account = open_purse()
    public_id = template(account)
    for _ in range(3):
        keep.add_version(public_id, new_version(account))
    for numbers, refusal, field in (
        ([2, 9], UnknownVersion, "template.versions.1"),
        ([2, 1], DefaultVersion, "template.versions.1"),
        ([2, 2], InvalidParameter, "template.versions"),
        ([], MissingParameter, "template.versions"),
    ):
        with pytest.raises(refusal) as refused:
            change.delete_versions(by(account), public_id, numbers)
        assert refused.value.field == field
    assert sorted(Version.objects.values_list("number", flat=True)) == [1, 2, 3, 4]
    change.delete_versions(by(account), public_id, [4, 2])
    assert sorted(Version.objects.values_list("number", flat=True)) == [1, 3]
    assert keep.add_version(public_id, new_version(account)) == 5


def test_another_accounts_template_is_unknown() -> None:
    account, stranger = open_purse(), open_purse("stranger")
    public_id = template(account)
    for act in (
        lambda: keep.add_version(public_id, new_version(stranger)),
        lambda: change.make_default(by(stranger), public_id, 1),
        lambda: change.delete_versions(by(stranger), public_id, [1]),
        lambda: change.delete(by(stranger), public_id),
        lambda: held.version(stranger, public_id),
    ):
        with pytest.raises(UnknownTemplate) as refused:
            act()
        assert (refused.value.code, refused.value.field) == (
            "InvalidParameterValue.LaunchTemplateIdNotExisted", "template.id",
        )  # fmt: skip
    assert (Template.objects.count(), Version.objects.count()) == (1, 1)


def test_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "VERSIONS_MAX", 2)
    account, other = open_purse(), open_purse("other")
    quotas.one(account, launch_templates=1)
    public_id = template(account)
    keep.add_version(public_id, new_version(account))
    with pytest.raises(TooManyVersions) as refused:
        keep.add_version(public_id, new_version(account))
    assert refused.value.params == {"id": public_id, "most": 2}
    with pytest.raises(TooManyTemplates):
        template(account, "second")
    template(other)
    assert (Template.objects.count(), Version.objects.count()) == (2, 3)
    quotas.one(account, launch_templates=0)
    with pytest.raises(TooManyTemplates):
        template(account, "second")


def test_a_repeated_token_gets_the_first_also_where_it_is_refused_by_now() -> None:
    account = open_purse()
    quotas.one(account, launch_templates=1)
    new = replace(new_version(account), request=replace(request_of(account), client_token="once"))
    first = keep.create("web", new)
    assert keep.create("web", new) == first  # the quota is reached
    with pytest.raises(errors.TokenReused):
        keep.create("other", new)
    assert Template.objects.count() == 1


# What the database itself holds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        ("UPDATE launch_templates_template SET default_version = 2", "launch_templates_default_exists"),
        ("UPDATE launch_templates_template SET default_version = 9", "launch_templates_default_was_given"),
        ("DELETE FROM launch_templates_version WHERE number = 1", "launch_templates_default_exists"),
        ("UPDATE launch_templates_version SET number = 1 WHERE number = 3", "launch_templates_version_pkey"),
        ("UPDATE launch_templates_version SET number = 0 WHERE number = 3", "launch_templates_number"),
        ("UPDATE launch_templates_version SET description = 'd'", "launch_templates_description"),
        ("UPDATE launch_templates_template SET name = 'w'", "launch_templates_name"),
    ],
)
def test_the_database_refuses_what_no_template_can_be(sql: str, constraint: str) -> None:
    """Given a template with versions 1, the default, and 3."""
    account = open_purse()
    public_id = template(account)
    for _ in range(2):
        keep.add_version(public_id, new_version(account))
    change.delete_versions(by(account), public_id, [2])
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert held.version(account, public_id).number == 1


def test_a_deleted_template_is_no_longer_held() -> None:
    """Control of the above: deleted with its versions, in whatever order, it breaks no key."""
    account = open_purse()
    public_id = template(account)
    change.delete(by(account), public_id)
    with pytest.raises(UnknownTemplate):
        held.version(account, public_id)


# Contents -------------------------------------------------------------------------------------------------------------


def test_every_disk_and_every_attribute_is_in_the_contents() -> None:
    account = open_purse()
    disks = (DiskChoice("CLOUD_SSD", 100, name="db"), DiskChoice("CLOUD_PREMIUM", 20))
    configuration = replace(HOURLY, data_disks=disks, charge_type="PREPAID", period_months=3)
    new = new_version(account, configuration, user_data=b"\xff\x00", renew_flag="NOTIFY_AND_AUTO_RENEW")
    assert new.contents == CONTENTS | {
        "charge_type": "PREPAID", "period_months": 3, "renew_flag": "NOTIFY_AND_AUTO_RENEW", "user_data": "/wA=",
        "data_disks.0.disk_type": "CLOUD_SSD", "data_disks.0.size_gib": 100, "data_disks.0.name": "db",
        "data_disks.0.delete_with_instance": True, "data_disks.1.disk_type": "CLOUD_PREMIUM",
        "data_disks.1.size_gib": 20, "data_disks.1.delete_with_instance": True,
    }  # fmt: skip
