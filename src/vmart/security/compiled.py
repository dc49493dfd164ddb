"""What engines are told of machines: the rules of their groups, a group as peer turned into its members' addresses."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vmart.engines.rules import OPEN, MachineRules, Rule
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.security import held, policies
from vmart.security.models import SecurityGroup

# All of the VPC: a rule may name a group that has members in another subnet.
_MACHINES = """
SELECT i.id, i.public_id, i.account_id, host(i.private_ip) AS ip, host(i.ipv6) AS ipv6,
  i.security_groups::text AS groups, i.subnet_id
FROM instances_instance i JOIN network_subnet s ON s.id = i.subnet_id
WHERE s.vpc_id = (SELECT vpc_id FROM network_subnet WHERE id = %s) AND i.state NOT IN ('GONE', 'LAUNCH_FAILED')
ORDER BY i.id
"""


def of_subnet(subnet_id: int) -> dict[str, MachineRules]:
    """By machine, of all that are in the subnet."""
    rows = db.prepared(_MACHINES, subnet_id)
    return _told(rows, subnet_id) if rows else {}


def of_moved(machine: Instance, subnet_id: int, private_ip: str) -> MachineRules:
    """Of a machine as it will be in another subnet, or at another address."""
    if not SecurityGroup.objects.filter(account_id=machine.account_id).exists():
        return OPEN
    rows = [row for row in db.prepared(_MACHINES, subnet_id) if row["id"] != machine.id]
    there = {
        "id": machine.id, "public_id": machine.public_id, "account_id": machine.account_id, "ip": private_ip,
        "ipv6": machine.ipv6, "groups": json.dumps(machine.security_groups), "subnet_id": subnet_id,
    }  # fmt: skip
    return _told([*rows, there], subnet_id)[machine.public_id]


def _told(rows: Sequence[Mapping[str, Any]], subnet_id: int) -> dict[str, MachineRules]:
    """Out of the machines of a VPC, the rules of those in a subnet of it."""
    account_id = rows[0]["account_id"]
    groups = {row.public_id: row for row in SecurityGroup.objects.filter(account_id=account_id)}
    own = {row["public_id"]: json.loads(row["groups"]) or [held.default_id(account_id)] for row in rows}
    members: dict[str, list[str]] = {}
    for row in rows:
        for group in own[row["public_id"]]:
            members.setdefault(group, []).extend(ip for ip in (row["ip"], row["ipv6"]) if ip)
    rules = {
        group: _of_group(groups.get(group), members, is_default=group == held.default_id(account_id))
        for group in members
    }
    return {row["public_id"]: _joined(rules, own[row["public_id"]]) for row in rows if row["subnet_id"] == subnet_id}


def of_machines(instance_ids: Sequence[int]) -> dict[str, MachineRules]:
    """By machine; of an account without groups of its own, all is open."""
    machines = Instance.objects.filter(id__in=instance_ids, account__in=SecurityGroup.objects.values("account"))
    told: dict[str, MachineRules] = {}
    for subnet_id in sorted(set(machines.values_list("subnet_id", flat=True))):
        told |= of_subnet(subnet_id)
    return told


def _of_group(group: SecurityGroup | None, members: Mapping[str, Sequence[str]], *, is_default: bool) -> MachineRules:
    if group is None:  # a default one that nobody changed; no other can be gone while a machine has it
        return OPEN if is_default else MachineRules((), ())

    def told(rows: list[dict[str, str]]) -> tuple[Rule, ...]:
        return policies.compiled(policies.read(rows), lambda peer: members.get(peer, ()))

    return MachineRules(told(group.ingress), told(group.egress))


def _joined(rules: Mapping[str, MachineRules], groups: Sequence[str]) -> MachineRules:
    """One group after the other, in the machine's order."""
    return MachineRules(
        tuple(rule for group in groups for rule in rules[group].ingress),
        tuple(rule for group in groups for rule in rules[group].egress),
    )
