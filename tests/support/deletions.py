"""Deletes each action, and each member of its requests and answers, in turn: a test must turn red.

``python -m tests.support.deletions`` does it for all services; ``… tag vpc/CreateVpc`` for these only. It prints what
survived, with exit status 1.

All of it is one run of pytest. First each test of the API runs once as it is, and what it sends is noted: actions, and
members of their requests. What no test sends survives without a run, and is printed first. Then, deletion by deletion,
the tests that send what is deleted run, the quickest first, until one fails. Tests that compare the declarations with
the published API are left out: they would turn red at everything, whether or not it does anything.

It takes hours and is no part of CI. ``VMART_DELETE_S`` ends it after so many seconds. What it found stands in
``VMART_DELETE_NOTES`` (a folder, else a new one), line by line: a further run with the same folder goes on there.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import pytest

_ONLY, _SECONDS, _NOTES = "VMART_DELETED", "VMART_DELETE_S", "VMART_DELETE_NOTES"
_ACTION, _ASKED, _TOLD = "action", "asked", "told"
Deletion = tuple[str, str, str, str, str]  # service, action, version, what, path of the member
Sent = tuple[str, str, str, str]  # service, action, version, path of a member ("" of the action itself)
_COMPARING = ("answer_shapes", "fields", "languages", "odd_values", "published_members", "reference", "registry")


def deletions(*only: str) -> Iterator[Deletion]:
    """All, or those of some: ``tag`` is a service, ``vpc/CreateVpc`` an action."""
    from vmart.api import services

    for action in services.API:
        if not only or action.service in only or f"{action.service}/{action.name}" in only:
            where = (action.service, action.name, action.version)
            yield (*where, _ACTION, "")
            yield from ((*where, _ASKED, path) for path in _asked(action.asks))
            yield from ((*where, _TOLD, path) for path in _told(action.answers))


def _asked(shape: Any, path: str = "") -> Iterator[str]:
    from types import NoneType

    from tests.support.published_members import inner_shape

    for name, member in shape.model_fields.items():
        if member.annotation is not NoneType:
            yield path + name
            if inner := inner_shape(member.annotation):
                yield from _asked(inner, f"{path}{name}.")


def _told(answers: Any, path: str = "") -> Iterator[str]:
    from tests.support.published_members import inner_answer

    for name, kind in get_type_hints(answers).items():
        yield path + name
        if inner := inner_answer(kind):
            yield from _told(inner, f"{path}{name}.")


@contextmanager
def deleted(deletion: Deletion) -> Iterator[None]:
    """Without it for as long as the block takes."""
    from vmart.api import services

    service, name, version, what, path = deletion
    key, action = (service, name, version), services.API.find(name, version, service)
    if what == _ASKED:
        with _hidden(action.asks, path):
            yield
        return
    del services.API._actions[key]
    if what == _TOLD:
        services.API._actions[key] = dataclasses.replace(
            action, do=lambda call, asked: _without(action.do(call, asked), path)
        )
    try:
        yield
    finally:
        services.API._actions[key] = action


@contextmanager
def _hidden(shape: Any, path: str) -> Iterator[None]:
    """A request cannot say the member any more: it is unknown, and has its default."""
    from tests.support.published_members import inner_shape

    name, _, rest = path.partition(".")
    member = shape.model_fields[name]
    if rest:
        with _hidden(inner_shape(member.annotation), rest):
            shape.model_rebuild(force=True)
            yield
        shape.model_rebuild(force=True)
        return
    now = (member.alias, member.validation_alias, member.serialization_alias)
    member.alias = member.validation_alias = member.serialization_alias = "Deleted"
    shape.model_rebuild(force=True)
    try:
        yield
    finally:
        member.alias, member.validation_alias, member.serialization_alias = now
        shape.model_rebuild(force=True)


def _without(told: Any, path: str) -> Any:
    """An answer, or a list in one, without the member."""
    if isinstance(told, list):
        return [_without(each, path) for each in told]
    if not isinstance(told, dict):
        return told
    name, _, rest = path.partition(".")
    if rest:
        return {member: _without(value, rest) if member == name else value for member, value in told.items()}
    return {member: value for member, value in told.items() if member != name}


def _paths(shape: Any, members: Any, path: str = "") -> Iterator[str]:
    """The members that a request says, as ``_asked`` calls them."""
    from tests.support.published_members import inner_shape

    if isinstance(members, list):
        for each in members:
            yield from _paths(shape, each, path)
    if not isinstance(members, Mapping):
        return
    for name, member in shape.model_fields.items():
        if str(member.alias) in members:
            yield path + name
            if inner := inner_shape(member.annotation):
                yield from _paths(inner, members[str(member.alias)], f"{path}{name}.")


@contextmanager
def _noting(sent: set[Sent]) -> Iterator[None]:
    """What is sent within the block goes into ``sent``."""
    from vmart.api.wire.wsgi import ApiApplication

    perform = ApiApplication._perform

    def noted(self: Any, action: Any, call: Any, caller: Any, members: Any, **named: Any) -> Any:
        where = (action.service, action.name, action.version)
        sent.update((*where, path) for path in ("", *_paths(action.asks, members)))
        return perform(self, action, call, caller, members, **named)

    ApiApplication._perform = noted  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ApiApplication._perform = perform  # type: ignore[method-assign]


def _is_green(item: pytest.Item) -> bool:
    """Whether a test passes; only what the whole run shares stays for the next, whichever that is."""
    from _pytest.runner import runtestprotocol

    shared: Any = item.session
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=shared))


class _Notes:
    """What was found, a line each: ``sent`` by which test in how many seconds, ``ran`` a deletion with its survivor."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "found.jsonl"
        self.sent: dict[str, tuple[float, list[Sent]]] = {}
        self.survived: dict[Deletion, bool] = {}
        for line in self._file.read_text().splitlines() if self._file.exists() else ():
            kind, name, *rest = json.loads(line)
            if kind == "sent":
                self.sent[name] = (rest[0], [tuple(each) for each in rest[1]])
            else:
                self.survived[tuple(name)] = rest[0]

    def test(self, name: str, seconds: float, sent: list[Sent]) -> None:
        self.sent[name] = (seconds, sent)
        self._write(["sent", name, seconds, sent])

    def ran(self, deletion: Deletion, *, survived: bool) -> None:
        self.survived[deletion] = survived
        self._write(["ran", deletion, survived])

    def _write(self, found: list[object]) -> None:
        with self._file.open("a") as file:
            file.write(f"{json.dumps(found)}\n")

    def senders(self, deletion: Deletion) -> list[str]:
        """The tests that send what is deleted, and pass as it is, the quickest first."""
        *where, what, path = deletion
        wanted = (*where, path if what == _ASKED else "")
        return sorted((name for name, (_, sent) in self.sent.items() if wanted in sent), key=lambda n: self.sent[n][0])


def _note(item: pytest.Item, notes: _Notes) -> None:
    """Run a test as it is; one that fails is as if it sent nothing."""
    sent: set[Sent] = set()
    begun = time.monotonic()
    with _noting(sent):
        green = _is_green(item)
    notes.test(item.nodeid, time.monotonic() - begun, sorted(sent) if green else [])


def pytest_runtestloop(session: pytest.Session) -> bool:
    """As a plugin of pytest, in the place of the run of the tests."""
    say = session.config.get_terminal_writer().line
    until = time.monotonic() + float(os.environ.get(_SECONDS) or "inf")
    items, notes = {item.nodeid: item for item in session.items}, _Notes(Path(os.environ[_NOTES]))
    for name, item in items.items():
        if name not in notes.sent and time.monotonic() < until:
            _note(item, notes)
    asked = list(deletions(*os.environ[_ONLY].split()))
    say(f"{len(notes.sent.keys() & items.keys())} of {len(items)} tests noted, {len(asked)} deletions")
    unsent = [deletion for deletion in asked if not notes.senders(deletion)]
    for deletion in unsent:
        say(f"no test sends: {' '.join(deletion)}")
    for deletion in asked:
        if deletion not in unsent and deletion not in notes.survived and time.monotonic() < until:
            with deleted(deletion):
                survived = all(_is_green(items[name]) for name in notes.senders(deletion))
            notes.ran(deletion, survived=survived)
            if survived:
                say(f"survived: {' '.join(deletion)}")
    survivors = [deletion for deletion in asked if deletion in unsent or notes.survived.get(deletion)]
    left = [deletion for deletion in asked if deletion not in unsent and deletion not in notes.survived]
    say(f"{len(survivors)} survived, {len(asked) - len(survivors) - len(left)} did not, {len(left)} were not tried")
    session.testsfailed += len(survivors)
    return True


def main(*only: str) -> int:
    """The exit status: 1 where something survived."""
    folder = Path(__file__).resolve().parent.parent / "api"
    left_out = {f"test_{name}.py" for name in _COMPARING}
    tests = [str(file) for file in sorted(folder.glob("test_*.py")) if file.name not in left_out]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.support.deletions", *tests]
    notes = os.environ.get(_NOTES) or tempfile.mkdtemp()
    print(f"notes in {notes}", flush=True)
    return subprocess.run(command, env={**os.environ, _ONLY: " ".join(only), _NOTES: notes}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
