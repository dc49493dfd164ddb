"""Given an account with one of everything, when a word is searched, then its own things are found, and no others."""

import re

import pytest
from django.db import connection

from tests.support.plans import read_whole
from tests.web import test_others_things as things
from tests.web.membership import member_of
from tests.web.test_others_things import Things
from tests.web.visiting import Visitor, customer, operator, text_of
from vmart.customers.roles import Role
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import clock, db
from vmart.listings import search
from vmart.network.models import Eip, Package, Subnet, Vpc
from vmart.storage.models import Disk, OwnImage, Snapshot

owner = things.owner
ALL = list(search.KINDS)


def found(visitor: Visitor, word: str) -> list[str]:
    """Addresses of what the page shows."""
    page = visitor.get("/search/", {"q": word})
    assert page.status_code == 200
    part = page.content.decode().partition('<div class="found"')[2]
    return re.findall(r'<a href="([^"]+)"', part.partition("</div>")[0])


def test_each_thing_is_found_by_its_id(owner: tuple[Visitor, Things]) -> None:
    visitor, has = owner
    here = {
        has.machine: "machines", has.disk: "disks", has.snapshot: "snapshots", has.image: "images",
        has.eip: "addresses", has.package: "packages", has.template: "templates", has.group: "placement-groups",
        has.security_group: "security-groups", has.policy: "snapshots/policies",
    }  # fmt: skip
    for public_id, listing in here.items():
        assert found(visitor, public_id) == [f"/{listing}/{public_id}/"]
    assert found(visitor, has.alarm) == ["/alarms/"]
    assert found(visitor, Vpc.objects.get().public_id) == ["/networks/"]
    assert found(visitor, Subnet.objects.get().public_id) == ["/networks/"]
    assert found(visitor, str(has.paid)) == [f"/orders/{has.paid}/"]


def test_a_disk_that_goes_with_a_machine_leads_to_the_machine(owner: tuple[Visitor, Things]) -> None:
    visitor, has = owner
    with_machine = Disk.objects.get(instance_id=Instance.objects.get().id)
    assert found(visitor, with_machine.public_id) == [f"/machines/{has.machine}/"]


def pair(account_id: int, number: int, name: str) -> None:
    KeyPair.objects.create(
        account_id=account_id, public_id=f"skey-{number:08}", name=name, public_key="", created_at=clock.now()
    )


def test_by_names_whatever_their_letters(owner: tuple[Visitor, Things]) -> None:
    visitor, has = owner
    pair(visitor.account_id, 1, "Web")
    Instance.objects.update(name="my web server")
    Disk.objects.filter(public_id=has.disk).update(name="WEBDATA")
    Snapshot.objects.update(name="")
    Snapshot.objects.filter(public_id=has.snapshot).update(name="web")
    assert found(visitor, "  wEb ") == [
        f"/machines/{has.machine}/", f"/disks/{has.disk}/", f"/snapshots/{has.snapshot}/",
        f"/images/{has.image}/", f"/security-groups/{has.security_group}/", "/keys/",
        f"/templates/{has.template}/",
    ]  # fmt: skip
    assert found(visitor, "nothing is called so") == []
    assert "Nothing of yours has “nothing is called so” in its name, id or address." in text_of(
        visitor.get("/search/?q=nothing+is+called+so")
    )


def test_the_best_first_ten_of_a_kind_and_a_way_to_the_rest() -> None:
    visitor = customer()
    for number, name in enumerate(["a web", "web 2", "Web", *(f"old web {n}" for n in range(9))]):
        pair(visitor.account_id, number, name)
    (keys,) = search.found(visitor.account_id, "web", ["key"])
    assert [hit.name for hit in keys.hits] == ["Web", "web 2", *(f"old web {n}" for n in range(8, 0, -1))]
    assert keys.more
    assert "There are more; the list has them all." in text_of(visitor.get("/search/?q=web"))
    KeyPair.objects.filter(name__in=["a web", "old web 0"]).delete()
    (keys,) = search.found(visitor.account_id, "web", ["key"])
    assert (len(keys.hits), keys.more) == (10, False)


def test_by_addresses(owner: tuple[Visitor, Things]) -> None:
    visitor, has = owner
    machine, eip = Instance.objects.get(), Eip.objects.get()
    assert found(visitor, machine.private_ip) == [f"/machines/{has.machine}/", "/networks/", "/networks/"]
    assert found(visitor, str(machine.public_ip)) == [f"/machines/{has.machine}/"]
    assert found(visitor, eip.ip) == [f"/addresses/{has.eip}/"]
    Instance.objects.update(public_ip=None)
    Eip.objects.update(instance_id=machine.id, state="BIND")
    assert found(visitor, eip.ip) == [f"/machines/{has.machine}/", f"/addresses/{has.eip}/"]
    assert found(visitor, "203.0.113.254") == []


def test_pages_are_found_by_their_titles_in_the_readers_language() -> None:
    visitor = customer()
    assert found(visitor, "buy a") == ["/buy/", "/disks/new/", "/addresses/buy/", "/packages/buy/"]
    assert found(visitor, "QUOTA") == ["/quotas/"]
    assert found(customer(headers={"Accept-Language": "zh-CN"}), "配额") == ["/quotas/"]


def test_what_is_anothers_is_not_found(owner: tuple[Visitor, Things]) -> None:
    """Hostile: every id, name and address of one account, searched from another and by a stranger."""
    visitor, has = owner
    other = customer()
    machine = Instance.objects.get()
    words = [
        has.machine, has.disk, has.snapshot, has.image, has.eip, has.package, has.template, has.group, has.policy,
        has.security_group, has.alarm, str(has.paid), str(has.unpaid), machine.name, machine.private_ip,
        str(machine.public_ip), Eip.objects.get().ip, Disk.objects.get(instance_id=machine.id).public_id,
        Vpc.objects.get().public_id, Subnet.objects.get().public_id, "daily", "busy", "apart",
    ]  # fmt: skip
    for word in words:
        assert search.found(visitor.account_id, word, ALL) != [], word
        assert search.found(other.account_id, word, ALL) == [], word
        assert Visitor().get("/search/", {"q": word})["Location"].startswith("/accounts/login/")
    OwnImage.objects.get().imageshare_set.create(account_id=other.account_id, created_at=clock.now())
    assert [hits.kind for hits in search.found(other.account_id, has.image, ALL)] == ["image"]


@pytest.mark.parametrize("table", ["GONE", "deleted"])
def test_what_is_gone_is_not_found(owner: tuple[Visitor, Things], table: str) -> None:
    visitor, has = owner
    ids = [has.machine, has.disk, has.snapshot, has.image, has.eip, has.package]
    if table == "GONE":
        Instance.objects.update(state="GONE", gone_at=clock.now())
        Disk.objects.exclude(state="").update(state="GONE")
        Eip.objects.update(state="GONE", ip=None)
        for model in (Snapshot, OwnImage, Package):
            model.objects.update(state="GONE")
    else:
        ids = [Vpc.objects.get().public_id, Subnet.objects.get().public_id]
        for model in (Vpc, Subnet):
            model.objects.update(deleted_at=clock.now())
    for public_id in ids:
        assert search.found(visitor.account_id, public_id, ALL) == [], public_id


@pytest.mark.parametrize("role", Role)
def test_a_member_finds_what_he_may_look_at(owner: tuple[Visitor, Things], role: Role) -> None:
    _, has = owner
    member = member_of(owner[0].account_id, role)
    assert found(member, has.machine) == [f"/machines/{has.machine}/"]
    offered = found(member, "buy a")
    assert ("/buy/" in offered, "/disks/new/" in offered) == (True, role in (Role.OWNER, Role.ADMIN))
    assert ("/activity/" in found(member, "audit")) == (role in (Role.OWNER, Role.ADMIN))


def test_a_seller_without_an_account_has_no_search() -> None:
    seller = operator()
    assert seller.get("/search/")["Location"] == "/seller/"
    assert 'id="search"' not in seller.get("/seller/").content.decode()


@pytest.mark.parametrize("word", ["<script>alert(1)</script>", "%", "_", "\\", "'; DROP TABLE x --", "a" * 5000, "\0"])
def test_odd_words_find_nothing_and_are_escaped(owner: tuple[Visitor, Things], word: str) -> None:
    page = owner[0].get("/search/", {"q": word})
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
    assert search.found(owner[0].account_id, word, ALL) == []


def test_script_in_a_name_is_text(owner: tuple[Visitor, Things]) -> None:
    Instance.objects.update(name="<img src=x onerror=alert(1)>")
    page = owner[0].get("/search/", {"q": "onerror"}).content.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page


def test_the_dialog_gets_what_was_found_alone(owner: tuple[Visitor, Things]) -> None:
    visitor, has = owner
    whole = visitor.get("/search/", {"q": has.machine})
    part = visitor.get("/search/", {"q": has.machine}, headers={"HX-Request": "true"})
    assert "<html" in whole.content.decode()
    assert part.content.decode().strip().startswith('<div class="found"')
    assert 'data-said="1 result"' in part.content.decode()
    assert "HX-Request" in part["Vary"]


_MANY = """
INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object(
  'id', n, 'bundle_id', n, 'account_id', CASE n % 3 WHEN 0 THEN one.account_id ELSE {other} END,
  'public_id', 'ins-b' || n,
  'created_at', one.created_at - n * interval '1 second', 'name', 'machine ' || n, 'public_ip', null))).*
FROM {table} AS one, generate_series(1000000, 1029999) AS n WHERE one.id = {id}
"""


@pytest.fixture
def ten_thousand(owner: tuple[Visitor, Things]) -> Visitor:
    """Among thirty thousand machines ten thousand of one account."""
    visitor, other = owner[0], customer()
    sql = _MANY.replace("{other}", str(other.account_id)).replace("{id}", str(Instance.objects.get().id))
    with db.act():
        for table in ("subscriptions_subscription", "instances_instance"):
            db.rows(sql.replace("{table}", table).replace("%", "%%") + " RETURNING id")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) instances_instance")
    return visitor


@pytest.mark.parametrize(
    ("word", "rows"), [("machine 1029999", 10_001), ("machine", 10_001), ("ins-00000000", 0), ("10.0.0.12", 10_001)]
)
def test_of_ten_thousand_machines_the_accounts_names_are_read_and_no_others(
    ten_thousand: Visitor, word: str, rows: int
) -> None:
    """By an index that begins with the account; an id reads no list at all."""
    read = read_whole(lambda: search.found(ten_thousand.account_id, word, ALL))
    assert [one for one in read if one[0] == "instances_instance"] == ([("instances_instance", rows)] if rows else [])


def test_a_name_that_looks_like_an_id_is_found_whole() -> None:
    visitor = customer()
    pair(visitor.account_id, 1, "prod-database")
    assert found(visitor, "prod-database") == found(visitor, "prod-databas") == ["/keys/"]


@pytest.mark.parametrize("word", ["fe80::1%eth0", "::ffff:1.2.3.4", "½", "a\\b", "9" * 30, "%", "{a}", "'"])
def test_odd_words_find_nothing(word: str) -> None:
    assert found(customer(), word) == []
    for listing in ("customers", "orders"):
        assert operator().get(f"/seller/{listing}/", {"q": word}).status_code == 200
