"""Given a rule, when values meet it for its minutes, then its owner is told once, and once when that ends."""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Sequence

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tests.monitoring.walking import walk
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.mail_sink import Sink, mail_sink
from tests.support.plans import read_whole
from tests.support.quotas import one as quota
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse
from tests.support.written import nothing_written
from vmart.engines.contract import Usage
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.monitoring import alarms, evaluate, mails, sample
from vmart.monitoring.alarms import Wanted
from vmart.monitoring.errors import TooManyAlarms, UnknownAlarm
from vmart.monitoring.models import Alarm, AlarmNotice, AlarmState
from vmart.provisioning.zone_engines import engine_of

BUSY = Wanted("busy", "cpu_percent", ">", 80, 3)


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    with mail_sink() as found:
        said = {
            "SENDS_MAIL": True, "PUBLIC_URL": "https://shop.example.com", "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": found.port, "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "DEFAULT_FROM_EMAIL": "shop@example.com",
        }  # fmt: skip
        for name, value in said.items():
            monkeypatch.setattr(settings, name, value)
        yield found


def _state(alarm: Alarm, machine: Instance) -> str | None:
    return AlarmState.objects.filter(alarm=alarm, instance_id=machine.id).values_list("state", flat=True).first()


def _notices() -> list[str]:
    return list(AlarmNotice.objects.order_by("id").values_list("state", flat=True))


def test_it_begins_when_all_its_minutes_meet_it_and_ends_with_the_first_that_does_not(
    account: int, machine: Instance, world: World, test_clock: BusinessClock, sink: Sink
) -> None:
    alarm = alarms.create(by(account), BUSY)
    walk(test_clock, 1)
    assert _state(alarm, machine) is None  # a first reading has no rate: nothing is known
    world.use(machine.public_id, cpu_percent=81)
    walk(test_clock, 1)
    assert _state(alarm, machine) == "OK"  # of the minute before the load
    walk(test_clock, 2)
    assert (_state(alarm, machine), _notices(), mails.send()) == ("OK", [], 0)
    walk(test_clock, 1)
    assert (_state(alarm, machine), _notices(), mails.send()) == ("ALARM", ["ALARM"], 1)
    walk(test_clock, 5)
    assert (_notices(), mails.send()) == (["ALARM"], 0)
    world.use(machine.public_id, cpu_percent=80)  # above is not at least
    walk(test_clock, 2)
    assert (_state(alarm, machine), _notices(), mails.send(), mails.send()) == ("OK", ["ALARM", "OK"], 1, 0)
    (begun, ended) = sink.mails
    assert (begun[0], begun[1]) == ("shop@example.com", ["buyer@example.com"])
    assert [mail[2]["Subject"] for mail in (begun, ended)] == ["Alarm busy: web", "Alarm busy ended: web"]
    text = begun[2].get_content()
    assert f"web ({machine.public_id}) meets the rule of your alarm since 2026-03-10 02:04 UTC:" in text
    assert "CPU > 80 % for 3 min" in text
    assert f"https://shop.example.com/machines/{machine.public_id}/monitoring/" in text


@pytest.mark.parametrize("takes_s", [5, 45, 60, 90])
def test_it_begins_also_where_the_engine_always_takes_all_its_time(
    account: int, machine: Instance, world: World, test_clock: BusinessClock, takes_s: int
) -> None:
    """Given a worker as it runs, and an engine whose answers come late, then a rule of a minute is in ALARM."""
    alarm = alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    asked = evaluated = None
    told: Sequence[Usage] = []
    left_s = 0
    for _second in range(0, 600, 5):
        now = sample.minute_of(test_clock.at)
        if left_s == 0 and now != asked:
            asked, told, left_s = now, engine_of(ZONE).usage(), takes_s  # type: ignore[attr-defined]
        test_clock.advance(dt.timedelta(seconds=5))
        if left_s:
            left_s -= 5
            if left_s == 0 and asked:
                sample.keep(ZONE, asked, told)
        if evaluated != (evaluated := evaluate.due(test_clock.at)):
            evaluate.at(evaluated)
    assert (_state(alarm, machine), _notices()) == ("ALARM", ["ALARM"])


def test_one_gap_neither_begins_nor_ends_it_and_three_do(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    alarm = alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    assert _state(alarm, machine) == "ALARM"
    engine_of(ZONE).ensure_power(machine.public_id, False)
    walk(test_clock, 2)
    assert (_state(alarm, machine), _notices()) == ("ALARM", ["ALARM"])
    walk(test_clock, 1)
    assert (_state(alarm, machine), _notices()) == ("NO_DATA", ["ALARM", "NO_DATA"])


def test_what_is_evaluated_again_is_told_no_second_time(
    account: int, machine: Instance, world: World, test_clock: BusinessClock, sink: Sink
) -> None:
    alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    minute = sample.minute_of(test_clock.at) - test_clock.at.resolution * 60_000_000
    assert [evaluate.at(minute), evaluate.at(minute), mails.send(), mails.send()] == [0, 0, 1, 0]
    assert len(sink.mails) == 1


def test_a_mail_that_a_killed_worker_had_in_hand_is_not_sent_again(
    account: int,
    machine: Instance,
    world: World,
    test_clock: BusinessClock,
    sink: Sink,
) -> None:
    """Given a worker that ends at the moment at which the mail has left, then the next one has nothing to send."""
    alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    real = mails._mail

    class _Killed(BaseException):
        pass

    def send_and_end(*arguments: object) -> object:
        real(*arguments).send()  # type: ignore[arg-type]
        raise _Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(mails, "_mail", send_and_end)
        mails.send()
    assert (mails.send(), len(sink.mails)) == (0, 1)
    notice = AlarmNotice.objects.get()
    assert (notice.begun_at is not None, notice.told_at) == (True, None)


def test_a_server_that_takes_no_mail_is_asked_again_for_an_hour(
    account: int, machine: Instance, world: World, test_clock: BusinessClock, sink: Sink
) -> None:
    alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    sink.refuses = True
    assert (mails.send(), sink.mails) == (0, [])
    sink.refuses = False
    assert (mails.send(), len(sink.mails)) == (1, 1)
    AlarmNotice.objects.update(begun_at=None, told_at=None)
    test_clock.advance(minutes=62)
    assert mails.send() == 0


@pytest.fixture
def two_alarms(account: int, machine: Instance, world: World, test_clock: BusinessClock) -> None:
    """Of two accounts, that of buyer@example.com begun first."""
    other = open_purse("other", cash_minor=10_000)
    for owner, one in ((account, machine), (other, buy_running(other, HOURLY))):
        alarms.create(by(owner), dataclasses.replace(BUSY, minutes=1))
        world.use(one.public_id, cpu_percent=90)
    walk(test_clock, 2)
    assert _notices() == ["ALARM", "ALARM"]


def _sent_to(sink: Sink) -> list[str]:
    return [receiver for mail in sink.mails for receiver in mail[1]]


@pytest.mark.usefixtures("two_alarms")
def test_a_receiver_who_is_refused_for_good_holds_up_nobody_else(sink: Sink) -> None:
    sink.receivers["buyer@example.com"] = "550 no such user"
    assert (mails.send(), _sent_to(sink)) == (1, ["other@example.com"])
    sink.receivers.clear()
    assert (mails.send(), len(sink.mails)) == (0, 1)
    assert [(one.attempts, one.told_at is None) for one in AlarmNotice.objects.order_by("id")] == [
        (1, True),
        (1, False),
    ]


@pytest.mark.usefixtures("two_alarms")
def test_a_mail_whose_text_is_refused_is_not_offered_again(sink: Sink) -> None:
    sink.after_data = "554 that is spam"
    assert (mails.send(), mails.send()) == (0, 0)
    assert _sent_to(sink) == ["buyer@example.com", "other@example.com"]  # both were asked for, each once


@pytest.mark.usefixtures("two_alarms")
def test_a_mail_that_a_server_may_have_taken_is_sent_no_second_time(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a server that takes a mail and answers after our patience, then it gets that mail once."""
    monkeypatch.setattr(settings, "EMAIL_TIMEOUT", 0.2)
    sink.after_data = ""
    assert mails.send() == 0
    sink.after_data = "250 sink"
    assert mails.send() == 0
    assert _sent_to(sink) == ["buyer@example.com", "other@example.com"]


@pytest.mark.usefixtures("two_alarms")
def test_a_receiver_for_later_is_asked_five_times_within_the_hour(sink: Sink, test_clock: BusinessClock) -> None:
    sink.receivers["buyer@example.com"] = "450 come later"
    told, tried = [], []
    for _minute in range(58):
        told.append(mails.send())
        tried.append(AlarmNotice.objects.earliest("id").attempts)
        test_clock.advance(minutes=1)
    assert (told[0], sum(told), _sent_to(sink)) == (1, 1, ["other@example.com"])
    assert [tried.index(attempt) for attempt in range(1, 6)] == [0, 2, 11, 26, 47]  # looked at first a minute on


@pytest.mark.usefixtures("two_alarms")
def test_a_server_that_is_away_costs_no_attempt(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as away:
        away.setattr(settings, "EMAIL_PORT", 1)
        assert [mails.send() for _ in range(9)] == [0] * 9
    assert list(AlarmNotice.objects.values_list("attempts", "begun_at")) == [(0, None), (0, None)]
    assert (mails.send(), len(sink.mails)) == (2, 2)


@pytest.mark.usefixtures("two_alarms")
def test_accounts_are_told_in_turn(sink: Sink, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given one with many notices, then the other's first comes behind its first, also if more of it come later."""
    monkeypatch.setattr(mails, "_AT_ONCE", 3)
    AlarmNotice.objects.filter(id__gt=AlarmNotice.objects.earliest("id").id).delete()
    first, second = Alarm.objects.order_by("id")

    def more(alarm: Alarm, number: int) -> None:
        machine = Instance.objects.get(account_id=alarm.account_id)
        for _ in range(number):
            at = test_clock.at - test_clock.at.resolution * AlarmNotice.objects.count()
            AlarmNotice.objects.create(alarm=alarm, instance_id=machine.id, state="ALARM", at=at)

    more(first, 5)
    more(second, 1)
    assert (mails.send(), _sent_to(sink)) == (3, ["buyer@example.com", "other@example.com", "buyer@example.com"])
    more(second, 2)
    assert (mails.send(), _sent_to(sink)[3:]) == (3, ["other@example.com", "buyer@example.com", "other@example.com"])
    assert (mails.send(), mails.send()) == (3, 0)


@pytest.mark.usefixtures("two_alarms")
def test_notices_are_kept_for_seven_days(test_clock: BusinessClock) -> None:
    first, second = AlarmNotice.objects.order_by("id")
    AlarmNotice.objects.filter(pk=first.pk).update(at=test_clock.at - dt.timedelta(days=7, seconds=1))
    AlarmNotice.objects.filter(pk=second.pk).update(at=test_clock.at - dt.timedelta(days=7))
    assert [mails.forget_old(test_clock.at), mails.forget_old(test_clock.at)] == [1, 0]
    assert [AlarmNotice.objects.get().pk, Alarm.objects.count(), AlarmState.objects.count()] == [second.pk, 2, 2]


def test_a_shop_without_mail_tells_it_on_its_page_alone(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    assert (mails.send(), AlarmNotice.objects.get().begun_at) == (0, None)


def test_a_rule_is_of_all_machines_of_some_or_of_those_with_a_tag(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    other = buy_running(account, HOURLY)
    foreign = buy_running(open_purse("other", cash_minor=10_000), HOURLY)
    db.rows(
        "INSERT INTO tags_tag (account_id, kind, resource_id, key, value, from_at)"
        " VALUES (%s, 'instance', %s, 'role', 'web', %s) RETURNING id",
        account, other.public_id, test_clock.at,
    )  # fmt: skip
    for one in (machine, other, foreign):
        world.use(one.public_id, cpu_percent=90)
    one_minute = dataclasses.replace(BUSY, minutes=1)
    every = alarms.create(by(account), one_minute)
    named = alarms.create(by(account), dataclasses.replace(one_minute, instance_ids=(machine.public_id,)))
    tagged = alarms.create(by(account), dataclasses.replace(one_minute, tag_key="role", tag_value="web"))
    walk(test_clock, 2)
    found = {(one.alarm_id, one.instance_id) for one in AlarmState.objects.filter(state="ALARM")}
    assert found == {(every.id, machine.id), (every.id, other.id), (named.id, machine.id), (tagged.id, other.id)}
    db.rows("UPDATE tags_tag SET to_at = %s RETURNING id", test_clock.at)
    walk(test_clock, 1)
    assert not AlarmState.objects.filter(alarm=tagged).exists()  # forgotten, and not told to end
    assert set(_notices()) == {"ALARM"}


def test_a_rule_that_is_deleted_takes_all_with_it(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    alarm = alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    other = open_purse("other")
    with nothing_written(), pytest.raises(UnknownAlarm):
        alarms.delete(by(other), alarm.public_id)
    alarms.delete(by(account), alarm.public_id)
    assert not (Alarm.objects.exists() or AlarmState.objects.exists() or AlarmNotice.objects.exists())
    kinds = Event.objects.filter(subject_kind="alarm").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["CreateAlarm", "DeleteAlarm"]


def _kinds() -> list[str]:
    return list(Event.objects.filter(subject_kind="alarm").order_by("id").values_list("kind", flat=True))


def test_another_rule_begins_anew_and_another_name_does_not(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    alarm = alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    assert (_state(alarm, machine), _notices()) == ("ALARM", ["ALARM"])
    named = dataclasses.replace(BUSY, minutes=1, name="very busy", language="zh-hans")
    alarms.change(by(account), alarm.public_id, named)
    alarm.refresh_from_db()
    assert (alarm.name, alarm.language) == ("very busy", "zh-hans")
    assert (_state(alarm, machine), _notices()) == ("ALARM", ["ALARM"])
    alarms.change(by(account), alarm.public_id, dataclasses.replace(named, threshold=95.0))
    assert (_state(alarm, machine), _notices()) == (None, [])  # what waited speaks of a rule that is no more
    walk(test_clock, 2)
    assert (_state(alarm, machine), _notices()) == ("OK", [])  # and the old one is not told to have ended
    wanted = Wanted("less", "memory_percent", "<=", 50.5, 1, (machine.public_id,))
    alarms.change(by(account), alarm.public_id, wanted)
    alarm.refresh_from_db()
    assert (alarm.metric, alarm.comparison, alarm.threshold, alarm.minutes, alarm.instance_ids, alarm.tag_key) == (
        "memory_percent", "<=", 50.5, 1, [machine.public_id], "",
    )  # fmt: skip
    alarms.change(by(account), alarm.public_id, wanted)  # the same again
    assert _kinds() == ["CreateAlarm", "ModifyAlarm", "ModifyAlarm", "ModifyAlarm"]


def test_a_mail_that_has_begun_to_leave_stays_written_down(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    alarm = alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    AlarmNotice.objects.update(begun_at=test_clock.at)
    alarms.change(by(account), alarm.public_id, dataclasses.replace(BUSY, minutes=2))
    assert _notices() == ["ALARM"]


def test_one_that_is_off_watches_nothing_and_is_not_told_to_end(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    alarm = alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    AlarmNotice.objects.update(begun_at=test_clock.at, told_at=test_clock.at)
    for _ in range(2):
        alarms.switch(by(account), alarm.public_id, on=False)
    walk(test_clock, 3)
    assert (_state(alarm, machine), _notices()) == (None, ["ALARM"])
    alarms.switch(by(account), alarm.public_id, on=True)
    walk(test_clock, 2)
    assert (_state(alarm, machine), _notices()) == ("ALARM", ["ALARM", "ALARM"])
    assert _kinds() == ["CreateAlarm", "DisableAlarm", "EnableAlarm"]


def test_a_machine_that_is_gone_may_stay_in_a_rule_but_comes_into_none(account: int, machine: Instance) -> None:
    alarm = alarms.create(by(account), dataclasses.replace(BUSY, instance_ids=(machine.public_id,)))
    Instance.objects.update(state="GONE", gone_at=machine.created_at)
    still = dataclasses.replace(BUSY, minutes=7, instance_ids=(machine.public_id,))
    alarms.change(by(account), alarm.public_id, still)
    assert Alarm.objects.get().minutes == 7
    alarms.change(by(account), alarm.public_id, BUSY)
    with nothing_written(), pytest.raises(Refused) as refused:
        alarms.change(by(account), alarm.public_id, still)
    assert refused.value.field == "instance_ids"


def test_what_is_anothers_is_neither_changed_nor_switched(account: int) -> None:
    alarm, other = alarms.create(by(account), BUSY), open_purse("other")
    with nothing_written():
        with pytest.raises(UnknownAlarm):
            alarms.change(by(other), alarm.public_id, dataclasses.replace(BUSY, name="mine"))
        with pytest.raises(UnknownAlarm):
            alarms.switch(by(other), alarm.public_id, on=False)


def test_of_many_notices_those_of_the_last_hour_are_read_alone(account: int, machine: Instance) -> None:
    """By their time: a week of them lies there, and somebody looks every few seconds."""
    alarm, now = alarms.create(by(account), BUSY), machine.created_at
    db.rows(
        "INSERT INTO monitoring_alarm_notice (alarm_id, instance_id, state, at, attempts) SELECT %s, %s, 'ALARM',"
        " %s::timestamptz - n * interval '1 minute', 0 FROM generate_series(1, 10000) AS n RETURNING id",
        alarm.id, machine.id, now,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE monitoring_alarm_notice")
    due = read_whole(lambda: db.rows(mails._NEXT, now - dt.timedelta(hours=1), 5, now, 20))
    old = read_whole(lambda: AlarmNotice.objects.filter(at__lt=now - dt.timedelta(days=6.9)).count())
    assert (due, old) == ([], [])


def test_an_account_has_as_many_as_its_quota_says(account: int) -> None:
    quota(account, alarms=1)
    alarms.create(by(account), BUSY)
    with nothing_written(), pytest.raises(TooManyAlarms, match="at most 1 alarms"):
        alarms.create(by(account), BUSY)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"), ({"name": "a\nb"}, "name"), ({"name": "n" * 61}, "name"),
        ({"metric": "beauty"}, "metric"), ({"comparison": "="}, "comparison"),
        ({"threshold": float("nan")}, "threshold"), ({"threshold": float("inf")}, "threshold"),
        ({"threshold": -1.0}, "threshold"), ({"threshold": 101.0}, "threshold"),
        ({"minutes": 0}, "minutes"), ({"minutes": 61}, "minutes"),
        ({"instance_ids": ("ins-unknown0",)}, "instance_ids"), ({"instance_ids": ("ins-\0",)}, "instance_ids"),
        ({"instance_ids": ("ins-unknown0",) * 101}, "instance_ids"), ({"tag_key": "role"}, "tag"),
        ({"tag_key": "role", "tag_value": "x", "instance_ids": ("ins-unknown0",)}, "tag"),
        ({"tag_key": "k" * 128, "tag_value": "x"}, "tag"), ({"tag_key": "k\0", "tag_value": "x"}, "tag"),
    ],
)  # fmt: skip
def test_what_no_rule_may_be_is_refused(account: int, wrong: dict[str, object], field: str) -> None:
    with nothing_written(), pytest.raises(Refused) as refused:
        alarms.create(by(account), dataclasses.replace(BUSY, **wrong))  # type: ignore[arg-type]
    assert refused.value.field == field


def test_a_machine_of_another_is_as_one_that_is_not_there(account: int, world: World) -> None:
    foreign = buy_running(open_purse("other", cash_minor=10_000), HOURLY)
    with nothing_written(), pytest.raises(Refused, match="There is no machine") as refused:
        alarms.create(by(account), dataclasses.replace(BUSY, instance_ids=(foreign.public_id,)))
    assert refused.value.field == "instance_ids"


# -- the rule by which states follow each other, said again in Python -------------------------------


def _following(before: str, minutes: int, window: list[bool | None], recent: list[bool | None]) -> str:
    """By the values of its minutes (True meets it, None is a gap) and of the last three minutes or more."""
    known = [value for value in window if value is not None]
    if len(known) == minutes and all(known):
        return "ALARM"
    if not all(known):
        return "OK"
    if not any(value is not None for value in recent):
        return "NO_DATA"
    return "OK" if before == "NO_DATA" and known else before


@pytest.fixture(scope="module")
def sql_next() -> Callable[..., str]:
    return lambda *arguments: str(db.call("monitoring_next", *arguments))


@given(values=st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=25), minutes=st.integers(1, 5))
@pytest.mark.usefixtures("shop")
def test_states_follow_the_rule_and_what_is_told_begins_and_ends_in_turn(
    sql_next: Callable[..., str], values: list[bool | None], minutes: int
) -> None:
    state, told = "NO_DATA", []
    for end in range(1, len(values) + 1):
        window, recent = values[max(0, end - minutes) : end], values[max(0, end - max(minutes, 3)) : end]
        known = [value for value in window if value is not None]
        some = [value for value in recent if value is not None]
        after = sql_next(state, minutes, len(known), sum(known), len(some))
        assert after == _following(state, minutes, window, recent)
        if (state == "ALARM") != (after == "ALARM"):
            told.append(after)
        if after == "ALARM" and state != "ALARM":
            assert values[end - minutes : end] == [True] * minutes
        state = after
    assert all((one == "ALARM") != (following == "ALARM") for one, following in itertools.pairwise(told))
    assert not told or told[0] == "ALARM"


def test_one_that_was_switched_off_sends_no_mail_that_waited(
    account: int, machine: Instance, world: World, test_clock: BusinessClock, sink: Sink
) -> None:
    alarm = alarms.create(by(account), dataclasses.replace(BUSY, minutes=1))
    world.use(machine.public_id, cpu_percent=90)
    walk(test_clock, 2)
    assert _notices() == ["ALARM"]
    alarm.enabled = False
    alarm.save()
    assert (mails.send(), _sent_to(sink)) == (0, [])
    alarm.enabled = True
    alarm.save()
    assert mails.send() == 1
