"""What is kept: a template of the account, and one of its versions."""

import json
import re
from dataclasses import dataclass
from typing import Any

from vmart.kernel import db
from vmart.launch_templates.errors import UnknownTemplate, UnknownVersion
from vmart.launch_templates.models import Template

_ID = re.compile(r"lt-[0-9a-z]{8}")
# In one statement, so that a default version that is changed and deleted meanwhile is either the one or the other.
_VERSION = """
SELECT t.name, t.default_version, v.number, v.contents
FROM launch_templates_template t
LEFT JOIN launch_templates_version v ON v.template_id = t.id AND v.number = coalesce(%s::int, t.default_version)
WHERE t.account_id = %s AND t.public_id = %s
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A version as it is bought from."""

    template_id: str
    template_name: str
    number: int
    is_default: bool
    contents: dict[str, Any]


def template(account_id: int, public_id: str) -> Template:
    """The account's template. Raises UnknownTemplate."""
    if not _ID.fullmatch(public_id):
        raise unknown(public_id)
    found = Template.objects.filter(account_id=account_id, public_id=public_id).first()
    if found is None:
        raise unknown(public_id)
    return found


def version(account_id: int, public_id: str, number: int | None = None) -> Held:
    """A version of the account's template, by default the default one. Raises UnknownTemplate, UnknownVersion."""
    found = db.prepared(_VERSION, number, account_id, public_id) if _ID.fullmatch(public_id) else []
    if not found:
        raise unknown(public_id)
    (row,) = found
    if row["number"] is None:
        raise unknown_version(public_id, number)
    is_default = row["number"] == row["default_version"]
    return Held(public_id, row["name"], row["number"], is_default, json.loads(row["contents"]))


def unknown(public_id: str) -> UnknownTemplate:
    """Of an id that names no template of the account."""
    if _ID.fullmatch(public_id):
        return UnknownTemplate("The launch template {id} does not exist.", field="template.id", id=public_id)
    return UnknownTemplate(
        "{id} is no id of a launch template: lt- and eight lower case letters and digits.",
        field="template.id", code="InvalidParameterValue.LaunchTemplateIdMalformed", id=public_id,
    )  # fmt: skip


def unknown_version(public_id: str, number: int | None) -> UnknownVersion:
    """Of a number that no version of the template has, or none any more."""
    return UnknownVersion(
        "The launch template {id} has no version {number}.", field="template.version", id=public_id, number=number
    )
