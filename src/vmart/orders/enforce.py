"""Operation ``rules``: a zone's engine is told the rules of all machines in one of its networks, as they are now.

All in one call, so a change is in force for all of them at once. A zone whose engine enforces no groups is told
nothing.
"""

import uuid
from collections.abc import Sequence

from vmart.customers import accounts
from vmart.engines.contract import Engine
from vmart.engines.rules import MachineRules
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.provisioning.zone_engines import engine_of
from vmart.security import compiled, told
from vmart.security.models import SecurityGroup
from vmart.worker import queue
from vmart.worker.queue import Claimed


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """What changed while the engine was told is told again."""
    for operation in batch:
        assert operation.account_id is not None
        rules = compiled.of_subnet(operation.subject_id)
        engine = engine_of(operation.lane)
        if rules and engine.capabilities().security_groups:
            engine.ensure_rules(rules)
        with db.act():
            db.call("ledger_lock", operation.account_id)
            # A change of rules that has not ended yet would find this operation there.
            accounts.lock(operation.account_id)
            changed = compiled.of_subnet(operation.subject_id) != rules
            if not changed:
                queue.finish(owner, operation)
        if changed:
            queue.put_off(owner, [operation], 0.0, "the rules changed meanwhile", waiting=True)


def wanted(engine: Engine, instance_ids: Sequence[int]) -> dict[str, MachineRules]:
    """The rules that an engine should have, by machine; those of accounts without a group of their own are left out."""
    rules = compiled.of_machines(instance_ids)
    return rules if rules and engine.capabilities().security_groups else {}


def send_for(instance_ids: Sequence[int]) -> None:
    """Have accounts' engines be told after these machines came or went: rules may name groups that they are in.

    Accounts without a group of their own have nothing to tell. Belongs into an act.
    """
    machines = Instance.objects.filter(id__in=instance_ids, account__in=SecurityGroup.objects.values("account"))
    for account_id in sorted(set(machines.values_list("account_id", flat=True))):
        told.send(account_id)
