"""Sentences and times as answers tell them: in the language of the call, in the form of the service."""

import datetime as dt
from collections.abc import Mapping
from typing import overload

from django.utils import translation

from vmart.kernel.errors import WHY, Refused

ENGLISH, CHINESE = "en", "zh-hans"
LANGUAGES = {"zh-CN": CHINESE, "en-US": ENGLISH, "zh": CHINESE, "en": ENGLISH}


def localized(template: str, language: str, params: Mapping[str, object]) -> str:
    """``template`` in ``language`` with its places filled; why it is so is translated too."""
    with translation.override(language):
        if language != ENGLISH:
            template = translation.gettext(template)
            if isinstance(why := params.get(WHY), str) and why:
                params = {**params, WHY: translation.gettext(why)}
        return template.format(**params) if params else template


def said_of(refusal: Refused, field: str | None, language: str) -> str:
    """The refusal's sentence, with ``field`` before it where it does not name it itself."""
    text = localized(refusal.template, language, refusal.params)
    return f"{field}: {text}" if field and field not in text else text


@overload
def utc_text(instant: dt.datetime) -> str: ...
@overload
def utc_text(instant: None) -> None: ...
@overload
def utc_text(instant: dt.datetime | None) -> str | None: ...
def utc_text(instant: dt.datetime | None) -> str | None:
    """``2020-03-10T02:43:51Z``, as every time of API 3.0."""
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if instant else None


def local_text(instant: dt.datetime | None, zone: dt.tzinfo) -> str:
    """``2018-09-26 17:36:07`` of the shop's zone, as the times of cbs and vpc; zeros where there is none."""
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if instant else "0000-00-00 00:00:00"
