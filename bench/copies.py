"""Snapshot, image, restoration and removal of a system disk that holds much, against one that holds little.

On a real Incus with btrfs, by the shop's own acts and worker: seconds from the act's answer until its thing is whole.
Two machines in one run: on one disk ``--gib`` were written, on the other nothing. Prints medians of ``--rounds`` and
the ratio of the two, which says whether a copy costs by what is on the disk. Needs root.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.delivery import Bought, wait_for_images
from bench.shop import Shop

_LIMIT_S = 600


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gib", type=int, default=20, help="written on the disk that holds much")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Shop(compute="incus") as shop:
        settings = json.loads(shop.connect()["VMART_INCUS_SETTINGS"])
        wait_for_images()
        bought = Bought()
        disks = {"little": _machine(bought), "much": _machine(bought)}
        _fill(settings, disks["much"], options.gib)
        figures: dict[str, dict[str, list[float]]] = {}
        for _ in range(options.rounds):
            for name, machine in disks.items():
                for act, seconds in _once(machine).items():
                    figures.setdefault(act, {}).setdefault(name, []).append(seconds)
            print({act: {name: taken[-1] for name, taken in of.items()} for act, of in figures.items()}, flush=True)
        bought.clear()
    print(json.dumps({"bench": "copies", "gib": options.gib, **_middle(figures), "rounds": options.rounds}))


def _middle(figures: dict[str, dict[str, list[float]]]) -> dict[str, float]:
    told: dict[str, float] = {}
    for act, of in figures.items():
        much, little = statistics.median(of["much"]), statistics.median(of["little"])
        told |= {f"{act}_much_s": round(much, 2), f"{act}_little_s": round(little, 2)}
        told[f"{act}_ratio"] = round(much / little, 2)
    return told


def _machine(bought: Bought) -> int:
    from vmart.instances.models import Instance

    bought.one(system_gib=50)
    return Instance.objects.latest("id").id


def _fill(settings: dict[str, Any], machine: int, gib: int) -> None:
    from vmart.instances.models import Instance

    name = Instance.objects.get(id=machine).public_id
    environment = {**os.environ, "INCUS_DIR": str(Path(settings["socket"]).parent)}
    write = f"head -c {gib}G /dev/urandom > /srv/much && sync"
    subprocess.run(["incus", "exec", name, "--", "sh", "-c", write], env=environment, check=True, timeout=1800)


def _once(number: int) -> dict[str, float]:
    """Seconds of each act on a machine's system disk; all copies are removed again."""
    from vmart.events.actor import timer
    from vmart.instances.models import Instance
    from vmart.orders import start, stop
    from vmart.orders.images import create as images
    from vmart.orders.images import delete as end_images
    from vmart.orders.images.create import NewImage
    from vmart.orders.snapshots import apply, create
    from vmart.orders.snapshots.create import NewSnapshot
    from vmart.storage.images import OwnImage
    from vmart.storage.models import Disk, Snapshot

    machine = Instance.objects.get(id=number)
    who, name = timer(machine.account_id), machine.public_id
    disk = Disk.objects.get(instance_id=number).public_id

    def settled(*states: str) -> Callable[[], bool]:
        found = Instance.objects.filter(id=number, state__in=states, latest_operation_state="SUCCESS")
        return found.exists

    taken: dict[str, float] = {}
    snapshot = create.create(who, NewSnapshot(disk))
    taken["snapshot"] = _until(Snapshot.objects.filter(public_id=snapshot, state="NORMAL").exists)
    image = images.of_snapshot(who, snapshot, NewImage(f"of {name}"))
    taken["image"] = _until(OwnImage.objects.filter(public_id=image, state="NORMAL").exists)
    stop.stop(who, [name])
    _until(settled("STOPPED"))
    apply.apply(who, snapshot, disk)
    taken["restored"] = _until(settled("STOPPED"))
    start.start(who, [name])
    _until(settled("RUNNING"))
    end_images.delete(who, [image], with_snapshots=True)
    taken["removed"] = _until(lambda: not Snapshot.objects.filter(public_id=snapshot).exclude(state="GONE").exists())
    return taken


def _until(is_so: Callable[[], bool]) -> float:
    begun = time.monotonic()
    while not is_so():
        if time.monotonic() - begun > _LIMIT_S:
            raise TimeoutError(f"not so after {_LIMIT_S} s")
        time.sleep(0.02)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
