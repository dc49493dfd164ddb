"""The seller's commands: operators, catalog, customers; each listing also as JSON and YAML."""

import dataclasses
import datetime as dt
import json

import pytest
import yaml
from allauth.mfa.models import Authenticator
from click.testing import CliRunner, Result

from tests.support.actors import SELLER, by
from tests.support.database import DEMO_CATALOG, ROOT
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, buy_running, open_purse, wanted
from tests.support.written import nothing_written
from vmart.backoffice import staffing
from vmart.backoffice.apply_catalog import apply_file
from vmart.catalog.models import Applied, Zone
from vmart.config import business_time
from vmart.config.cli import main
from vmart.config.commands.output import plain, table
from vmart.config.status import show_status
from vmart.customers import quotas
from vmart.customers.models import Account, Member, User
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.ledger.models import ByHand
from vmart.ledger.queries import balance
from vmart.listings.attention import Summary
from vmart.listings.paging import PAGE
from vmart.orders.models import EngineDrift, Order
from vmart.orders.purchase import purchase
from vmart.payments import top_up
from vmart.payments.providers.sandbox import PAYS, TAKES_NOTHING_BACK
from vmart.placement.models import Host
from vmart.settlement.models import Stuck


def vmart(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def done(*words: str) -> str:
    """What the command printed; AssertionError where it was not done."""
    result = vmart(*words)
    assert result.exit_code == 0, result.output
    return result.output


# -- operators ---------------------------------------------------------------------------------------


def test_an_operator_is_added_with_a_link_and_listed(shop: object) -> None:
    link = done("operator", "add", "me@example.org").strip()
    assert link.startswith("/accounts/password/reset/key/")
    user = User.objects.get()
    assert (user.is_staff, user.has_usable_password()) == (True, False)
    assert json.loads(done("operator", "list", "-o", "json")) == [
        {"email": "me@example.org", "role": "admin", "active": True, "last_login": None}
    ]
    assert done("operator", "list").splitlines()[1].split() == ["me@example.org", "admin", "yes", "-"]


def test_an_operator_is_removed_but_not_the_last_one(shop: object) -> None:
    done("operator", "add", "me@example.org")
    done("operator", "add", "you@example.org")
    assert done("operator", "remove", "me@example.org") == "me@example.org is no operator any more\n"
    with nothing_written():
        last = vmart("operator", "remove", "you@example.org")
    said = "vmart: you@example.org is the last admin: make another one first.\n"
    assert (last.exit_code, last.stderr) == (3, said)


def test_an_operator_has_a_role_and_changes_it(shop: object) -> None:
    done("operator", "add", "me@example.org")
    done("operator", "add", "you@example.org", "--role", "support")
    assert done("operator", "role", "YOU@example.org", "finance") == "you@example.org is finance\n"
    link = done("operator", "add", "you@example.org")  # no password yet: a link once more, and the role stays
    assert link.startswith("/accounts/password/reset/key/")
    assert User.objects.get(email="you@example.org").staff_role == "finance"
    told = [(row["email"], row["before"], row["role"]) for row in json.loads(done("operator", "changes", "-o", "json"))]
    assert told == [
        ("you@example.org", "support", "finance"), ("you@example.org", "", "support"), ("me@example.org", "", "admin"),
    ]  # fmt: skip
    with nothing_written():
        last, none, nobody = (
            vmart("operator", "role", *words)
            for words in (("me@example.org", "support"), ("me@example.org", "owner"), ("no@example.org", "admin"))
        )
    assert (last.exit_code, last.stderr) == (3, "vmart: me@example.org is the last admin: make another one first.\n")
    assert (none.exit_code, "'owner' is not one of" in none.stderr) == (2, True)
    assert (nobody.exit_code, nobody.stderr) == (3, "vmart: There is no operator no@example.org.\n")


def test_whoever_has_lost_the_second_factor_signs_in_by_the_password_alone(shop: object) -> None:
    staffing.add("me@example.org", by=SELLER)
    user = User.objects.get()
    for kind in (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES):
        Authenticator.objects.create(user=user, type=kind, data={})
    assert done("customer", "remove-second-factor", "ME@example.org") == "removed: 2\n"
    assert not Authenticator.objects.exists()
    with nothing_written():
        again = done("customer", "remove-second-factor", "me@example.org")
        nobody = vmart("customer", "remove-second-factor", "no@example.org")
    assert again == "nothing to remove: the password alone is enough\n"
    said = "vmart: there is no active user with the address no@example.org\n"
    assert (nobody.exit_code, nobody.stderr) == (3, said)


def test_what_is_no_address_is_refused_in_one_line(shop: object) -> None:
    with nothing_written():
        result = vmart("operator", "add", "nobody")
    assert (result.exit_code, result.stderr) == (3, "vmart: nobody is no e-mail address.\n")


# -- catalog -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo.yaml", "starter.yaml"])
def test_what_export_writes_apply_takes_unchanged(db: object, tmp_path: object, name: str) -> None:
    file = ROOT / "catalog" / name
    apply_file(file)
    out = f"{tmp_path}/exported.yaml"
    assert done("catalog", "export", out) == f"{out}: {len(file.read_text().splitlines())} lines\n"
    with nothing_written():
        assert done("catalog", "apply", out, "--yes") == "the shop sells exactly that already\n"
    assert done("catalog", "export") == file.read_text()
    again = vmart("catalog", "export", out)
    assert (again.exit_code, again.stderr) == (3, f"vmart: {out} is there already: name another file\n")


def test_a_declined_file_is_not_what_is_exported(shop: object, tmp_path: object) -> None:
    changed = f"{tmp_path}/changed.yaml"
    with open(changed, "w") as file:  # noqa: PTH123
        file.write(DEMO_CATALOG.read_text().replace("East China (Shanghai)", "The East"))
    assert CliRunner().invoke(main, ["catalog", "apply", changed], input="n\n").exit_code == 1
    assert Applied.objects.count() == 1
    assert done("catalog", "export") == DEMO_CATALOG.read_text()


def test_the_catalog_is_shown_with_its_prices(shop: object) -> None:
    shown = json.loads(done("catalog", "show", "-o", "json"))
    assert (shown["currency"], shown["price_book"], len(shown["zones"])) == ("CNY", 1, 5)
    assert shown["instance_types"][1] == {
        "code": "S5.SMALL1", "vcpu": 1, "memory_mib": 1024, "month": "45", "hour": "0.14",
        "sold_in": "ap-guangzhou-3 ap-guangzhou-4 ap-guangzhou-6 ap-shanghai-2 ap-shanghai-5",
    }  # fmt: skip
    assert {disk["code"]: disk["gib_hour"] for disk in shown["disk_types"]}["CLOUD_SSD"] == "0.0014"
    assert yaml.safe_load(done("catalog", "show", "-o", "yaml")) == shown


def test_before_a_catalog_there_is_nothing_to_show_or_export(db: object) -> None:
    said = "vmart: No catalog has been applied yet: vmart catalog apply FILE does it.\n"
    for words in (["show"], ["export"]):
        result = vmart("catalog", *words)
        assert (result.exit_code, result.stderr) == (3, said)


# -- customers ---------------------------------------------------------------------------------------


def test_customers_are_listed_and_shown(shop: object) -> None:
    account = open_purse("ada", cash_minor=2 * MONTHLY_MINOR)
    open_purse("bob")
    (machine,) = purchase(wanted(account)).instance_ids
    (row,) = json.loads(done("customer", "list", "--search", "ada", "-o", "json"))
    since = Account.objects.get(id=account).created_at.isoformat()
    assert row == {
        "number": account, "email": "ada@example.com", "since": since, "machines": 1, "balance": "265.00",
        "percent_off": "0", "frozen": "",
    }  # fmt: skip
    shown = json.loads(done("customer", "show", "ADA@example.com", "-o", "json"))
    assert (shown["number"], shown["available"], shown["set_aside"]) == (account, "132.50", "132.50")
    assert [row["id"] for row in shown["machines"]] == [machine]
    assert [(row["kind"], row["amount"]) for row in shown["money"]] == [("opening", "265.00")]
    assert machine in done("customer", "show", str(account))


def test_money_is_credited_and_debited_with_reason_actor_and_key(shop: object) -> None:
    account = open_purse("ada")
    words = ["credit", "ada@example.com", "12.50", "--reason", "bank transfer 7", "--key", "b7"]
    assert done("customer", *words) == "done; available: 12.50\n"
    with nothing_written():
        assert done("customer", *words) == "this was done before, and nothing has changed; available: 12.50\n"
    assert done("customer", "debit", str(account), "2.5", "--reason", "fee") == "done; available: 10.00\n"
    assert done("customer", "debit", str(account), "2.5", "--reason", "fee") == "done; available: 7.50\n"
    assert ByHand.objects.filter(actor__startswith="command line (").count() == 3
    with nothing_written():
        below = vmart("customer", "debit", str(account), "7.51", "--reason", "fee")
    assert (below.exit_code, below.stderr) == (3, "vmart: ¥7.51 cannot be taken: ¥7.50 lie free in this purse.\n")


@pytest.mark.parametrize("amount", ["0", "1.001", "ten"])
def test_a_wrong_amount_is_refused(shop: object, amount: str) -> None:
    account = open_purse("ada")
    with nothing_written():
        result = vmart("customer", "credit", "ada@example.com", amount, "--reason", "x")
    assert result.exit_code == 3
    assert "amount" in result.stderr
    assert balance(account).cash_minor == 0


def test_freeze_unfreeze_and_quota(shop: object) -> None:
    account = open_purse("ada")
    assert done("customer", "freeze", "ada@example.com", "--reason", "Stolen card.") == "buys nothing from now on\n"
    assert done("customer", "freeze", "ada@example.com", "--reason", "Stolen card.") == "it is so already\n"
    assert done("customer", "unfreeze", "ada@example.com") == "may buy again\n"
    assert done("customer", "quota", "ada@example.com", "--postpaid-per-zone", "7", "--run-per-s", "2") == "set\n"
    assert Account.objects.get(id=account).frozen_reason == ""
    held = quotas.of(account)
    assert (held["postpaid_per_zone"], held["run_per_s"]) == (7, 2)
    assert done("customer", "quota", "ada@example.com", "--as-in-catalog", "run-per-s") == "set\n"
    assert quotas.own(account) == {"postpaid_per_zone": 7}
    both = vmart("customer", "quota", "ada@example.com", "--run-per-s", "5", "--as-in-catalog", "run-per-s")
    assert (both.exit_code, "run_per_s: either a number or --as-in-catalog" in both.stderr) == (2, True)
    assert vmart("customer", "quota", "ada@example.com").exit_code == 2
    with nothing_written():
        wrong = vmart("customer", "quota", "ada@example.com", "--as-in-catalog", "run")
    assert (wrong.exit_code, "There is no quota run; there are postpaid_per_zone," in wrong.stderr) == (3, True)
    with nothing_written():
        assert vmart("customer", "quota", "ada@example.com", "--run-per-s", "0").exit_code == 3


@pytest.mark.parametrize("who", ["nobody@example.org", "999999", "\0"])
def test_nobody_is_named(shop: object, who: str) -> None:
    for words in (["show", who], ["credit", who, "1", "--reason", "x"], ["unfreeze", who]):
        with nothing_written():
            result = vmart("customer", *words)
        assert result.exit_code == 3
        assert f"there is no customer {who}" in result.stderr


def test_an_address_names_the_account_that_its_user_owns(shop: object) -> None:
    other, own = open_purse("ada"), open_purse("bob")
    bob = User.objects.get(email="bob@example.com")
    Member.objects.filter(user=bob).delete()
    for account, role in ((other, "viewer"), (own, "owner")):  # he joined the other's first
        Member.objects.create(account_id=account, user=bob, role=role, joined_at=clock.now())
    done("customer", "credit", "Bob@example.com", "12.50", "--reason", "x")
    assert (balance(other).cash_minor, balance(own).cash_minor) == (0, 1250)
    Member.objects.filter(account=own).update(role="billing")
    with nothing_written():
        nobody = vmart("customer", "debit", "bob@example.com", "1", "--reason", "x")
    assert (nobody.exit_code, "there is no customer bob@example.com" in nobody.stderr) == (3, True)
    Member.objects.filter(user=bob).update(role="owner")
    for words in (["credit", "1", "--reason", "x"], ["debit", "1", "--reason", "x"], ["freeze", "--reason", "x"],
                  ["quota", "--run-per-s", "1"], ["show"]):  # fmt: skip
        with nothing_written():
            result = vmart("customer", words[0], "bob@example.com", *words[1:])
        said = f"vmart: bob@example.com owns several accounts: say which by its number, of {other}, {own}\n"
        assert (result.exit_code, result.stderr) == (3, said)


def test_the_address_of_a_customer_is_its_owners(shop: object) -> None:
    account = open_purse("ada")
    first = Member.objects.get(account_id=account)
    owner = User.objects.create_user("owner@example.com", date_joined=clock.now())
    Member.objects.create(account_id=account, user=owner, role="owner", joined_at=clock.now())
    Member.objects.filter(pk=first.pk).update(role="viewer")
    (row,) = json.loads(done("customer", "list", "-o", "json"))
    assert (row["number"], row["email"]) == (account, "owner@example.com")


# -- how things are printed ----------------------------------------------------------------------------


def test_a_table_has_a_head_and_columns_as_wide_as_they_must_be() -> None:
    rows = [{"name": "a", "is_on": True}, {"name": "longer", "is_on": None}]
    assert table(rows) == ["NAME    IS ON", "a       yes", "longer  -"]
    assert table([]) == ["nothing"]
    assert plain({"at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "n": (1, None)}) == {
        "at": "2026-01-02T00:00:00+00:00", "n": [1, None],
    }  # fmt: skip


def test_the_checklist_is_in_doctor_too(shop: object) -> None:
    staffing.add("me@example.org", by=SELLER)
    findings = {row["name"]: row for row in json.loads(vmart("doctor", "-o", "json").output)}
    assert findings["first sale, operator"] == {
        "name": "first sale, operator", "well": True, "text": "1 may see these pages.",
    }  # fmt: skip
    assert findings["first sale, test order"]["well"] is None


# -- what needs the seller -----------------------------------------------------------------------------


def test_what_needs_the_seller_is_listed(shop: object) -> None:
    assert (done("attention"), done("attention", "-o", "json")) == ("nothing\n", "[]\n")
    account, since = open_purse("ada"), dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)
    Stuck.objects.create(account_id=account, from_hour=since, reason="no price is in force")
    Zone.objects.filter(code="ap-guangzhou-3").update(capabilities={"pools": {"a": [9, 10]}})
    uncharged, filling = json.loads(done("attention", "-o", "json"))
    assert uncharged == {
        "severity": "error", "tag": "account_not_charged", "subject_kind": "account", "subject": str(account),
        "number": 1, "since": "2026-03-10T02:00:00+00:00", "where": f"/seller/customers/{account}/",
        "text": "Accounts whose usage is not charged from then on: 1. no price is in force. Mend what it says, most"
                " often a price that is missing: each hourly close tries again.",
    }  # fmt: skip
    assert (filling["tag"], filling["since"], filling["where"]) == (
        "storage_filling",
        None,
        "/seller/zones/ap-guangzhou-3/",
    )
    assert yaml.safe_load(done("attention", "-o", "yaml")) == [uncharged, filling]
    head, first, second = done("attention").splitlines()
    assert head.split() == ["SEVERITY", "TAG", "SUBJECT", "KIND", "SUBJECT", "NUMBER", "SINCE", "WHERE", "TEXT"]
    assert (first.split()[:2], second.split()[:2]) == (["error", "account_not_charged"], ["warning", "storage_filling"])


def test_much_that_needs_the_seller_is_listed_a_page_at_a_time(shop: object) -> None:
    EngineDrift.objects.bulk_create(
        EngineDrift(zone_id="ap-guangzhou-3", name=f"ins-{n:08}", kind="unknown", since_wall_at=clock.wall())
        for n in range(PAGE + 2)
    )
    first = vmart("attention", "-o", "json")
    assert (first.exit_code, len(json.loads(first.stdout))) == (0, PAGE)
    key = first.stderr.removeprefix("further ones: --before ").strip()
    rest = json.loads(done("attention", "-o", "json", "--before", key))
    assert [row["subject"] for row in rest] == ["ins-00000001", "ins-00000000"]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (Summary(0, False, ""), "  nothing needs your attention"),
        (Summary(3, False, "warning"), "  needs your attention: 3, the worst: warning; `vmart attention` lists them"),
        (Summary(100, True, "error"), "  needs your attention: 100+, the worst: error; `vmart attention` lists them"),
        (None, None),  # another user's shop, or one of another version
    ],
)
def test_status_says_how_much_needs_the_seller(found: Summary | None, line: str | None) -> None:
    value = {
        "running": True, "data_dir": "/d", "pid": 1, "ready": True, "url": "http://x", "tls_endpoint": None,
        "web": True, "engine": "Incus", "instance_kind": "container", "database": True, "engine_state": None,
        "processes": {}, "attention": dataclasses.asdict(found) if found else None,
    }  # fmt: skip
    shown = ["vmart runs on /d (process 1)", "  http://x", "  engine: Incus (container)"]
    assert show_status(value).splitlines() == shown + ([line] if line else [])


# -- why there is no room ------------------------------------------------------------------------------


def test_placement_is_explained_for_a_type(shop: object) -> None:
    hosts = Host.objects.filter(zone_id="ap-guangzhou-4")
    n = hosts.count()
    words = ["placement", "explain", "--zone", "ap-guangzhou-4", "--type", "S5.MEDIUM4", "--disk", "70"]
    assert json.loads(done(*words, "-o", "json"))[-1] == {"filter": "disk", "asks": "70 GiB", "hosts": n}
    hosts.update(memory_capacity_mib=4095)
    full = vmart(*words)
    assert full.exit_code == 1
    assert [line.split() for line in full.output.splitlines()] == [
        ["FILTER", "ASKS", "HOSTS"], ["hosts", "ap-guangzhou-4", str(n)], ["online", "-", str(n)],
        ["accepting", "-", str(n)], ["vCPU", "2", str(n)], ["memory", "4096", "MiB", "0"],
        ["disk", "70", "GiB", "0"],
    ]  # fmt: skip


def test_a_host_is_put_into_a_rack_and_out_of_it(shop: object) -> None:
    assert done("placement", "rack", "ap-guangzhou-4", "gz4-a", "A1") == "gz4-a is in the rack A1\n"
    assert Host.objects.get(name="gz4-a").rack == "A1"
    assert done("placement", "rack", "ap-guangzhou-4", "gz4-a") == "gz4-a is in no rack\n"
    assert Host.objects.get(name="gz4-a").rack == ""


@pytest.mark.parametrize(
    ("host", "rack", "said"),
    [
        ("gz9-a", "A1", "there is no host gz9-a in ap-guangzhou-4: see `vmart status`"),
        ("gz4-a", "A" * 41, "a rack is called by at most 40 printable characters"),
        ("gz4-a", "two\nlines", "a rack is called by at most 40 printable characters"),
    ],
)
def test_a_rack_that_cannot_be(shop: object, host: str, rack: str, said: str) -> None:
    result = vmart("placement", "rack", "ap-guangzhou-4", host, rack)
    assert (result.exit_code, said in result.output) == (3, True)


def test_placement_is_explained_for_a_machine_that_would_start(shop: object) -> None:
    machine = purchase(wanted(open_purse("ada", cash_minor=MONTHLY_MINOR))).instance_ids[0]
    rows = json.loads(done("placement", "explain", "--machine", machine, "-o", "json"))
    assert rows == [
        {"filter": "hosts", "asks": "its own", "hosts": 1}, {"filter": "online", "asks": "", "hosts": 1},
        {"filter": "accepting", "asks": "", "hosts": 1}, {"filter": "vCPU", "asks": 2, "hosts": 1},
        {"filter": "memory", "asks": "4096 MiB", "hosts": 1},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--zone", "nowhere", "--type", "S5.MEDIUM4"], 3, "there is no zone nowhere"),
        (["--zone", "ap-guangzhou-4", "--type", "S9"], 3, "there is no type S9"),
        (["--machine", "ins-0\0"], 3, "there is no machine ins-0"),
        (["--zone", "ap-guangzhou-4"], 2, "name --zone, --type and perhaps --disk, or --machine alone"),
        (["--machine", "ins-0", "--disk", "9"], 2, "name --zone, --type and perhaps --disk, or --machine alone"),
        (
            ["--machine", "ins-0", "--zone", "ap-guangzhou-4"],
            2,
            "name --zone, --type and perhaps --disk, or --machine alone",
        ),
        ([], 2, "name --zone, --type and perhaps --disk, or --machine alone"),
        (["--zone", "ap-guangzhou-4", "--type", "S5.MEDIUM4", "--disk", "0"], 2, "0 is not in the range"),
    ],
)
def test_what_cannot_be_explained_is_refused(shop: object, words: list[str], code: int, said: str) -> None:
    with nothing_written():
        result = vmart("placement", "explain", *words)
    assert (result.exit_code, said in result.stderr) == (code, True)


# -- spot machines -----------------------------------------------------------------------------------


def test_a_spot_machine_is_taken_back_by_hand(shop: object) -> None:
    account = open_purse("spot", cash_minor=1000)
    spot = dataclasses.replace(HOURLY, charge_type="SPOTPAID", instance_type="S5.SMALL1")
    name = purchase(wanted(account, spot)).instance_ids[0]
    with nothing_written():
        early = vmart("spot", "reclaim", name)  # it is not there yet
        unknown = vmart("spot", "reclaim", "ins-00000000")
    assert (early.exit_code, f"{name} is being made, has notice already, or is ending" in early.stderr) == (3, True)
    assert (unknown.exit_code, "There is no spot machine ins-00000000." in unknown.stderr) == (3, True)
    Instance.objects.filter(public_id=name).update(state="RUNNING", latest_operation_state="SUCCESS")
    assert done("spot", "reclaim", name) == f"{name} is taken back in two minutes\n"
    assert Instance.objects.get().reclaim_at is not None
    assert Event.objects.get(kind="reclaim_announced").actor["via"] == "command"
    assert vmart("spot", "reclaim", name).exit_code == 3


# -- orders ------------------------------------------------------------------------------------------


def test_an_order_is_found_refunded_and_told(shop: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(business_time, "install", lambda: None)  # within the term that was paid
    machine = buy_running(open_purse("anna", cash_minor=50_000), MONTHLY)
    (row,) = json.loads(done("order", "list", "--search", "anna", "-o", "json"))
    number = str(row["order"])
    assert (row["of"], row["paid"], row["state"]) == (machine.public_id, "132.50", "delivered")
    with nothing_written():
        asked = CliRunner().invoke(main, ["order", "refund", number, "10", "--stays", "--reason", "slow"], input="n\n")
        assert (asked.exit_code, "10.00 to cash, 0.00 to gift" in asked.stdout) == (1, True)
        assert "stays until the term that was paid ends" in asked.stdout
    given = ("order", "refund", number, "10", "--stays", "--reason", "slow", "--key", "a", "--yes")
    assert done(*given) == "given back: 10.00\n"
    with nothing_written():
        assert done(*given) == "this was done before, and nothing has changed\n"
    agreed = CliRunner().invoke(main, ["order", "refund", number, "all", "--ends", "--reason", "gone"], input="y\n")
    assert (agreed.exit_code, agreed.stdout.splitlines()[-1]) == (0, "given back: 122.50")
    told = json.loads(done("order", "show", number, "-o", "json"))
    assert (told["state"], told["given_back"], told["left"]) == ("refunded", "132.50", "0.00")
    assert sorted((one["cash"], one["ended"], one["reason"]) for one in told["refunds"]) == [
        ("10.00", False, "slow"), ("122.50", True, "gone"),
    ]  # fmt: skip


def test_an_order_is_voided_by_command(shop: object) -> None:
    account = open_purse("anna", cash_minor=50_000)
    purchase(wanted(account))
    number = str(Order.objects.get().id)
    said = done("order", "void", number, "--reason", "twice")
    assert said == "voided; not delivered any more: 1, free again: 132.50\n"
    assert done("order", "void", number, "--reason", "twice") == "it is so already\n"
    assert balance(account).available_minor == 50_000


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["show", "999999"], 3, "there is no order 999999"),
        (["show", "-1"], 2, ""),
        (["show", "9" * 30], 3, "there is no order"),
        (["refund", "999999", "1", "--stays", "--reason", "x", "--yes"], 3, "There is no order 999999."),
        (["refund", "1", "1", "--reason", "x", "--yes"], 2, "--stays or --ends"),
        (["refund", "1", "1.001", "--stays", "--reason", "x", "--yes"], 3, "at most 2 decimals"),
        (["refund", "1", "1", "--stays", "--reason", " ", "--yes"], 3, "A reason is one line"),
        (["void", "999999", "--reason", "x"], 3, "There is no order 999999."),
    ],
)
def test_what_is_wrong_with_an_order_is_refused_in_a_sentence(
    shop: object, words: list[str], code: int, says: str
) -> None:
    with nothing_written():
        result = vmart("order", *words)
    assert (result.exit_code, says in result.stderr) == (code, True), result.output


# -- card payments -------------------------------------------------------------------------------------


def _paid(card: str = PAYS) -> tuple[int, str]:
    """An account whose card has paid 50.00, and the number of the payment."""
    account = open_purse("anna")
    return account, str(top_up.begin(by(account), 5000, "sandbox", "t", method=card).payment_id)


def test_a_payment_is_found_given_back_to_the_card_and_told(shop: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    account, number = _paid()
    (row,) = json.loads(done("payment", "list", "--search", "anna", "-o", "json"))
    assert (str(row["payment"]), row["amount"], row["back_to_card"], row["state"]) == (
        number, "50.00", "0.00", "succeeded",
    )  # fmt: skip
    with nothing_written():
        asked = CliRunner().invoke(main, ["payment", "refund", number, "20", "--reason", "x"], input="n\n")
    assert (asked.exit_code, asked.stdout) == (1, "")
    for said in ("to the card that paid 50.00", "after it: 30.00", "No money moves", "give 20.00 back", "nothing was"):
        assert said in asked.stderr, said
    given = ("payment", "refund", number, "20", "--reason", "not wanted", "--key", "a", "--yes", "-o", "json")
    first = json.loads(done(*given))
    assert (first["amount"], first["state"], first["reason"]) == ("20.00", "succeeded", "not wanted")
    with nothing_written():
        assert json.loads(done(*given)) == first
    agreed = CliRunner().invoke(main, ["payment", "refund", number, "all", "--reason", "all of it"], input="y\n")
    assert agreed.exit_code == 0
    assert balance(account).available_minor == 0
    told = json.loads(done("payment", "show", number, "-o", "json"))
    assert (told["back_to_card"], told["left"]) == ("50.00", "0.00")
    assert [(one["amount"], one["reason"]) for one in told["refunds"]] == [
        ("30.00", "all of it"), ("20.00", "not wanted"),
    ]  # fmt: skip


def test_a_refund_that_fails_is_said_by_the_exit_code(shop: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    account, number = _paid(TAKES_NOTHING_BACK)
    failed = vmart("payment", "refund", number, "all", "--reason", "x", "--yes", "-o", "json")
    assert (failed.exit_code, json.loads(failed.stdout)["why"]) == (1, "The card takes no money back.")
    assert balance(account).available_minor == 5000


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["show", "999999"], 3, "there is no payment 999999"),
        (["show", "-1"], 2, ""),
        (["show", "9" * 30], 3, "there is no payment"),
        (["refund", "999999", "1", "--reason", "x", "--yes"], 3, "The payment 999999 does not exist."),
        (["refund", "9" * 30, "1", "--reason", "x", "--yes"], 3, "does not exist."),
        (["refund", "1", "1.001", "--reason", "x", "--yes"], 3, "at most 2 decimals"),
        (["refund", "1", "0", "--reason", "x", "--yes"], 3, "above 0"),
        (["refund", "1", "1", "--reason", " ", "--yes"], 3, "A reason is one line"),
        (["refund", "1", "1", "--yes"], 2, "--reason"),
    ],
)
def test_what_is_wrong_with_a_payment_is_refused_in_a_sentence(
    shop: object, words: list[str], code: int, says: str
) -> None:
    with nothing_written():
        result = vmart("payment", *words)
    assert (result.exit_code, says in result.stderr) == (code, True), result.output


# -- hosts -------------------------------------------------------------------------------------------


def test_a_host_is_drained_listed_and_undone(shop: object) -> None:
    assert done("placement", "drain", "ap-guangzhou-4", "gz4-a") == "drained\n"
    assert done("placement", "drain", "ap-guangzhou-4", "gz4-a") == "it is so already\n"
    listed = json.loads(done("placement", "hosts", "--zone", "ap-guangzhou-4", "-o", "json"))
    assert {one["host"]: one["state"] for one in listed}["gz4-a"] == "drained"
    assert {one["state"] for one in listed if one["host"] != "gz4-a"} <= {"on"}
    assert done("placement", "drain", "ap-guangzhou-4", "gz4-a", "--undo") == "takes machines again\n"
    with nothing_written():
        nobody = vmart("placement", "drain", "ap-guangzhou-4", "nobody")
    assert (nobody.exit_code, nobody.stderr) == (3, "vmart: There is no host nobody in ap-guangzhou-4.\n")
