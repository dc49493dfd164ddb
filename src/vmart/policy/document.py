"""The section ``policy`` of the catalog's file: versions, each with the instant it begins at and what changes then.

A number that a version does not name stays as it was before it; before the first, the default holds.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from vmart.kernel.documents import DocumentError, check
from vmart.policy.numbers import BY_CURRENCY, Policy

Numbers = Mapping[str, Any]
_FROM = "from"
_EXPECTED = (
    "a date (2027-01-01: at 00:00 in the billing zone) or an instant with its offset (2027-01-01T09:00:00+08:00),"
    " in whole seconds, is expected"
)


@dataclass(frozen=True, slots=True)
class Dated:
    """``numbers`` hold from ``begins_at`` on, as JSON has them."""

    begins_at: dt.datetime
    numbers: Numbers


def read(section: Sequence[Numbers], zone: ZoneInfo) -> list[Dated]:
    """The versions of a file, in order. Raises DocumentError, with a sentence for each problem."""
    problems: list[str] = []
    versions: list[Dated] = []
    for number, written in enumerate(section):
        try:
            versions.append(_version(written, f"policy.{number}", zone))
        except DocumentError as error:
            problems += error.problems
    problems += [] if problems else _disorder(versions)
    if problems:
        raise DocumentError(problems)
    held(versions)
    return versions


def held(versions: Iterable[Dated]) -> list[tuple[dt.datetime, Policy]]:
    """The policy from each instant on. Raises DocumentError where numbers do not go together."""
    now: dict[str, Any] = {}
    found = []
    for number, version in enumerate(versions):
        for name, value in version.numbers.items():
            now[name] = {**now.get(name, {}), **value} if name in BY_CURRENCY else value
        found.append((version.begins_at, check(Policy, now, at=f"policy.{number}")))
    return found


def _version(written: Numbers, path: str, zone: ZoneInfo) -> Dated:
    given = {name: value for name, value in written.items() if name != _FROM}
    problems = [
        f"{path}.{name}: is not known here; what is: {', '.join(Policy.model_fields)}"
        for name in given
        if name not in Policy.model_fields
    ]
    known = {name: value for name, value in given.items() if name in Policy.model_fields}
    try:
        checked = check(Policy, known, at=path)
    except DocumentError as error:
        raise DocumentError([*problems, *error.problems]) from error
    begins_at = _instant(written.get(_FROM), zone)
    if begins_at is None:
        said = f", not {written[_FROM]}" if written.get(_FROM) is not None else ""
        problems.insert(0, f"{path}.{_FROM}: {_EXPECTED}{said}")
    if problems or begins_at is None:
        raise DocumentError(problems)
    return Dated(begins_at, checked.model_dump(mode="json", include=set(known)))


def _instant(value: object, zone: ZoneInfo) -> dt.datetime | None:
    """When a version begins; None for what is no such instant."""
    try:
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value) if "T" in value or " " in value else dt.date.fromisoformat(value)
        if isinstance(value, dt.datetime):
            return None if value.tzinfo is None or value.microsecond else value.astimezone(dt.UTC)
        if isinstance(value, dt.date):
            return dt.datetime(value.year, value.month, value.day, tzinfo=zone).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return None


def _disorder(versions: Sequence[Dated]) -> list[str]:
    return [
        f"policy.{number}.{_FROM}: {versions[number].begins_at.isoformat()} is not after"
        f" {versions[number - 1].begins_at.isoformat()}, where the version before it begins"
        for number in range(1, len(versions))
        if versions[number].begins_at <= versions[number - 1].begins_at
    ]
