"""A customer who is locked out of a machine has it booted from a rescue system, and back, on its page."""

from django.http import HttpResponse
from django.urls import reverse

from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Visitor, customer, text_of, work
from vmart.catalog.models import Zone
from vmart.instances.models import Instance

PASSWORD = "Rescue-pass-1"


def _running() -> tuple[Visitor, str, str]:
    visitor = customer()
    visitor.buy("?charge=postpaid")
    work()
    name = Instance.objects.get().public_id
    return visitor, reverse("machine", args=[name]), reverse("machine_rescue", args=[name])


def _back(answer: HttpResponse) -> str:
    assert answer.status_code == 302
    return str(answer["Location"])


def test_the_way_in_and_out() -> None:
    visitor, machine, address = _running()
    out = reverse("machine_leave_rescue", args=[Instance.objects.get().public_id])
    page = visitor.get(address)
    assert "/mnt/system , a folder there; nothing on it is changed but by you" in text_of(page)
    assert f'href="{address}"' in visitor.get(machine).content.decode()
    assert _back(visitor.post(address, {"password": PASSWORD})) == machine
    assert "Going into rescue mode" in text_of(visitor.get(machine))
    work()
    shown = visitor.get(machine)
    assert "It runs a rescue system. Log in as root with the password that you gave for it." in text_of(shown)
    assert (f'href="{address}"' in shown.content.decode(), f'href="{out}"' in shown.content.decode()) == (False, True)
    assert reverse("machine_password", args=[Instance.objects.get().public_id]) not in shown.content.decode()
    assert PASSWORD not in shown.content.decode()
    assert f"{Instance.objects.get().name} leaves the rescue mode" in text_of(visitor.get(out))
    assert Instance.objects.get().state == "RESCUE_MODE"  # asked, and not done
    assert _back(visitor.post(out, {})) == machine
    work()
    shown = visitor.get(machine)
    assert "Out of the rescue mode, with its own system" in text_of(shown)
    assert reverse("machine_password", args=[Instance.objects.get().public_id]) in shown.content.decode()
    assert (Instance.objects.get().state, Instance.objects.get().rescue) == ("RUNNING", 2)


def test_what_is_wrong_is_said_beside_it() -> None:
    visitor, machine, address = _running()
    for password, why in (
        ("", "This field is required."),
        ("short", "A password has 8 to 30 characters; this one has 5."),
    ):
        with nothing_written():
            page = visitor.post(address, {"password": password})
        assert (page.status_code, why in text_of(page)) == (422, True)
    out = reverse("machine_leave_rescue", args=[Instance.objects.get().public_id])
    assert _back(visitor.post(out, {})) == machine
    assert "is RUNNING; it must be RESCUE_MODE." in text_of(visitor.get(machine))


def test_a_zone_without_it_says_why_and_offers_nothing() -> None:
    visitor, machine, address = _running()
    why = "Virtual machines have no rescue mode: their disk has not been attached to another one yet."
    zone = Zone.objects.get(pk=ZONE)
    Zone.objects.filter(pk=ZONE).update(capabilities=zone.capabilities | {"rescue": False, "missing": {"rescue": why}})
    page = visitor.get(address)
    assert f"{ZONE}: {why}" in text_of(page)
    assert 'id="rescue"' not in page.content.decode()
    assert _back(visitor.post(address, {"password": PASSWORD})) == machine
    assert f"{ZONE}: {why}" in text_of(visitor.get(machine))
    assert Instance.objects.get().rescue == 0


def test_turned_off_at_once() -> None:
    visitor, _machine, address = _running()
    visitor.post(address, {"password": PASSWORD, "hard": "on"})
    assert Instance.objects.get().state == "ENTER_RESCUE_MODE"
