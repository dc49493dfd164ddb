"""Given each role, when any page is opened, form sent or action called, then what docs/roles.md says is let.

The table is generated from what is declared, and reviewed; here each of its cells is tried.
"""

from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse

from tests.api.calling import Client, Ring, TestKey, application
from tests.api.signing import SECRET_ID
from tests.support import roles_table
from tests.support.written import nothing_written
from tests.web.membership import member_of
from tests.web.test_others_things import NAMED, Things
from tests.web.visiting import Visitor, customer
from vmart.api import services
from vmart.customers.roles import Role
from vmart.pages.permitted import NEEDS
from vmart.web.urls import urlpatterns

WRITTEN = roles_table.written()
ROLES = list(Role)
# Not of an account, or asked of nobody's role: how one signs in, one's own settings, where invitations lead.
NO_ROLES = {"home", "console", "invited", "act_for", "settings", "security", "sessions"}

# What an action of the legacy API is called in the API 3.0, where it is called otherwise.
TWINS = {
    "DescribeAvailabilityZones": "DescribeZones",
    "InquiryInstancePrice": "InquiryPriceRunInstances",
    "InquiryInstancePriceHour": "InquiryPriceRunInstances",
    "RunInstancesHour": "RunInstances",
    "ResetInstancePassword": "ResetInstancesPassword",
    "ReturnInstance": "TerminateInstances",
    "RenewInstance": "RenewInstances",
    "SetAutoRenew": "ModifyInstancesRenewFlag",
}


def test_the_table_is_current() -> None:
    assert roles_table.PATH.read_text() == roles_table.text(), "python -m tests.support.roles_table"


def test_every_page_is_in_the_table() -> None:
    """One that is added and says nothing of roles is refused to everybody, and fails here."""
    names = {str(pattern.name) for pattern in urlpatterns}
    asked = {name for name in names if not name.startswith(("account_", "mfa_")) and name not in NO_ROLES}
    assert set(NEEDS) == asked
    assert {row[0] for row in WRITTEN["Pages"]} == asked


def test_every_action_is_in_the_table() -> None:
    declared = {(f"{action.service} {action.name}", "3.0") for action in services.API}
    declared |= {(f"{action.service} {action.name}", "legacy") for action in services.LEGACY}
    assert {(row[0], row[1]) for row in WRITTEN["Actions of the API"]} == declared


def test_a_legacy_action_takes_what_its_twin_takes() -> None:
    takes = {action.name: action.permission for action in services.API if action.service == "cvm"}
    legacy = {action.name: action.permission for action in services.LEGACY}
    assert legacy == {name: takes[TWINS.get(name, name)] for name in legacy}
    assert set(TWINS) <= set(legacy)


def _address(name: str) -> str:
    pattern = next(one for one in urlpatterns if one.name == name)
    if name in NAMED:
        return reverse(name, kwargs=NAMED[name][0](Things()))
    return reverse(name, kwargs={"user_id": 0} if pattern.pattern.converters else {})


def _answer(visitor: Visitor, name: str, how: str) -> HttpResponse:
    if how == "opened":
        return visitor.get(_address(name))
    form = {"act": "buy"} if name == "buy" else {}  # its other buttons: test_members.py
    return visitor.post(_address(name), form)


@pytest.mark.parametrize("role", ROLES)
def test_pages(role: str) -> None:
    """What is let finds nothing of that id, or an empty form: full ones are sent by test_every_form.py."""
    visitor = member_of(customer().account_id, role)
    here = 3 + ROLES.index(Role(role))
    let = {}
    for row in WRITTEN["Pages"]:
        name, how = row[0], row[1]
        if (name, how) in (("members_leave", "sent"), ("api_keys", "sent")):
            continue  # done below
        answer = _answer(visitor, name, how)
        let[name, how] = roles_table.NO if answer.status_code == 403 else roles_table.YES
        assert answer.status_code < 500, (name, how)
    expected = {(row[0], row[1]): row[here] for row in WRITTEN["Pages"] if (row[0], row[1]) in let}
    posted = {key for key in let if _is_405(visitor, key)}
    assert {key: value for key, value in let.items() if key not in posted} == {
        key: value for key, value in expected.items() if key not in posted
    }
    assert len(let) - len(posted) > 130
    assert visitor.post("/api-keys/", {"act": "create"}).status_code == 200
    assert visitor.post("/members/leave/").status_code == 302


def _is_405(visitor: Visitor, key: tuple[str, str]) -> bool:
    """Pages that take no form, and forms that are no page."""
    return _answer(visitor, *key).status_code == 405


@pytest.mark.parametrize("role", ROLES)
def test_what_is_refused_on_a_page_says_so_and_writes_nothing(role: str) -> None:
    visitor = member_of(customer().account_id, role)
    here = 3 + ROLES.index(Role(role))
    refused = [(row[0], row[1]) for row in WRITTEN["Pages"] if row[here] == roles_table.NO]
    with nothing_written():
        for name, how in refused:
            answer = _answer(visitor, name, how)
            if answer.status_code != 405:
                assert answer.status_code == 403
                assert "Your role in this account is" in answer.content.decode()
    assert bool(refused) is (role not in (Role.OWNER, Role.ADMIN))


@pytest.mark.parametrize("version", ["3.0", "legacy"])
@pytest.mark.parametrize("role", ROLES)
def test_actions(role: str, version: str) -> None:
    """A request without members: what is let is refused for what is missing, or does its work."""
    buyer = customer()
    client = _client(buyer, role)
    here = 3 + ROLES.index(Role(role))
    rows = [row for row in WRITTEN["Actions of the API"] if row[1] == version]
    found = {row[0]: roles_table.NO if _is_refused(client, row) else roles_table.YES for row in rows}
    assert found == {row[0]: row[here] for row in rows}


@pytest.mark.parametrize("role", ROLES)
def test_what_is_refused_of_the_api_writes_nothing(role: str) -> None:
    client = _client(customer(), role)
    here = 3 + ROLES.index(Role(role))
    with nothing_written():
        for row in WRITTEN["Actions of the API"]:
            if row[here] == roles_table.NO:
                assert _is_refused(client, row)


def _client(buyer: Visitor, role: str) -> Client:
    member = member_of(buyer.account_id, role)
    key = TestKey(account_id=buyer.account_id, user_id=member.user.pk, role=role, email=member.user.email)
    return Client(application(services.API, services.LEGACY, keys=Ring({SECRET_ID: key})))


def _is_refused(client: Client, row: list[str]) -> bool:
    service, name = row[0].split()
    if row[1] == "legacy":
        return bool(client.legacy(name, {})["code"] == 4110)
    action = next(one for one in services.API if (one.service, one.name) == (service, name))
    answer: dict[str, Any] = client.call(name, {}, service=service, version=action.version).response
    return bool(answer.get("Error", {}).get("Code") == "AuthFailure.UnauthorizedOperation")


def test_a_stranger_signs_in_first() -> None:
    stranger = Visitor()
    for row in WRITTEN["Pages"]:
        answer = _answer(stranger, row[0], row[1])
        if row[0] in ("buy", "buy_price", "buy_code") and row[1] == "opened":
            assert answer.status_code == 200
        elif row[0] == "buy_code":  # sent without a document it is the page that anybody opens
            assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/buy/code/")
        elif answer.status_code != 405:
            assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/login/"), row
    nobody = Client(application(services.API, keys=Ring({})))
    for action in services.API:
        code, _ = nobody.call(action.name, {}, service=action.service, version=action.version).error
        assert code == "AuthFailure.SecretIdNotFound"
