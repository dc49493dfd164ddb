"""Everything that an account has come to, without ids: two accounts that went the same way compare equal."""

from typing import Any

from tests.support.shopper import ZONE, purses
from vmart.kernel import db
from vmart.provisioning.zone_engines import engine_of

_QUERIES = {
    "orders": "SELECT status, charge_type, count, total_minor, hold_minor, closed_at, reason FROM orders_order o"
    " WHERE account_id = %s ORDER BY id",
    "lines": "SELECT number, state, amount_minor, paid_cash_minor, paid_gift_minor, refund_minor, delivered_at,"
    " months, period_from, period_to, returned_at, reason"
    " FROM orders_line WHERE account_id = %s ORDER BY order_id, number",
    "machines": "SELECT name, state, stop_charging_mode, latest_operation, latest_operation_state,"
    " latest_operation_error_code, latest_operation_error, kind, public_ip IS NOT NULL AS public, gone_at,"
    " password_hash <> '' AS password, keys_only, jsonb_array_length(key_ids) AS keys, ssh_keys, keys_in_doubt = '{}',"
    " hostname <> public_id AS named"
    " FROM instances_instance WHERE account_id = %s ORDER BY id",
    "subscriptions": "SELECT kind, charge_type, standing, renew_flag, isolated_source, arrears_since, started_at,"
    " anchor_at, expires_at, isolated_at, release_at, hold_id IS NOT NULL AS held, hold_number"
    " FROM subscriptions_subscription WHERE account_id = %s ORDER BY id",
    "terms": "SELECT s.kind, i.component, i.mode, i.price_key, i.quantity, i.book_version, i.pausable,"
    " i.from_at, i.to_at"
    " FROM subscriptions_item i JOIN subscriptions_subscription s ON s.id = i.subscription_id"
    " WHERE s.account_id = %s ORDER BY s.id, i.component, i.from_at",
    "sealed": "SELECT count(*) FROM instances_sealed_password s JOIN instances_instance i ON i.id = s.instance_id"
    " WHERE i.account_id = %s",
    "holds": "SELECT kind, state, cash_minor, gift_minor, floating_minor FROM ledger_hold WHERE account_id = %s"
    " ORDER BY 1, 2, 3, 4, 5",
    "transfers": "SELECT kind, amount_minor, at FROM ledger_transfer WHERE account_id = %s ORDER BY 1, 2, 3",
    "entries": "SELECT book, amount_minor, balance_after, at FROM ledger_entry WHERE account_id = %s ORDER BY 1, 2, 3",
    "usage": "SELECT component, price_key, quantity, age_s, started_at, ended_at FROM metering_segment"
    " WHERE account_id = %s ORDER BY 1, 2, 5, 6, 3",
    "bytes": "SELECT at, out_bytes FROM metering_sample WHERE account_id = %s ORDER BY 1, 2",
    "charges": "SELECT component, hour, revision, duration_s, out_bytes, exact_e8, closed_in, statement_month"
    " FROM bills_charge WHERE account_id = %s ORDER BY 1, 2, 3, 4, 5, 6",
    "statements": "SELECT month, exact_e8, deducted_minor, closed_through FROM bills_carry"
    " WHERE account_id = %s ORDER BY 1",
    "amendments": "SELECT hour FROM metering_amendment WHERE account_id = %s ORDER BY 1",
    "work": "SELECT kind, step, due_at, attention FROM worker_operation WHERE account_id = %s ORDER BY 1, 2",
    "room": "SELECT vcpu, memory_mib, disk_gib FROM placement_allocation WHERE account_id = %s ORDER BY 1, 2, 3",
    "private": "SELECT count(*) FROM network_private_address a JOIN network_subnet s ON s.id = a.subnet_id"
    " WHERE %s IN (s.account_id, s.owner_id)",
    "public": "SELECT count(*) FROM network_public_address WHERE account_id = %s",
    "ipv6": "SELECT count(*) FROM network_ipv6_address WHERE account_id = %s",
    "disks": "SELECT usage, disk_type, size_gib, state, latest_operation, latest_operation_state, instance_id IS NULL"
    " FROM storage_disk WHERE account_id = %s ORDER BY 1, 2, 3, 4",
    "snapshots": "SELECT state, latest_operation, latest_operation_state, size_gib FROM storage_snapshot"
    " WHERE account_id = %s ORDER BY 1, 2, 3, 4",
    "addresses": "SELECT state, latest_operation, latest_operation_state, bandwidth_mbps, instance_id IS NULL,"
    " internet_charge_type, package_id IS NULL, charged_outside FROM network_eip WHERE account_id = %s",
    "packages": "SELECT state, latest_operation, latest_operation_state, bandwidth_mbps FROM network_package"
    " WHERE account_id = %s ORDER BY id",
    "events": "SELECT kind,"
    " regexp_replace((detail - ARRAY['waited_ms', 'disk', 'machine', 'snapshot', 'package', 'was_at',"
    " 'now_at'])::text,"
    " '(skey|ins)-[a-z0-9]+', '\\1', 'g') AS detail, at"
    " FROM events_event WHERE account_id = %s ORDER BY subject_kind, subject_id, id",
    "tokens": "SELECT token FROM orders_idempotency WHERE account_id = %s ORDER BY 1",
}


def outcome(account: int, *, zone: str = ZONE) -> dict[str, Any]:
    """The account's rows in every room, and what its machines are on the zone's engine."""
    found: dict[str, Any] = {
        name: [tuple(row.values()) for row in db.rows(sql, account)] for name, sql in _QUERIES.items()
    }
    found["purses"] = purses(account)
    names = [
        row["public_id"]
        for row in db.rows("SELECT public_id FROM instances_instance WHERE account_id = %s ORDER BY id", account)
    ]
    seen = {observation.name: observation for observation in engine_of(zone).list_ours()}
    found["engine"] = [
        (seen[name].power, seen[name].kind, bool(seen[name].public_ip)) if name in seen else None for name in names
    ]
    return found
