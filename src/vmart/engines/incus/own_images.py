"""Customers' images: each is an instance that never starts, a copy of a snapshot without what made its machine itself.

On pools that clone, a copy takes seconds and shares what is alike. A machine is made of it as another copy. It is only
whole when its record says so: what an interrupted call left is made anew.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vmart.engines.contract import EngineError, OwnImage
from vmart.engines.incus import identity, records
from vmart.engines.incus.client import IncusClient, IncusError, path_of
from vmart.engines.incus.copies import WHOLE
from vmart.engines.incus.host import LOCAL_MEMBER, Names
from vmart.engines.incus.network import MARK
from vmart.engines.incus.room import Room

IMAGE = "image"
_SIZE = "user.vmart.size_gib"
_COPY_LIMIT_S = 3600.0
_REMOVE_LIMIT_S = 600.0  # below that of the step which deletes one
# What a machine that is made of one has otherwise in its record.
NOT_AN_IMAGE: Mapping[str, str] = {records.ROLE: "", WHOLE: "", _SIZE: ""}
# What the server keeps by itself of a record.
_KEPT = ("volatile.", "security.", "image.")


class OwnImages:
    """Of one deployment. ``why_not``: why none can be made, as a customer is told."""

    def __init__(
        self,
        client: IncusClient,
        pool: str,
        names: Names,
        room: Room,
        *,
        is_cluster: bool,
        why_not: str,
        spare_gib: int,
    ) -> None:
        self._client, self._pool, self._names, self._room = client, pool, names, room
        self._is_cluster, self._why_not, self._spare_gib = is_cluster, why_not, spare_gib

    def all(self) -> Iterator[OwnImage]:
        """Those that are whole and those that are not."""
        for found in self._client.get("/1.0/instances", recursion=1):
            if self._is_ours(found):
                yield self._image(found)

    def made(self, name: str) -> OwnImage | None:
        """The whole image of this name; what an interrupted call left of it goes."""
        found = self._found(name)
        if found is None or self._image(found).whole:
            return self._image(found) if found else None
        self._remove(found)
        return None

    def make(self, name: str, source: Mapping[str, Any], user: str) -> OwnImage:
        """Of the snapshot of a system disk of which this is the server's record."""
        if self._why_not:
            raise EngineError(self._why_not, transient=False)
        # As large as the copy, which has room for the server's own files also where its disk was full.
        root = source["devices"]["root"]
        size_gib = int(root["size"].removesuffix("GiB")) - self._spare_gib
        nothing = {key: "" for key in source["config"] if key.startswith(("user.", "cloud-init."))}
        config = nothing | {MARK: self._names.deployment, records.ROLE: IMAGE, WHOLE: "", _SIZE: str(size_gib)}
        body = {
            "name": name, "profiles": [], "config": config, "devices": {"root": root},
            "source": {"type": "copy", "source": source["name"], "instance_only": True},
        }  # fmt: skip
        return self._make(body, str(source["location"]) if self._is_cluster else "", user, lambda: None)

    def make_of_image(
        self, name: str, fingerprint: str, size_gib: int, user: str, *, member: str, at_last: Callable[[], None]
    ) -> OwnImage:
        """Of an image of the server's, on a disk of this size on the member; ``at_last`` is done before it is whole."""
        if self._why_not:
            raise EngineError(self._why_not, transient=False)
        root = {"type": "disk", "path": "/", "pool": self._pool, "size": f"{size_gib + self._spare_gib}GiB"}
        config = {MARK: self._names.deployment, records.ROLE: IMAGE, WHOLE: "", _SIZE: str(size_gib)}
        body = {
            "name": name, "type": "container", "profiles": [], "devices": {"root": root},
            "config": config | {"security.guestapi": "false", "security.idmap.isolated": "true"},
            "source": {"type": "image", "fingerprint": fingerprint},
        }  # fmt: skip
        return self._make(body, member if self._is_cluster else "", user, at_last)

    def _make(self, body: Mapping[str, Any], target: str, user: str, at_last: Callable[[], None]) -> OwnImage:
        """Whole, with nothing of a machine on it."""
        name = body["name"]
        try:
            self._client.send("POST", "/1.0/instances", body, limit_s=_COPY_LIMIT_S, target=target)
        except IncusError as error:
            if not error.exists:
                raise
            raise EngineError("The image is just being made.", transient=True, detail=name) from error
        identity.forget(self._client, name, user)
        at_last()
        return self._image(self._finish(name, body["devices"]["root"]))

    def remove(self, name: str) -> None:
        """It is gone."""
        found = self._found(name)
        if found is not None:
            self._remove(found)

    def source(self, name: str) -> dict[str, object]:
        """The ``source`` of a new instance. Raises EngineError where there is no whole image of the name."""
        found = self._found(name)
        if found is None or not self._image(found).whole:
            raise EngineError("The image is not in this zone.", transient=False, detail=name)
        return {"type": "copy", "source": name, "instance_only": True}

    def _finish(self, name: str, root: Mapping[str, str]) -> dict[str, Any]:
        """Its record says from now on that it is whole, and nothing of the machine."""
        found = self._client.get(path_of("instances", name))
        config = {key: value for key, value in found["config"].items() if key.startswith(_KEPT)}
        config |= {key: found["config"][key] for key in (MARK, records.ROLE, _SIZE)}
        body = {key: found[key] for key in records.WRITTEN if key in found}
        body |= {"config": config | {WHOLE: "true"}, "devices": {"root": dict(root)}}
        self._room.during(name, lambda: self._client.send("PUT", path_of("instances", name), body))
        return dict(self._client.get(path_of("instances", name)))

    def _remove(self, found: Mapping[str, Any]) -> None:
        path = path_of("instances", found["name"])
        with contextlib.suppress(IncusError):
            self._room.at_its_end(found["name"], lambda: self._client.send("DELETE", path, limit_s=_REMOVE_LIMIT_S))
        if self._client.find(path) is not None:
            raise EngineError("The image could not be removed.", transient=True, detail=found["name"])

    def _found(self, name: str) -> dict[str, Any] | None:
        found = self._client.find(path_of("instances", name))
        if found is not None and not self._is_ours(found):
            raise EngineError("The image's name is taken on the engine.", transient=False, detail=name)
        return found

    def _is_ours(self, found: Mapping[str, Any]) -> bool:
        config = found.get("config") or {}
        return config.get(MARK) == self._names.deployment and config.get(records.ROLE) == IMAGE

    def _image(self, found: Mapping[str, Any]) -> OwnImage:
        config = found["config"]
        member = str(found["location"]) if self._is_cluster else LOCAL_MEMBER
        return OwnImage(found["name"], int(config[_SIZE]), member, config.get(WHOLE) == "true")
