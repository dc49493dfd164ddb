"""What holds when: the versions of the database, read once for each catalog of the process, and publishing new ones."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmart.catalog import shop
from vmart.kernel import db
from vmart.kernel.documents import DocumentError
from vmart.policy.document import Dated, Numbers, held
from vmart.policy.models import Version
from vmart.policy.numbers import DEFAULT, Policy

_read: tuple[shop.Shop, list[tuple[dt.datetime, Policy]]] | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A version that came, was changed before it began, or (``gone``) was taken back: its numbers, old and new."""

    begins_at: dt.datetime
    numbers: dict[str, tuple[Any, Any]]
    gone: bool = False


def at(instant: dt.datetime) -> Policy:
    """The policy in force at ``instant`` (business time). Of an instant that has passed it never changes."""
    return next((rules for begins_at, rules in reversed(dated()) if begins_at <= instant), DEFAULT)


def ends_at(instant: dt.datetime) -> dt.datetime | None:
    """When the policy in force at ``instant`` gives way to another, as far as one is planned."""
    return next((begins_at for begins_at, _ in dated() if begins_at > instant), None)


def dated() -> list[tuple[dt.datetime, Policy]]:
    """(from when on, what), in order. Before the first of them the defaults hold."""
    global _read
    here = shop.snapshot()
    if _read is None or _read[0] is not here:
        _read = (here, held(stored()))
    return _read[1]


def periods(until: dt.datetime) -> Iterator[tuple[dt.datetime, dt.datetime, Policy]]:
    """(from, to, what held), in order: all the past before ``until``."""
    begun = [(begins_at, rules) for begins_at, rules in dated() if begins_at < until]
    starts = [(dt.datetime.min.replace(tzinfo=dt.UTC), DEFAULT), *begun]
    for (begins_at, rules), (ends_at, _) in zip(starts, [*begun, (until, DEFAULT)], strict=True):
        yield begins_at, ends_at, rules


def stored() -> list[Dated]:
    """The versions as the seller wrote them. A name that only a newer vmart knows is left out."""
    return [
        Dated(row.begins_at, {name: row.numbers[name] for name in row.numbers if name in Policy.model_fields})
        for row in Version.objects.order_by("begins_at")
    ]


def publish(wanted: Sequence[Dated], now: dt.datetime, *, anything_goes: bool) -> list[Published]:
    """Make the versions be these; what that changes. Those that have begun must be among them as they were.

    ``anything_goes``: nothing was ever sold here, so a version may begin in the past. Belongs into the act's
    transaction, under the deployment's row. Raises DocumentError.
    """
    db.require_transaction()
    there = {version.begins_at: version.numbers for version in stored()}
    if problems := [] if anything_goes else _rewrites_the_past(wanted, there, now):
        raise DocumentError(problems)
    left = sorted(there.keys() - {version.begins_at for version in wanted})
    Version.objects.filter(begins_at__in=left).delete()
    changes = [Published(begins_at, {}, gone=True) for begins_at in left]
    held_before = [DEFAULT, *(rules for _, rules in held(wanted))]
    for version, rules in zip(wanted, held_before, strict=False):
        before = there.get(version.begins_at)
        if before != version.numbers:
            Version.objects.update_or_create(
                begins_at=version.begins_at, defaults={"numbers": dict(version.numbers), "applied_at": now}
            )
            changes.append(Published(version.begins_at, _changed(before or {}, version.numbers, rules)))
    return changes


def _changed(before: Numbers, now: Numbers, otherwise: Policy) -> dict[str, tuple[Any, Any]]:
    """Old and new of the numbers that are named; ``otherwise`` holds where one is not."""
    plain = otherwise.model_dump(mode="json", include={*before, *now})
    pairs = {name: (before.get(name, plain[name]), now.get(name, plain[name])) for name in {**before, **now}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _rewrites_the_past(wanted: Sequence[Dated], there: Mapping[dt.datetime, Numbers], now: dt.datetime) -> list[str]:
    problems = []
    for number, version in enumerate(wanted):
        before = there.get(version.begins_at)
        if version.begins_at > now or version.numbers == before:
            continue
        if before is None:
            problems.append(
                f"policy.{number}.from: {version.begins_at.isoformat()} has passed, and what was agreed then stays so:"
                f" a version begins after now, {now.isoformat()}"
            )
        else:
            problems.append(
                f"policy.{number}: began at {version.begins_at.isoformat()} and cannot be changed any more: write it"
                f" as it was, {_words(before)}, and what is to change in a version that begins after now"
            )
    kept = {version.begins_at for version in wanted}
    problems += [
        f"policy: the version that began at {begins_at.isoformat()} is missing and cannot be taken back: write it as"
        f" it was, {_words(before)}"
        for begins_at, before in there.items()
        if begins_at <= now and begins_at not in kept
    ]
    return problems


def _words(numbers: Numbers) -> str:
    return ", ".join(f"{name}: {value}" for name, value in numbers.items()) or "without a number"
