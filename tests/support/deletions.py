"""Deletes each action of a service, and each member of its requests and answers, in turn: a test must turn red.

``python -m tests.support.deletions tag tests/api/test_small_services.py`` runs those tests once a deletion and prints
what survived, with exit status 1. It takes long and is no part of CI. Tests that compare the declarations with the
published API are left out of it: they would turn red at everything, whether or not it does anything.
"""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_type_hints

_VARIABLE = "VMART_DELETED"
_ACTION, _ASKED, _TOLD = "action", "asked", "told"
Deletion = tuple[str, str, str, str, str]  # service, action, version, what, path of the member


def deletions(service: str) -> Iterator[Deletion]:
    """All of a service."""
    from vmart.api import services

    for action in services.API:
        if action.service == service:
            where = (service, action.name, action.version)
            yield (*where, _ACTION, "")
            yield from ((*where, _ASKED, path) for path in _asked(action.asks))
            yield from ((*where, _TOLD, name) for name in get_type_hints(action.answers))


def _asked(shape: Any, path: str = "") -> Iterator[str]:
    from types import NoneType

    from tests.support.published_members import inner_shape

    for name, member in shape.model_fields.items():
        if member.annotation is not NoneType:
            yield path + name
            if inner := inner_shape(member.annotation):
                yield from _asked(inner, f"{path}{name}.")


def pytest_configure() -> None:
    """As a plugin of pytest: make the deletion that the environment names."""
    from vmart.api import services

    service, name, version, what, path = os.environ[_VARIABLE].split("/")
    action = services.API.find(name, version, service)
    if what == _ASKED:
        _hide(action.asks, path)
        return
    key = (service, name, version)
    del services.API._actions[key]
    if what == _TOLD:
        services.API._actions[key] = dataclasses.replace(
            action, do=lambda call, asked: {n: told for n, told in action.do(call, asked).items() if n != path}
        )


def _hide(shape: Any, path: str) -> None:
    """A request cannot say the member any more: it is unknown, and has its default."""
    from tests.support.published_members import inner_shape

    name, _, rest = path.partition(".")
    member = shape.model_fields[name]
    if rest:
        _hide(inner_shape(member.annotation), rest)
    else:
        member.alias = member.validation_alias = member.serialization_alias = "Deleted"
    shape.model_rebuild(force=True)


def survives(deletion: Deletion, tests: list[str]) -> bool:
    """Whether the tests pass without it."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.support.deletions",
        *tests,
    ]
    done = subprocess.run(
        command, env={**os.environ, _VARIABLE: "/".join(deletion)}, capture_output=True, text=True, check=False
    )
    if done.returncode > 1:  # neither passed nor failed: the tests did not run
        raise SystemExit(done.stdout + done.stderr)
    return done.returncode == 0


def main(service: str, *tests: str) -> int:
    """The exit status: 1 where something survived."""
    survivors = 0
    for deletion in deletions(service):
        if survives(deletion, list(tests)):
            survivors += 1
            print("survived:", " ".join(deletion), flush=True)
    print(f"{survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vmart.config.settings")
    os.environ.setdefault("VMART_MASTER_KEY", "00" * 32)
    os.environ.setdefault("VMART_DATABASE_URL", "host=/nonexistent")
    django.setup()
    sys.exit(main(*sys.argv[1:]))
