"""A password that the shop made is shown to the owner of its machine, in the answer to a POST, until she has it."""

import re

import pytest
from django.http import HttpResponse

from tests.support.business_clock import BusinessClock
from tests.support.written import nothing_written
from tests.web.test_orders_and_machines import running
from tests.web.visiting import Visitor, customer, text_of, work
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, SealedPassword
from vmart.kernel import unix_password
from vmart.orders.models import Line

SHOW, HAVE = {"act": "show"}, {"act": "have", "made_until": "2100-01-01T00:00:00+00:00"}


def _shown(answer: HttpResponse) -> list[str]:
    assert answer.status_code == 200
    return re.findall(r'<code class="mono password"[^>]*>([^<]+)</code>', answer.content.decode())


def _have(answer: HttpResponse) -> dict[str, str]:
    """What "I have it" on that page sends."""
    (made_until,) = re.findall(r'name="made_until" value="([^"]+)"', answer.content.decode())
    return {"act": "have", "made_until": made_until}


def test_the_order_shows_the_password_of_each_machine_on_request_alone() -> None:
    visitor = customer()
    order = visitor.buy("?charge=postpaid&count=3")["Location"]
    page = visitor.get(order)
    assert "The shop made 3 passwords, one for each machine." in text_of(page)
    assert not Event.objects.filter(kind="password_shown").exists()
    answer = visitor.post(f"{order}passwords/", SHOW)
    found = _shown(answer)
    machines = list(Instance.objects.order_by("id"))
    assert len(set(found)) == 3
    for text, machine in zip(found, machines, strict=True):
        assert unix_password.matches(text, machine.password_hash)
    assert not any(text in page.content.decode() for text in found)
    assert Event.objects.filter(kind="password_shown").count() == 3


def test_nobody_keeps_the_answer() -> None:
    visitor = customer()
    order = visitor.buy()["Location"]
    answer = visitor.post(f"{order}passwords/", SHOW)
    assert "no-store" in answer["Cache-Control"]
    (password,) = _shown(answer)
    work()
    address = f"/machines/{Instance.objects.get().public_id}/"
    assert _shown(visitor.post(f"{address}password/", SHOW)) == [password]
    for page in (order, f"{order}progress/", address, f"{address}live/", "/machines/", "/orders/"):
        assert password not in visitor.get(page).content.decode()
    assert password not in str(dict(visitor.session)) + str(visitor.cookies)


def test_it_is_shown_again_until_she_has_it_and_then_never() -> None:
    visitor = customer()
    machine = running(visitor)
    address = f"/machines/{machine.public_id}/"
    first, again = (visitor.post(f"{address}password/", SHOW) for _ in range(2))
    assert _shown(first) == _shown(again) != []
    page = text_of(visitor.get(address))
    assert "The shop made a password." in page
    assert "Password shown" in page
    answer = visitor.post(f"{address}password/", _have(again), follow=True)
    assert answer.redirect_chain == [(address, 302)]
    assert "The password was erased here: you have it." in text_of(answer)
    assert "The shop made a password." not in text_of(answer)
    assert not SealedPassword.objects.exists()
    again = visitor.post(f"{address}password/", SHOW, follow=True)
    assert f"The shop has no password of {machine.public_id} to show" in text_of(again)
    assert Event.objects.filter(kind="password_shown").count() == 2


def test_an_old_page_does_not_erase_a_newer_password(test_clock: BusinessClock) -> None:
    """Given a page with a password, when another is made before she says that she has it, then that one is kept."""
    visitor = customer()
    machine = running(visitor)
    address = f"/machines/{machine.public_id}/"
    old = visitor.post(f"{address}password/", SHOW)
    test_clock.advance(minutes=1)
    visitor.post(f"{address}reset-password/", {"how": "generated"})
    work()
    answer = visitor.post(f"{address}password/", _have(old), follow=True)
    assert "A newer password was made since; have it shown." in text_of(answer)
    assert "The password was erased here" not in text_of(answer)
    new = visitor.post(f"{address}password/", SHOW)
    assert _shown(new) != _shown(old)
    visitor.post(f"{address}password/", _have(new))
    assert not SealedPassword.objects.exists()


@pytest.mark.parametrize("made_until", ["", "\0", "yesterday", "2100-01-01T00:00:00", "9" * 40])
def test_a_page_that_does_not_say_what_it_showed_erases_nothing(made_until: str) -> None:
    visitor = customer()
    machine = running(visitor)
    with nothing_written():
        visitor.post(f"/machines/{machine.public_id}/password/", {"act": "have", "made_until": made_until})


def test_after_seven_days_there_is_nothing_to_show(test_clock: BusinessClock) -> None:
    visitor = customer()
    machine = running(visitor)
    address = f"/machines/{machine.public_id}/"
    assert "You can have it shown until 2026-03-17 10:00:00" in text_of(visitor.get(address))
    test_clock.advance(days=7)
    assert "The shop made a password." not in text_of(visitor.get(address))
    with nothing_written():
        answer = visitor.post(f"{address}password/", SHOW)
    assert (answer.status_code, answer["Location"]) == (302, address)


@pytest.mark.parametrize("asked", [SHOW, HAVE])
def test_another_customer_is_told_that_there_is_no_such_thing(asked: dict[str, str]) -> None:
    visitor = customer()
    machine = running(visitor)
    order = f"/orders/{Line.objects.get(subscription_id=machine.id).order_id}/"
    for stranger, status in ((customer(), 404), (Visitor(), 302)):
        with nothing_written():
            answers = [
                stranger.post(address, asked)
                for address in (f"/machines/{machine.public_id}/password/", f"{order}passwords/")
            ]
        assert [answer.status_code for answer in answers] == [status] * 2


@pytest.mark.parametrize("asked", [SHOW, HAVE])
def test_a_page_of_another_site_can_ask_for_nothing(asked: dict[str, str]) -> None:
    visitor = customer()
    machine = running(visitor)
    visitor.handler.enforce_csrf_checks = True
    address = f"/machines/{machine.public_id}/password/"
    with nothing_written():
        refused = visitor.post(address, asked)
        assert visitor.get(address).status_code == 405
    assert refused.status_code == 403


@pytest.mark.parametrize("act", ["", "shown", "\0", "SHOW"])
def test_any_other_word_does_nothing(act: str) -> None:
    visitor = customer()
    machine = running(visitor)
    with nothing_written():
        answer = visitor.post(f"/machines/{machine.public_id}/password/", {"act": act})
    assert (answer.status_code, answer["Location"]) == (302, f"/machines/{machine.public_id}/")


def test_a_password_of_her_own_is_not_kept() -> None:
    visitor = customer()
    order = visitor.buy(login="password", password="Str0ng-pass")["Location"]
    assert "The shop made" not in text_of(visitor.get(order))
    answer = visitor.post(f"{order}passwords/", SHOW, follow=True)
    assert "Reset it to have a new one." in text_of(answer)


def test_a_password_is_reset_to_one_that_the_shop_makes(world: World) -> None:
    visitor = customer()
    machine = running(visitor)
    address = f"/machines/{machine.public_id}/"
    (before,) = _shown(visitor.post(f"{address}password/", SHOW))
    assert f'href="{address}reset-password/"' in visitor.get(address).content.decode()
    assert f"A new password for root on {machine.name}" in text_of(visitor.get(f"{address}reset-password/"))
    answer = visitor.post(f"{address}reset-password/", {"how": "generated"})
    assert (answer.status_code, answer["Location"]) == (302, address)
    page = visitor.get(address)
    assert "Its password is being reset." in text_of(page)
    assert "The shop made a password." not in text_of(page)
    assert 'hx-trigger="every 1s"' in page.content.decode()
    work()
    page = text_of(visitor.get(f"{address}live/"))
    assert "Password reset" in page and "The shop made a password." in page
    (after,) = _shown(visitor.post(f"{address}password/", SHOW))
    assert after != before
    assert unix_password.matches(after, world.password_hash(machine.public_id))


def test_a_password_is_reset_to_a_typed_one_and_a_weak_one_is_refused_beside_its_field(world: World) -> None:
    visitor = customer()
    machine = running(visitor)
    address = f"/machines/{machine.public_id}/"
    with nothing_written():
        refused = visitor.post(f"{address}reset-password/", {"how": "typed", "password": "lower1234"})
    assert refused.status_code == 422
    assert "A password has at least 3 of these" in text_of(refused)
    assert 'value="typed" checked' in refused.content.decode()
    assert "lower1234" not in refused.content.decode()
    assert "no-store" in refused["Cache-Control"]
    visitor.post(f"{address}reset-password/", {"how": "typed", "password": "Str0ng-pass"})
    work()
    assert unix_password.matches("Str0ng-pass", world.password_hash(machine.public_id))
    assert "The shop made a password." not in text_of(visitor.get(address))


def test_a_reset_that_cannot_be_is_said_on_the_machines_page() -> None:
    visitor = customer()
    machine = running(visitor)
    address = f"/machines/{machine.public_id}/"
    visitor.post(f"{address}reset-password/", {"how": "generated"})
    with nothing_written():
        visitor.post(f"{address}reset-password/", {"how": "generated"})
    assert f"The instance {machine.public_id} is busy" in text_of(visitor.get(address))


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ({}, 200),
        ({"how": "\0"}, 200),
        ({"password": "Str0ng-pass"}, 200),
        ({"how": "typed"}, 422),
        ({"how": "typed", "password": "\0" * 12}, 422),
        ({"how": "typed", "password": "密码密码密码Ab1"}, 422),
        ({"how": "typed", "password": "/Abcd1234"}, 422),
    ],
)
def test_an_unfit_form_resets_nothing(typed: dict[str, str], status: int) -> None:
    visitor = customer()
    machine = running(visitor)
    with nothing_written():
        assert visitor.post(f"/machines/{machine.public_id}/reset-password/", typed).status_code == status
