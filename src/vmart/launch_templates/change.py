"""Which version is the default, and the end of versions and templates. Moves no money."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from vmart.customers import accounts
from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.launch_templates import held
from vmart.launch_templates.errors import DefaultVersion
from vmart.launch_templates.keep import told
from vmart.launch_templates.models import Template, Version


def make_default(actor: Actor, public_id: str, number: int) -> None:
    """Have purchases that name no version buy from this one. Raises UnknownTemplate, UnknownVersion."""
    with _changing(actor, public_id) as template:
        if not Version.objects.filter(template=template, number=number).exists():
            raise held.unknown_version(public_id, number)
        template.default_version = number
        template.save(update_fields=["default_version"])
        told(actor, template, "ModifyLaunchTemplateDefaultVersion", version=number)


def delete(actor: Actor, public_id: str) -> None:
    """Delete a template with all its versions; machines that were bought from it stay. Raises UnknownTemplate."""
    with _changing(actor, public_id) as template:
        told(actor, template, "DeleteLaunchTemplate")
        Version.objects.filter(template=template).delete()
        template.delete()


def delete_versions(actor: Actor, public_id: str, numbers: Sequence[int]) -> None:
    """Delete versions, all or none. Raises UnknownTemplate, UnknownVersion, DefaultVersion, InvalidParameter."""
    if not numbers:
        raise MissingParameter("No version is named.", field="template.versions")
    if len(set(numbers)) != len(numbers):
        raise InvalidParameter("A version is named twice.", field="template.versions")
    with _changing(actor, public_id) as template:
        _refuse_not_deletable(template, numbers)
        Version.objects.filter(template=template, number__in=numbers).delete()
        told(actor, template, "DeleteLaunchTemplateVersions", versions=sorted(numbers))


@contextmanager
def _changing(actor: Actor, public_id: str) -> Iterator[Template]:
    with db.act():
        accounts.lock(actor.account)
        yield held.template(actor.account, public_id)


def _refuse_not_deletable(template: Template, numbers: Sequence[int]) -> None:
    there = set(Version.objects.filter(template=template, number__in=numbers).values_list("number", flat=True))
    for place, number in enumerate(numbers):
        if number not in there:
            unknown = held.unknown_version(template.public_id, number)
            unknown.field = f"template.versions.{place}"
            raise unknown
        if number == template.default_version:
            raise DefaultVersion(
                "Version {number} is the default of {id}: make another the default first.",
                field=f"template.versions.{place}", number=number, id=template.public_id,
            )  # fmt: skip
