"""Given an account with members, when they are invited, join, change and leave, then it is so at once, and told."""

import dataclasses
import re
import threading
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.test import Client, override_settings

from tests.api.calling import Client as Api
from tests.api.calling import Ring, TestKey, application, send
from tests.api.signing import SECRET_ID, sdk_request
from tests.support.at_once import at_once, wait_until_blocked
from tests.support.business_clock import BusinessClock
from tests.support.mail_sink import Sink, link
from tests.support.written import nothing_written, refused
from tests.web.membership import member_of
from tests.web.visiting import PASSWORD, Visitor, customer, text_of
from vmart.api import services
from vmart.customers import api_keys
from vmart.customers.models import Account, ApiKey, Invitation, Member, User
from vmart.events.models import Event
from vmart.instances.models import KeyPair
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue, LimitExceeded
from vmart.orders import open_account


def invite(sink: Sink, owner: Visitor, email: str, role: str = "viewer") -> str:
    """The path of the link in the mail."""
    answer = owner.post("/members/", {"email": email, "role": role})
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/members/"), text_of(answer)
    return urlsplit(link(sink)).path


def role_of(account_id: int, user: User) -> str | None:
    return Member.objects.filter(account_id=account_id, user=user).values_list("role", flat=True).first()


def test_who_has_a_user_joins_by_the_link_and_acts_for_that_account(sink: Sink) -> None:
    owner, friend = customer(), customer()
    path = invite(sink, owner, friend.user.email.upper(), "operator")
    assert sink.mails[-1][1] == [friend.user.email.upper()]
    assert sink.mails[-1][2]["Subject"] == f"You are invited into {owner.user.email}"
    page = friend.get(path)
    assert page.status_code == 200
    assert f"{owner.user.email} invites" in text_of(page)
    assert friend.get(path).status_code == 200  # looking uses nothing up
    answer = friend.post(path)
    assert (answer.status_code, answer["Location"]) == (302, "/overview/")
    assert role_of(owner.account_id, friend.user) == "operator"
    assert f"You are a member of {owner.user.email} now." in text_of(friend.get("/machines/"))
    assert friend.get("/members/").status_code == 200
    kinds = list(Event.objects.filter(account_id=owner.account_id, subject_kind="user").order_by("id"))
    assert [(one.kind, one.actor["user"], one.detail["role"]) for one in kinds] == [
        ("member_invited", owner.user.email, "operator"), ("member_joined", friend.user.email, "operator"),
    ]  # fmt: skip


def test_the_word_of_a_link_is_kept_nowhere(sink: Sink) -> None:
    path = invite(sink, customer(), "new@example.net")
    word = path.split("/")[2]
    kept = Invitation.objects.get()
    assert len(word) == 43
    assert word.encode() not in bytes(kept.digest)
    assert word not in str(Event.objects.latest("id").__dict__)


def test_who_has_no_user_signs_up_by_the_link_and_has_no_account_of_his_own(sink: Sink) -> None:
    owner = customer()
    path = invite(sink, owner, "new@example.net", "billing")
    stranger = Client()
    assert "Sign up to join" in stranger.get(path).content.decode()
    signup = stranger.post(path)["Location"]
    assert signup == "/accounts/signup/?email=new%40example.net"
    assert 'value="new@example.net"' in stranger.get(signup).content.decode()
    sent = len(sink.mails)
    answer = stranger.post(
        "/accounts/signup/", {"email": "new@example.net", "password1": PASSWORD, "password2": PASSWORD}
    )
    assert answer.status_code == 302, text_of(answer)
    assert len(sink.mails) == sent  # the link has proven the address
    joined = User.objects.get(email="new@example.net")
    assert [(one.account_id, one.role) for one in Member.objects.filter(user=joined)] == [(owner.account_id, "billing")]
    assert stranger.get("/balance/").status_code == 200
    assert Account.objects.count() == 1


def test_who_signs_up_with_another_address_gets_an_account_of_his_own(sink: Sink) -> None:
    owner = customer()
    path = invite(sink, owner, "new@example.net", "admin")
    stranger = Client()
    stranger.post(path)
    answer = stranger.post("/accounts/signup/", {"email": "thief@example.net", "password1": PASSWORD})
    assert answer.status_code == 302, text_of(answer)
    thief = User.objects.get(email="thief@example.net")
    assert role_of(owner.account_id, thief) is None
    assert Member.objects.get(user=thief).role == "owner"
    assert Invitation.objects.get().ended_at is None


def test_an_invitation_is_used_once(sink: Sink) -> None:
    owner, friend = customer(), customer()
    path = invite(sink, owner, friend.user.email)
    friend.post(path)
    Member.objects.filter(account_id=owner.account_id, user=friend.user).delete()
    with nothing_written():
        answer = friend.post(path)
    assert answer.status_code == 403
    assert "was used, withdrawn or replaced" in text_of(answer)


def test_an_invitation_forwarded_to_another_is_refused(sink: Sink) -> None:
    owner, thief = customer(), customer()
    path = invite(sink, owner, "somebody@example.net", "admin")
    with nothing_written():
        answers = [thief.get(path), thief.post(path)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert "is for another address" in text_of(answers[1])


def test_an_invitation_is_good_for_the_days_of_the_policy(sink: Sink, test_clock: BusinessClock) -> None:
    owner, friend = customer(), customer()
    path = invite(sink, owner, friend.user.email)
    test_clock.advance(days=7, seconds=-1)
    assert friend.get(path).status_code == 200
    test_clock.advance(seconds=1)
    with nothing_written():
        answer = friend.post(path)
    assert answer.status_code == 403
    assert "too old" in text_of(answer)


def test_a_newer_invitation_ends_the_one_before_and_a_withdrawn_one_leads_nowhere(sink: Sink) -> None:
    owner, friend = customer(), customer()
    first, second = invite(sink, owner, friend.user.email), invite(sink, owner, friend.user.email)
    assert friend.post(first).status_code == 403
    number = Invitation.objects.get(ended_at=None).pk
    assert owner.post(f"/members/invitations/{number}/withdraw/").status_code == 302
    assert friend.post(second).status_code == 403
    assert role_of(owner.account_id, friend.user) is None
    assert Event.objects.latest("id").kind == "invitation_withdrawn"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"email": "no address", "role": "viewer"}, "This is no e-mail address."),
        ({"email": "", "role": "viewer"}, "This is no e-mail address."),
        ({"email": "a@example.net\nBcc: b@example.net", "role": "viewer"}, "This is no e-mail address."),
        ({"email": f"{'a' * 250}@example.net", "role": "viewer"}, "e-mail address"),
        ({"email": "a@example.net", "role": "king"}, "The role is one of"),
        ({"email": "a@example.net"}, "The role is one of"),
    ],
)
def test_what_is_no_invitation_is_refused(sink: Sink, typed: dict[str, str], told: str) -> None:
    owner = customer()
    with nothing_written():
        answer = owner.post("/members/", typed)
    assert answer.status_code == 422
    assert told in text_of(answer)
    assert sink.mails == []


def test_an_invitation_whose_mail_was_not_taken_says_so(sink: Sink) -> None:
    sink.refuses = True
    page = customer().post("/members/", {"email": "new@example.net", "role": "viewer"}, follow=True)
    assert "The mail could not be sent." in text_of(page)


def test_a_member_is_not_invited_again_and_not_without_bound() -> None:
    owner = customer()
    viewer = member_of(owner.account_id, "viewer")
    with nothing_written():
        assert "is a member of this account already" in text_of(
            owner.post("/members/", {"email": viewer.user.email, "role": "viewer"})
        )
    for number in range(50):
        Invitation.objects.create(
            account_id=owner.account_id, email=f"{number}@example.net", role="viewer", digest=bytes([number]) * 32,
            invited_by=owner.user, created_at=clock.now(), expires_at=clock.now(), mailed=True, ended_at=clock.now(),
        )  # fmt: skip
    answer = owner.post("/members/", {"email": "more@example.net", "role": "viewer"})
    assert "at most 50 invitations a day" in text_of(answer)


def test_the_mail_is_in_its_readers_language(sink: Sink) -> None:
    owner, friend = customer(), customer()
    User.objects.filter(pk=friend.user.pk).update(language="zh-hans")
    invite(sink, owner, friend.user.email, "viewer")
    assert "邀请" in sink.mails[-1][2]["Subject"]
    assert "邀请" in sink.mails[-1][2].get_content()
    assert "With this link" not in sink.mails[-1][2].get_content()


def test_without_mail_the_link_is_shown_once_and_proves_no_address() -> None:
    owner = customer()
    page = owner.post("/members/", {"email": "new@example.net", "role": "viewer"})
    assert page.status_code == 200
    found = re.search(r"http://testserver(/invitations/\S+/)", page.content.decode())
    assert found
    assert "/invitations/" not in owner.get("/members/").content.decode().replace("/members/invitations/", "")
    stranger = Client()
    stranger.post(found[1])
    with override_settings(SENDS_MAIL=True, ACCOUNT_EMAIL_VERIFICATION="mandatory"):
        stranger.post("/accounts/signup/", {"email": "new@example.net", "password1": PASSWORD})
    assert not EmailAddress.objects.filter(email="new@example.net", verified=True).exists()


def test_an_invitation_of_who_was_removed_leads_nowhere_beyond_what_he_may_give(sink: Sink) -> None:
    owner, friend = customer(), customer()
    admin = member_of(owner.account_id, "admin")
    path = invite(sink, admin, friend.user.email, "admin")
    assert owner.post(f"/members/{admin.user.pk}/", {"act": "remove"}).status_code == 302
    assert friend.post(path).status_code == 403
    assert role_of(owner.account_id, friend.user) is None


def test_a_role_is_changed_by_who_may_give_it() -> None:
    owner = customer()
    viewer, admin = member_of(owner.account_id, "viewer"), member_of(owner.account_id, "admin")
    assert admin.post(f"/members/{viewer.user.pk}/", {"act": "role", "role": "operator"}).status_code == 302
    assert role_of(owner.account_id, viewer.user) == "operator"
    for target, form in (
        (viewer, {"act": "role", "role": "owner"}),  # an admin makes no owner
        (admin, {"act": "role", "role": "owner"}),  # nor himself
        (owner, {"act": "role", "role": "viewer"}),
        (owner, {"act": "remove"}),
        (viewer, {"act": "role", "role": "king"}),
        (viewer, {"act": "role"}),
    ):
        with nothing_written():
            admin.post(f"/members/{target.user.pk}/", form)
    assert owner.post(f"/members/{viewer.user.pk}/", {"act": "role", "role": "owner"}).status_code == 302
    assert role_of(owner.account_id, viewer.user) == "owner"
    told = Event.objects.filter(kind="role_changed").order_by("id")
    assert [(one.actor["user"], one.detail["before"], one.detail["role"]) for one in told] == [
        (admin.user.email, "viewer", "operator"), (owner.user.email, "operator", "owner"),
    ]  # fmt: skip


def test_the_last_owner_stays_owner_and_member() -> None:
    owner = customer()
    member_of(owner.account_id, "admin")
    with nothing_written():
        assert "keeps at least one owner" in text_of(owner.post("/members/leave/", follow=True))
    answer = owner.post(f"/members/{owner.user.pk}/", {"act": "role", "role": "viewer"})
    assert "keeps at least one owner" in text_of(answer)
    assert role_of(owner.account_id, owner.user) == "owner"


def test_who_is_removed_has_nothing_of_it_at_once() -> None:
    owner = customer()
    operator = member_of(owner.account_id, "operator")
    account = Account.objects.get(id=owner.account_id)
    page = operator.post("/api-keys/", {"act": "create"}).content.decode()
    secret = re.search(r'id="secret-key"[^>]*>(\w+)<', page)
    key = ApiKey.objects.get(user=operator.user)
    assert secret
    api = Api(application(services.API, keys=api_keys), (key.secret_id, secret[1]))
    assert "TotalCount" in api.call("DescribeInstances").response
    assert owner.post(f"/members/{operator.user.pk}/", {"act": "remove"}).status_code == 302
    assert api.call("DescribeInstances").error[0] == "AuthFailure.SecretIdNotFound"
    assert not ApiKey.objects.filter(account=account, user=operator.user).exists()
    answer = operator.post("/keys/", {"act": "create", "name": "mine"})
    assert not KeyPair.objects.exists()
    assert (answer.status_code, answer["Location"]) == (302, "/")
    page = operator.get("/", follow=True)  # his own account again
    assert "You are no longer a member of that account." in text_of(page)
    assert operator.get("/machines/").status_code == 200


def test_a_form_that_was_opened_for_one_account_is_refused_after_the_switch() -> None:
    """Two tabs: the form of the first is not sent for the account of the second."""
    owner = customer()
    both = member_of(owner.account_id, "admin", enforce_csrf_checks=True)
    own = Member.objects.filter(user=both.user).order_by("id")[0].account_id
    page = both.get("/keys/").content.decode()
    before = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]
    switched = both.post("/accounts/acting-for/", {"account": own, "csrfmiddlewaretoken": before})
    assert switched.status_code == 302
    with nothing_written():
        late = both.post("/keys/", {"act": "create", "name": "late", "csrfmiddlewaretoken": before})
    assert late.status_code == 403


def _token(visitor: Visitor, address: str) -> dict[str, str]:
    page = visitor.get(address).content.decode()
    return {"csrfmiddlewaretoken": re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]}


@pytest.mark.parametrize("leaves", [True, False])
@pytest.mark.parametrize("staff", [True, False])
def test_a_form_opened_for_an_account_that_one_is_no_member_of_is_done_in_no_other(leaves: bool, staff: bool) -> None:
    """Two forms were opened: the first says that he is no member, the second is not sent for his own account."""
    owner = customer()
    both = member_of(owner.account_id, "admin", enforce_csrf_checks=True)
    both.post("/accounts/acting-for/", {"account": owner.account_id, **_token(both, "/keys/")})
    User.objects.filter(pk=both.user.pk).update(is_staff=staff)
    own = Member.objects.filter(user=both.user).order_by("id")[0].account
    before = _token(both, "/keys/")
    if leaves:
        answer = both.post("/members/leave/", before)
    else:
        owner.post(f"/members/{both.user.pk}/", {"act": "remove"})
        answer = both.post("/keys/", {"act": "create", "name": "first", **before})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    told = text_of(both.get("/", follow=True))
    assert "You are no longer a member of that account." in told
    assert f"You act for {own.name} now." in told
    assert both.session["account"] == own.pk
    with nothing_written():
        late = both.post("/keys/", {"act": "create", "name": "late", **before})
    assert (late.status_code, KeyPair.objects.exists()) == (403, False)
    both.post("/keys/", {"act": "create", "name": "mine", **_token(both, "/keys/")})
    assert KeyPair.objects.get().account_id == own.pk


def test_who_leaves_the_only_account_gets_one_of_his_own_and_its_forms() -> None:
    owner = customer()
    viewer = member_of(owner.account_id, "viewer", enforce_csrf_checks=True)
    Member.objects.filter(user=viewer.user).exclude(account_id=owner.account_id).delete()
    before = _token(viewer, "/members/leave/")
    assert viewer.post("/members/leave/", before).status_code == 302
    assert viewer.get("/keys/").status_code == 200
    own = Member.objects.get(user=viewer.user)
    assert (own.role, viewer.session["account"]) == ("owner", own.account_id)
    with nothing_written():
        assert viewer.post("/keys/", {"act": "create", "name": "late", **before}).status_code == 403


def _without_account() -> Visitor:
    visitor = customer(gift_minor=0)
    Member.objects.filter(user=visitor.user).delete()
    return visitor


def _pages_at_once(visitor: Visitor) -> int:
    """Three pages, of three sessions, meet while the user's row is held; how many accounts he has then."""
    sessions = [Client() for _ in range(3)]
    for session in sessions:
        session.force_login(visitor.user)
    held = threading.Event()

    def hold() -> None:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=visitor.user.pk)
            held.set()
            wait_until_blocked(3)

    def look(session: Client) -> int:
        assert held.wait(10)
        return int(session.get("/keys/").status_code)

    outcomes = at_once(hold, *[lambda session=session: look(session) for session in sessions])
    assert outcomes == [None, 200, 200, 200]
    return Member.objects.filter(user=visitor.user, role="owner").count()


def test_of_pages_at_once_one_opens_the_account() -> None:
    visitor = _without_account()
    accounts = Account.objects.count()
    assert _pages_at_once(visitor) == 1
    assert Account.objects.count() == accounts + 1


def test_control_without_a_look_under_the_lock_each_page_opens_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(user: User) -> Member:
        return Member.objects.get(account=open_account.open_account(user, user.email), user=user)

    monkeypatch.setattr("vmart.web.visitor.place_of", unlocked)
    assert _pages_at_once(_without_account()) == 3


def test_one_acts_for_no_account_whose_member_one_is_not() -> None:
    visitor, other = customer(), customer()
    for wanted in (str(other.account_id), "", "x", "9" * 40, "-1"):
        with nothing_written():
            answer = visitor.post("/accounts/acting-for/", {"account": wanted}, follow=True)
        assert "You are no member of this account." in text_of(answer)
    assert visitor.get("/accounts/acting-for/").status_code == 405


def test_the_frame_offers_the_accounts_of_who_has_several_alone() -> None:
    owner = customer()
    assert "/accounts/acting-for/" not in owner.get("/machines/").content.decode()
    both = member_of(owner.account_id, "viewer")
    page = text_of(both.get("/machines/"))
    assert "You act for" in page
    assert owner.user.email in page
    assert both.user.email in page


def test_keys_are_seen_by_their_member_and_by_who_may_remove_him() -> None:
    owner = customer()
    admin, viewer = member_of(owner.account_id, "admin"), member_of(owner.account_id, "viewer")
    for one in (owner, admin, viewer):
        one.post("/api-keys/", {"act": "create"})
    keys = {one.user: one for one in ApiKey.objects.select_related("user")}
    seen = {
        who: {user for user, key in keys.items() if key.secret_id in visitor.get("/api-keys/").content.decode()}
        for who, visitor in (("owner", owner), ("admin", admin), ("viewer", viewer))
    }
    assert seen == {
        "owner": {owner.user, admin.user, viewer.user}, "admin": {admin.user, viewer.user}, "viewer": {viewer.user},
    }  # fmt: skip
    for visitor, key in ((viewer, keys[owner.user]), (admin, keys[owner.user]), (viewer, keys[admin.user])):
        with nothing_written():
            assert visitor.get(f"/api-keys/{key.pk}/").status_code == 404
            visitor.post("/api-keys/", {"act": "delete", "secret_id": key.secret_id})
            visitor.post("/api-keys/", {"act": "disable", "secret_id": key.secret_id})
    admin.post("/api-keys/", {"act": "disable", "secret_id": keys[viewer.user].secret_id})
    assert not ApiKey.objects.get(pk=keys[viewer.user].pk).enabled


def test_a_key_works_from_its_addresses_alone() -> None:
    owner = customer()
    page = owner.post("/api-keys/", {"act": "create"}).content.decode()
    secret = re.search(r'id="secret-key"[^>]*>(\w+)<', page)
    key = ApiKey.objects.get()
    assert secret
    address = f"/api-keys/{key.pk}/"
    assert "never" in text_of(owner.get(address))
    api = Api(application(services.API, keys=api_keys), (key.secret_id, secret[1]))
    assert "TotalCount" in api.call("DescribeInstances").response  # from 127.0.0.1 or nowhere, as the test sends
    assert owner.post(address, {"addresses": "203.0.113.7/24, 2001:db8::1"}).status_code == 302
    assert ApiKey.objects.get().addresses == ["203.0.113.0/24", "2001:db8::1/128"]
    forged = Api(application(services.API, keys=api_keys), (key.secret_id, "x" * 32))
    assert forged.call("DescribeInstances").error[0] == "AuthFailure.SignatureFailure"
    with nothing_written():
        code, told = api.call("DescribeInstances").error
    assert (code, "may not be used from" in told) == ("AuthFailure.UnauthorizedOperation", True)
    for wrong in ("300.1.1.1", "10.0.0.0/33", "here", "<script>", "\n".join(f"10.0.0.{n}" for n in range(21))):
        with nothing_written():
            assert owner.post(address, {"addresses": wrong}).status_code == 422
    assert owner.post(address, {"addresses": ""}).status_code == 302
    assert "TotalCount" in api.call("DescribeInstances").response
    assert "never" not in text_of(owner.get(address))
    assert Event.objects.filter(kind="api_key_addresses").count() == 2


def test_the_address_list_holds_for_networks_of_both_kinds() -> None:
    found = api_keys.networks_of("10.1.2.3\n10.0.0.0/8,::1  10.0.0.0/8")
    assert [str(network) for network in found] == ["10.1.2.3/32", "10.0.0.0/8", "::1/128"]
    mapped = api_keys.networks_of("::ffff:203.0.113.7 ::ffff:10.0.0.0/104 203.0.113.7 ::/0")
    assert [str(network) for network in mapped] == ["203.0.113.7/32", "10.0.0.0/8", "::/0"]


@pytest.mark.parametrize("word", ["fe80::1%eth0", "fe80::1%1/128", "fe80::%/64", "203.0.113.7%1"])
def test_an_address_with_a_scope_is_none(word: str) -> None:
    with refused(InvalidValue, match=f"{word} is no address"):
        api_keys.networks_of(word)


def test_the_first_address_too_many_ends_the_reading() -> None:
    assert len(api_keys.networks_of("\n".join(f"10.0.0.{n}" for n in range(20)))) == 20
    with refused(LimitExceeded, match="at most 20 addresses"):
        api_keys.networks_of("\n".join([*(f"10.0.0.{n}" for n in range(21)), "none"]))


@pytest.mark.parametrize(
    ("caller", "is_let"),
    [("203.0.113.7", True), ("::ffff:203.0.113.7", True), ("::ffff:203.0.114.7", False), ("::cb00:7107", False)],
)
def test_who_comes_by_ipv4_to_a_socket_for_both_is_compared_as_ipv4(caller: str, is_let: bool) -> None:
    ring = Ring({SECRET_ID: TestKey(networks=tuple(api_keys.networks_of("203.0.113.0/24")))})
    request = dataclasses.replace(sdk_request("DescribeRegions", {}), address=caller)
    answer = send(application(services.API, keys=ring), request).response
    assert ("Error" not in answer) is is_let
    assert is_let or answer["Error"]["Code"] == "AuthFailure.UnauthorizedOperation"


def test_a_sign_in_is_in_the_audit_log_of_each_account_of_the_user() -> None:
    owner = customer()
    viewer = member_of(owner.account_id, "viewer")
    Client().post("/accounts/login/", {"login": viewer.user.email, "password": PASSWORD})
    told = Event.objects.filter(kind="signed_in", subject_id=viewer.user.pk)
    assert {one.account_id for one in told} == set(
        Member.objects.filter(user=viewer.user).values_list("account_id", flat=True)
    )
    page = text_of(owner.get("/activity/?kind=signed_in"))
    assert viewer.user.email in page
    assert "Signed in" in page


@pytest.mark.parametrize(
    ("role", "refused"),
    [
        ("viewer", {"buy", "card", "dry_run", "top_up", "save_template", "save_version", "create_key", "import_key"}),
        ("billing", {"buy", "card", "dry_run", "save_template", "save_version", "create_key", "import_key"}),
        ("operator", {"buy", "card", "dry_run", "top_up"}),
        ("admin", set()),
    ],
)
def test_a_forged_button_of_the_purchase_page_is_refused(role: str, refused: set[str]) -> None:
    owner = customer()
    visitor = member_of(owner.account_id, role)
    form = visitor.buy_form()
    with nothing_written():
        told = {act for act in sorted(refused) if visitor.post("/buy/", form | {"act": act}).status_code == 403}
    assert told == refused
    for act in {"save_template", "create_key", "dry_run", "top_up"} - refused:
        assert visitor.post("/buy/", form | {"act": act, "key_name": "mine"}).status_code != 403
