"""What can have tags: the kinds of a customer's things, and which of them are the account's own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vmart.events import record
from vmart.kernel import db, public_ids
from vmart.tags.errors import UnknownThing

INSTANCE, VOLUME, KEY_PAIR, VPC, SUBNET, SECURITY_GROUP = "instance", "volume", "keypair", "vpc", "subnet", "sg"
PLACEMENT_GROUP, EIP, SNAPSHOT, IMAGE = "ps", "eip", "snapshot", "image"
BANDWIDTH_PACKAGE = "bwp"


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing by its kind and public id."""

    kind: str
    public_id: str


@dataclass(frozen=True, slots=True)
class Owned:
    """A thing that the account has: its number among those of its kind, and its region, "" where it is in none."""

    thing: Thing
    number: int
    region: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: the service that it belongs to in the API, what its events are about, and those there are."""

    service: str
    subject: str
    sql: str  # number, public_id and region of the account's


KINDS = {
    INSTANCE: Kind(
        "cvm", record.MACHINE,
        "SELECT i.id AS number, i.public_id, z.region_id AS region FROM instances_instance i"
        " JOIN catalog_zone z ON z.code = i.zone_id WHERE i.account_id = %(account)s AND i.state <> 'GONE'",
    ),
    VOLUME: Kind(
        "cvm", record.DISK,
        "SELECT d.id AS number, d.public_id, z.region_id AS region FROM storage_disk d"
        " JOIN subscriptions_subscription s ON s.id = d.id JOIN catalog_zone z ON z.code = s.zone_id"
        " LEFT JOIN instances_instance i ON i.id = d.instance_id WHERE d.account_id = %(account)s"
        " AND CASE d.state WHEN '' THEN i.state NOT IN ('GONE', 'LAUNCH_FAILED')"
        " ELSE d.state NOT IN ('CREATING', 'FAILED', 'GONE') END",
    ),
    KEY_PAIR: Kind(
        "cvm", record.KEY_PAIR,
        "SELECT k.id AS number, k.public_id, '' AS region FROM instances_key_pair k WHERE k.account_id = %(account)s",
    ),
    VPC: Kind(
        "vpc", record.VPC,
        "SELECT v.id AS number, v.public_id, v.region_id AS region FROM network_vpc v"
        " WHERE (v.account_id = %(account)s OR v.owner_id = %(account)s) AND v.deleted_at IS NULL",
    ),
    SUBNET: Kind(
        "vpc", record.SUBNET,
        "SELECT s.id AS number, s.public_id, z.region_id AS region FROM network_subnet s"
        " JOIN catalog_zone z ON z.code = s.zone_id WHERE (s.account_id = %(account)s OR s.owner_id = %(account)s)"
        " AND s.deleted_at IS NULL",
    ),
    PLACEMENT_GROUP: Kind(
        "cvm", record.PLACEMENT_GROUP,
        "SELECT g.id AS number, g.public_id, '' AS region FROM placement_group g WHERE g.account_id = %(account)s",
    ),
    EIP: Kind(
        "vpc", record.ADDRESS,
        "SELECT e.id AS number, e.public_id, z.region_id AS region FROM network_eip e"
        " JOIN catalog_zone z ON z.code = e.zone_id"
        " WHERE e.account_id = %(account)s AND e.state <> 'GONE'",
    ),
    BANDWIDTH_PACKAGE: Kind(
        "vpc", record.PACKAGE,
        "SELECT k.id AS number, k.public_id, z.region_id AS region FROM network_package k"
        " JOIN catalog_zone z ON z.code = k.zone_id"
        " WHERE k.account_id = %(account)s AND k.state <> 'GONE'",
    ),
    IMAGE: Kind(
        "cvm", record.IMAGE,
        "SELECT o.id AS number, o.public_id, z.region_id AS region FROM storage_image o"
        " JOIN catalog_zone z ON z.code = o.zone_id WHERE o.account_id = %(account)s"
        " AND o.state NOT IN ('DELETING', 'GONE')",
    ),
    SNAPSHOT: Kind(
        "cvm", record.SNAPSHOT,
        "SELECT n.id AS number, n.public_id, z.region_id AS region FROM storage_snapshot n"
        " JOIN subscriptions_subscription s ON s.id = n.id JOIN catalog_zone z ON z.code = s.zone_id"
        " WHERE n.account_id = %(account)s AND n.state NOT IN ('FAILED', 'ERASING', 'GONE')",
    ),
    # The default one has its account's number, and a row from its first change on.
    SECURITY_GROUP: Kind(
        "cvm", record.SECURITY_GROUP,
        "SELECT g.id AS number, g.public_id, g.region FROM security_group g WHERE g.account_id = %(account)s"
        " UNION ALL SELECT a.id, %(group)s, '' FROM customers_account a WHERE a.id = %(account)s"
        " AND NOT EXISTS (SELECT FROM security_group g WHERE g.account_id = a.id AND g.is_default)",
    ),
}  # fmt: skip


def owned(account_id: int, things: Sequence[Thing], path: str = "things") -> list[Owned]:
    """The account's own things, in order, in one statement. Raises UnknownThing for the first that is none of it."""
    known = {one.thing: one for one in among(account_id, things)}
    for number, thing in enumerate(things):
        if thing not in known:
            raise UnknownThing("The resource {id} does not exist.", field=f"{path}.{number}", id=thing.public_id)
    return [known[thing] for thing in things]


def among(account_id: int, things: Iterable[Thing]) -> list[Owned]:
    """Those of ``things`` that the account has."""
    ids: dict[str, list[str]] = {}
    for thing in things:
        if "\0" not in thing.public_id:  # a text of the database has no NUL
            ids.setdefault(thing.kind, []).append(thing.public_id)
    if not ids:
        return []
    each = [
        f"SELECT '{kind}' AS kind, t.* FROM ({KINDS[kind].sql}) AS t WHERE t.public_id = ANY (%({kind})s)"  # noqa: S608
        for kind in ids
    ]
    rows = db.rows(" UNION ALL ".join(each), account=account_id, group=public_ids.of("sg", account_id), **ids)
    return [Owned(Thing(row["kind"], row["public_id"]), row["number"], row["region"]) for row in rows]
