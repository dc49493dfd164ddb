"""Private networks (one bridge a customer and zone) and the forwards by which public addresses come in."""

import contextlib
import ipaddress
from typing import Any

from vmart.engines.contract import EngineError, Subnet
from vmart.engines.incus import groups
from vmart.engines.incus.client import IncusClient, IncusError, path_of
from vmart.engines.incus.firewall import Bridge, Firewall
from vmart.engines.incus.host import Names, OneAtATime, ask_again_soon, networks_of_host, run
from vmart.kernel import clock

MARK = "user.vmart.deployment"
# Names of the bridges of the same VPC that were known when the bridge was made. Of two bridges the later one knows the
# earlier one, so together they have every pair, and none of them is ever written again.
_PEERS = "user.vmart.peers"


class Networks:
    """``firewall`` is None where the driver may not edit the member's own tables (a remote engine).

    ``watches``: traffic within a bridge is to come by the host's packet filter.
    ``alone``: Incus writes all forwards of a bridge to the packet filter at each change of one, out of a list that it
    read before. Of two changes at once the later write may lack the other's rule (seen in 6.0: in a third
    of bursts of eight; 7.3 reads so too), and its answer says created all the same. So they are made one by one.
    """

    def __init__(
        self, client: IncusClient, names: Names, firewall: Firewall | None, alone: OneAtATime, *, watches: bool
    ) -> None:
        self._client = client
        self._names = names
        self._firewall = firewall
        self._known: set[str] = set()
        self._alone = alone
        self._watches = watches

    def forget(self) -> None:
        """What was seen may be gone: look again."""
        self._known.clear()

    def ensure_bridge(self, subnet: Subnet, members: list[str]) -> Bridge:
        """The subnet's bridge, closed to everything but its own machines. ``members``: of a cluster, else empty."""
        peers = tuple(self._names.bridge(key) for key in subnet.peers)
        bridge = Bridge(self._names.bridge(subnet.key), subnet.cidr, subnet.gateway, peers)
        if bridge.name in self._known:
            return bridge
        with self._alone():
            if bridge.name in self._known:
                return bridge
            found = self._client.find(path_of("networks", bridge.name))
            if found is None:
                self._refuse_overlap(bridge)  # before anything of it is on the host
            if self._firewall is not None:
                self._firewall.ensure_bridge(bridge)  # before the first machine can speak
            if found is None:
                self._create(bridge, subnet, members)
            elif found["config"].get(MARK) != self._names.deployment:
                raise EngineError("A network's name is taken on the engine.", transient=False, detail=bridge.name)
            self._see_to(bridge.name)
            self._known.add(bridge.name)
        return bridge

    def _create(self, bridge: Bridge, subnet: Subnet, members: list[str]) -> None:
        prefix = ipaddress.ip_network(subnet.cidr).prefixlen
        config = {
            "ipv4.address": f"{subnet.gateway}/{prefix}",
            # Outbound goes by the machine's own public address or not at all; where the driver may not
            # edit the member's tables, by the member's.
            "ipv4.nat": "false" if self._firewall is not None else "true",
            "ipv6.address": "none",
            "dns.mode": "none",
            MARK: self._names.deployment,
            "user.vmart.subnet": subnet.key,
            **({_PEERS: " ".join(bridge.peers)} if bridge.peers else {}),
        }
        body: dict[str, Any] = {"name": bridge.name, "type": "bridge", "description": f"vmart {subnet.key}"}
        for member in members:
            with contextlib.suppress(IncusError):  # begun by an earlier, interrupted call
                self._client.send("POST", "/1.0/networks", body, target=member)
        try:
            self._client.send("POST", "/1.0/networks", body | {"config": config})
        except IncusError as error:
            if not error.exists:
                raise

    def _refuse_overlap(self, bridge: Bridge) -> None:
        """Two bridges of one host cannot have one address space: the kernel routes by it."""
        wanted = ipaddress.IPv4Network(bridge.cidr)
        for network in self.ours():
            other = ipaddress.ip_interface(network["config"].get("ipv4.address", "0.0.0.0/32")).network
            if network["name"] != bridge.name and wanted.overlaps(other):
                sentence = "The private network overlaps with another one of this zone."
                raise EngineError(sentence, transient=False, detail=f"{wanted} and {other}")
        if self._firewall is not None:  # the bridge is to be on this very host
            self._refuse_overlap_with_host(bridge.name, wanted)

    def _refuse_overlap_with_host(self, name: str, wanted: ipaddress.IPv4Network) -> None:
        for link, other in networks_of_host():
            if link != name and wanted.overlaps(other):
                sentence = "The private network overlaps with a network that the host is in."
                raise EngineError(sentence, transient=False, detail=f"{wanted} and {other} of {link}")

    def ours(self) -> list[dict[str, Any]]:
        networks = self._client.get("/1.0/networks", recursion=1)
        return [found for found in networks if (found.get("config") or {}).get(MARK) == self._names.deployment]

    def bridges(self) -> list[Bridge]:
        return [_bridge_of(network) for network in self.ours()]

    def see_to_all(self) -> None:
        """The same of every bridge, as when it was made: the host may have made them anew."""
        for network in self.ours() if self._firewall is not None else ():
            self._see_to(network["name"])

    def _see_to(self, bridge: str) -> None:
        """What this host does with a bridge, and the server does not tell it."""
        if self._firewall is not None:
            ask_again_soon(bridge)
        if self._watches:
            groups.watch_bridge(bridge)

    def remove_if_empty(self, name: str) -> None:
        """The bridge, unless a machine is on it: Incus refuses then, atomically."""
        network = self._client.find(path_of("networks", name))
        if network is None or (network.get("config") or {}).get(MARK) != self._names.deployment or network["used_by"]:
            return
        with self._alone():  # nobody makes it anew before the last trace of it is gone
            self._known.discard(name)
            try:
                self._client.send("DELETE", path_of("networks", name))
            except IncusError as refusal:
                if refusal.missing or "in use" in refusal.text.lower():
                    return  # another one was first, or a machine came meanwhile
                raise
            if self._firewall is not None:
                self._firewall.remove_bridge(_bridge_of(network))

    # -- public addresses ----------------------------------------------------------------------

    def ensure_forward(self, bridge: str, machine: str, public_ip: str, private_ip: str, member: str = "") -> None:
        """Everything sent to ``public_ip`` reaches ``private_ip``."""
        body = {"config": {"target_address": private_ip}, "description": machine}
        with self._alone():
            try:
                self._create_forward(bridge, public_ip, body, member)
            except IncusError as error:
                if error.missing:
                    raise
                self._replace_forward(error, bridge, public_ip, body, member)
        self._route(public_ip, bridge)

    def _create_forward(self, bridge: str, public_ip: str, body: dict[str, Any], member: str) -> None:
        fresh = body | {"listen_address": public_ip}
        self._client.send("POST", path_of("networks", bridge, "forwards"), fresh, target=member)

    def _write_forward(self, path: str, body: dict[str, Any], member: str) -> None:
        """Put this in the place of a forward that is there. A change that changes nothing would write no rule."""
        written = {"user.vmart.written": clock.wall().isoformat()}
        self._client.send("PUT", path, body | {"config": body["config"] | written}, target=member)

    def _route(self, public_ip: str, bridge: str) -> None:
        """The host finds the way without a default route too; the NAT then turns it to the machine."""
        if self._firewall is not None:
            run(["ip", "route", "replace", f"{public_ip}/32", "dev", bridge], check=False)

    def _replace_forward(
        self, refusal: IncusError, bridge: str, public_ip: str, body: dict[str, Any], member: str
    ) -> None:
        """The address is forwarded already: by this machine's earlier call, or by one that is gone."""
        own, machine = path_of("networks", bridge, "forwards", public_ip), body["description"]
        found = self._client.find(own, target=member)
        if found is not None and (found["description"] == machine or self._is_stale(found["description"])):
            self._write_forward(own, body, member)
            return
        for network in self.ours():
            path = path_of("networks", network["name"], "forwards", public_ip)
            other = self._client.find(path, target=member)
            if other is not None and self._is_stale(other["description"]):
                self._client.send("DELETE", path, target=member)
                self._create_forward(bridge, public_ip, body, member)
                return
        raise EngineError("The public address is in use.", transient=False, detail=refusal.text) from refusal

    def write_forwards_again(self) -> None:
        """Every forward is written to the packet filter, which somebody flushed, and the host has its routes again."""
        for network in self.ours():
            path = path_of("networks", network["name"], "forwards")
            with self._alone():
                forwards = self._client.find(path, recursion=1) or []
                for forward in forwards[:1]:  # one change writes them all
                    body = {key: forward[key] for key in ("config", "description", "ports")}
                    self._write_forward(f"{path}/{forward['listen_address']}", body, forward.get("location", ""))
            for forward in forwards:
                self._route(forward["listen_address"], network["name"])

    def _is_stale(self, machine: str) -> bool:
        return self._client.find(path_of("instances", machine)) is None

    def remove_forwards(self, bridge: str, machine: str, *, but: str = "") -> None:
        """Every forward of this machine on its bridge, except to address ``but``."""
        for forward in self._client.find(path_of("networks", bridge, "forwards"), recursion=1) or []:
            if forward["description"] == machine and forward["listen_address"] != but:
                path = path_of("networks", bridge, "forwards", forward["listen_address"])
                with self._alone():
                    self._delete_forward(path, forward.get("location", ""))
                if self._firewall is not None:
                    run(["ip", "route", "delete", f"{forward['listen_address']}/32", "dev", bridge], check=False)

    def _delete_forward(self, path: str, member: str) -> None:
        try:
            self._client.send("DELETE", path, target=member)
        except IncusError as error:
            if not error.missing:
                raise

    def remove_machine(self, machine: str, *, but: str = "") -> None:
        """What a machine that is gone, or on ``but`` now, may have left: its forwards, and bridges nobody is on."""
        for network in (one for one in self.ours() if one["name"] != but):
            self.remove_forwards(network["name"], machine)
            if not [user for user in network["used_by"] if "/instances/" in user]:
                self.remove_if_empty(network["name"])


def _bridge_of(network: dict[str, Any]) -> Bridge:
    """The bridge that Incus has as this network."""
    interface = ipaddress.ip_interface(network["config"]["ipv4.address"])
    peers = network["config"].get(_PEERS, "").split()
    return Bridge(network["name"], str(interface.network), str(interface.ip), tuple(peers))
