"""RunInstances with every attribute against a plain one, over signed HTTP, in turn: processor milliseconds a purchase.

The worker stands still: a delivery does not know the difference. What an attribute costs is what the web and the
database spend. Prints both and their ratio, medians of ``--rounds``; ends with 1 when a request failed.
"""

import argparse
import asyncio
import base64
import json
import os
import signal
import statistics
import sys
from typing import Any

from bench.lists import Asker
from bench.purchase import BODY, Buyer, Signer, first_image, load, prepare
from bench.shop import Shop

_ZONE = "ap-guangzhou-4"
_NETWORK = {
    "VirtualPrivateCloud": {"VpcId": "VPC", "SubnetId": "SUBNET"},
    "SecurityGroupIds": ["GROUP"],
}
# All that names a machine, its networks and its life, and what runs at its first boot.
_ATTRIBUTES: dict[str, Any] = {
    **_NETWORK,
    "InstanceName": "web",
    "HostName": "web.example.com",
    "DisableApiTermination": False,
    "UserData": base64.b64encode(b"#!/bin/sh\n" + b"true\n" * 100).decode(),
    "TagSpecification": [
        {"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "shop"}, {"Key": "stage", "Value": "test"}]}
    ],
    "ActionTimer": {"TimerAction": "TerminateInstances", "ActionTime": "2030-01-01T00:00:00Z"},
    "EnhancedService": {"SecurityService": {"Enabled": False}, "MonitorService": {"Enabled": False}},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with Shop() as shop:
        buyers = [_with_network(shop, buyer, n) for n, buyer in enumerate(prepare(shop))]
        plain = json.loads(BODY.replace("IMAGE", first_image()))
        disk = {"SystemDisk": {**plain["SystemDisk"], "DiskName": "root"}}
        bodies = {"plain": plain, "network": plain | _NETWORK, "all": plain | _ATTRIBUTES | disk}
        os.kill(shop.control["children"]["worker"], signal.SIGSTOP)
        figures: dict[str, list[float]] = {name: [] for name in bodies}
        errors = 0
        for _ in range(options.rounds):
            for name, body in bodies.items():
                spent, failed = _spent(shop, buyers, json.dumps(body), options.seconds)
                figures[name].append(spent)
                errors += failed
            print({name: spent[-1] for name, spent in figures.items()}, flush=True)
        os.kill(shop.control["children"]["worker"], signal.SIGCONT)
    ratios = [every / plain for every, plain in zip(figures["all"], figures["plain"], strict=True)]
    middle = {f"{name}_cpu_ms": round(statistics.median(spent), 3) for name, spent in figures.items()}
    ratio = round(statistics.median(ratios), 2)
    print(json.dumps({"bench": "attributes", **middle, "ratio": ratio, "errors": errors, "rounds": options.rounds}))
    sys.exit(1 if errors else 0)


def _spent(shop: Shop, buyers: list[Buyer], body: str, seconds: int) -> tuple[float, int]:
    """Processor milliseconds a purchase of all but this client, and how many requests failed."""
    before = shop.cpu_s()
    done = asyncio.run(load(shop.ready["api_endpoint"], buyers, body, seconds))
    spent = {name: part - before.get(name, 0.0) for name, part in shop.cpu_s().items() if name != "client"}
    return round(sum(spent.values()) * 1000 / max(1, done["bought"]), 3), done["errors"]


def _with_network(shop: Shop, buyer: Buyer, number: int) -> Buyer:
    """The same with a VPC, a subnet and a security group of its own; no two ranges of a zone overlap (ADR 0044)."""
    secret_id, secret, said = buyer
    endpoint = shop.ready["api_endpoint"]
    signer, asker = Signer(secret_id, secret, endpoint, "vpc"), Asker(endpoint)

    def made(action: str, **members: Any) -> dict[str, Any]:
        _, answer = asker.ask(signer, members, action)
        if "Error" in answer:
            sys.exit(f"{action}: {answer['Error']}")
        return answer

    vpc = made("CreateVpc", VpcName="bench", CidrBlock="10.0.0.0/12")["Vpc"]["VpcId"]
    cidr = f"10.{number // 16}.{number % 16 * 16}.0/20"
    subnet = made("CreateSubnet", VpcId=vpc, SubnetName="bench", Zone=_ZONE, CidrBlock=cidr)["Subnet"]
    group = made("CreateSecurityGroup", GroupName="bench", GroupDescription="")["SecurityGroup"]["SecurityGroupId"]
    return secret_id, secret, {**said, "VPC": vpc, "SUBNET": subnet["SubnetId"], "GROUP": group}


if __name__ == "__main__":
    main()
