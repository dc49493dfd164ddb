"""A key that is switched off is off everywhere, without a query for every request."""

import threading
from collections.abc import Callable

import pytest
from django.conf import settings

from tests.support.actors import by
from tests.support.at_once import at_once, wait_until_blocked
from tests.support.business_clock import BusinessClock
from tests.support.statements import statements
from vmart.customers import api_keys
from vmart.customers.models import Account, ApiKey, User
from vmart.events.models import Event
from vmart.kernel import clock, db
from vmart.kernel.errors import LimitExceeded, NotFound
from vmart.orders import open_account

pytestmark = pytest.mark.usefixtures("db")


def _open(name: str) -> tuple[Account, User]:
    user = User.objects.create_user(f"{name}@example.org", date_joined=clock.now())
    return open_account.open_account(user, name), user


def _made(name: str) -> tuple[ApiKey, str]:
    account, user = _open(name)
    return api_keys.create(by(account.id), account, user)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``later(1.0)``: so many seconds have passed since the test began."""
    began = clock.monotonic()

    def pass_by(seconds: float) -> None:
        monkeypatch.setattr(clock, "monotonic", lambda: began + seconds)

    pass_by(0)
    return pass_by


def test_a_key_disabled_or_deleted_elsewhere_works_a_second_at_most(later: Callable[[float], None]) -> None:
    """Given a process that has seen a key, when another switches it off or deletes it, then a second later it is so."""
    key, secret = _made("owner")
    seen = api_keys.find(key.secret_id)
    assert seen is not None and (seen.secret, seen.enabled) == (secret, True)
    ApiKey.objects.update(enabled=False)  # another process: this one's memory is not told
    with statements() as made:
        assert api_keys.find(key.secret_id) == seen
    assert made == []
    later(1.0)
    found = api_keys.find(key.secret_id)
    assert found is not None and not found.enabled
    ApiKey.objects.all().delete()
    later(2.0)
    assert api_keys.find(key.secret_id) is None


def test_in_the_process_that_does_it_it_is_so_at_once(later: Callable[[float], None]) -> None:
    account, user = _open("owner")
    key, _ = api_keys.create(by(account.id), account, user)
    for enabled in (True, False, True):
        api_keys.set_enabled(by(account.id), key.secret_id, enabled)
        found = api_keys.find(key.secret_id)
        assert found is not None and found.enabled is enabled
    api_keys.delete(by(account.id), key.secret_id)
    assert api_keys.find(key.secret_id) is None


def test_an_accounts_keys_are_its_own_and_five_at_most() -> None:
    (account, user), (stranger, _) = _open("owner"), _open("stranger")
    for _ in range(api_keys.KEYS_PER_MEMBER):
        key, secret = api_keys.create(by(account.id), account, user)
    assert settings.SECRETS.open(bytes(key.secret_sealed), key.secret_id) == secret
    assert secret.encode() not in bytes(key.secret_sealed)
    with pytest.raises(LimitExceeded):
        api_keys.create(by(account.id), account, user)
    for act in (
        lambda: api_keys.delete(by(stranger.id), key.secret_id),
        lambda: api_keys.set_enabled(by(stranger.id), key.secret_id, False),
    ):
        with pytest.raises(NotFound):
            act()
    assert ApiKey.objects.filter(enabled=True).count() == api_keys.KEYS_PER_MEMBER == 5


def test_a_use_is_written_down_once_a_minute(test_clock: BusinessClock) -> None:
    key, _ = _made("owner")
    api_keys.used(key.secret_id)  # of a key that nobody has looked for
    assert ApiKey.objects.get().last_used_at is None
    for passed, noted in ((0, True), (60, False), (1, True)):
        test_clock.advance(seconds=passed)
        api_keys.find(key.secret_id)
        with statements() as made:
            api_keys.used(key.secret_id)
        assert len(made) == int(noted)
        assert (ApiKey.objects.get().last_used_at == clock.now()) is noted


def test_looking_a_key_up_is_no_use_of_it() -> None:
    key, _ = _made("owner")
    api_keys.find(key.secret_id)
    assert ApiKey.objects.get().last_used_at is None


def test_two_who_make_the_last_key_at_once_make_one() -> None:
    """Given one who is about to make it, then another waits, and finds that there are five."""
    account, user = _open("owner")
    for _ in range(api_keys.KEYS_PER_MEMBER - 1):
        api_keys.create(by(account.id), account, user)
    refusals: list[object] = []

    def other() -> None:
        refusals.extend(at_once(lambda: api_keys.create(by(account.id), account, user)))

    thread = threading.Thread(target=other)
    with db.act():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        thread.start()
        wait_until_blocked()
        ApiKey.objects.create(
            account=account, user=user, secret_id="AKIDfifth", secret_sealed=b"", created_at=clock.now()
        )
    thread.join(30)
    assert [type(refusal) for refusal in refusals] == [LimitExceeded]
    assert ApiKey.objects.count() == api_keys.KEYS_PER_MEMBER


def test_each_change_of_a_key_says_who_made_it() -> None:
    account, user = _open("owner")
    actor = by(account.id, "r-1")
    key, _ = api_keys.create(actor, account, user)
    for enabled in (False, False, True):  # what is so already is no change
        api_keys.set_enabled(actor, key.secret_id, enabled)
    api_keys.delete(actor, key.secret_id)
    told = list(Event.objects.filter(subject_kind="api_key").order_by("id"))
    assert [event.kind for event in told] == [
        "api_key_created", "api_key_disabled", "api_key_enabled", "api_key_deleted",
    ]  # fmt: skip
    for event in told:
        assert (event.detail, event.actor["request"]) == ({"name": key.secret_id}, "r-1")
