"""Writes docs/roles.md: what each role may, of all pages and all actions of the API, out of what the code declares.

``python -m tests.support.roles_table``. Read what changed in it: it is what members may from then on.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vmart.config.settings")
    os.environ.setdefault("VMART_MASTER_KEY", "00" * 32)
    django.setup()

from vmart.api import services
from vmart.backoffice.urls import urlpatterns as sellers
from vmart.customers import staff
from vmart.customers.roles import ROLES, Permission, Role
from vmart.customers.roles import may as role_may
from vmart.customers.staff import STAFF_ROLES, StaffPermission, StaffRole
from vmart.pages.permitted import NEEDS, NOT_ON_BEHALF, STAFF_NEEDS
from vmart.web.urls import urlpatterns

PATH = Path(__file__).resolve().parents[2] / "docs" / "roles.md"
YES, NO = "yes", "–"
_HEAD = """# What members and staff may

Written by `python -m tests.support.roles_table` out of what the code declares: `customers/roles.py` says what each role
may, `pages/permitted.py` what each page takes, `Action(…)` what each action of the API takes.
`tests/web/test_roles_matrix.py` tries each cell; why: [ADR 0068](adr/0068-roles-are-asked-in-the-acts-own-commit.md).
The same of those who sell: `customers/staff.py`, `tests/backoffice/test_staff_matrix.py`,
[ADR 0071](adr/0071-staff-has-roles-and-acts-on-behalf.md).

Whoever is no member of the account, signed in or not, may nothing of it: what is not his is to him as if it were not
there. A stranger sees the purchase page with its prices.
"""


def cells(permission: Permission) -> list[str]:
    """Of each role whether it has the permission."""
    return [YES if role_may(role, permission) else NO for role in Role]


def staff_cells(permission: StaffPermission) -> list[str]:
    """Of each role of the staff whether it has the permission."""
    return [YES if staff.may(role, permission) else NO for role in StaffRole]


def behalf_cells(name: str, permission: Permission) -> list[str]:
    """Of each role of the staff whether it may that on a page when it acts for a customer."""
    having = () if name in NOT_ON_BEHALF else staff.having_on_behalf(permission)
    return [YES if role in having else NO for role in StaffRole]


def _table(head: list[str], roles: type[Role] | type[StaffRole], rows: Iterator[list[str]]) -> str:
    lines = [[*head, *roles], ["---"] * (len(head) + len(roles)), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def _permissions() -> Iterator[list[str]]:
    for permission in Permission:
        yield [permission, *[YES if permission in ROLES[role] else NO for role in Role]]


def _pages() -> Iterator[list[str]]:
    for pattern in urlpatterns:
        name = str(pattern.name)
        if name in NEEDS:
            for how, permission in (("opened", NEEDS[name].opened), ("sent", NEEDS[name].sent)):
                if permission:
                    yield [f"`{name}`", how, permission, *cells(permission)]


def _actions() -> Iterator[list[str]]:
    for registry, version in ((services.API, "3.0"), (services.LEGACY, "legacy")):
        for action in registry:
            yield [f"{action.service} {action.name}", version, action.permission, *cells(action.permission)]


def _staff_permissions() -> Iterator[list[str]]:
    for permission in StaffPermission:
        yield [permission, *[YES if permission in STAFF_ROLES[role] else NO for role in StaffRole]]


def _staff_pages() -> Iterator[list[str]]:
    for pattern in sellers:
        name = str(pattern.name)
        if name in STAFF_NEEDS:
            for how, permission in (("opened", STAFF_NEEDS[name].opened), ("sent", STAFF_NEEDS[name].sent)):
                if permission:
                    yield [f"`{name}`", how, permission, *staff_cells(permission)]


def _on_behalf() -> Iterator[list[str]]:
    for name, needs in NEEDS.items():
        for how, permission in (("opened", needs.opened), ("sent", needs.sent)):
            if permission:
                yield [f"`{name}`", how, permission, *behalf_cells(name, permission)]


_Part = tuple[str, list[str], type[Role] | type[StaffRole], Callable[[], Iterator[list[str]]]]
_PARTS: list[_Part] = [
    ("Permissions", ["Permission"], Role, _permissions),
    ("Pages", ["Page", "How", "Takes"], Role, _pages),
    ("Actions of the API", ["Action", "API", "Takes"], Role, _actions),
    ("Permissions of staff", ["Permission"], StaffRole, _staff_permissions),
    ("Pages of the seller", ["Page", "How", "Takes"], StaffRole, _staff_pages),
    ("Pages on behalf of a customer", ["Page", "How", "Takes"], StaffRole, _on_behalf),
]


def text() -> str:
    """The page as it should be."""
    return "\n".join([_HEAD, *(f"## {title}\n\n{_table(head, roles, rows())}" for title, head, roles, rows in _PARTS)])


def written() -> dict[str, list[list[str]]]:
    """The rows of each part, as the page has them now."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in PATH.read_text().splitlines():
        if line.startswith("## "):
            found[line[3:]] = rows = []
        elif line.startswith("| ") and not line.startswith("| ---"):
            rows.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    return {title: rows[1:] for title, rows in found.items()}


if __name__ == "__main__":
    PATH.write_text(text())
