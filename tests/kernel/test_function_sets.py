"""A newer vmart brings its SQL functions beside those of the one before, whose processes still call theirs."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from tests.support.database import Databases
from tests.support.shopper import HOURLY, open_purse, wanted
from vmart.config import bring_up
from vmart.instances.models import Instance
from vmart.kernel import db, function_sets
from vmart.kernel.functions import OURS, Functions
from vmart.kernel.models import FunctionSet
from vmart.orders.purchase import purchase

SIGNATURE = "CREATE FUNCTION fn.orders_purchase(_p jsonb, _ids bigint[], _holds uuid[])"
assert SIGNATURE in OURS.text
NEXT = Functions(OURS.text.replace(SIGNATURE, SIGNATURE.replace("(_p", "(_channel text, _p")))
AFTER = Functions(NEXT.text + "\n-- the one after\n")


@pytest.fixture(autouse=True)
def _functions_as_found(shop: Databases) -> Iterator[None]:
    yield
    _execute("DROP VIEW IF EXISTS leaning")
    for schema in _schemas() - {OURS.schema}:
        _execute(f"DROP SCHEMA {schema} CASCADE")
    if OURS.schema not in _schemas():
        with transaction.atomic():
            function_sets._create(OURS)


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(OURS.resolve(sql))


def _schemas() -> set[str]:
    return {row["name"] for row in db.rows("SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'fn\\_%%'")}


def _releases() -> list[tuple[str, str]]:
    return list(FunctionSet.objects.order_by("id").values_list("schema", "release"))


def test_a_set_is_named_by_all_its_files() -> None:
    assert Functions(OURS.text + " ").schema != OURS.schema
    assert Functions("x").resolve("SELECT fn.a(1), my_fn.b, fn.c FROM fn") == (
        "SELECT fn_2d711642b726.a(1), my_fn.b, fn_2d711642b726.c FROM fn"
    )


def test_installing_twice_is_installing_once() -> None:
    before = _releases()
    assert before == [(OURS.schema, "0.1.0")]
    function_sets.install()
    assert (_releases(), _schemas()) == (before, {OURS.schema})


def test_a_process_of_the_version_before_goes_on_selling() -> None:
    """When a version whose purchase is called otherwise has brought its functions, then this one still sells."""
    account = open_purse(cash_minor=1000)
    function_sets.install(NEXT, "0.2.0")
    assert _releases() == [(OURS.schema, "0.1.0"), (NEXT.schema, "0.2.0")]
    assert purchase(wanted(account, HOURLY)).instance_ids == (Instance.objects.get().public_id,)
    bring_up.require_current()  # one that starts again, meanwhile
    bring_up.bring_up_to_date()
    assert _schemas() == {OURS.schema, NEXT.schema}


def test_control_without_the_set_before_it_sells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse(cash_minor=1000)
    monkeypatch.setattr(function_sets, "KEPT", 1)
    function_sets.install(NEXT, "0.2.0")
    with pytest.raises(ProgrammingError, match=f'schema "{OURS.schema}" does not exist'):
        purchase(wanted(account, HOURLY))
    assert Instance.objects.count() == 0


def test_the_version_after_the_next_drops_them_and_a_process_of_ours_does_not_start() -> None:
    function_sets.install(NEXT, "0.2.0")
    function_sets.install(AFTER, "0.10.0")
    assert _schemas() == {NEXT.schema, AFTER.schema}
    assert _releases() == [(NEXT.schema, "0.2.0"), (AFTER.schema, "0.10.0")]
    said = r"^the database is one of vmart 0\.10\.0 and this is 0\.1\.0: run the newer one$"
    with pytest.raises(bring_up.DatabaseUnfit, match=said):
        bring_up.require_current()
    with pytest.raises(bring_up.DatabaseUnfit, match=said):
        bring_up.bring_up_to_date()
    assert _schemas() == {NEXT.schema, AFTER.schema}


def test_who_went_back_keeps_his_functions_in_the_next_upgrade() -> None:
    """Given a seller who took the next version and went back, when he takes the one after, then ours still sells."""
    account = open_purse(cash_minor=1000)
    function_sets.install(NEXT, "0.2.0")
    bring_up.bring_up_to_date()
    assert (_releases(), function_sets.superseded()) == ([(NEXT.schema, "0.2.0"), (OURS.schema, "0.1.0")], False)
    function_sets.install(AFTER, "0.10.0")
    assert _schemas() == {OURS.schema, AFTER.schema}
    assert purchase(wanted(account, HOURLY)).instance_ids == (Instance.objects.get().public_id,)


def test_who_went_back_does_not_make_the_database_one_for_still_older_versions() -> None:
    function_sets.install(NEXT, "0.2.0")
    function_sets.install()
    with pytest.raises(function_sets.NewerDatabase, match=r"^the database is one of vmart 0\.2\.0 and this is 0\.1\.5"):
        function_sets.install(AFTER, "0.1.5")
    assert _schemas() == {OURS.schema, NEXT.schema}


def test_what_leans_on_functions_that_are_dropped_stays_and_is_named() -> None:
    function_sets.install(NEXT, "0.2.0")
    _execute("CREATE VIEW leaning AS SELECT fn.ledger_balance(p) AS balance FROM ledger_purses p")
    with pytest.raises(function_sets.LeantOn) as refused:
        function_sets.install(AFTER, "0.3.0")
    assert str(refused.value).startswith("the SQL functions of vmart 0.1.0 cannot be dropped: cannot drop function")
    assert "view leaning depends on function" in str(refused.value)
    assert (_schemas(), len(_releases())) == ({OURS.schema, NEXT.schema}, 2)
    _execute("DROP VIEW leaning")
    function_sets.install(AFTER, "0.3.0")
    assert _schemas() == {NEXT.schema, AFTER.schema}


def test_a_sellers_table_among_them_is_not_dropped_either() -> None:
    function_sets.install(NEXT, "0.2.0")
    _execute(f"CREATE TABLE {OURS.schema}.sellers (n int)")
    with pytest.raises(function_sets.LeantOn, match=r"table .*sellers depends on schema"):
        function_sets.install(AFTER, "0.3.0")
    assert db.rows(f"SELECT n FROM {OURS.schema}.sellers") == []


def test_a_set_that_somebody_dropped_by_hand_is_missed_and_made_again() -> None:
    _execute(f"DROP SCHEMA {OURS.schema} CASCADE")
    with pytest.raises(bring_up.DatabaseUnfit, match="lacks the SQL functions of this version: run `vmart migrate`"):
        bring_up.require_current()
    bring_up.bring_up_to_date()
    bring_up.require_current()
    assert db.call("kernel_generation") >= 1
    assert _releases() == [(OURS.schema, "0.1.0")]
