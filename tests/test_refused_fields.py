"""What a refusal names is a path that an edge knows: each literal ``field`` in the rooms below the edges."""

import ast
import dataclasses
import fnmatch
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest

from vmart.api import fields as api_fields
from vmart.api import services
from vmart.api.actions.cvm.purchase import RunInstances
from vmart.backoffice import urls as _sellers  # noqa: F401  all forms are told of
from vmart.kernel.paths import called
from vmart.orders.wanted import Machine, Purchase
from vmart.pages.forms import ActForm
from vmart.pricing.configuration import Configuration
from vmart.web import fields as web_fields
from vmart.web import urls as _customers  # noqa: F401  all forms are told of

ROOMS = Path(__file__).resolve().parents[1] / "src" / "vmart"
EDGES = {"api", "web", "backoffice", "config"}
SOURCES = sorted(file for file in ROOMS.rglob("*.py") if file.relative_to(ROOMS).parts[0] not in EDGES)


def _below(kind: type[ActForm]) -> Iterator[type[ActForm]]:
    for form in kind.__subclasses__():
        yield form
        yield from _below(form)


FORMS = (web_fields.PURCHASE, web_fields.PAYMENT, *(form.paths for form in _below(ActForm)))
# What no member and no field of a form stands for, and what says it then.
ELSEWHERE = {
    "order_id": "the order's page, above the ways to pay",
    "day": "the page of the renewal, above its form",
    "token": "the page of the top-up, above its form: nobody types a token",
    "payment_id": "a page that is not there",
    "member": "the page of the members, above its list",
    "note": "the page of the customer, above its lists",
    "invitation": "the page of the members, above its list",
    "secret_id": "the page of the API keys, above its list",
    "account_id": "a page that is not there",
    "with_machine": "nobody: disks alone are asked with it",
    "price_book": "the command that applies a catalog",
    "price_book.effective_at": "the command that applies a catalog",
    "price_book.version": "the command that applies a catalog",
}
ACTIONS = [*services.API, *services.LEGACY]
KNOWN = {path for action in ACTIONS for path in api_fields.filled(action.asks)}
KNOWN |= {path for form in FORMS for path in form} | ELSEWHERE.keys()


def _texts(node: ast.AST | None) -> Iterator[str]:
    """A literal, an f-string with ``*`` for what it fills in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


def _named(source: str) -> Iterator[str]:
    """Each path that stands in the source for ``field``: given, assigned, or the default of a parameter."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "field":
            yield from _texts(node.value)
        if isinstance(node, ast.Assign) and [getattr(to, "id", "") for to in node.targets] == ["field"]:
            yield from _texts(node.value)
        if isinstance(node, ast.FunctionDef):
            preset = zip(reversed(node.args.args), reversed(node.args.defaults), strict=False)
            yield from (text for parameter, its in preset if parameter.arg == "field" for text in _texts(its))


NAMED = {(str(file.relative_to(ROOMS)), path) for file in SOURCES for path in _named(file.read_text())}


def test_the_walk_finds_what_is_given_assigned_and_preset() -> None:
    source = (
        "raise Refused('x', field='a.b')\n"
        "def check(disk, field: str = 'c'):\n"
        "    field = 'd'\n"
        "    raise Refused('x', field=f'{field}.e', other='f')\n"
    )
    assert sorted(_named(source)) == ["*.e", "a.b", "c", "d"]
    assert len(NAMED) > 60


@pytest.mark.parametrize(("file", "path"), sorted(NAMED))
def test_every_path_that_a_room_names_is_known_to_an_edge(file: str, path: str) -> None:
    assert fnmatch.filter(sorted(KNOWN), path) != []


def test_what_has_no_place_at_an_edge_is_still_named() -> None:
    assert ELSEWHERE.keys() <= {path for _file, path in NAMED}


def _attributes(kind: type, at: str = "") -> Iterator[str]:
    """The paths of a value's attributes, ``*`` for an index."""
    for name, hint in get_type_hints(kind).items():
        yield f"{at}{name}"
        below = f"{at}{name}.*." if get_origin(hint) is tuple else f"{at}{name}."
        for inner in (hint, *get_args(hint)):
            if isinstance(inner, type) and dataclasses.is_dataclass(inner):
                yield from _attributes(inner, below)


def test_what_a_purchase_is_refused_for_are_attributes_of_its_values() -> None:
    """But for the term as a whole, which a configuration has as its months and a request as a structure, and for the
    template that a request takes from what it does not say."""
    values = {path for kind in (Purchase, Configuration, Machine) for path in _attributes(kind)}
    assert {"system_disk.size_gib", "data_disks.*.size_gib", "login.password", "network.vpc_id", "zone"} <= values
    of_a_purchase = {path for _file, path in NAMED} & api_fields.filled(RunInstances).keys()
    assert len(of_a_purchase) > 15
    assert of_a_purchase - values == {"term", "template.id", "template.version"}


def test_a_path_is_called_by_its_own_name_else_by_that_of_what_is_around_it() -> None:
    names = {"disks": "Disks", "disks.*.size": "Disks.*.Size", "a.*.b.*": "A.*.B.*", "size": "row-*"}
    assert called(names, "disks.0.size") == "Disks.0.Size"
    assert called(names, "disks.12.size", first=1) == "Disks.13.Size"
    assert called(names, "disks.3.type") == "Disks"
    assert called(names, "a.1.b.2.c") == "A.1.B.2"
    assert called(names, "disk") is None
    assert called(names, "a.b") is None
    assert called(names, "") is None
