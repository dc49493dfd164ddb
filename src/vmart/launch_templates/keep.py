"""New templates and new versions: checked as a purchase is before its locks, and kept. Moves no money."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from vmart.catalog import shop
from vmart.customers import accounts, quotas
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import Refused
from vmart.kernel.text import is_one_line
from vmart.launch_templates import held
from vmart.launch_templates.contents import Contents
from vmart.launch_templates.errors import (
    BadDescription,
    BadTemplateName,
    PasswordInTemplate,
    TooManyTemplates,
    TooManyVersions,
)
from vmart.launch_templates.models import Template, Version
from vmart.orders import tokens
from vmart.orders.login import LoginWanted
from vmart.orders.ready import ready
from vmart.orders.wanted import Purchase

TEXT_MIN, NAME_MAX, DESCRIPTION_MAX = 2, 128, 256  # characters (API 3.0, CreateLaunchTemplate)
VERSIONS_MAX = 30  # of a template at a time (API 3.0, CreateLaunchTemplateVersion)
QUOTA = "launch_templates"


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is to be kept: what the customer says (``contents``), and the purchase that it makes today."""

    request: Purchase
    contents: Contents
    created_by: int  # the user's number
    description: str = ""

    @property
    def actor(self) -> Actor:
        return self.request.actor

    @property
    def account_id(self) -> int:
        return self.request.account_id


def create(name: str, new: NewVersion) -> str:
    """Keep a template whose first version, its default, is ``new``; its public id. A repeated token gets the first.

    Raises BadTemplateName, BadDescription, PasswordInTemplate, TooManyTemplates, TokenReused and what a purchase is
    refused for by the catalog.
    """
    return _once(new, f"create {name}", lambda: check(new, name), lambda: _create(name, new))


def add_version(public_id: str, new: NewVersion) -> int:
    """A further version of a template of the account; its number. A repeated token gets the first.

    Raises UnknownTemplate, TooManyVersions and, but for the name's, what ``create`` raises.
    """
    return int(_once(new, f"add {public_id}", lambda: check(new), lambda: str(_add(public_id, new))))


def check(new: NewVersion, name: str | None = None) -> None:
    """Raise what ``create`` (with a name) and ``add_version`` (without) would raise before their lock."""
    if name is not None:
        check_name(name)
    _check_text(new.description)
    login = new.request.machine.login
    if isinstance(login, LoginWanted) and login.password:
        raise no_password()
    ready(new.request, shop.snapshot())


def no_password() -> PasswordInTemplate:
    """Of a login by password, whatever it is: a template is read again and again."""
    return PasswordInTemplate(
        "A launch template keeps no password: name key pairs, or leave the login away, and each machine gets a"
        " password of its own.",
        field="login.password",
    )


def check_name(name: str) -> None:
    """Raise BadTemplateName unless the name has 2 to 128 characters on one line."""
    if not TEXT_MIN <= len(name) <= NAME_MAX or not is_one_line(name):
        raise BadTemplateName(
            "The name of a launch template has {least} to {most} characters on one line.",
            field="template.name", least=TEXT_MIN, most=NAME_MAX,
        )  # fmt: skip


def _check_text(description: str) -> None:
    if not description:
        return
    if not TEXT_MIN <= len(description) <= DESCRIPTION_MAX or not is_one_line(description):
        raise BadDescription(
            "The description of a version has {least} to {most} characters on one line, or none.",
            field="template.description", least=TEXT_MIN, most=DESCRIPTION_MAX,
        )  # fmt: skip


def _once(new: NewVersion, what: str, check_it: Callable[[], None], keep_it: Callable[[], str]) -> str:
    """Check and keep, or what this client token was answered before, also where it would be refused by now."""
    token, told = new.request.client_token, [what, new.description, dict(new.contents)]
    fingerprint = settings.SECRETS.fingerprint(b"template|" + json.dumps(told, sort_keys=True).encode())
    try:
        check_it()
        with db.act():
            accounts.lock(new.account_id)
            known = tokens.first_answer(new.account_id, token, fingerprint)
            if known is None:
                known = {"kept": keep_it()}
                tokens.keep(new.account_id, token, fingerprint, known)
    except Refused:
        known = tokens.first_answer(new.account_id, token, fingerprint)
        if known is None:
            raise
    return str(known["kept"])


def _create(name: str, new: NewVersion) -> str:
    most = quotas.of(new.account_id)[QUOTA]
    if Template.objects.filter(account_id=new.account_id).count() >= most:
        raise TooManyTemplates("An account has at most {most} launch templates; delete one first.", most=most)
    number = db.rows("SELECT nextval(pg_get_serial_sequence('launch_templates_template', 'id')) AS n")[0]["n"]
    template = Template.objects.create(
        id=number, public_id=public_ids.of("lt", number), account_id=new.account_id, name=name,
        created_by=new.created_by, created_at=clock.now(),
    )  # fmt: skip
    _write(template, new)
    told(new.actor, template, "CreateLaunchTemplate")
    return template.public_id


def _add(public_id: str, new: NewVersion) -> int:
    template = held.template(new.account_id, public_id)
    if Version.objects.filter(template=template).count() >= VERSIONS_MAX:
        raise TooManyVersions(
            "The launch template {id} has {most} versions, the most there are; delete one first.",
            id=public_id, most=VERSIONS_MAX,
        )  # fmt: skip
    template.last_version += 1
    template.save(update_fields=["last_version"])
    _write(template, new)
    told(new.actor, template, "CreateLaunchTemplateVersion", version=template.last_version)
    return template.last_version


def _write(template: Template, new: NewVersion) -> None:
    Version.objects.create(
        template=template, number=template.last_version, description=new.description, contents=dict(new.contents),
        created_by=new.created_by, created_at=clock.now(),
    )  # fmt: skip


def told(actor: Actor, template: Template, act: str, **detail: object) -> None:
    """The event of an act on a template."""
    details = {"name": template.public_id, "called": template.name} | detail
    record.write(actor.account, record.LAUNCH_TEMPLATE, [template.id], act, details=[details], actor=actor)
