"""Whose shop it is, changed by a page or a command: the section ``shop`` of the catalog file, applied as any other."""

from collections.abc import Mapping
from typing import Any

from vmart.backoffice import apply_catalog, catalog_text, opening
from vmart.catalog import colour, logo
from vmart.events.actor import Actor
from vmart.kernel.documents import DocumentError, Problem
from vmart.kernel.errors import InvalidValue

SECTION = "shop"


def section(said: Mapping[str, Any], before: Mapping[str, Any], sent: tuple[bytes, int] | None) -> dict[str, Any]:
    """The section out of a form's fields. ``before`` is the one in force, ``sent`` a new logo with its real size.

    Raises InvalidValue with the path of what is wrong.
    """
    made: dict[str, Any] = {name: before[name] for name in ("billing_zone",) if name in before}
    if said["name_en"]:
        made["name"] = _both(said, "name")
    elif said["name_zh"]:
        raise InvalidValue("The shop has a Chinese name and no English one.", field="shop.name.en")
    if kept := logo_text(before.get("logo"), sent, without=said["without_logo"]):
        made["logo"] = kept
    own = {theme: said[f"colour_{theme}"].lower() for theme in (colour.LIGHT, colour.DARK)}
    if own != {"light": "", "dark": ""} and own != dict(colour.OWN):
        for theme, chosen in own.items():
            check_colour(theme, chosen)
        made["colour"] = own
    if support := said["support"].strip():
        made["support"] = _address(support)
    return made | {name: _both(said, name) for name in ("terms", "imprint") if said[f"{name}_en"] or said[f"{name}_zh"]}


def _address(support: str) -> str:
    try:
        return opening.checked_address(support)
    except InvalidValue as error:
        raise InvalidValue("{value} is no e-mail address.", field="shop.support", value=support[:254]) from error


def _both(said: Mapping[str, Any], name: str) -> dict[str, str]:
    texts = {language: said[f"{name}_{language}"].strip().replace("\r\n", "\n") for language in ("en", "zh")}
    english = texts["en"] or texts["zh"]
    return {"en": english, "zh": texts["zh"] or english}


def logo_text(before: str | None, sent: tuple[bytes, int] | None, *, without: bool) -> str | None:
    """The logo as a catalog file has it: ``sent``, else the one before, unless there is to be none.

    Raises InvalidValue for what is no picture that this shop takes.
    """
    if sent is None:
        return None if without else before
    content, size = sent
    try:
        if size > logo.BYTES_MAX:
            raise logo.NoLogo("The picture is larger than 2 MiB: save a smaller one.")
        return logo.read(content).text
    except logo.NoLogo as error:
        raise InvalidValue(str(error), field="shop.logo") from error


def check_colour(theme: str, chosen: str) -> None:
    """Raises InvalidValue where a colour is none, or text in it could not be read in the theme."""
    path = f"shop.colour.{theme}"
    if not colour.is_colour(chosen):
        raise InvalidValue("{value} is no colour: #08695a is one.", field=path, value=chosen[:20])
    if pale := colour.too_pale(theme, chosen):
        raise InvalidValue(
            "{colour} has a contrast of {contrast} : 1 on {ground}; 4.5 : 1 is needed. {instead} would do.",
            field=path, colour=chosen, contrast=f"{pale.contrast:.2f}", ground=pale.ground, instead=pale.instead,
        )  # fmt: skip


def put(made: Mapping[str, Any], *, based_on: int, by: Actor) -> None:
    """Apply the catalog with this section instead of its own; with none where it is empty.

    Raises InvalidValue with a path, ChangedMeanwhile, NotFound where no catalog was applied.
    """
    text = apply_catalog.last_applied().text
    change: dict[catalog_text.Path, Any] = {(SECTION,): made or catalog_text.GONE}
    try:
        apply_catalog.apply_text(catalog_text.changed(text, change), by=by, based_on=based_on)
    except DocumentError as error:
        raise refused(error) from error


def refused(error: DocumentError) -> InvalidValue:
    """The first problem of a document as a refusal, at its path."""
    first = error.problems[0]
    if isinstance(first, Problem):
        return InvalidValue(first.template, field=first.path, **first.params)
    path, _, sentence = first.partition(": ")
    return InvalidValue("{problem}", field=path, problem=sentence or path)
