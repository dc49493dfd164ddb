"""What the seller has answered so far: kept at each step, with a default for everything that he has not been asked."""

import os
import shutil
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from vmart import engines
from vmart.backoffice.apply_catalog import COMPUTE_VARIABLE, ZONE_VARIABLE
from vmart.catalog import colour
from vmart.catalog.models import Applied, Draft
from vmart.engines.driver import Driver
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.models import Deployment

STEPS = ("name", "place", "images", "host", "prices", "addresses", "payment", "terms", "open", "test")
ASKED = STEPS[:-2]  # those whose answers make the file
TYPES = (("S1.SMALL1", 1, 1), ("S1.SMALL2", 1, 2), ("S1.MEDIUM4", 2, 4), ("S1.LARGE8", 4, 8), ("S1.2XLARGE16", 8, 16))
Answers = Mapping[str, Mapping[str, Any]]


def kept() -> dict[str, dict[str, Any]]:
    """What was answered, by step; a step that was not answered yet is missing."""
    row = Draft.objects.first()
    return dict(row.answers) if row else {}


def keep(step: str, said: Mapping[str, Any], by: Actor) -> None:
    """Keep a step's answers. Where what a host costs has changed, the prices are calculated anew."""
    with db.act():
        answers = _held()
        record.ask(by)
        if step == "host" and answers.get("host") != said:
            answers.pop("prices", None)
        _put(answers | {step: dict(said)})


def forget(step: str, by: Actor) -> None:
    """Have the step's defaults again."""
    with db.act():
        answers = _held()
        record.ask(by)
        if answers.pop(step, None) is not None:
            _put(answers)


def _held() -> dict[str, dict[str, Any]]:
    """As ``kept``; other pages that save a step wait until this act is over."""
    Draft.objects.bulk_create([Draft(saved_at=clock.now())], ignore_conflicts=True)
    return dict(Draft.objects.select_for_update().get().answers)


def _put(answers: Answers) -> None:
    Draft.objects.update(answers=answers, saved_at=clock.now())


def is_open() -> bool:
    """Whether a catalog was applied: the questions are over."""
    return Applied.objects.exists()


def next_step(answers: Answers) -> str:
    """The first step that waits for an answer."""
    return next((step for step in ASKED if step not in answers), "open")


def engine_found() -> Driver:
    """What serves a zone of kind auto on this machine."""
    return engines.driver_found(os.environ.get(COMPUTE_VARIABLE) or engines.FALLBACK.kind)


def zone_told() -> str:
    """The billing zone that the environment fixes; "" where the seller may choose."""
    return os.environ.get(ZONE_VARIABLE, "")


def defaults() -> dict[str, dict[str, str]]:
    """What each step says where nothing was answered; prices are ``document.prices`` of the host."""
    here = Deployment.objects.get()
    return {
        "name": {
            "name_en": "", "name_zh": "", "currency": here.currency, "billing_zone": here.billing_zone, "logo": "",
            "colour_light": colour.OWN[colour.LIGHT], "colour_dark": colour.OWN[colour.DARK],
        },
        "place": {"engine": "auto", "place_en": "Home", "place_zh": "本地", "country": "", "code": "home-1"},
        "images": {"images": "debian-12 debian-13"},
        "host": _this_machine() | {
            "month": "100", "vcpu_overcommit": "4", "fill_percent": "70", "margin_percent": "40", "cpu_percent": "45",
            "memory_percent": "35", "line_month": "50", "line_mbps": "1000", "hour_factor": "1.5",
        },
        "prices": {},
        "addresses": {"cidr": "203.0.113.0/24", "first": "203.0.113.10", "last": "203.0.113.50"},
        "payment": {},
        "terms": {"support": "", "terms_en": "", "terms_zh": "", "imprint_en": "", "imprint_zh": ""},
    }  # fmt: skip


def filled(answers: Answers) -> dict[str, dict[str, Any]]:
    """All steps, each with its defaults where nothing was answered."""
    return {step: {**said, **answers.get(step, {})} for step, said in defaults().items()}


def _this_machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    disk = shutil.disk_usage(settings.DATA_DIR if settings.DATA_DIR.exists() else "/").total // 2**30
    return {"vcpu": str(os.cpu_count() or 1), "memory_gib": str(max(memory, 1)), "disk_gib": str(max(disk, 20))}
