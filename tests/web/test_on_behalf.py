"""One of the staff sees a customer's pages as the customer: who may, what is closed, what is written, when it ends."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from django.urls import Resolver404, resolve, reverse

from tests.support import roles_table
from tests.support.shopper import wanted
from tests.support.written import nothing_written, refused
from tests.web.test_offered_to_roles import Offers
from tests.web.test_others_things import NAMED, Things
from tests.web.visiting import Visitor, customer, operator, text_of, work
from vmart.customers import staff
from vmart.customers.models import Account, User
from vmart.customers.roles import NotPermitted, Permission
from vmart.customers.staff import StaffRole
from vmart.events.actor import SELLER, Actor
from vmart.events.models import Event
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import clock
from vmart.ledger.queries import balance
from vmart.orders import on_behalf, stop
from vmart.orders.models import Order
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.pages.permitted import NEEDS, NOT_ON_BEHALF, STAFF_NEEDS
from vmart.web.urls import urlpatterns

ROWS = roles_table.written()["Pages on behalf of a customer"]
ROLES = list(StaffRole)
MAY = [StaffRole.ADMIN, StaffRole.SUPPORT]
_LOOKED_AT = (
    "/overview/", "/machines/", "/disks/", "/orders/", "/balance/", "/buy/", "/networks/", "/security-groups/",
    "/charges/",
)  # fmt: skip
WHY = {"reason": "Ticket 7: the machine does not answer"}
# Nobody's account's, and open meanwhile: the way out, and where a console of a ticket is shown.
ANYBODYS = {"home", "console", "account_logout"}


def begin(visitor: Visitor, buyer: Visitor, form: dict[str, str] = WHY) -> HttpResponse:
    return visitor.post(f"/seller/customers/{buyer.account_id}/act-as/", form)


def acting(role: str, buyer: Visitor, **options: Any) -> Visitor:
    """One of the staff in this role, who acts for the buyer."""
    visitor = operator(role)
    answer = begin(visitor, buyer)
    assert (answer.status_code, answer["Location"]) == (302, "/overview/")
    return visitor


def _address(name: str) -> str:
    if name in NAMED:
        return reverse(name, kwargs=NAMED[name][0](Things()))
    pattern = next(one for one in urlpatterns if one.name == name)
    if name == "invited":
        return "/invitations/nothing/"
    if name == "account_confirm_email":
        return "/accounts/confirm-email/nothing/"
    if name == "account_reset_password_from_key":
        return "/accounts/password/reset/key/a-b/"
    return reverse(name, kwargs={"user_id": 0} if pattern.pattern.converters else {})


def _answer(visitor: Visitor, name: str, how: str) -> HttpResponse:
    if how == "opened":
        return visitor.get(_address(name))
    return visitor.post(_address(name), {"act": "buy"} if name == "buy" else {})


# -- who may, and what ---------------------------------------------------------------------------------


def test_the_table_has_each_page_of_an_account() -> None:
    assert {row[0] for row in ROWS} == set(NEEDS)
    assert set(NEEDS) >= NOT_ON_BEHALF


@pytest.mark.parametrize("role", MAY)
def test_pages_on_behalf(role: StaffRole) -> None:
    """Each cell of the table; what is refused says so, writes nothing, and has the banner too."""
    visitor, here = acting(role, customer()), 3 + ROLES.index(role)
    no = [(row[0], row[1]) for row in ROWS if row[here] == roles_table.NO]
    for name, how in [(row[0], row[1]) for row in ROWS if row[here] == roles_table.YES]:
        answer = _answer(visitor, name, how)
        assert answer.status_code < 500, (name, how)
        assert answer.status_code != 403, (name, how)
        if answer.status_code == 200 and not answer.streaming and b"<html" in answer.content:
            assert b'class="behalf"' in answer.content, name
    with nothing_written():
        for name, how in no:
            answer = _answer(visitor, name, how)
            if answer.status_code != 405:
                assert answer.status_code == 403, (name, how, answer.status_code)
                page = answer.content.decode()
                assert "On behalf of a customer you may not do this" in page, (name, how)
                assert 'class="behalf"' in page
    assert len(no) > (150 if role == StaffRole.SUPPORT else 20)


def test_spending_takes_an_admin_and_members_keys_and_passwords_nobody() -> None:
    """The table itself, read once more: it is generated of what the code declares."""
    for name, how, takes, *cells in ROWS:
        role_may = dict(zip(ROLES, cells, strict=True))
        assert role_may[StaffRole.FINANCE] == role_may[StaffRole.OPERATIONS] == roles_table.NO, name
        if takes in ("spend", "pay", "operate"):
            assert role_may[StaffRole.SUPPORT] == roles_table.NO, (name, how)
        if name in NOT_ON_BEHALF or takes in ("members", "keys", "audit", "owners"):
            assert set(cells) == {roles_table.NO}, (name, how)
    assert {
        "members", "member", "invitation", "members_leave", "api_keys", "api_key", "keys", "machine_keys",
        "order_passwords", "machine_password", "machine_reset_password", "machine_console", "machine_console_ticket",
    } <= NOT_ON_BEHALF  # fmt: skip


@pytest.mark.parametrize("role", MAY)
def test_ones_own_pages_are_closed_meanwhile(role: StaffRole) -> None:
    visitor = acting(role, customer())
    names = {str(pattern.name) for pattern in urlpatterns} - set(NEEDS) - ANYBODYS
    assert {"security", "sessions", "settings", "act_for", "invited", "account_change_password"} <= names
    with nothing_written():
        for name in names:
            for how in ("opened", "sent"):
                assert _answer(visitor, name, how).status_code == 403, (name, how)


@pytest.mark.parametrize("role", [StaffRole.FINANCE, StaffRole.OPERATIONS])
def test_it_takes_the_permission(role: StaffRole) -> None:
    visitor, buyer = operator(role), customer()
    with nothing_written():
        answer = begin(visitor, buyer)
    assert (answer.status_code, "Your role is" in text_of(answer)) == (403, True)
    assert visitor.get("/overview/")["Location"] == "/seller/"


def test_customers_and_strangers_do_not_act_for_anybody() -> None:
    buyer, other = customer(), customer()
    with nothing_written():
        assert begin(other, buyer).status_code == 403
        assert begin(Visitor(), buyer)["Location"].startswith("/accounts/login/")
        assert other.post("/seller/act-as/end/").status_code == 403
    assert (
        other.post(f"/seller/customers/{buyer.account_id}/act-as/?account={buyer.account_id}", WHY).status_code == 403
    )


@pytest.mark.parametrize("reason", ["", "   ", "a\nb", "x" * 201, "\0"])
def test_it_takes_a_reason(reason: str) -> None:
    visitor, buyer = operator("support"), customer()
    with nothing_written():
        answer = begin(visitor, buyer, {"reason": reason})
    assert answer.status_code == 422
    assert 'id="act-as-reason_error"' in answer.content.decode()
    assert visitor.get("/overview/")["Location"] == "/seller/"


def test_there_is_no_such_customer() -> None:
    visitor = operator("support")
    for number in (999_999_999, 2**63):
        with nothing_written():
            assert visitor.post(f"/seller/customers/{number}/act-as/", WHY).status_code == 404


def test_no_page_offers_support_what_is_refused() -> None:
    buyer = customer()
    buyer.buy()
    work()
    machine = Instance.objects.get().public_id
    for role in MAY:
        visitor, here = acting(role, buyer), 3 + ROLES.index(role)
        let = {(row[0], row[1]): row[here] == roles_table.YES for row in ROWS}
        wrong = set()
        for address in (*_LOOKED_AT, f"/machines/{machine}/", f"/orders/{Order.objects.get().id}/"):
            answer = visitor.get(address, follow=True)
            assert answer.status_code == 200, address
            for name, how in _offers(answer.content.decode(), address):
                if name in NEEDS and name != "buy" and not let.get((name, how), let.get((name, "opened"), True)):
                    wrong.add((address, name, how))
                assert name in NEEDS or name in STAFF_NEEDS or name in ANYBODYS | {"set_theme", "set_language", ""}, (
                    name
                )
        assert wrong == set(), role


def _offers(page: str, here: str) -> set[tuple[str, str]]:
    found = set()
    for address, sent in Offers(page, here).found:
        try:
            name = resolve(urlsplit(address).path or here).view_name
        except Resolver404:
            continue
        found.add((name, "sent" if sent else "opened"))
    return found


# -- what is written -----------------------------------------------------------------------------------


def test_begin_act_and_end_stand_in_the_customers_audit_log() -> None:
    buyer = customer()
    buyer.buy("?charge=postpaid")
    work()
    machine = Instance.objects.get()
    admin = acting("admin", buyer)
    assert admin.post(f"/machines/{machine.public_id}/stop/", {}).status_code == 302
    assert admin.post("/seller/act-as/end/")["Location"] == f"/seller/customers/{buyer.account_id}/"
    told = [
        (event.kind, event.actor, event.detail.get("why"))
        for event in Event.objects.filter(account_id=buyer.account_id, actor__via="seller").order_by("id")
    ]
    who = {"via": "seller", "user": admin.user.email, "address": "127.0.0.1"}
    assert told == [
        ("behalf_begun", who, WHY["reason"]),
        ("StopInstances", who | {"behalf": "yes"}, None),
        ("behalf_ended", who, None),
    ]
    log = text_of(buyer.get("/activity/"))
    assert "Stop asked for the seller, on behalf" in log
    assert f"Seller acts on behalf {WHY['reason']} the seller" in log
    assert admin.user.email not in log
    assert f"Stop asked for {admin.user.email} on behalf" in text_of(
        operator().get(f"/seller/customers/{buyer.account_id}/")
    )
    file = b"".join(buyer.get("/activity/?as=csv")).decode()  # type: ignore[arg-type]
    assert "seller (on behalf)" in file
    assert admin.user.email not in file


def test_an_admin_buys_with_the_customers_money_and_support_does_not() -> None:
    buyer = customer()
    before = balance(buyer.account_id).available_minor
    support = acting("support", buyer)
    form = support.buy_form()
    with nothing_written():
        assert support.post("/buy/", form | {"act": "buy"}).status_code == 403
    admin = acting("admin", buyer)
    assert admin.buy().status_code == 303
    assert Order.objects.get().account_id == buyer.account_id
    assert balance(buyer.account_id).available_minor < before
    bought = Event.objects.get(kind="RunInstances")
    assert (bought.account_id, bought.actor["user"], bought.actor["behalf"]) == (
        buyer.account_id, admin.user.email, "yes",
    )  # fmt: skip


@pytest.mark.parametrize("act", ["create_key", "import_key"])
def test_no_key_pair_is_made_beside_a_purchase(act: str) -> None:
    admin = acting("admin", customer())
    with nothing_written():
        answer = admin.post("/buy/", admin.buy_form() | {"act": act, "key_name": "mine", "public_key": "ssh-ed25519 A"})
    assert answer.status_code == 403
    assert not KeyPair.objects.exists()


def _on_behalf(visitor: Visitor, account_id: int, permission: Permission) -> Actor:
    return Actor(
        account_id, SELLER, visitor.user.email, staff=visitor.user.pk, behalf=True,
        roles=staff.having_on_behalf(permission),
    )  # fmt: skip


@pytest.mark.parametrize("gone", [{"is_staff": False}, {"staff_role": "support"}, {"is_active": False}])
def test_it_is_asked_again_in_the_commit(gone: dict[str, object]) -> None:
    buyer, admin = customer(), operator()
    buyer.buy("?charge=postpaid")
    work()
    machine = Instance.objects.get().public_id
    User.objects.filter(pk=admin.user.pk).update(**gone)
    spender, worker = (_on_behalf(admin, buyer.account_id, one) for one in (Permission.SPEND, Permission.OPERATE))
    said = "Your role does not allow that; it takes one of: admin."
    with refused(NotPermitted, match=said):
        stop.stop(worker, [machine])
    with refused(NotPermitted, match=said):
        purchase(replace(wanted(buyer.account_id), actor=spender))


# -- how it ends ---------------------------------------------------------------------------------------


def _over_by_time(_visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.wall()
    monkeypatch.setattr(clock, "wall", lambda: now + dt.timedelta(minutes=60, seconds=1))


def _over_by_role(visitor: Visitor, _monkeypatch: pytest.MonkeyPatch) -> None:
    User.objects.filter(pk=visitor.user.pk).update(staff_role="finance")


@pytest.mark.parametrize("over", [_over_by_time, _over_by_role])
def test_what_is_sent_too_late_is_done_in_no_account(
    over: Callable[[Visitor, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the customer's, nor in one of one's own."""
    buyer, own = customer(), customer()
    User.objects.filter(pk=own.user.pk).update(is_staff=True, staff_role="admin")
    begin(own, buyer)
    assert buyer.user.email in text_of(own.get("/networks/"))
    over(own, monkeypatch)
    before = Event.objects.latest("id").id
    answer = own.post("/networks/", {"act": "create_vpc", "name": "x", "region": "ap-guangzhou", "cidr": "10.9.0.0/16"})
    assert (answer.status_code, answer["Location"]) == (302, f"/seller/customers/{buyer.account_id}/")
    told = Event.objects.filter(id__gt=before).values_list("account_id", "kind", "actor__user")
    assert list(told) == [(buyer.account_id, "behalf_ended", own.user.email)]
    page = own.get("/networks/", follow=True)
    assert 'class="behalf"' not in page.content.decode()
    assert "You act for the customer no more" in text_of(page)
    assert own.post("/api-keys/", {"act": "create"}).status_code == 200  # one's own again
    assert Event.objects.latest("id").account_id == own.account_id


def test_who_may_open_no_customers_page_any_more_is_led_to_the_sellers() -> None:
    support = acting("support", customer())
    User.objects.filter(pk=support.user.pk).update(staff_role="operations")
    assert support.post("/seller/act-as/end/")["Location"] == "/seller/"


def test_it_lasts_until_the_hour_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    support, now = acting("support", customer()), clock.wall()
    monkeypatch.setattr(clock, "wall", lambda: now + dt.timedelta(minutes=59))
    assert support.get("/machines/").status_code == 200
    monkeypatch.setattr(clock, "wall", lambda: now + dt.timedelta(minutes=60, seconds=1))
    assert support.get("/machines/").status_code == 302
    assert support.get("/machines/")["Location"] == "/seller/"


def test_who_is_removed_meanwhile_sees_nothing_more() -> None:
    support = acting("support", customer())
    User.objects.filter(pk=support.user.pk).update(is_staff=False)
    assert support.get("/machines/")["Location"] == "/"
    assert support.post("/seller/act-as/end/").status_code == 403


def test_signing_out_ends_it() -> None:
    support = acting("support", customer())
    support.post("/accounts/logout/")
    assert support.get("/machines/")["Location"].startswith("/accounts/login/")
    assert "behalf" not in support.session


def test_forms_of_before_and_of_meanwhile_are_refused() -> None:
    """The token of the forms changes where the account does: at the begin, and at the end."""
    buyer = customer()
    admin = Visitor(enforce_csrf_checks=True)
    admin.user = operator().user
    admin.force_login(admin.user)

    def token(page: HttpResponse) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
        assert found
        return found[1]

    address = f"/seller/customers/{buyer.account_id}/"
    first = token(admin.get(address))
    assert admin.post(f"{address}act-as/", WHY).status_code == 403  # without one
    assert admin.post(f"{address}act-as/", WHY | {"csrfmiddlewaretoken": first}).status_code == 302
    assert admin.post(f"{address}freeze/", {"why": "x", "csrfmiddlewaretoken": first}).status_code == 403
    second = token(admin.get("/overview/", follow=True))
    assert admin.post("/seller/act-as/end/", {"csrfmiddlewaretoken": second}).status_code == 302
    assert admin.post(f"{address}freeze/", {"why": "x", "csrfmiddlewaretoken": second}).status_code == 403
    assert Account.objects.get(pk=buyer.account_id).frozen_reason == ""


def test_the_end_button_of_nobody_leads_to_the_sellers_page() -> None:
    support = operator("support")
    assert support.post("/seller/act-as/end/")["Location"] == "/seller/"
    assert support.get("/seller/act-as/end/").status_code == 405


def test_the_banner_says_for_whom_and_escapes_it() -> None:
    buyer = customer()
    User.objects.filter(pk=buyer.user.pk).update(email="<script>x</script>@example.org")
    page = acting("support", buyer).get("/overview/", follow=True).content.decode()
    assert "&lt;script&gt;x&lt;/script&gt;@example.org" in page
    assert "<script>x" not in page
    assert "Seller, looking on behalf" in page


@pytest.mark.parametrize("how", ["another", "signed out"])
def test_however_it_ends_the_customers_log_says_so(how: str) -> None:
    buyer, other = customer(), customer()
    visitor = acting("support", buyer)
    if how == "another":
        begin(visitor, other)
    else:
        visitor.post("/accounts/logout/")
    told = Event.objects.filter(account_id=buyer.account_id, kind__startswith="behalf").order_by("id")
    assert list(told.values_list("kind", flat=True)) == ["behalf_begun", "behalf_ended"]


def test_a_part_that_comes_anew_does_not_swallow_that_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    buyer = customer()
    visitor = acting("support", buyer)
    _over_by_time(visitor, monkeypatch)
    part = visitor.get("/search/?q=x", headers={"HX-Request": "true"})
    assert (part.status_code, part["HX-Refresh"], part.content) == (200, "true", b"")
    assert "You act for the customer no more: nothing was done." in text_of(visitor.get("/networks/", follow=True))


def test_who_buys_for_a_customer_chooses_no_way_into_the_machine() -> None:
    buyer = customer()
    visitor = acting("admin", buyer)
    answer = visitor.buy("?login=password", password="My-own-Pass-123")
    told = "On behalf of a customer no password is chosen: the shop makes one for the customer."
    assert (answer.status_code, told in text_of(answer)) == (422, True)
    kept = Machine(image_id="img-00000000", user_data=b"#!/bin/sh\ntrue\n")
    with pytest.raises(NotPermitted) as why:
        on_behalf.refuse_way_in(kept)
    assert (why.value.field, why.value.sentence) == (
        "user_data", "On behalf of a customer nothing is run at the first boot.",
    )  # fmt: skip
    assert not Order.objects.exists()
    assert visitor.buy().status_code == 303
    assert Order.objects.count() == 1
