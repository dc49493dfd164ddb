"""Deletes each action, and each member of its requests and answers, in turn: a test must turn red.

``python -m tests.support.deletions`` does it for all services; ``… tag vpc/CreateVpc`` for these only. It prints what
survived, with exit status 1.

All of it is one run of pytest. First each test of the API runs once as it is, and what it sends and is told is noted:
actions, members of requests and of answers. What no test sends or is told survives without a run, and is printed
first. Then, action by action, its tests run without everything that is still to be found and that they send or are
told: first those that name the member in their text, of these the quickest first. A test that stays green needs none of
it, one that turns red says by halves which of it. A request's member is deleted by being passed over in silence, an
answer's by not being told; that a declaration is no longer complete turns nothing red. Tests that compare the
declarations with the published API are left out, and those that only look whether each action's sample is answered, for
whom, and by how many queries.

It takes about an hour and is no part of CI. ``VMART_DELETE_S`` ends it after so many seconds. What it found stands in
``VMART_DELETE_NOTES`` (a folder, else a new one), line by line: a further run with the same folder goes on there.
"""

import dataclasses
import functools
import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import pytest

_ONLY, _SECONDS, _NOTES = "VMART_DELETED", "VMART_DELETE_S", "VMART_DELETE_NOTES"
_ACTION, _ASKED, _TOLD = "action", "asked", "told"
_PATIENCE = 25  # so many tests one after the other that need nothing of it: the others are slower, and as little alike
_LATE_S = 20
Deletion = tuple[str, str, str, str, str]  # service, action, version, what, path of the member
_COMPARING = ("answer_shapes", "fields", "languages", "odd_values", "published_members", "reference", "registry")
_SAMPLES = ("every_action", "others_things", "budgets_of_many", "database_loss")


def deletions(*only: str) -> Iterator[Deletion]:
    """All, or those of some: ``tag`` is a service, ``vpc/CreateVpc`` an action."""
    from tests.support.published_members import reads
    from vmart.api import services

    for action in services.API:
        if not only or action.service in only or f"{action.service}/{action.name}" in only:
            where = (action.service, action.name, action.version)
            yield (*where, _ACTION, "")
            read = reads(action.do) | (reads(action.completes.do) if action.completes else set())
            yield from ((*where, _ASKED, path) for path in _asked(action.asks, read))
            yield from ((*where, _TOLD, path) for path in _told(action.answers))


def _asked(shape: Any, read: set[str], path: str = "") -> Iterator[str]:
    """By the names of the request; without what is taken and changes nothing, which docs/not_offered.json lists."""
    from types import NoneType

    from tests.support.published_members import inner_shape

    for field, member in shape.model_fields.items():
        if member.annotation is not NoneType and field in read:
            yield f"{path}{member.alias}"
            if inner := inner_shape(member.annotation):
                yield from _asked(inner, read, f"{path}{member.alias}.")


def _told(answers: Any, path: str = "") -> Iterator[str]:
    from tests.support.published_members import inner_answer

    for name, kind in get_type_hints(answers).items():
        yield path + name
        if inner := inner_answer(kind):
            yield from _told(inner, f"{path}{name}.")


@contextmanager
def deleted(some: Sequence[Deletion]) -> Iterator[None]:
    """Without them for as long as the block takes; all are of one action and of one kind."""
    service, name, version, what, _ = some[0]
    paths = [deletion[-1] for deletion in some]
    with {_ACTION: _no_action, _ASKED: _unheard, _TOLD: _untold}[what]((service, name, version), paths):
        yield


@contextmanager
def _no_action(key: tuple[str, str, str], _: Sequence[str]) -> Iterator[None]:
    from vmart.api import services

    action = services.API._actions.pop(key)
    try:
        yield
    finally:
        services.API._actions[key] = action


@contextmanager
def _unheard(key: tuple[str, str, str], paths: Sequence[str]) -> Iterator[None]:
    def without(perform: Callable[[Any], Any], action: Any, members: Any) -> Any:
        ours = (action.service, action.name, action.version) == key
        return perform(_without(members, paths) if ours else members)

    with _performing(without):
        yield


@contextmanager
def _untold(key: tuple[str, str, str], paths: Sequence[str]) -> Iterator[None]:
    from tests.api import calling
    from vmart.api import services

    action, check = services.API._actions[key], calling._check_declared
    services.API._actions[key] = dataclasses.replace(
        action, do=lambda call, asked: _without(action.do(call, asked), paths)
    )
    calling._check_declared = lambda *_: None
    try:
        yield
    finally:
        services.API._actions[key], calling._check_declared = action, check


@contextmanager
def _performing(instead: Callable[[Callable[[Any], Any], Any, Any], Any]) -> Iterator[None]:
    """Each call goes to ``instead``: with what performs it for its members, its action, and them."""
    from vmart.api.wire.wsgi import ApiApplication

    perform = ApiApplication._perform

    def performing(self: Any, action: Any, call: Any, caller: Any, members: Any, *, as_text: bool) -> Any:
        return instead(lambda ours: perform(self, action, call, caller, ours, as_text=as_text), action, members)

    ApiApplication._perform = performing  # type: ignore[method-assign]
    try:
        yield
    finally:
        ApiApplication._perform = perform  # type: ignore[method-assign]


def _without(value: Any, paths: Sequence[str], path: str = "") -> Any:
    """A structure, or a list in one, without the members at these paths."""
    if isinstance(value, list):
        return [_without(each, paths, path) for each in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: _without(inner, paths, f"{path}{name}.") for name, inner in value.items() if f"{path}{name}" not in paths
    }


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """Of all members that a structure, or a list of them, has."""
    if isinstance(value, list):
        for each in value:
            yield from _paths(each, path)
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{path}{name}"
            yield from _paths(inner, f"{path}{name}.")


@contextmanager
def _noting(seen: set[Deletion]) -> Iterator[None]:
    """What is sent and told within the block goes into ``seen``."""

    def noted(perform: Callable[[Any], Any], action: Any, members: Any) -> Any:
        where = (action.service, action.name, action.version)
        seen.add((*where, _ACTION, ""))
        seen.update((*where, _ASKED, path) for path in _paths(members))
        told = perform(members)
        seen.update((*where, _TOLD, path) for path in _paths(told))
        return told

    with _performing(noted):
        yield


def _is_green(item: pytest.Item) -> bool:
    """Whether a test passes; only what the whole run shares stays for the next, whichever that is."""
    from _pytest.runner import runtestprotocol

    shared: Any = item.session
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=shared))


class _Notes:
    """What was found, a line each: what is ``seen`` by which test in how many seconds, whether a deletion survived."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "found.jsonl"
        self.seen: dict[str, tuple[float, set[Deletion]]] = {}
        self.survived: dict[Deletion, bool] = {}
        for line in self._file.read_text().splitlines() if self._file.exists() else ():
            kind, name, *rest = json.loads(line)
            if kind == "seen":
                self.seen[name] = (rest[0], {tuple(each) for each in rest[1]})
            else:
                self.survived[tuple(name)] = rest[0]

    def test(self, name: str, seconds: float, seen: set[Deletion]) -> None:
        self.seen[name] = (seconds, seen)
        self._write(["seen", name, seconds, sorted(seen)])

    def ran(self, deletion: Deletion, *, survived: bool) -> None:
        self.survived[deletion] = survived
        self._write(["ran", deletion, survived])

    def _write(self, found: list[object]) -> None:
        with self._file.open("a") as file:
            file.write(f"{json.dumps(found)}\n")

    def quickest(self, names: Mapping[str, Any]) -> list[str]:
        """The tests that pass as they are; those of few actions ask more of each.

        One of each test function comes before the others of it: those differ in their parameters alone.
        """

        def cost(name: str) -> float:
            seconds, seen = self.seen[name]
            return seconds * sum(what == _ACTION for *_, what, _ in seen)

        ranks: defaultdict[str, int] = defaultdict(int)
        passing = []
        for name in sorted((name for name in self.seen if name in names), key=cost):
            function = name.partition("[")[0]
            passing.append((ranks[function], name))
            ranks[function] += 1
        return [name for _, name in sorted(passing, key=lambda ranked: ranked[0])]


def _note(item: pytest.Item, notes: _Notes) -> None:
    """Run a test as it is; one that fails is as if it sent nothing."""
    seen: set[Deletion] = set()
    begun = time.monotonic()
    with _noting(seen):
        green = _is_green(item)
    notes.test(item.nodeid, time.monotonic() - begun, seen if green else set())


@contextmanager
def _failing_after(seconds: float, item: Any) -> Iterator[None]:
    """A test that asks for pages until there is none never ends where the member that counts them is not heard.

    What it stands on is not hurried: the database of the whole run may be made for it.
    """
    run = item.runtest

    def late(*_: object) -> None:
        pytest.fail(f"does not end within {seconds:.0f} s")

    def hurried() -> None:
        before = signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            run()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    item.runtest = hurried
    try:
        yield
    finally:
        del item.runtest


def _needed(item: pytest.Item, some: list[Deletion], seconds: float) -> list[Deletion]:
    """Those without which the test turns red; as it is, it takes so many seconds."""
    with deleted(some), _failing_after(_LATE_S + 10 * seconds, item):
        if _is_green(item):
            return []
    if len(some) == 1:
        return some
    half = len(some) // 2
    return _needed(item, some[:half], seconds) + _needed(item, some[half:], seconds)


def _hunt(some: list[Deletion], items: Mapping[str, pytest.Item], notes: _Notes, until: float) -> list[Deletion]:
    """The survivors, all of one action, kind and depth; none where the time was over before they were sure."""
    left = list(some)
    for named in (True, False):
        in_vain = Counter[Deletion]()
        for name in notes.quickest(items):
            text = _text(items[name])
            seen = [one for one in left if one in notes.seen[name][1] and (one[-1].split(".")[-1] in text) == named]
            seen = [one for one in seen if in_vain[one] < _PATIENCE]
            if not seen:
                continue
            if time.monotonic() > until:
                return []
            in_vain.update(seen)
            for deletion in _needed(items[name], seen, notes.seen[name][0]):
                left.remove(deletion)
                notes.ran(deletion, survived=False)
    for deletion in left:
        notes.ran(deletion, survived=True)
    return left


@functools.cache
def _text(item: Any) -> str:
    """What a test is written as; one that names a member is the likelier to need it."""
    return inspect.getsource(item.function) + str(getattr(item, "callspec", None))


def _alike(deletion: Deletion) -> tuple[str, str, str, str, int]:
    """What is deleted at once: not a structure with its own members, whose loss nobody could see then."""
    return (*deletion[:4], deletion[4].count("."))


def pytest_runtestloop(session: pytest.Session) -> bool:
    """As a plugin of pytest, in the place of the run of the tests."""
    say = session.config.get_terminal_writer().line
    until = time.monotonic() + float(os.environ.get(_SECONDS) or "inf")
    items, notes = {item.nodeid: item for item in session.items}, _Notes(Path(os.environ[_NOTES]))
    for name, item in items.items():
        if name not in notes.seen and time.monotonic() < until:
            _note(item, notes)
    asked = list(deletions(*os.environ[_ONLY].split()))
    say(f"{len(notes.seen.keys() & items.keys())} of {len(items)} tests noted, {len(asked)} deletions")
    seen = {deletion for name in notes.quickest(items) for deletion in notes.seen[name][1]}
    for deletion in asked:
        if deletion not in seen:
            say(f"no test sends or is told: {' '.join(deletion)}")
    untried = [deletion for deletion in asked if deletion in seen and deletion not in notes.survived]
    groups = defaultdict(list)
    for deletion in untried:
        groups[_alike(deletion)].append(deletion)
    for some in groups.values():
        for deletion in _hunt(some, items, notes, until):
            say(f"survived: {' '.join(deletion)}")
    survivors = [deletion for deletion in asked if deletion not in seen or notes.survived.get(deletion)]
    left = [deletion for deletion in asked if deletion in seen and deletion not in notes.survived]
    say(f"{len(survivors)} survived, {len(asked) - len(survivors) - len(left)} did not, {len(left)} were not tried")
    session.testsfailed += len(survivors)
    return True


def main(*only: str) -> int:
    """The exit status: 1 where something survived."""
    folder = Path(__file__).resolve().parent.parent / "api"
    left_out = {f"test_{name}.py" for name in (*_COMPARING, *_SAMPLES)}
    tests = [str(file) for file in sorted(folder.glob("test_*.py")) if file.name not in left_out]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.support.deletions", *tests]
    notes = os.environ.get(_NOTES) or tempfile.mkdtemp()
    print(f"notes in {notes}", flush=True)
    return subprocess.run(command, env={**os.environ, _ONLY: " ".join(only), _NOTES: notes}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
