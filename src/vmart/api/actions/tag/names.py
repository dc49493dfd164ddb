"""Resource names in six segments: ``qcs::cvm:ap-guangzhou:uin/7:instance/ins-1a2b3c4d``.

The id alone tells which thing is meant: ids are of the whole shop. The other segments are checked, so that a name
with a slip in it is told of, and may be left empty where the API lets them be.
"""

from collections.abc import Iterator, Sequence

from vmart.catalog import shop
from vmart.kernel.errors import InvalidValue
from vmart.tags.things import KINDS, Owned, Thing

_SEGMENTS = 6


class BadResourceName(InvalidValue):
    """Each segment has a code of its own."""

    code = "InvalidParameterValue.ResourceDescriptionError"


def name_of(account_id: int, one: Owned) -> str:
    """The name of a thing of the account."""
    kind, service = one.thing.kind, KINDS[one.thing.kind].service
    return f"qcs::{service}:{one.region}:uin/{account_id}:{kind}/{one.thing.public_id}"


def things(account_id: int, names: Sequence[str]) -> list[Thing]:
    """The things that are named. Raises BadResourceName, at its path, for the first name that is none."""
    found = []
    for service, path, thing in _named(account_id, names):
        _check_kind(service, thing.kind, path)
        found.append(thing)
    return found


def things_here(account_id: int, names: Sequence[str]) -> list[Thing]:
    """As ``things``, without those of services and kinds that are not here, such as Cloud Custodian's names of disks:
    who only looks finds nothing of them."""
    return [
        thing
        for service, _, thing in _named(account_id, names)
        if thing.kind in KINDS and KINDS[thing.kind].service == service
    ]


def _named(account_id: int, names: Sequence[str]) -> Iterator[tuple[str, str, Thing]]:
    """The service of each, its path, and the thing."""
    for number, name in enumerate(names):
        path, segments = f"things.{number}", name.split(":", _SEGMENTS - 1)
        if len(segments) != _SEGMENTS or segments[0] != "qcs":
            raise BadResourceName(
                "{name} is no resource name; one is qcs::cvm:ap-guangzhou:uin/:instance/ins-1a2b3c4d.",
                field=path, name=name[:80],
            )  # fmt: skip
        _, _project, service, region, owner, resource = segments
        kind, _, public_id = resource.partition("/")
        _check_place(account_id, region, owner, path)
        yield service, path, Thing(kind, public_id)


def _check_kind(service: str, kind: str, path: str) -> None:
    services = {known.service for known in KINDS.values()}
    if service not in services:
        raise BadResourceName(
            "The service {service} has nothing here that takes tags; possible are {services}.",
            field=path, code="InvalidParameterValue.ServiceTypeInvalid", service=service[:40],
            services=", ".join(sorted(services)),
        )  # fmt: skip
    kinds = [name for name, known in KINDS.items() if known.service == service]
    if kind not in kinds:
        raise BadResourceName(
            "{kind} of {service} takes no tags here; possible are {kinds}.",
            field=path, code="InvalidParameterValue.ResourcePrefixInvalid", kind=kind[:40], service=service,
            kinds=", ".join(kinds),
        )  # fmt: skip


def _check_place(account_id: int, region: str, owner: str, path: str) -> None:
    regions = shop.snapshot().regions
    if region and region not in regions:
        raise BadResourceName(
            "The region {region} does not exist; there are {regions}.",
            field=path, code="InvalidParameterValue.RegionInvalid", region=region[:40], regions=", ".join(regions),
        )  # fmt: skip
    if owner not in ("", "uin/", f"uin/{account_id}"):
        raise BadResourceName(
            "{owner} is not the account that signs; leave it empty or write uin/{account}.",
            field=path, code="InvalidParameterValue.UinInvalid", owner=owner[:40], account=account_id,
        )  # fmt: skip
