"""A changed rule of a security group, until it holds for all of its ``--machines`` on a real Incus, in seconds.

All of them are in one group and one network. A further machine of the same customer tries port 22 of each, all at once,
again and again. A rule that accepts it is added: until each has answered; and removed again: until none does.
Told beside it: how long one such look takes by itself, by which a figure may be too large. Needs root.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.delivery import ZONE, Bought, wait_for_images
from bench.shop import Shop

_REGION = "ap-guangzhou"
_LIMIT_S = 900


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with Shop(compute="incus") as shop:
        settings = json.loads(shop.connect()["VMART_INCUS_SETTINGS"])
        wait_for_images()
        group = _Group(Bought())
        probe = _Probe(settings, *group.machines(options.machines))
        group.open()
        probe.until(options.machines)  # all have booted
        group.close()
        probe.until(0)
        taken: dict[str, list[float]] = {"opened": [], "closed": [], "looked": []}
        for _ in range(options.rounds):
            group.open()
            taken["opened"].append(probe.until(options.machines))
            taken["looked"].append(probe.looks_for())
            group.close()
            taken["closed"].append(probe.until(0))
            print({name: round(seconds[-1], 2) for name, seconds in taken.items()}, flush=True)
        group.bought.clear()
    figures = {f"{name}_s": round(statistics.median(seconds), 2) for name, seconds in taken.items()}
    print(json.dumps({"bench": "rules", "machines": options.machines, **figures, "rounds": options.rounds}))


class _Group:
    """A group of the customer's, closed at first, and its machines."""

    def __init__(self, bought: Bought) -> None:
        from vmart.events.actor import timer
        from vmart.security import change

        self.bought = bought
        self._who = timer(bought.account_id)
        self._id = change.create(self._who, _REGION, "bench", "").public_id
        self._ssh = change.Policies(ingress=[change.Named(change.Policy("ACCEPT", "TCP", "22", "0.0.0.0/0"))])

    def open(self) -> None:
        from vmart.security import change

        change.add(self._who, self._id, self._ssh)

    def close(self) -> None:
        from vmart.security import change

        change.remove(self._who, self._id, self._ssh)

    def machines(self, count: int) -> tuple[str, list[str]]:
        """The name of one that is in the default group, and the private addresses of ``count`` in this group."""
        from vmart.instances.models import Instance
        from vmart.placement.models import Host

        # More than is sold of so small a machine: most of them do nothing.
        Host.objects.filter(zone_id=ZONE).update(
            vcpu_capacity=1000, memory_capacity_mib=1 << 20, disk_capacity_gib=1 << 20
        )
        (probe,) = self.bought.order(1)
        names = self.bought.order(count, groups=(self._id,))
        begun = time.monotonic()
        there = Instance.objects.filter(public_id__in=[probe, *names])
        while there.filter(state="RUNNING").count() <= count:
            if time.monotonic() - begun > _LIMIT_S or there.filter(state="LAUNCH_FAILED").exists():
                sys.exit(f"not delivered: {sorted(there.values_list('state', flat=True))}")
            time.sleep(0.2)
        print(f"{count} delivered within {time.monotonic() - begun:.0f} s", flush=True)
        return probe, list(Instance.objects.filter(public_id__in=names).values_list("private_ip", flat=True))


class _Probe:
    """Looks from inside a machine which addresses take a connection to port 22."""

    def __init__(self, settings: dict[str, str], machine: str, addresses: Sequence[str]) -> None:
        tries = " ".join(
            f"(timeout 0.5 bash -c '< /dev/tcp/{address}/22' 2>&- && echo {address}) &" for address in addresses
        )
        self._command = ["incus", "exec", machine, "--", "bash", "-c", f"{tries} wait"]
        self._environment = {**os.environ, "INCUS_DIR": str(Path(settings["socket"]).parent)}

    def answer(self) -> int:
        """How many do."""
        done = subprocess.run(self._command, env=self._environment, capture_output=True, text=True, check=False)
        return len(done.stdout.split())

    def until(self, wanted: int) -> float:
        begun = time.monotonic()
        while self.answer() != wanted:
            if time.monotonic() - begun > _LIMIT_S:
                sys.exit(f"{wanted} should answer, and {self.answer()} do")
        return time.monotonic() - begun

    def looks_for(self) -> float:
        begun = time.monotonic()
        self.answer()
        return time.monotonic() - begun


if __name__ == "__main__":
    main()
