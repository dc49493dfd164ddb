"""What a worker does beside the queue."""

import time
from pathlib import Path

import pytest

from tests.support.database import DEMO_CATALOG
from vmart.backoffice.apply_catalog import apply_file
from vmart.catalog.models import Zone, ZoneImage
from vmart.config.chores import Chores
from vmart.config.steps import zone_codes

NEW = """      - code: ap-guangzhou-7
        legacy_id: 100007
        name: {en: Guangzhou Zone 7, zh: 广州七区}
        engine:
          kind: simulated
          members:
            - {name: gz7-a, vcpu: 16, memory_gib: 64, disk_gib: 1024}
"""


def test_a_zone_that_comes_while_the_worker_runs_is_looked_after(
    shop: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a running worker, when the catalog gets a zone, then its engine is looked at and its images get ready."""
    monkeypatch.setattr("django.conf.settings.DATA_DIR", tmp_path)
    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.05)
    chores = Chores(zone_codes)
    chores.start()
    try:
        _until_ready("ap-guangzhou-6")
        catalog = tmp_path / "catalog.yaml"
        text = DEMO_CATALOG.read_text()
        catalog.write_text(text.replace("\n  - code: ap-shanghai\n", f"\n{NEW}\n  - code: ap-shanghai\n"))
        apply_file(catalog, confirm=lambda _changes: True)
        assert Zone.objects.get(code="ap-guangzhou-7").engine_status == "unknown"
        _until_ready("ap-guangzhou-7")
    finally:
        chores.stop()
        for thread in list(chores._threads.values()):
            thread.join(10)
    assert not any(thread.is_alive() for thread in chores._threads.values())


def _until_ready(zone: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        status = Zone.objects.get(code=zone).engine_status
        images = set(ZoneImage.objects.filter(zone_id=zone).values_list("status", flat=True))
        if (status, images) == ("ready", {"ready"}):
            return
        assert time.monotonic() < deadline, (zone, status, images)
        time.sleep(0.05)
