"""Which actions there are, and what is said of those that are not."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vmart.api.declarations import AnyShape
from vmart.api.errors import InvalidAction, NoSuchVersion
from vmart.kernel.errors import Unsupported

CVM = "2017-03-12"
BILLING = "2018-07-09"
REGION = "2022-06-27"

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call: who, where, and in which language. ``region`` is "" where none was named."""

    action: str
    version: str
    region: str
    language: str  # "en" or "zh-hans"
    request_id: str
    account_id: int
    user_id: int
    secret_id: str
    address: str


@dataclass(frozen=True, slots=True)
class Action:
    """An action on the wire: its name, the declaration of its request, the function that answers.

    ``rate_limited``: the account's RunInstances rate counts for it (10 a second by default).
    """

    name: str
    shape: type[AnyShape]
    answer: Callable[[Call, Any], Members]
    service: str = "cvm"
    version: str = CVM
    rate_limited: bool = False


class Registry:
    """Actions by (name, version). ``later`` are names known to the field and not offered here yet."""

    def __init__(self, actions: Iterable[Action], later: Mapping[str, Iterable[str]] | None = None) -> None:
        self._actions: dict[tuple[str, str], Action] = {}
        self._versions: dict[str, list[str]] = {}
        for action in actions:
            key = (action.name, action.version)
            if key in self._actions:
                raise ValueError(f"two actions are called {action.name} in version {action.version}")
            self._actions[key] = action
            self._versions.setdefault(action.name, []).append(action.version)
        self._later = {(name, version) for version, names in (later or {}).items() for name in names}
        if both := self._later & self._actions.keys():
            raise ValueError(f"offered and said to be later: {sorted(both)}")
        for name, version in sorted(self._later):
            self._versions.setdefault(name, []).append(version)

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def names(self, version: str) -> set[str]:
        """Names of all actions of a version, offered or later."""
        return {name for name, its_version in {*self._actions, *self._later} if its_version == version}

    def find(self, name: str, version: str) -> Action:
        """The action; raises InvalidAction, NoSuchVersion or Unsupported with a sentence."""
        action = self._actions.get((name, version))
        if action is not None:
            return action
        versions = self._versions.get(name)
        if versions is None:
            raise InvalidAction("The action {action} does not exist.", field="Action", action=name[:80])
        if (name, version) in self._later:
            raise Unsupported(
                "{action} is an action of the API that this shop does not offer.", field="Action", action=name
            )
        raise NoSuchVersion(
            "The action {action} has no version {version}; there is {versions}.",
            field="Version",
            action=name,
            version=version[:40],
            versions=", ".join(versions),
        )
