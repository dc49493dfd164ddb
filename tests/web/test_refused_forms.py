"""A refused purchase form says what needs a change, at its top and at its button, and where; key pairs in place."""

import html
import re

import pytest
from django.http import HttpResponse

from tests.support.actors import by
from tests.web.test_keys_and_money import PUBLIC
from tests.web.visiting import Visitor, customer, form_of, order_id_of, text_of
from vmart.instances import key_pairs
from vmart.instances.models import Instance, KeyPair
from vmart.orders.models import Order


def _summaries(answer: HttpResponse) -> list[list[tuple[str, str]]]:
    """Of the summary at the top and of the one at the button: where each line leads and what it says."""
    page = answer.content.decode()
    top = re.search(r'<div class="notice error" id="refused".*?</div>', page, re.DOTALL)
    below = re.search(r'<div class="faults".*?</div>', page, re.DOTALL)
    found = [part[0] if part else "" for part in (top, below)]
    return [re.findall(r'<li><a href="#([^"]+)">[^<]*</a>: ([^<]*)</li>', part) for part in found]


def _focused(answer: HttpResponse) -> list[str]:
    """Ids of the elements that ask for the focus."""
    tags = [tag for tag in re.findall(r"<[^>]*>", answer.content.decode()) if " autofocus" in tag]
    return [found[1] for tag in tags if (found := re.search(r' id="([^"]+)"', tag))]


def test_a_refused_form_is_summed_up_twice_with_links_and_the_first_field_has_the_focus() -> None:
    visitor = customer()
    answer = visitor.buy(count="0", mbps="999", name="web")
    lines = [("mbps", "Enter a number from 1 to 200."), ("count", "Enter a number from 1 to 100.")]
    assert answer.status_code == 409
    assert _summaries(answer) == [lines, lines]
    assert _focused(answer) == ["mbps"]
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("changed", "anchor"),
    [
        ({"login": "password", "password": "short"}, "password"),
        ({"login": "key"}, "login-key"),
        ({"name": "x" * 129}, "name"),
    ],
)
def test_what_only_the_purchase_refuses_is_summed_up_too(changed: dict[str, str], anchor: str) -> None:
    answer = customer().buy(**changed)
    assert answer.status_code == 422
    assert [[place for place, _ in lines] for lines in _summaries(answer)] == [[anchor], [anchor]]
    assert f'id="{anchor}"' in answer.content.decode()
    assert _focused(answer) == [anchor]
    assert "Nothing was bought. This needs a change:" in text_of(answer)
    assert not Order.objects.exists()


def test_a_refusal_without_a_field_has_the_focus_itself() -> None:
    answer = customer(gift_minor=0).buy()
    assert answer.status_code == 422
    assert _focused(answer) == ["refused"]
    assert text_of(answer).count("The balance is not enough") == 2


def test_a_page_that_was_only_looked_at_takes_no_focus() -> None:
    page = customer().get("/buy/?mbps=999", follow=True)
    assert _focused(page) == []
    assert _summaries(page) == [[], [("mbps", "Enter a number from 1 to 200.")]]
    assert re.search(r'id="mbps"[^>]* aria-invalid="true"', page.content.decode())


def test_the_form_is_sent_to_the_address_that_has_its_choices() -> None:
    """Then a refused form stands under the address that has its choices, and that address opens it again."""
    visitor = customer()
    page = visitor.get("/buy/?charge=postpaid&mbps=7", follow=True)
    found = re.search(r'<form class="purchase" id="purchase" action="([^"]+)" method="post"', page.content.decode())
    assert found
    address = html.unescape(found[1])
    refused = visitor.post(address, form_of(page) | {"act": "buy", "login": "password", "password": "short"})
    assert refused.status_code == 422
    again = form_of(visitor.get(address))
    assert (again["charge"], again["mbps"], again["form"]) == ("postpaid", "7", form_of(page)["form"])


def test_the_newest_key_pair_is_preselected() -> None:
    visitor = customer()
    key_pairs.create(by(visitor.account_id), "old")
    newest, _private = key_pairs.create(by(visitor.account_id), "new")
    for address in ("/buy/", "/buy/?login=key", "/buy/?key=skey-00000000"):
        assert form_of(visitor.get(address, follow=True))["key"] == newest.public_id, address
    order_id_of(visitor.buy("?login=key"))
    machine = Instance.objects.get()
    assert (machine.key_ids, machine.ssh_keys, machine.password_hash) == (
        [newest.public_id], [newest.public_key], "",
    )  # fmt: skip


def test_a_chosen_key_pair_stays_chosen() -> None:
    visitor = customer()
    old, _private = key_pairs.create(by(visitor.account_id), "old")
    key_pairs.create(by(visitor.account_id), "new")
    assert form_of(visitor.get(f"/buy/?login=key&key={old.public_id}", follow=True))["key"] == old.public_id


def test_a_key_pair_is_made_in_place_and_bought_with() -> None:
    visitor = customer()
    typed = {"act": "create_key", "key_name": "laptop", "name": "web", "count": "2", "charge": "postpaid"}
    answer = visitor.post("/buy/", visitor.buy_form() | typed)
    assert answer.status_code == 200
    pair = KeyPair.objects.get(account_id=visitor.account_id)
    assert pair.name == "laptop"
    assert answer.content.decode().count("BEGIN RSA PRIVATE KEY") == 1
    form = form_of(answer)
    assert (form["login"], form["key"], form["key_name"]) == ("key", pair.public_id, "")
    assert (form["name"], form["count"], form["charge"]) == ("web", "2", "postpaid")
    assert not Order.objects.exists()
    order_id_of(visitor.post("/buy/", form | {"act": "buy"}))
    assert [machine.key_ids for machine in Instance.objects.all()] == [[pair.public_id]] * 2


def test_a_key_pair_is_imported_in_place() -> None:
    visitor = customer()
    typed = {"act": "import_key", "key_name": "mine", "public_key": PUBLIC, "name": "web"}
    answer = visitor.post("/buy/", visitor.buy_form() | typed)
    pair = KeyPair.objects.get(account_id=visitor.account_id)
    assert answer.status_code == 302
    assert f"key={pair.public_id}" in answer["Location"]
    assert "public_key" not in answer["Location"]
    form = form_of(visitor.get(answer["Location"].partition("#")[0]))
    assert (form["login"], form["key"], form["name"]) == ("key", pair.public_id, "web")


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"act": "create_key", "key_name": ""}, "key_name", "A key pair needs a name."),
        ({"act": "create_key", "key_name": "a b"}, "key_name", "The name of a key pair has letters"),
        ({"act": "import_key", "key_name": "mine", "public_key": "no key"}, "public_key", "not in OpenSSH form"),
    ],
)
def test_a_refused_key_pair_is_said_beside_its_field(typed: dict[str, str], field: str, sentence: str) -> None:
    visitor = customer()
    answer = visitor.post("/buy/", visitor.buy_form() | typed)
    assert answer.status_code == 422
    (place, text), *others = _summaries(answer)[0]
    assert (place, others) == (field, [])
    assert sentence in text
    assert _focused(answer) == [field]
    assert form_of(answer)["key_name"] == typed["key_name"]
    assert not KeyPair.objects.exists()


def test_a_stranger_makes_no_key_pair() -> None:
    stranger = Visitor()
    page = stranger.get("/buy/")
    assert "Sign in first: key pairs belong to an account." in text_of(page)
    answer = stranger.post("/buy/", form_of(page) | {"act": "create_key", "key_name": "mine"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/buy/?")
    assert not KeyPair.objects.exists()
