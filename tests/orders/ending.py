"""What tests of a machine's end look at."""

from tests.support.shopper import (
    ZONE,
)
from vmart.config.reconcile import reconcile
from vmart.engines.contract import Power
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.network.models import PrivateAddress, PublicAddress
from vmart.placement.models import Allocation, Host
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.models import Operation


def now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def power(machine: Instance) -> Power:
    return engine_of(ZONE).observe(machine.public_id).power


def no_closes() -> None:
    """Weeks pass quickly where no hour is closed."""
    Operation.objects.filter(kind="close_hour").delete()


def nothing_left(world: World) -> None:
    assert world.count_machines() == 0
    assert not Allocation.objects.exists()
    assert not PrivateAddress.objects.exists()
    assert not PublicAddress.objects.filter(instance_id__isnull=False).exists()
    assert set(Host.objects.values_list("vcpu_used", "memory_used_mib", "disk_used_gib")) == {(0, 0, 0)}
    assert list(reconcile()) == []
