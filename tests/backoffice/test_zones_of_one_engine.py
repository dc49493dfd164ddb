"""Given two zones that one engine would serve under one mark, then the catalog is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pricing.demo import DEMO_FILE
from tests.support.written import nothing_written
from vmart.backoffice.apply_catalog import COMPUTE_VARIABLE, apply_file
from vmart.catalog.models import Zone
from vmart.kernel.documents import DocumentError

pytestmark = pytest.mark.usefixtures("shop")

FIRST, SECOND = "ap-guangzhou-3", "ap-guangzhou-4"
BY_SOCKET = {"socket": "/run/incus.socket", "deployment": "a"}
BY_URL = {"url": "https://192.0.2.7:8443", "deployment": "a"}


def _file(folder: Path, first: Mapping[str, Any], second: Mapping[str, Any]) -> Path:
    """The demo catalog with these engines of its first two zones."""
    catalog = yaml.safe_load(DEMO_FILE.read_text(encoding="utf-8"))
    zones = catalog["regions"][0]["zones"]
    assert [zone["code"] for zone in zones[:2]] == [FIRST, SECOND]
    for zone, engine in zip(zones[:2], (first, second), strict=True):
        members = {} if engine["kind"] == "incus" else {"members": zone["engine"]["members"]}
        zone["engine"] = {**members, **engine}
    file = folder / "catalog.yaml"
    file.write_text(yaml.safe_dump(catalog, allow_unicode=True), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"kind": "auto"}, {"kind": "auto"}),
        ({"kind": "auto"}, {"kind": "incus"}),
        ({"kind": "auto", "settings": {"pool": "fast"}}, {"kind": "auto", "settings": {"pool": "slow"}}),
        ({"kind": "incus", "settings": BY_SOCKET}, {"kind": "incus", "settings": BY_SOCKET}),
        ({"kind": "incus", "settings": BY_URL},
         {"kind": "incus", "settings": BY_URL | {"url": "https://192.0.2.7:8443/"}}),
        ({"kind": "simulated", "settings": {"file": "/srv/engine"}},
         {"kind": "simulated", "settings": {"file": "/srv/engine"}}),
    ],
)  # fmt: skip
def test_two_zones_of_one_engine_and_deployment_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Mapping[str, Any], second: Mapping[str, Any]
) -> None:
    monkeypatch.setenv(COMPUTE_VARIABLE, "incus")
    with nothing_written(), pytest.raises(DocumentError) as refusal:
        apply_file(_file(tmp_path, first, second), lambda _changes: True)
    assert refusal.value.problems == [
        f"regions.zones.{SECOND}.engine: {FIRST} is served by the same engine under the same deployment; each zone"
        " needs an engine, or a settings.deployment, of its own"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"kind": "incus", "settings": BY_SOCKET}, {"kind": "incus", "settings": BY_SOCKET | {"deployment": "b"}}),
        ({"kind": "incus", "settings": BY_SOCKET}, {"kind": "incus", "settings": BY_URL}),
        ({"kind": "auto"}, {"kind": "incus", "settings": BY_URL}),
        ({"kind": "auto"}, {"kind": "simulated"}),
        ({"kind": "simulated"}, {"kind": "simulated", "settings": {"file": "/srv/engine"}}),
    ],
)
def test_zones_with_an_engine_or_a_deployment_of_their_own_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Mapping[str, Any], second: Mapping[str, Any]
) -> None:
    monkeypatch.setenv(COMPUTE_VARIABLE, "incus")
    apply_file(_file(tmp_path, first, second), lambda _changes: True)
    settings = dict(Zone.objects.filter(code__in=[FIRST, SECOND]).values_list("code", "engine_settings"))
    for code, engine in ((FIRST, first), (SECOND, second)):
        assert engine.get("settings", {}).items() <= settings[code].items()


def test_a_zone_that_is_taken_off_the_file_still_has_its_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machines run on, and it is swept: another zone cannot have its engine."""
    monkeypatch.setenv(COMPUTE_VARIABLE, "incus")
    file = _file(tmp_path, {"kind": "auto"}, {"kind": "simulated"})
    apply_file(file, lambda _changes: True)
    catalog = yaml.safe_load(file.read_text(encoding="utf-8"))
    zones = catalog["regions"][0]["zones"]
    zones[1]["engine"] = {"kind": "incus"}
    zones.pop(0)
    for item in catalog["instance_types"]:
        for listed in ("zones", "sold_out"):
            if FIRST in item.get(listed, ()):
                item[listed].remove(FIRST)
    file.write_text(yaml.safe_dump(catalog, allow_unicode=True), encoding="utf-8")
    with nothing_written(), pytest.raises(DocumentError) as refusal:
        apply_file(file, lambda _changes: True)
    assert refusal.value.problems[0].startswith(f"regions.zones.{SECOND}.engine: {FIRST} is served by the same engine")
