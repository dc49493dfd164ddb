"""Who sells here: invited, changed and removed by an admin; asked again in each act's own commit; one admin stays."""

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from importlib import import_module

import pytest
from django.db import connection
from django.test import Client, override_settings

from tests.support.actors import SELLER
from tests.support.actors import by as by_customer
from tests.support.at_once import at_once, wait_until_blocked
from tests.support.shopper import open_purse
from tests.support.written import nothing_written, refused
from tests.web.visiting import PASSWORD, ZONE, Visitor, customer, open_business, operator, text_of
from vmart.backoffice import apply_catalog, own_shop, prices, staffing
from vmart.backoffice.first_run import answers, trial
from vmart.customers import notes, staff
from vmart.customers.models import StaffChange, User
from vmart.customers.roles import NotPermitted
from vmart.customers.staff import StaffPermission, StaffRole
from vmart.events.actor import SELLER as PAGES
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue
from vmart.ledger.queries import balance
from vmart.orders import by_hand, discount, on_behalf, standing
from vmart.payments import refunded, to_card, top_up, unexplained
from vmart.payments.models import CardRefund, Unexplained
from vmart.payments.providers.sandbox import PAYS, TAKES_NOTHING_BACK
from vmart.worker import queue
from vmart.worker.models import Operation

Takes = StaffPermission
pytestmark = pytest.mark.usefixtures("shop")


def asking(visitor: Visitor, permission: StaffPermission) -> Actor:
    """As the seller's pages have it of a request that they let."""
    return Actor(None, PAGES, visitor.user.email, staff=visitor.user.pk, roles=staff.having(permission))


# -- the page ------------------------------------------------------------------------------------------


def test_an_admin_invites_and_the_link_sets_a_password() -> None:
    admin = operator()
    page = admin.post("/seller/staff/", {"email": "new@example.org", "role": "support"})
    assert page.status_code == 200
    new = User.objects.get(email="new@example.org")
    assert (new.is_staff, new.staff_role, new.is_superuser, new.has_usable_password()) == (
        True,
        "support",
        False,
        False,
    )
    shown = text_of(page)
    assert "new@example.org Support Invited" in shown
    assert f"{admin.user.email} Administrator Signs in" in shown
    link = page.content.decode().partition('id="staff-link"')[2].partition(">")[2].partition("<")[0]
    invited = Client()
    form = invited.get(link.removeprefix("http://testserver"), follow=True)
    chosen = {"password1": PASSWORD, "password2": PASSWORD}
    assert invited.post(form.redirect_chain[-1][0], chosen).status_code == 302
    signed_in = Client()
    signed_in.post("/accounts/login/", {"login": new.email, "password": PASSWORD})
    assert (signed_in.get("/seller/customers/").status_code, signed_in.get("/seller/staff/").status_code) == (200, 403)
    assert link not in admin.get("/seller/staff/").content.decode()  # shown once


def test_who_has_not_chosen_a_password_yet_gets_a_new_link_and_who_has_is_refused() -> None:
    admin, other = operator(), operator("finance")
    for role in ("support", "operations"):
        page = admin.post("/seller/staff/", {"email": "new@example.org", "role": role})
        assert 'id="staff-link"' in page.content.decode()
    assert User.objects.get(email="new@example.org").staff_role == "operations"
    with nothing_written():
        page = admin.post("/seller/staff/", {"email": other.user.email.upper(), "role": "admin"})
    assert (page.status_code, f"{other.user.email} sells here already." in text_of(page)) == (422, True)


def test_no_customers_user_is_taken_by_a_page() -> None:
    """Whoever is shown the link could sign in as the customer; on the shop's machine it is done knowingly."""
    buyer, admin = customer(), operator()
    with nothing_written():
        page = admin.post("/seller/staff/", {"email": buyer.user.email, "role": "support"})
    assert page.status_code == 422
    assert f"{buyer.user.email} is a customer&#x27;s user" in page.content.decode()
    assert staffing.add(buyer.user.email, "support", by=SELLER).user.staff_role == "support"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"email": "nobody", "role": "support"}, "nobody is no e-mail address."),
        ({"email": "", "role": "support"}, "is no e-mail address."),
        ({"email": "a@example.org", "role": "owner"}, "The role is one of: admin, support, finance, operations."),
        ({"email": "a@example.org", "role": ""}, "The role is one of:"),
        ({"email": "a@example.org"}, "The role is one of:"),
        ({"email": "<b>@example.org", "role": "admin"}, "&lt;b&gt;@example.org is no e-mail address."),
        ({"email": f"{'a' * 250}@example.org", "role": "admin"}, "at most 254 characters"),
    ],
)
def test_what_is_wrong_of_an_invitation_is_said_beside_it(form: dict[str, str], said: str) -> None:
    admin = operator()
    with nothing_written():
        page = admin.post("/seller/staff/", form)
    assert page.status_code == 422
    assert said in page.content.decode()


def test_a_shop_is_sold_in_by_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staffing, "STAFF_MAX", 2)
    admin = operator()
    assert admin.post("/seller/staff/", {"email": "a@example.org", "role": "support"}).status_code == 200
    with nothing_written():
        page = admin.post("/seller/staff/", {"email": "b@example.org", "role": "support"})
    assert (page.status_code, "at most 2 people who sell" in text_of(page)) == (422, True)


def test_another_role_holds_from_the_next_request_on_and_is_written_down() -> None:
    admin, other = operator(), operator("support")
    assert other.get("/seller/catalog/").status_code == 403
    answer = admin.post(f"/seller/staff/{other.user.pk}/", {"act": "role", "role": "operations"})
    assert (answer.status_code, answer["Location"]) == (302, "/seller/staff/")
    assert (other.get("/seller/catalog/").status_code, other.get("/seller/customers/").status_code) == (200, 403)
    assert "Support → Operations" in text_of(admin.get("/seller/staff/"))
    admin.post(f"/seller/staff/{other.user.pk}/", {"act": "remove"})
    assert other.get("/seller/").status_code == 403
    told = StaffChange.objects.order_by("id").values_list("user__email", "before", "role", "by")
    assert list(told) == [
        (other.user.email, "support", "operations", admin.user.email),
        (other.user.email, "operations", "", admin.user.email),
    ]
    assert "Operations → sells here no more" in text_of(admin.get("/seller/staff/"))
    with nothing_written():
        assert admin.post(f"/seller/staff/{other.user.pk}/", {"act": "remove"}).status_code == 404


def test_a_repeat_of_a_role_writes_nothing() -> None:
    admin, other = operator(), operator("support")
    staffing.change(other.user.email, "support", by=asking(admin, StaffPermission.STAFF))
    assert not StaffChange.objects.exists()


@pytest.mark.parametrize("form", [{"act": "role", "role": "support"}, {"act": "remove"}])
def test_the_last_admin_stays(form: dict[str, str]) -> None:
    admin, closed = operator(), operator()
    operator("support")
    User.objects.filter(pk=closed.user.pk).update(is_active=False)
    with nothing_written():
        answer = admin.post(f"/seller/staff/{admin.user.pk}/", form)
    page = text_of(answer if answer.status_code == 422 else admin.get(answer["Location"]))
    assert f"{admin.user.email} is the last admin: make another one first." in page
    assert admin.get("/seller/staff/").status_code == 200


@pytest.mark.parametrize("first", ["remove", "change"])
def test_of_two_admins_who_end_each_other_one_stays(first: str) -> None:
    """And the other is no admin any more by then: the second is refused, whichever rule finds it first."""
    one, other = operator(), operator()

    def deed(by: Visitor, of: Visitor, how: str) -> Callable[[], object]:
        actor = asking(by, StaffPermission.STAFF)
        if how == "remove":
            return lambda: staffing.remove(of.user.email, by=actor)
        return lambda: staffing.change(of.user.email, "support", by=actor)

    outcomes = at_once(deed(one, other, first), deed(other, one, "remove"))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NotPermitted", "User"]
    assert User.objects.filter(is_staff=True, staff_role="admin").count() == 1


def test_who_gives_the_own_role_away_is_led_out() -> None:
    admin = operator()
    operator()
    answer = admin.post(f"/seller/staff/{admin.user.pk}/", {"act": "role", "role": "support"})
    assert (answer["Location"], admin.get("/seller/staff/").status_code) == ("/", 403)


# -- by mail -------------------------------------------------------------------------------------------


def test_a_shop_with_mail_sends_the_link_and_shows_it_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    monkeypatch.setattr(
        "vmart.backoffice.staff_pages.DefaultAccountAdapter.send_mail",
        lambda _self, template, to, told: sent.append((template, to, told)),
    )
    admin = operator()
    with override_settings(SENDS_MAIL=True, PUBLIC_URL="https://shop.example.org"):
        answer = admin.post("/seller/staff/", {"email": "new@example.org", "role": "finance"})
    assert (answer.status_code, answer["Location"]) == (302, "/seller/staff/")
    ((template, to, told),) = sent
    assert (template, to, told["role"]) == ("account/email/staff_invitation", "new@example.org", "Finance")
    assert told["link"].startswith("https://shop.example.org/accounts/password/reset/key/")
    page = admin.get("/seller/staff/").content.decode()
    assert "An invitation was sent to new@example.org." in page
    assert 'id="staff-link"' not in page


# -- asked again, in the act's own commit --------------------------------------------------------------


def _acts(
    who: Actor, account: int, numbers: tuple[int, ...]
) -> dict[str, tuple[StaffPermission, Callable[[], object]]]:
    """Each act of the seller's pages that writes, whatever it writes, by what it takes."""

    def by(permission: StaffPermission) -> Actor:
        return replace(who, roles=staff.having(permission))

    last = apply_catalog.last_applied()
    movement = by_hand.Movement(account, 100, "cash", "a transfer", by(Takes.MONEY), "key")
    return {
        "money": (Takes.MONEY, lambda: by_hand.move(movement)),
        "freeze": (Takes.STANDING, lambda: standing.freeze(account, "Stolen.", by(Takes.STANDING))),
        "discount": (
            Takes.MONEY, lambda: discount.set_factor(account, Decimal("0.9"), "buys much", by(Takes.MONEY)),
        ),
        "discount_withdraw": (Takes.MONEY, lambda: discount.withdraw(account, by(Takes.MONEY))),
        "quotas": (Takes.STANDING, lambda: standing.set_quotas(account, {"run_per_s": 3}, by(Takes.STANDING))),
        "dismiss": (Takes.MONEY, lambda: unexplained.dismiss(numbers[0], by(Takes.MONEY))),
        "card_refund": (Takes.MONEY, lambda: to_card.give(
            to_card.Asked(numbers[3], 100), "not wanted", by(Takes.MONEY), "key")),
        "card_refund_seen": (Takes.MONEY, lambda: refunded.see(numbers[4], by(Takes.MONEY))),
        "retry": (Takes.MEND, lambda: queue.retry_by(by(Takes.MEND), numbers[1])),
        "sold_out": (Takes.STOCK, lambda: prices.sold_out(ZONE, "S5.MEDIUM4", out=True, by=by(Takes.STOCK))),
        "shop": (Takes.SHOP, lambda: own_shop.put({"support": "a@b.org"}, based_on=last.id, by=by(Takes.SHOP))),
        "answers": (Takes.SHOP, lambda: answers.keep("host", {"month": "1"}, by(Takes.SHOP))),
        "forget": (Takes.SHOP, lambda: answers.forget("host", by(Takes.SHOP))),
        "trial": (Takes.SHOP, lambda: trial.buy(by(Takes.SHOP), 0)),
        "note": (Takes.NOTES, lambda: notes.add(account, "calls at noon", by(Takes.NOTES))),
        "strike": (Takes.NOTES, lambda: notes.strike(account, numbers[2], by(Takes.NOTES))),
        "act_as": (Takes.ACT_AS, lambda: on_behalf.begin(account, "Ticket 7", by(Takes.ACT_AS))),
        "act_as_end": (Takes.LOOK, lambda: on_behalf.end(account, by(Takes.LOOK))),
        "add": (Takes.STAFF, lambda: staffing.add("new@example.org", "support", by=by(Takes.STAFF))),
        "change": (Takes.STAFF, lambda: staffing.change("staff@example.org", "support", by=by(Takes.STAFF))),
        "remove": (Takes.STAFF, lambda: staffing.remove("staff@example.org", by=by(Takes.STAFF))),
    }  # fmt: skip


ACTS = [
    "money", "freeze", "discount", "discount_withdraw", "quotas", "dismiss", "card_refund", "card_refund_seen", "retry",
    "sold_out", "shop", "answers", "forget", "trial", "note", "strike", "act_as", "act_as_end", "add", "change",
    "remove",
]  # fmt: skip


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> tuple[int, tuple[int, ...]]:
    """An account; the numbers of a card message, of work of nobody's that waits, of a note, of a payment by card, and
    of a refund to it that failed."""
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")
    open_business()
    account = open_purse()
    staffing.add("staff@example.org", "operations", by=SELLER)
    unexplained.keep("stripe", "pi_1", "no payment here is called so")
    waiting = Operation.objects.create(
        kind="release", subject_kind="machine", subject_id=7, lane=ZONE, due_at=clock.now(), attempt=12, attention=True,
        created_at=clock.wall(),
    )  # fmt: skip
    written = notes.add(account, "calls at night", SELLER)
    discount.set_factor(account, Decimal("0.8"), "a friend", SELLER)
    paid, other = (
        top_up.begin(by_customer(open_purse(card)), 5000, "sandbox", "t", method=card).payment_id
        for card in (PAYS, TAKES_NOTHING_BACK)
    )
    to_card.give(to_card.Asked(other), "not wanted", SELLER, "k")
    return account, (Unexplained.objects.get().pk, waiting.pk, written.pk, paid, CardRefund.objects.get().pk)


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("gone", ["removed", "lowered", "closed"])
def test_an_act_of_who_may_no_more_at_its_commit_leaves_nothing(
    there: tuple[int, tuple[int, ...]], name: str, gone: str
) -> None:
    visitor = operator()
    acts = _acts(asking(visitor, StaffPermission.LOOK), *there)
    assert list(acts) == ACTS
    changed = {"removed": {"is_staff": False}, "lowered": {"staff_role": ""}, "closed": {"is_active": False}}[gone]
    User.objects.filter(pk=visitor.user.pk).update(**changed)
    with refused(NotPermitted, match="Your role does not allow that; it takes one of: "):
        acts[name][1]()


@pytest.mark.parametrize("name", ACTS)
def test_each_role_that_has_the_permission_does_it(there: tuple[int, tuple[int, ...]], name: str) -> None:
    """The control of the one before: the same act of one of the least role that may."""
    permission = _acts(Actor(None, PAGES), *there)[name][0]
    visitor = operator(staff.having(permission)[-1])
    _acts(asking(visitor, permission), *there)[name][1]()


def test_an_act_is_whole_before_its_actor_is_removed(there: tuple[int, tuple[int, ...]]) -> None:
    """The change of the role waits for an act that has been asked, and one that comes after it is refused."""
    account, _ = there
    visitor = operator("finance")
    actor = asking(visitor, StaffPermission.MONEY)
    done: list[object] = []
    removing = threading.Thread(
        target=lambda: done.extend(at_once(lambda: staffing.remove(visitor.user.email, by=SELLER)))
    )
    with db.part_of_act() if db.in_transaction() else db.act():
        standing.told(account, "frozen", {}, {"frozen_reason": "x"}, actor)  # the row of the one who asks is held
        removing.start()
        wait_until_blocked()
        assert User.objects.get(pk=visitor.user.pk).is_staff
    removing.join(30)
    assert [type(one).__name__ for one in done] == ["User"]
    with refused(NotPermitted):
        by_hand.move(by_hand.Movement(account, 100, "cash", "a transfer", actor, "key"))
    assert balance(account).cash_minor == 0


# -- an upgrade ----------------------------------------------------------------------------------------


def test_who_was_an_operator_is_an_admin_after_the_upgrade() -> None:
    before, already, buyer = operator(""), operator("support"), customer()
    migration = import_module("vmart.customers.migrations.0013_staff_roles")
    with connection.cursor() as cursor:
        cursor.execute(migration._ADMINS)
    assert dict(User.objects.values_list("pk", "staff_role")) == {
        before.user.pk: "admin", already.user.pk: "support", buyer.user.pk: "",
    }  # fmt: skip
    assert before.get("/seller/staff/").status_code == 200


# -- the rules of the table ----------------------------------------------------------------------------


def test_the_suggested_roles() -> None:
    assert set(staff.STAFF_ROLES) == set(StaffRole)
    assert staff.STAFF_ROLES[StaffRole.ADMIN] == frozenset(Takes)
    only = (Takes.CATALOG, Takes.SHOP, Takes.STAFF, Takes.ACT_AS_FULLY)
    assert [staff.having(one) for one in only] == [("admin",)] * 4
    assert staff.having(Takes.MONEY) == ("admin", "finance")
    assert staff.having(Takes.STOCK) == ("admin", "operations")
    assert staff.having(Takes.ACT_AS) == ("admin", "support")
    assert not staff.may("", Takes.LOOK)
    assert not staff.may("owner", Takes.LOOK)


def test_a_role_that_is_none_is_refused_by_the_command_too() -> None:
    with refused(InvalidValue, field="role"):
        staffing.add("new@example.org", "owner", by=SELLER)
    one = operator().user.email
    with refused(InvalidValue, field="role"):
        staffing.change(one, "", by=SELLER)


def test_an_admin_who_has_never_come_in_is_not_the_one_who_stays() -> None:
    """By page: the pages would be nobody's. On the shop's machine another one is made at any time."""
    visitor = operator(StaffRole.ADMIN)
    asker = Actor(None, PAGES, visitor.user.email, staff=visitor.user.pk, roles=("admin",))
    staffing.add("never@example.org", "admin", by=asker)
    with nothing_written(), pytest.raises(staffing.LastOperator):
        staffing.remove(visitor.user.email, by=asker)
    staffing.remove(visitor.user.email, by=SELLER)
