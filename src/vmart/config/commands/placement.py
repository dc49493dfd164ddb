"""Where machines find room: ``vmart placement``."""

from pathlib import Path
from typing import Any

import click

from vmart.config.commands.frame import NOT_WELL, data_dir_option, places_of, set_up, who_types
from vmart.config.commands.output import output_option, show
from vmart.config.places import Misused

_DISK_GIB = 50


@click.group()
def placement() -> None:
    """Where machines find room."""


@placement.command("explain")
@data_dir_option
@output_option
@click.option("--zone", metavar="ZONE", help="With --type: for a machine that would be bought.")
@click.option("--type", "type_code", metavar="TYPE")
@click.option("--disk", type=click.IntRange(1, 1_000_000), help=f"All its disks, GiB; else {_DISK_GIB}.")
@click.option("--machine", metavar="ID", help="For a machine that would be started again, on the host of its disks.")
def placement_explain(own_data_dir: Path | None, output: str, machine: str | None, **wanted: Any) -> None:
    """How many hosts each filter leaves for one more machine; exit code 1 when there is room on none."""
    named = wanted["zone"] is not None, wanted["type_code"] is not None
    if named != ((False, False) if machine else (True, True)) or (machine and wanted["disk"]):
        raise click.UsageError("name --zone, --type and perhaps --disk, or --machine alone")
    set_up(places_of(own_data_dir))
    asked, left = _of_machine(machine) if machine else _of_type(**wanted)
    show([{"filter": name, "asks": asked.get(name, ""), "hosts": hosts} for name, hosts in left.items()], output)
    if not list(left.values())[-1]:
        click.get_current_context().exit(NOT_WELL)


@placement.command("rack")
@data_dir_option
@click.argument("zone")
@click.argument("host")
@click.argument("rack", default="")
def placement_rack(own_data_dir: Path | None, zone: str, host: str, rack: str) -> None:
    """Say in which RACK of its zone a host is; without RACK: in none that anybody knows."""
    set_up(places_of(own_data_dir))
    from vmart.placement import racks

    try:
        racks.put(zone, host, rack)
    except racks.NotPossible as why:
        raise Misused(str(why)) from None
    click.echo(f"{host} is in the rack {rack}" if rack else f"{host} is in no rack")


@placement.command("hosts")
@data_dir_option
@output_option
@click.option("--zone", default="", metavar="ZONE", help="Of this zone alone.")
@click.option("--after", default="", metavar="ZONE~HOST", help="Those behind this one: the last of the page before.")
def placement_hosts(own_data_dir: Path | None, output: str, zone: str, after: str) -> None:
    """Hosts with what is sold of each, 50 at a time; ratios are against threads and storage as they are."""
    set_up(places_of(own_data_dir))
    from vmart.listings import hosts

    page = hosts.page(zone.replace("\0", ""), after)
    show(
        [
            {"zone": row.zone, "host": row.name, "rack": row.rack,
             "state": "off" if not row.online else "on" if row.enabled else "drained", "machines": row.machines,
             "vcpu": f"{row.vcpu_used}/{row.vcpu_capacity}", "vcpu_ratio": row.vcpu_ratio,
             "memory_mib": f"{row.memory_used_mib}/{row.memory_capacity_mib}",
             "disk_gib": f"{row.disk_used_gib}/{row.disk_capacity_gib}",
             "disk_ratio": row.disk_ratio if row.pool_gib else None, "drained_by": row.drained_by}
            for row in page.rows
        ],
        output,
    )  # fmt: skip
    if page.older:
        click.echo(f"more: --after {page.older}", err=True)


@placement.command("drain")
@data_dir_option
@click.argument("zone")
@click.argument("host")
@click.option("--undo", is_flag=True, help="Let it take machines again.")
def placement_drain(own_data_dir: Path | None, zone: str, host: str, undo: bool) -> None:
    """Place nothing more on HOST; what is there stays and runs on."""
    set_up(places_of(own_data_dir))
    from vmart.placement import draining

    fresh = (draining.undrain if undo else draining.drain)(zone, host, who_types())
    click.echo(("takes machines again" if undo else "drained") if fresh else "it is so already")


def _of_type(zone: str, type_code: str, disk: int | None) -> tuple[dict[str, Any], dict[str, int]]:
    from vmart.catalog import shop
    from vmart.placement import explain

    here = shop.current()
    if zone not in here.zones:
        raise Misused(f"there is no zone {zone}: see `vmart catalog show`")
    if (kind := here.instance_types.get(type_code)) is None:
        raise Misused(f"there is no type {type_code}: see `vmart catalog show`")
    disk_gib = disk or _DISK_GIB
    asked = {"hosts": zone, "vCPU": kind.vcpu, "memory": f"{kind.memory_mib} MiB", "disk": f"{disk_gib} GiB"}
    return asked, explain.in_zone(zone, kind.vcpu, kind.memory_mib, disk_gib)


def _of_machine(public_id: str) -> tuple[dict[str, Any], dict[str, int]]:
    from vmart.instances.models import Instance
    from vmart.placement import explain

    found = Instance.objects.filter(public_id=public_id.replace("\0", "")).first()
    if found is None:
        raise Misused(f"there is no machine {public_id}")
    asked = {"hosts": "its own", "vCPU": found.vcpu, "memory": f"{found.memory_mib} MiB"}
    return asked, explain.on_its_host(found.id, found.vcpu, found.memory_mib)
