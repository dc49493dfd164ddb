"""Given a machine of a customer, when its owner binds key pairs on its page, then it says what opens the machine."""

import pytest
from django.urls import reverse

from tests.instances.test_key_pairs import ED25519
from tests.support.written import nothing_written
from tests.web.test_keys_and_money import PUBLIC
from tests.web.visiting import Form, Visitor, customer, text_of, work
from vmart.config.steps import STEPS
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance, KeyPair


@pytest.fixture
def owner() -> tuple[Visitor, str]:
    """Who has a running machine and two pairs, ``one`` and ``two``; the address of its page of keys."""
    visitor = customer()
    visitor.post("/keys/", {"act": "import", "name": "one", "public_key": PUBLIC})
    visitor.post("/keys/", {"act": "import", "name": "two", "public_key": ED25519})
    visitor.buy()
    work()
    return visitor, reverse("machine_keys", args=[Instance.objects.get().public_id])


def _ids() -> tuple[str, str]:
    one, two = KeyPair.objects.order_by("id").values_list("public_id", flat=True)
    return one, two


def _ticked(page: str) -> set[str]:
    return {key_id for key_id in _ids() if f'value="{key_id}" checked' in page}


def test_pairs_are_bound_and_taken_away(owner: tuple[Visitor, str], world: World) -> None:
    visitor, address = owner
    (one, two), machine = _ids(), Instance.objects.get()
    page = visitor.get(address).content.decode()
    assert "No key pair opens it." in page
    assert _ticked(page) == set()
    answer = visitor.post(address, {"act": "bind", "key": [one, two]})
    assert (answer.status_code, answer["Location"]) == (302, reverse("machine", args=[machine.public_id]))
    assert "Its key pairs are being changed." in text_of(visitor.get(answer["Location"]))
    work()
    assert sorted(world.ssh_keys(machine.public_id)) == sorted(pair.public_key for pair in KeyPair.objects.all())
    shown = text_of(visitor.get(answer["Location"]))
    assert f"root, key pair {one}, {two}" in shown
    assert f"Key pairs bound {one}, {two}" in shown
    page = visitor.get(address).content.decode()
    assert _ticked(page) == {one, two}
    assert visitor.post(address, {"act": "unbind", "key": two}).status_code == 302
    work()
    assert _ticked(visitor.get(address).content.decode()) == {one}
    visitor.post(address, {"act": "bind", "key": [two]})
    work()
    assert _ticked(visitor.get(address).content.decode()) == {two}
    assert world.ssh_keys(machine.public_id) == [KeyPair.objects.get(name="two").public_key]


def test_the_machines_page_leads_there_and_says_when_a_password_opens_it(owner: tuple[Visitor, str]) -> None:
    visitor, address = owner
    at = reverse("machine", args=[Instance.objects.get().public_id])
    assert f'href="{address}"' in visitor.get(at).content.decode()
    assert "root, password" in text_of(visitor.get(at))
    visitor.post(address, {"act": "bind", "key": _ids()[0]})
    work()
    assert "password" not in text_of(visitor.get(at)).split("Login ")[-1].split("Billing")[0]
    visitor.post(reverse("machine_reset_password", args=[Instance.objects.get().public_id]), {"how": "generated"})
    work()
    assert f"root, key pair {_ids()[0]} , password" in text_of(visitor.get(at))


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"act": "bind"}, "Choose a key pair."),
        ({"act": "unbind"}, "Choose a key pair."),
        ({"act": "bind", "key": ["skey-unknown0"]}, "The key pair skey-unknown0 does not exist."),
        ({"act": "bind", "key": ["a\0b"]}, "does not exist."),
        ({"act": "unbind", "key": ["skey-unknown0"]}, "The key pair skey-unknown0 does not exist."),
    ],
)
def test_what_is_refused_is_said_beside_the_choice(
    owner: tuple[Visitor, str], form: dict[str, object], says: str
) -> None:
    visitor, address = owner
    with nothing_written():
        answer = visitor.post(address, form)
    assert answer.status_code == 422
    assert says in text_of(answer)


def test_a_pair_that_is_not_bound_and_one_named_twice_are_refused(owner: tuple[Visitor, str]) -> None:
    visitor, address = owner
    one, _ = _ids()
    with nothing_written():
        answer = visitor.post(address, {"act": "unbind", "key": one})
        twice = visitor.post(address, {"act": "bind", "key": [one, one]})
    assert (answer.status_code, twice.status_code) == (422, 422)
    assert f"The key pair {one} is not bound to the instance {Instance.objects.get().public_id}." in text_of(answer)
    assert _ticked(twice.content.decode()) == {one}


def test_a_busy_machine_is_said_on_its_page(owner: tuple[Visitor, str]) -> None:
    visitor, address = owner
    visitor.post(address, {"act": "bind", "key": _ids()[0]})
    answer = visitor.post(address, {"act": "bind", "key": _ids()[1]})
    assert answer.status_code == 302
    assert "is busy with AssociateInstancesKeyPairs" in text_of(visitor.get(answer["Location"]))
    assert Instance.objects.get().keys_in_doubt.keys() == {_ids()[0]}


def test_a_pair_that_may_open_it_is_shown_and_can_be_taken_away(owner: tuple[Visitor, str], world: World) -> None:
    visitor, address = owner
    one, _ = _ids()
    world.lose_answer("ensure_ssh_keys", times=STEPS["ssh_keys"].attempts)
    visitor.post(address, {"act": "bind", "key": one})
    work()
    said = "It is not known which keys hold; bind or take away keys again. This is for the seller to mend"
    assert said in text_of(visitor.get(reverse("machine", args=[_machine()])))
    page = visitor.get(address)
    assert "one An earlier change ended without an answer: it may open the machine." in text_of(page)
    assert _ticked(page.content.decode()) == set()
    assert visitor.post(address, {"act": "unbind", "key": one}).status_code == 302
    work()
    assert "No key pair opens it." in text_of(visitor.get(address))
    assert world.ssh_keys(_machine()) == []


def _machine() -> str:
    return Instance.objects.get().public_id


def test_it_is_said_in_chinese(owner: tuple[Visitor, str]) -> None:
    visitor, address = owner
    page = text_of(visitor.get(address, headers={"accept-language": "zh-CN"}))
    assert "此后 SSH 不再允许密码登录；密码本身仍然保留。" in page


def test_who_has_no_pair_is_led_to_make_one() -> None:
    visitor = customer()
    visitor.buy()
    work()
    page = visitor.get(reverse("machine_keys", args=[_machine()])).content.decode()
    assert "You have no key pair yet." in page
    assert 'href="/keys/">Create or import a key pair' in page
    assert Form(page, "").data.get("key") is None
