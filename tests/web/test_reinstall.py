"""A customer has the system of a machine installed anew, on its page."""

import re

from django.http import HttpResponse
from django.urls import reverse

from tests.support.written import nothing_written
from tests.web.test_keys_and_money import PUBLIC
from tests.web.visiting import Visitor, customer, text_of, work
from vmart.catalog.models import Image
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import unix_password

NEW = "New-pass-1"


def _running() -> tuple[Visitor, str]:
    visitor = customer()
    visitor.buy("?charge=postpaid")
    work()
    return visitor, reverse("machine_reinstall", args=[Instance.objects.get().public_id])


def _back(answer: HttpResponse) -> str:
    assert answer.status_code == 302
    return str(answer["Location"])


def test_it_says_what_is_erased_and_offers_the_images_on_sale() -> None:
    visitor, address = _running()
    page = visitor.get(address)
    assert "All that is on the system disk is erased." in text_of(page)
    offered = re.findall(r'<option value="(img-[a-z0-9]+)"', page.content.decode())
    assert offered == list(Image.objects.filter(unavailable_en="").order_by("position").values_list("pk", flat=True))
    assert f'<option value="{Instance.objects.get().image_id}" selected>' in page.content.decode()
    machine = visitor.get(address.replace("reinstall/", ""))
    assert f'href="{address}"' in machine.content.decode()


def test_a_typed_password_and_a_host_name() -> None:
    visitor, address = _running()
    asked = {"image": Instance.objects.get().image_id, "how": "typed", "password": NEW, "hostname": "anew"}
    back = _back(visitor.post(address, asked))
    page = visitor.get(back)
    assert "Its system is being installed anew." in text_of(page)
    assert address not in page.content.decode()
    work()
    machine = Instance.objects.get()
    assert unix_password.matches(NEW, machine.password_hash)
    assert (machine.hostname, machine.installation, machine.state) == ("anew", 1, "RUNNING")
    assert "Installed anew" in text_of(visitor.get(back))


def test_key_pairs() -> None:
    visitor, address = _running()
    visitor.post("/keys/", {"act": "import", "name": "laptop", "public_key": PUBLIC})
    key = KeyPair.objects.get().public_id
    _back(visitor.post(address, {"how": "keys", "key": key, "password": "not-asked-for"}))
    work()
    machine = Instance.objects.get()
    assert (machine.key_ids, machine.password_hash) == ([key], "")


def test_a_password_that_the_shop_makes_is_shown_when_the_machine_has_it() -> None:
    visitor, address = _running()
    back = _back(visitor.post(address, {"how": "generated"}))
    shows = reverse("machine_password", args=[Instance.objects.get().public_id])
    assert f'action="{shows}"' not in visitor.get(back).content.decode()
    work()
    assert f'action="{shows}"' in visitor.get(back).content.decode()
    answer = visitor.post(shows, {"act": "show"})
    (shown,) = re.findall(r'<code class="mono password"[^>]*>([^<]+)</code>', answer.content.decode())
    assert unix_password.matches(shown, Instance.objects.get().password_hash)


def test_what_is_wrong_is_said_beside_it_and_nothing_is_erased() -> None:
    visitor, address = _running()
    for asked, says in (
        ({"how": "typed", "password": "short"}, "A password has 8 to 30 characters"),
        ({"how": "typed", "password": ""}, "A password has 8 to 30 characters"),
        ({"how": "keys"}, "Choose a key pair."),
        ({"how": "generated", "hostname": "-a"}, "A host name has letters, digits, hyphens and dots"),
        ({"how": "generated", "image": "img-unknown0"}, "The image img-unknown0 does not exist."),
        ({"how": "generated", "image": "img-\0"}, "Null characters are not allowed."),
        ({"how": "generated", "hostname": "a\0b"}, "Null characters are not allowed."),
        ({"how": "keys", "key": "skey-unknown0"}, "skey-unknown0"),
        ({"how": "keys", "key": "skey-\0"}, "does not exist"),
    ):
        with nothing_written():
            answer = visitor.post(address, asked)
        assert answer.status_code == 422
        assert says in text_of(answer)
        assert "short" not in re.findall(r'value="([^"]*)"', answer.content.decode())


def test_nothing_is_erased_that_is_not_asked_for() -> None:
    visitor, address = _running()
    for asked in ({}, {"how": "otherwise"}):
        with nothing_written():
            answer = visitor.post(address, asked)
        assert (answer.status_code, "All that is on the system disk is erased." in text_of(answer)) == (200, True)


def test_a_busy_machine_is_told_on_its_page() -> None:
    visitor, address = _running()
    back = _back(visitor.post(address, {"how": "generated"}))
    with nothing_written():
        answer = visitor.post(address, {"how": "generated"})
    assert _back(answer) == back
    assert "is busy with ResetInstance" in text_of(visitor.get(back))
