"""Which actions there are, and what is said of those that are not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Any

from vmart.api.declarations import AnyShape
from vmart.api.errors import InvalidAction, NoSuchVersion
from vmart.customers.roles import Permission
from vmart.events.actor import API, Actor
from vmart.kernel.errors import Unsupported

CVM = "2017-03-12"
BILLING = "2018-07-09"
REGION = "2022-06-27"
STS = TAG = "2018-08-13"
MONITOR = "2018-07-24"
PLACES = "2020-11-06"  # of the service that is called api

Members = dict[str, Any]
Answered = Mapping[str, object]  # what an action answers, a TypedDict of its own


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call: who, where, and in which language. ``region`` is "" where none was named.

    ``roles``: those of the account's members that may make it. ``email``: the address of the user whose key signed it.
    """

    action: str
    version: str
    region: str
    language: str  # "en" or "zh-hans"
    request_id: str
    account_id: int
    user_id: int
    secret_id: str
    address: str
    roles: tuple[str, ...] = ()
    email: str = ""
    endpoint: str = ""  # as it was called, "https://cvm.shop.example.com"

    @property
    def actor(self) -> Actor:
        """Who asks, as the acts and their events know it."""
        return Actor(
            self.account_id, API, self.email, key=self.secret_id, address=self.address, request_id=self.request_id,
            member=self.user_id, roles=self.roles,
        )  # fmt: skip


class Resource(StrEnum):
    """A kind of thing of a customer that a request can name by its id."""

    MACHINE = "machine"
    KEY_PAIR = "key pair"
    DISK = "disk"
    SNAPSHOT = "snapshot"
    SNAPSHOT_POLICY = "snapshot policy"
    ADDRESS = "public address"
    TASK = "task"
    BANDWIDTH_PACKAGE = "bandwidth package"
    VPC = "vpc"
    SUBNET = "subnet"
    ROUTE_TABLE = "route table"
    SECURITY_GROUP = "security group"
    LAUNCH_TEMPLATE = "launch template"
    PLACEMENT_GROUP = "placement group"
    IMAGE = "image"
    ANY = "any"  # whatever the request says


RUN_PER_S = "run_per_s"  # the account's quota that bounds purchases a second (``customers.quotas``)


@dataclass(frozen=True, slots=True)
class Completion:
    """Members that a request may leave to something kept: ``asks`` has those of its members that name it.

    ``do`` gives all members, of those of the request, before they are typed.
    """

    asks: type[AnyShape]
    do: Callable[[Call, Any, Members], Members]


@dataclass(frozen=True, slots=True)
class Action:
    """An action on the wire: all that is declared of it.

    ``asks``: the structure of its request; ``answers``: that of its answer, a TypedDict; ``do`` makes one of the other.
    ``writes``: whether it changes anything. ``buys``: whether it spends the account's money. ``touches``: the account's
    things that the request names, each kind with the member, or members, that hold its ids (dots go into structures).
    ``rate``: the account's quota of calls a second; "" for as many as come. ``completes``: what else gives members of
    the request. ``needs``: what a member must be permitted where that is not plain from the others.
    """

    name: str
    asks: type[AnyShape]
    answers: type
    do: Callable[[Call, Any], Answered]
    service: str = "cvm"
    version: str = CVM
    _: KW_ONLY
    writes: bool
    buys: bool = False
    touches: Mapping[Resource, str | tuple[str, ...]] = field(default_factory=dict)
    rate: str = ""
    completes: Completion | None = None
    needs: Permission | None = None

    @classmethod
    def called(cls, asks: type[AnyShape], answers: type, do: Callable[..., Any], **said: Any) -> "Action":
        """An action that is called as its shape."""
        return cls(asks.__name__, asks, answers, do, **said)

    @property
    def permission(self) -> Permission:
        """What a member must be permitted to call it."""
        if self.needs:
            return self.needs
        return Permission.SPEND if self.buys else Permission.OPERATE if self.writes else Permission.LOOK

    @property
    def members_touched(self) -> list[str]:
        """All members that hold ids of the account's things."""
        return [path for said in self.touches.values() for path in ((said,) if isinstance(said, str) else said)]

    def knows_repeat(self, asked: AnyShape) -> bool:
        """Whether this request, sent again, is done once: it came with a token."""
        return self.writes and bool(getattr(asked, "client_token", None))


Published = Mapping[str, Mapping[str, Sequence[str]]]  # service -> version -> names of actions


class Registry:
    """The actions that are offered, and the names of all that are ``published``."""

    def __init__(self, actions: Iterable[Action], published: Published | None = None) -> None:
        self._actions: dict[tuple[str, str, str], Action] = {}
        self._versions: dict[tuple[str, str], set[str]] = {}  # (service, name) -> versions
        for action in actions:
            key = (action.service, action.name, action.version)
            if key in self._actions:
                raise ValueError(f"two actions are called {action.name} in version {action.version}")
            self._actions[key] = action
            self._versions.setdefault(key[:2], set()).add(action.version)
        for service, versions in (published or {}).items():
            for version, names in versions.items():
                for name in names:
                    self._versions.setdefault((service, name), set()).add(version)
        self._services = sorted({service for service, _ in self._versions})

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def service(self, name: str, *labels: str) -> str:
        """The service that the first of ``labels`` names which names one; "" where none does.

        ``api`` is also what many shops call their host: it names its service for that one's own actions only.
        """
        named = (label for label in labels if label in self._services)
        found = next(named, "")
        return "" if found == "api" and (found, name) not in self._versions else found

    def find(self, name: str, version: str, service: str = "") -> Action:
        """The action of ``service``, or of whichever has it. Raises InvalidAction, NoSuchVersion or Unsupported."""
        having = [each for each in ([service] if service else self._services) if (each, name) in self._versions]
        if not having:
            raise _no_such_action(name, service)
        for each in having:
            if action := self._actions.get((each, name, version)):
                return action
        versions = sorted(set[str]().union(*(self._versions[each, name] for each in having)))
        if version in versions:
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


def _no_such_action(name: str, service: str) -> InvalidAction:
    if service:
        return InvalidAction(
            "The service {service}, for which the request was signed, has no action {action}.",
            field="Action", service=service, action=name[:80],
        )  # fmt: skip
    return InvalidAction("The action {action} does not exist.", field="Action", action=name[:80])
