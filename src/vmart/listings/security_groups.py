"""Security groups of an account as their owner sees them. At most 51 a region, so they are read whole."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.listings import machines as list_of_machines
from vmart.listings.machines import Wanted
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.listings.views import SecurityGroupView
from vmart.security import held, policies, ssh
from vmart.security.models import SecurityGroup
from vmart.security.ssh import Reach
from vmart.tags import reads
from vmart.tags.things import SECURITY_GROUP, Thing
from vmart.tags.wanted import Tag


def of_account(account_id: int, region: str = "", tags: str | None = None) -> list[SecurityGroupView]:
    """The default group first, then the newest; those of a region, of all where none is named.

    ``tags``: those alone that have them (``tags.reads.asked``).
    """
    found = held.groups(account_id, region)
    if tags is not None:
        having = reads.having(account_id, SECURITY_GROUP, tags)
        found = [group for group in found if group.public_id in having]
    return _views(account_id, found)


@dataclass(frozen=True, slots=True)
class Listed:
    """A group as a list shows it; its tags are not read. ``machines``: how many are in it."""

    group: SecurityGroupView
    machines: int


def page(account_id: int, word: str = "", *, before: str = "") -> Page[Listed]:
    """A page of them for people, in whose name or id the word is. ``before`` is a page's key."""
    key = number(before)
    found = [
        group for group in held.groups(account_id) if word.lower() in group.name.lower() or word == group.public_id
    ]
    if key is not None:
        found = [group for group in found if not group.is_default and group.id < key]
    shown = cut(found[: PAGE + 1], lambda group: group.id, first=key is None)
    having = machines(account_id)
    rows = [Listed(_view(group, ()), having[group.public_id]) for group in shown.rows]
    return Page(rows, shown.older, shown.first)


def to_choose(account_id: int, region: str = "") -> list[SecurityGroupView]:
    """Those of a region, of all where none is named, with their rules and without their tags."""
    return [_view(group, ()) for group in held.groups(account_id, region)]


def ssh_reach(groups: Iterable[SecurityGroupView], *, ipv6: bool = True) -> Reach:
    """From where SSH is let in to a machine in these groups, in this order, that has an IPv6 address or none."""
    return ssh.reach([policy for group in groups for policy in group.ingress], ipv6=ipv6)


def in_group(account_id: int, public_id: str, *, before: str = "") -> Page[Instance]:
    """A page of the machines in a group, newest first, those in the recycle bin too. ``before`` is a page's key."""
    wanted = Wanted(security_groups=[public_id], states=[state for state in State if state != State.LAUNCH_FAILED])
    return list_of_machines.by_key(account_id, wanted, before=before)


def one(account_id: int, public_id: str) -> SecurityGroupView:
    """One of them. Raises UnknownGroup."""
    return _views(account_id, [held.group(account_id, public_id)])[0]


def _views(account_id: int, groups: Sequence[SecurityGroup]) -> list[SecurityGroupView]:
    things = [Thing(SECURITY_GROUP, group.public_id) for group in groups]
    tags = reads.of_things(account_id, things)
    return [
        _view(group, tuple(Tag(key, value) for key, value in tags[thing].items()))
        for group, thing in zip(groups, things, strict=True)
    ]


_MACHINES = """
SELECT coalesce(its.group_id, %(default)s) AS group_id, count(*) AS machines FROM instances_instance i
LEFT JOIN LATERAL jsonb_array_elements_text(i.security_groups) AS its (group_id) ON true
WHERE i.account_id = %(account)s AND i.state NOT IN ('GONE', 'LAUNCH_FAILED') GROUP BY 1
"""


def machines(account_id: int) -> Counter[str]:
    """How many machines are in each group, those in the recycle bin too."""
    rows = db.rows(_MACHINES, account=account_id, default=held.default_id(account_id))
    return Counter({row["group_id"]: row["machines"] for row in rows})


def referring(account_id: int) -> Counter[str]:
    """How many other groups have a rule that names each group."""
    return Counter(
        peer
        for group in held.groups(account_id)
        for peer in {policy["group"] for policy in (*group.ingress, *group.egress)} - {"", group.public_id}
    )


def _view(group: SecurityGroup, tags: tuple[Tag, ...]) -> SecurityGroupView:
    return SecurityGroupView(
        public_id=group.public_id,
        region=group.region,
        name=group.name,
        description=group.description,
        is_default=group.is_default,
        version=group.version,
        ingress=tuple(policies.read(group.ingress)),
        egress=tuple(policies.read(group.egress)),
        created_at=group.created_at,
        updated_at=group.updated_at,
        tags=tags,
    )
