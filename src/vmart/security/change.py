"""Groups and rules changed. Each act locks the account's own row, and has the engines be told. Moves no money."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from vmart.catalog import shop
from vmart.customers import accounts
from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.kernel.errors import MissingParameter
from vmart.security import held, policies, told
from vmart.security.errors import (
    BadGroupName,
    DefaultGroup,
    GroupInUse,
    StaleVersion,
    TooManyGroups,
    UnknownPlace,
    UnknownPolicy,
    WrongPolicies,
)
from vmart.security.models import SecurityGroup
from vmart.security.policies import Policy

GROUPS_MAX = 50  # an account's in a region, beside the default one
NAME_MAX, DESCRIPTION_MAX = 60, 100
INGRESS, EGRESS = WAYS = ("ingress", "egress")


@dataclass(frozen=True, slots=True)
class Named:
    """A rule, or the place of one in its list: ``index`` counts from 0, None where none is said."""

    policy: Policy
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """Rules of both directions. ``version`` is the group's for which they are meant, "" for any."""

    ingress: Sequence[Named] = ()
    egress: Sequence[Named] = ()
    version: str = ""

    def way(self) -> str:
        """The one direction of which there are some. Raises WrongPolicies for both, MissingParameter for none."""
        if self.ingress and self.egress:
            raise WrongPolicies("Rules of one direction at once: Ingress or Egress.", field="policies")
        if not self.ingress and not self.egress:
            raise MissingParameter("No rule is named; give Ingress or Egress.", field="policies")
        return INGRESS if self.ingress else EGRESS


NOTHING = Policies()


def create(actor: Actor, region: str, name: str, description: str, wanted: Policies = NOTHING) -> SecurityGroup:
    """A new group; without rules it lets nothing in and nothing out.

    Raises BadGroupName, UnknownPlace, TooManyGroups, BadPolicy, TooManyPolicies, UnknownGroup.
    """
    _check_text(name, description)
    if region not in shop.snapshot().regions:
        raise UnknownPlace("There is no region {region}.", field="region", region=region[:40] or "(empty)")
    rows = _all_rows(wanted)
    with db.part_of_act():
        accounts.lock(actor.account)
        _refuse_foreign(actor, wanted)
        if SecurityGroup.objects.filter(account_id=actor.account, region=region).count() >= GROUPS_MAX:
            raise TooManyGroups("An account has at most {most} security groups in a region.", most=GROUPS_MAX)
        number = db.rows("SELECT nextval(pg_get_serial_sequence('security_group', 'id')) AS n")[0]["n"]
        group = SecurityGroup.objects.create(
            id=number, public_id=held.other_id(number), account_id=actor.account, region=region, name=name,
            description=description, created_at=clock.now(), updated_at=clock.now(), **rows,
        )  # fmt: skip
        _tell(actor, group, "CreateSecurityGroup")
    return group


def rename(actor: Actor, public_id: str, name: str | None, description: str | None) -> None:
    """Another name or description; None leaves it. Raises UnknownGroup, BadGroupName, MissingParameter."""
    if name is None and description is None:
        raise MissingParameter("Nothing is to be changed; possible are GroupName and GroupDescription.", field="name")
    with _changing(actor, public_id, "ModifySecurityGroupAttribute") as group:
        group.name = group.name if name is None else name
        group.description = group.description if description is None else description
        _check_text(group.name, group.description)


def delete(actor: Actor, public_id: str) -> None:
    """Delete a group that nothing uses. Raises UnknownGroup, DefaultGroup, GroupInUse.

    Under the account lock too, by which machines are bought with it and are given it.
    """
    with db.act():
        db.call("ledger_lock", actor.account)
        accounts.lock(actor.account)
        group = held.group(actor.account, public_id)
        if group.is_default:
            raise DefaultGroup("The default security group cannot be deleted.", field="group")
        _refuse_in_use(group)
        _tell(actor, group, "DeleteSecurityGroup")
        group.delete()


def _user(account_id: int, public_id: str) -> str | None:
    """A machine that has the group, or another group of which a rule names it; a machine in the recycle bin has it too.

    Of the default group, which is never deleted, nobody asks.
    """
    machines = Instance.objects.filter(account_id=account_id, security_groups__contains=[public_id])
    having = machines.exclude(state__in=[State.GONE, State.LAUNCH_FAILED]).order_by("id").first()
    return having.public_id if having else next(_referring(account_id, public_id), None)


def _referring(account_id: int, public_id: str) -> Iterator[str]:
    for group in held.groups(account_id):
        rules = (*group.ingress, *group.egress)
        if group.public_id != public_id and any(policy["group"] == public_id for policy in rules):
            yield group.public_id


def _refuse_in_use(group: SecurityGroup) -> None:
    user = _user(group.account_id, group.public_id)
    if user is not None:
        raise GroupInUse(
            "The security group {id} is in use by {user}; take it off there first.",
            field="group", id=group.public_id, user=user,
        )  # fmt: skip


def add(actor: Actor, public_id: str, wanted: Policies) -> None:
    """Put rules of one direction in at the index of the first, by default before all.

    Raises UnknownGroup, BadPolicy, TooManyPolicies, WrongPolicies, StaleVersion, MissingParameter.
    """
    way = wanted.way()
    named: Sequence[Named] = getattr(wanted, way)
    new = policies.checked([one.policy for one in named], f"policies.{way}")
    if len({one.index for one in named}) > 1:
        raise WrongPolicies("Rules that are put in together have one PolicyIndex.", field=f"policies.{way}")

    def inserted(rules: list[Policy]) -> list[Policy]:
        at = named[0].index or 0
        if at > len(rules):
            raise _no_such_index(f"policies.{way}.0", at, len(rules))
        return rules[:at] + new + rules[at:]

    _change(actor, public_id, "CreateSecurityGroupPolicies", wanted, {way: inserted})


def replace_all(actor: Actor, public_id: str, wanted: Policies) -> None:
    """These rules in the place of those of before; no rule at all: none is left. Raises as ``add``.

    A direction of which none is named stays as it is: Terraform's provider names only the one that it changes.
    """
    named = [way for way in WAYS if getattr(wanted, way)] or WAYS
    rows = {way: policies.checked([one.policy for one in getattr(wanted, way)], f"policies.{way}") for way in named}
    changes: dict[str, Callable[[list[Policy]], list[Policy]]] = {
        way: lambda _, way=way: rows[way]  # type: ignore[misc]
        for way in named
    }
    _change(actor, public_id, "ModifySecurityGroupPolicies", wanted, changes)


def remove(actor: Actor, public_id: str, wanted: Policies) -> None:
    """Take rules of one direction out, by index or by what they say. Raises as ``add``, and UnknownPolicy."""
    way = wanted.way()

    def left(rules: list[Policy]) -> list[Policy]:
        named = enumerate(getattr(wanted, way))
        places = {_place(rules, one, f"policies.{way}.{number}") for number, one in named}
        return [rule for place, rule in enumerate(rules) if place not in places]

    _change(actor, public_id, "DeleteSecurityGroupPolicies", wanted, {way: left})


def replace_one(actor: Actor, public_id: str, wanted: Policies, original: Policies = NOTHING) -> None:
    """One rule in the place of another: of ``original``, or of the index of ``wanted``. Raises as ``remove``."""
    way = wanted.way()
    if len(getattr(wanted, way)) > 1 or len(getattr(original, way)) > 1:
        raise WrongPolicies("One rule is replaced by one of the same direction.", field="policies")
    _replace(actor, public_id, "ReplaceSecurityGroupPolicy", wanted, original)


def replace_some(actor: Actor, public_id: str, wanted: Policies, original: Policies = NOTHING) -> None:
    """Rules of one direction, each in the place of another: of ``original``, in its order, or of its index."""
    _replace(actor, public_id, "ModifySecurityGroupPolicies", wanted, original)


def _replace(actor: Actor, public_id: str, act: str, wanted: Policies, original: Policies) -> None:
    way = wanted.way()
    named, before = getattr(wanted, way), getattr(original, way)
    if original != NOTHING and len(before) != len(named):
        raise WrongPolicies("One rule is replaced by one of the same direction.", field="policies")
    new = policies.checked([one.policy for one in named], f"policies.{way}")
    for number, one in enumerate(named):
        if not before and one.index is None:
            raise MissingParameter(
                "Which rule is to be replaced? Give PolicyIndex.", field=f"policies.{way}.{number}.policy_index"
            )

    def replaced(rules: list[Policy]) -> list[Policy]:
        of, which = ("original", before) if before else ("policies", named)
        places = [_place(rules, one, f"{of}.{way}.{number}") for number, one in enumerate(which)]
        if len(set(places)) < len(places):
            raise WrongPolicies("A rule is replaced once.", field=f"{of}.{way}")
        changed = dict(enumerate(rules)) | dict(zip(places, new, strict=True))
        return list(changed.values())

    _change(actor, public_id, act, wanted, {way: replaced}, original=original)


def move(actor: Actor, public_id: str, way: str, index: int, *, up: bool, version: str = "") -> None:
    """A rule of one direction changes places with the one before it (``up``) or behind it. Raises as ``remove``."""
    field, other = f"policies.{way}.0", index + (-1 if up else 1)

    def moved(rules: list[Policy]) -> list[Policy]:
        for place in (index, other):
            if not 0 <= place < len(rules):
                raise _no_such_index(field, place, len(rules))
        changed = dict(enumerate(rules)) | {index: rules[other], other: rules[index]}
        return list(changed.values())

    _change(actor, public_id, "ModifySecurityGroupPolicies", Policies(version=version), {way: moved})


def _place(rules: list[Policy], named: Named, field: str) -> int:
    if named.index is not None:
        if named.index >= len(rules):
            raise _no_such_index(field, named.index, len(rules))
        return named.index
    rule = policies.check(named.policy, field)
    for place, held_rule in enumerate(rules):
        if held_rule.is_alike(rule):
            return place
    raise UnknownPolicy("The security group has no such rule.", field=field)


def _no_such_index(field: str, index: int, count: int) -> UnknownPolicy:
    return UnknownPolicy(
        "There is no rule {index}: this direction has {count}, counted from 0.",
        field=f"{field}.policy_index", index=index, count=count,
    )  # fmt: skip


def _change(
    actor: Actor,
    public_id: str,
    act: str,
    wanted: Policies,
    how: dict[str, Callable[[list[Policy]], list[Policy]]],
    *,
    original: Policies = NOTHING,
) -> None:
    with _changing(actor, public_id, act) as group:
        for field, said in ("policies", wanted), ("original", original):
            _refuse_stale(group, said, f"{field}.version")
        _refuse_foreign(actor, wanted)
        for way, changed in how.items():
            rules = changed(policies.read(getattr(group, way)))
            policies.refuse_too_many(rules, f"policies.{way}")
            setattr(group, way, policies.stored(rules))
        group.version += 1
        told.send(actor.account)


def _refuse_stale(group: SecurityGroup, said: Policies, field: str) -> None:
    if said.version not in ("", str(group.version)):
        raise StaleVersion(
            "The rules of {id} are of version {version} by now; read them again.",
            field=field, id=group.public_id, version=group.version,
        )  # fmt: skip


@contextmanager
def _changing(actor: Actor, public_id: str, act: str) -> Iterator[SecurityGroup]:
    with db.act():
        accounts.lock(actor.account)
        group = held.group(actor.account, public_id)
        yield group
        group.updated_at = clock.now()
        group.save()
        _tell(actor, group, act)


def _refuse_foreign(actor: Actor, wanted: Policies) -> None:
    known: set[str] | None = None
    for way in WAYS:
        for number, one in enumerate(getattr(wanted, way)):
            if one.policy.group:
                known = known or {group.public_id for group in held.groups(actor.account)}
                if one.policy.group not in known:
                    raise held.unknown(one.policy.group, f"policies.{way}.{number}.security_group_id")


def _all_rows(wanted: Policies) -> dict[str, list[dict[str, str]]]:
    return {
        way: policies.stored(policies.checked([one.policy for one in getattr(wanted, way)], f"policies.{way}"))
        for way in WAYS
    }


def _check_text(name: str, description: str) -> None:
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise BadGroupName(
            "The name of a security group has 1 to {most} characters on one line.", field="name", most=NAME_MAX
        )
    if len(description) > DESCRIPTION_MAX or not (description.isprintable() or not description):
        raise BadGroupName(
            "The description of a security group has at most {most} characters on one line.",
            field="description", most=DESCRIPTION_MAX,
        )  # fmt: skip


def _tell(actor: Actor, group: SecurityGroup, act: str) -> None:
    details = [{"name": group.public_id, "called": group.name}]
    record.write(actor.account, record.SECURITY_GROUP, [group.id], act, details=details, actor=actor)
