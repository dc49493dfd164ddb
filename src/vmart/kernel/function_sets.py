"""The sets of SQL functions that a database has: this version's, and the one before (ADR 0022)."""

import re

from django.db import connection, transaction
from django.db.utils import Error

from vmart import __version__
from vmart.kernel import clock
from vmart.kernel.functions import OURS, Functions
from vmart.kernel.models import FunctionSet

KEPT = 2  # the newest, and the one before it: processes that call it may still run
_SIGNATURES = "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = %s::regnamespace ORDER BY oid"


class LeantOn(RuntimeError):
    """Something in the database that is not vmart's uses functions which no version calls any more."""


class NewerDatabase(RuntimeError):
    """The database has the functions of a later release, and no longer those of this one."""


def installed(functions: Functions = OURS) -> bool:
    """Whether the database has this set: as a whole, or not at all."""
    return _has_schema(functions.schema) and FunctionSet.objects.filter(schema=functions.schema).exists()


def _has_schema(schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [schema])
        return bool(cursor.fetchone()[0])


def superseded() -> bool:
    """Whether another set has come after this process's: a newer version is at work, or about to be."""
    newest = FunctionSet.objects.order_by("-id").values_list("schema", flat=True).first()
    return newest != OURS.schema


def require_not_older(release: str = __version__) -> None:
    """Raise NewerDatabase when a set is of a later release than this one, also where somebody went back since."""
    latest = max(FunctionSet.objects.values_list("release", flat=True), key=_numbers, default=release)
    if _numbers(latest) > _numbers(release):
        raise NewerDatabase(f"the database is one of vmart {latest} and this is {release}: run the newer one")


def _numbers(release: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", release)]


def install(functions: Functions = OURS, release: str = __version__) -> None:
    """Create this set unless it is there, and drop what is neither it nor the one before; all or nothing.

    It is the newest from then on, also where it was there already. Raises NewerDatabase, and LeantOn when
    something else in the database uses what is dropped.
    """
    if installed(functions):
        _note_again(functions)
        return
    require_not_older(release)
    with transaction.atomic():
        _create(functions)
        FunctionSet.objects.filter(schema=functions.schema).delete()  # one whose schema somebody has dropped
        FunctionSet.objects.create(schema=functions.schema, release=release, installed_at=clock.wall())
        for old in FunctionSet.objects.order_by("-id")[KEPT:]:
            _drop(old)


def _note_again(functions: Functions) -> None:
    """As the newest: whoever went back to this version runs it, so the next upgrade keeps it as the one before."""
    newest = FunctionSet.objects.order_by("-id")[0]
    if newest.schema == functions.schema:
        return
    with transaction.atomic():
        noted = FunctionSet.objects.get(schema=functions.schema)
        noted.delete()
        FunctionSet.objects.create(schema=noted.schema, release=noted.release, installed_at=noted.installed_at)


def _create(functions: Functions) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL check_function_bodies = off")  # files may call functions of later files
        cursor.execute(f"CREATE SCHEMA {functions.schema}")
        cursor.execute(functions.resolve(functions.text))


def _drop(old: FunctionSet) -> None:
    """RESTRICT: what leans on a function, a view of the seller's for example, does not go silently with it."""
    with connection.cursor() as cursor:
        if _has_schema(old.schema):
            cursor.execute(_SIGNATURES, [old.schema])
            try:
                for (signature,) in cursor.fetchall():
                    cursor.execute(f"DROP ROUTINE {signature} RESTRICT")
                cursor.execute(f"DROP SCHEMA {old.schema} RESTRICT")
            except Error as error:
                said = " ".join(str(error).split())
                raise LeantOn(f"the SQL functions of vmart {old.release} cannot be dropped: {said}") from error
    old.delete()
