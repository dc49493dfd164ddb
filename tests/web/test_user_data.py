"""Given user data on the purchase page, when it is bought, kept or shown anew, then it is just what was typed."""

import base64
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.http import HttpResponse
from hypothesis import given
from hypothesis import strategies as st

from tests.instances.test_key_pairs import ED25519
from tests.launch_templates.keeping import template
from tests.web import programs
from tests.web.programs import READERS
from tests.web.test_on_behalf import acting
from tests.web.visiting import Form, Visitor, customer, form_of, order_id_of, text_of, work
from vmart.engines.contract import MachineSpec
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.instances.models import Instance
from vmart.launch_templates.models import Version
from vmart.orders import user_data
from vmart.orders.models import Order

TYPED = "#cloud-config\r\nruncmd: [s3cretw0rd]\r\n# </textarea><script>é网\r\n"  # as browsers send it
DOCUMENT = TYPED.replace("\r\n", "\n")
HOURLY = "?charge=postpaid&name=web"
TOO_LONG = "User data has at most 16384 bytes."
SECRET = "s3cretw0rd"


def _typed(visitor: Visitor, query: str = HOURLY, **changed: Any) -> dict[str, Any]:
    return visitor.buy_form(query) | {"user_data": TYPED} | changed


def _bought(visitor: Visitor, form: dict[str, Any]) -> list[bytes]:
    order_id_of(visitor.post("/buy/", form | {"act": "buy"}))
    return [bytes(document) for document in Instance.objects.order_by("id").values_list("user_data", flat=True)]


def _field(page: HttpResponse) -> str:
    return str(form_of(page)["user_data"])


def test_it_reaches_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[MachineSpec] = []
    made = SimulatedEngine.ensure_present_many

    def recording(self: SimulatedEngine, specs: Sequence[MachineSpec]) -> object:
        told.extend(specs)
        return made(self, specs)

    monkeypatch.setattr(SimulatedEngine, "ensure_present_many", recording)
    visitor = customer()
    assert _bought(visitor, _typed(visitor, HOURLY)) == [DOCUMENT.encode()]
    work()
    assert [spec.user_data for spec in told] == [DOCUMENT.encode()]


@pytest.mark.parametrize("typed", ["", "  \r\n\t "])
def test_nothing_is_none(typed: str) -> None:
    visitor = customer()
    assert _bought(visitor, _typed(visitor, user_data=typed)) == [b""]


def test_it_is_folded_with_its_value_and_no_price_request_has_it() -> None:
    visitor = customer()
    page = visitor.get(f"/buy/{HOURLY}", follow=True).content.decode()
    assert '<details class="row" id="first-boot">' in page
    assert '<span class="pill unset">none</span>' in page
    sent = page.count('hx-params="not password,user_data,')
    assert sent == page.count('hx-params="not password,') == 2  # the form's and that of a data disk's button


@pytest.mark.parametrize(
    "act", ["recalculate", "keep", "add_disk", "create_key", "import_key", "dry_run", "buy", "code-and-back"]
)
def test_it_is_kept_when_the_page_is_shown_anew_and_never_in_an_address(act: str) -> None:
    """``buy``: with a password that is refused. Nothing of it is in an address of what comes back."""
    visitor = customer()
    form = _typed(visitor) | {"act": act, "key_name": "laptop", "public_key": ED25519}
    if act == "buy":
        form |= {"login": "password", "password": "short"}
    if act == "code-and-back":
        program = visitor.post("/buy/code/", form)
        form = _carried(program) | {"act": "recalculate"}
    page = visitor.post("/buy/", form)
    assert page.status_code == (422 if act == "buy" else 200)
    assert user_data.typed(_field(page)) == DOCUMENT.encode()
    assert '<details class="row" id="first-boot" open>' in page.content.decode()
    assert not [address for address in _addresses(page) if SECRET in address]
    kept = form_of(page)
    assert (kept["name"], kept["charge"]) == ("web", "postpaid")
    assert kept.get("data_gib", []) == (["50"] if act == "add_disk" else [])
    assert len(kept.get("beside", [])) == (1 if act == "keep" else 0)
    assert not Order.objects.exists()
    if act not in ("buy", "create_key", "import_key", "add_disk"):
        assert _bought(visitor, kept) == [DOCUMENT.encode()]


def _addresses(page: HttpResponse) -> list[str]:
    return [part.partition('"')[0] for part in page.content.decode().replace('action="', 'href="').split('href="')[1:]]


def test_without_it_the_form_is_an_address_as_before() -> None:
    visitor = customer()
    answer = visitor.post("/buy/", _typed(visitor, user_data=" \r\n") | {"act": "recalculate"})
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/buy/")


def test_none_is_taken_out_of_an_address() -> None:
    """Whoever sends a link would have his program run as root."""
    visitor = customer()
    query = f"{HOURLY}&user_data=%23!/bin/sh"
    page = visitor.get(f"/buy/{query}", follow=True)
    assert _field(page) == ""
    assert "/bin/sh" not in page.content.decode()
    assert "/bin/sh" not in visitor.get(f"/buy/price/{query}").content.decode()
    shown = programs.shown(visitor.get(f"/buy/code/{query}&language=curl").content.decode())
    assert "UserData" not in READERS["curl"](shown)
    assert _bought(visitor, form_of(page)) == [b""]


@pytest.mark.parametrize("act", ["buy", "dry_run", "save_template", "recalculate", "code"])
def test_too_much_is_refused_at_its_field_by_the_sentence_of_the_api(act: str) -> None:
    visitor = customer()
    form = _typed(visitor, user_data="é" * 8193, template_name="kept") | {"act": act}
    page = visitor.post("/buy/code/" if act == "code" else "/buy/", form)
    assert TOO_LONG in text_of(page)
    if act == "code":
        assert programs.shown(page.content.decode()) == "\n"
    else:
        assert page.status_code in ((200,) if act == "recalculate" else (409, 422))
        assert re.search(rf'id="error-user_data"[^>]*>{TOO_LONG}<', page.content.decode())
        assert user_data.typed(_field(page)) == ("é" * 8193).encode()
    assert not Order.objects.exists()
    assert not Version.objects.exists()


def test_as_much_as_there_may_be_is_bought() -> None:
    visitor = customer()
    assert _bought(visitor, _typed(visitor, user_data="é" * 8192)) == [("é" * 8192).encode()]


@pytest.mark.parametrize("language", READERS)
def test_the_program_asks_for_it(language: str) -> None:
    visitor = customer()
    first = visitor.post("/buy/code/", _typed(visitor))
    page = visitor.post("/buy/code/", _carried(first) | {"language": language})
    assert page.status_code == 200
    asked = READERS[language](programs.shown(page.content.decode()))
    assert base64.b64decode(asked["UserData"]) == DOCUMENT.encode()
    assert (asked["InstanceName"], asked["InstanceChargeType"]) == ("web", "POSTPAID_BY_HOUR")
    assert "in base64, which hides nothing" in text_of(page)
    assert f'name="language" value="{language}" aria-current="page"' in page.content.decode()
    assert not [address for address in _addresses(page) if SECRET in address]


def test_terraform_asks_for_it() -> None:
    visitor = customer()
    page = visitor.post("/buy/code/", _typed(visitor) | {"language": "terraform"})
    machine = programs.of_terraform(programs.shown(page.content.decode()))
    assert base64.b64decode(machine["user_data"]) == DOCUMENT.encode()


def _carried(page: HttpResponse) -> dict[str, Any]:
    """What the page of the program hands on."""
    fields = Form(page.content.decode(), "").data
    assert "password" not in fields
    return {name: fields[name] for name in fields if name != "csrfmiddlewaretoken"}


def test_without_it_the_program_has_an_address() -> None:
    visitor = customer()
    answer = visitor.post("/buy/code/", visitor.buy_form(HOURLY) | {"password": "Secret-word-77"})
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/buy/code/")
    assert parse_qs(answer["Location"].partition("?")[2])["name"] == ["web"]
    assert "Secret" not in answer["Location"]


def test_it_waits_while_the_balance_is_topped_up_and_is_given_once() -> None:
    visitor = customer(gift_minor=0)
    answer = visitor.post("/buy/", _typed(visitor) | {"act": "top_up"})
    assert answer["Location"].startswith("/balance/top-up/?")
    assert SECRET not in answer["Location"]
    back = parse_qs(answer["Location"].partition("?")[2])["next"][0]
    assert user_data.typed(_field(visitor.get(back, follow=True))) == DOCUMENT.encode()
    assert _field(visitor.get(back, follow=True)) == ""


def test_too_much_does_not_wait() -> None:
    visitor = customer(gift_minor=0)
    visitor.post("/buy/", _typed(visitor, user_data="x" * 16385) | {"act": "top_up"})
    assert "user_data" not in visitor.session


def test_a_template_keeps_it_and_the_page_shows_it_again() -> None:
    visitor = customer()
    answer = visitor.post("/buy/", _typed(visitor, template_name="web") | {"act": "save_template"})
    assert answer.status_code == 303
    version = Version.objects.select_related("template").get()
    assert base64.b64decode(version.contents["user_data"]) == DOCUMENT.encode()
    page = visitor.get(f"/buy/{HOURLY}&template={version.template.public_id}&template_version=1", follow=True)
    assert user_data.typed(_field(page)) == DOCUMENT.encode()
    assert "Taken from it as well" not in text_of(page)
    assert _bought(visitor, form_of(page)) == [DOCUMENT.encode()]


@pytest.mark.parametrize("shown_anew", [False, True])
def test_emptied_on_the_page_the_templates_is_none(shown_anew: bool) -> None:
    visitor = customer()
    query = f"{HOURLY}&template={template(visitor.account_id, user_data=b'#!/bin/sh')}&template_version=1"
    form = _typed(visitor, query)
    assert visitor.buy_form(query)["user_data"] == "#!/bin/sh"
    form["user_data"] = ""
    if shown_anew:
        form = form_of(visitor.post("/buy/", form | {"act": "recalculate"}))
        assert form["user_data"] == ""
        code = visitor.post("/buy/code/", form | {"language": "curl"}).content.decode()
        assert "UserData" not in READERS["curl"](programs.shown(code))
    assert _bought(visitor, form) == [b""]


@pytest.mark.parametrize("document", [b"\x1f\x8b\x00\xff", b"#!/bin/sh\r\n", b"a\0b", b"  "])
def test_what_the_page_cannot_show_is_the_templates_until_something_is_typed(document: bytes) -> None:
    visitor = customer()
    query = f"{HOURLY}&template={template(visitor.account_id, user_data=document)}&template_version=1"
    page = visitor.get(f"/buy/{query}", follow=True)
    assert _field(page) == ""
    assert f"The template has {len(document)} B that cannot be shown as text." in text_of(page)
    assert f'<span class="pill unset">{len(document)} B</span>' in page.content.decode()
    assert _bought(visitor, form_of(page)) == [document]
    Instance.objects.update(user_data=b"before")
    assert _bought(visitor, _typed(visitor, query)) == [b"before", DOCUMENT.encode()]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_what_is_shown_comes_back_as_the_same_document(text: str) -> None:
    document = text.encode()
    shown = user_data.as_text(document)
    if shown is None:
        assert "\0" in text or "\r" in text or not text.strip()
    else:
        assert user_data.typed(shown.replace("\n", "\r\n")) == document


def test_a_stranger_and_who_acts_for_a_customer_have_no_field() -> None:
    page = Visitor().get(f"/buy/{HOURLY}")
    assert "Sign in first: user data belongs to an account." in text_of(page)
    assert 'name="user_data"' not in page.content.decode()
    visitor = acting("admin", customer())
    assert 'name="user_data"' not in visitor.get(f"/buy/{HOURLY}", follow=True).content.decode()
    refused = visitor.post("/buy/", visitor.buy_form(HOURLY) | {"act": "buy", "user_data": TYPED})
    assert refused.status_code == 422
    assert "On behalf of a customer nothing is run at the first boot." in text_of(refused)
    assert not Order.objects.exists()
