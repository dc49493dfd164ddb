"""cvm: DescribeAccountQuota. How many machines an account may have, and how many it has."""

from typing import TypedDict

from vmart.api.actions.cvm.places import in_region, zones_of
from vmart.api.actions.filters import VALUES_MAX, conditions
from vmart.api.declarations import Empty, Filters, Shape
from vmart.api.registry import Action, Call
from vmart.catalog import shop
from vmart.listings import placement_groups, quotas
from vmart.listings.quotas import Used
from vmart.pricing import books

POSTPAID, PREPAID, SPOT = "PostPaidQuotaSet", "PrePaidQuotaSet", "SpotPaidQuotaSet"
GROUPS = "DisasterRecoverGroupQuotaSet"


class DescribeAccountQuota(Shape):
    """By zone and quota-type."""

    filters: Filters = []


class PostPaidQuotaAnswer(TypedDict):
    """Of one zone: machines that are there, also in the recycle bin."""

    UsedQuota: int
    RemainingQuota: int
    TotalQuota: int
    Zone: str


class PrePaidQuotaAnswer(PostPaidQuotaAnswer):
    """Of one zone: machines bought this month and not returned; at most so many at once."""

    OnceQuota: int


class SpotPaidQuotaAnswer(PostPaidQuotaAnswer):
    """Of one zone: spot machines that are there."""


class GroupQuotaAnswer(TypedDict):
    """Placement groups of the account, and machines of one; by switch there are none."""

    GroupQuota: int
    CurrentNum: int
    CvmInHostGroupQuota: int
    CvmInSwitchGroupQuota: int
    CvmInRackGroupQuota: int


class AccountQuotaAnswer(TypedDict):
    """Quotas by what they are of; a list is empty where nothing of it is sold, or its quota-type is not asked for."""

    PostPaidQuotaSet: list[PostPaidQuotaAnswer]
    PrePaidQuotaSet: list[PrePaidQuotaAnswer]
    SpotPaidQuotaSet: list[SpotPaidQuotaAnswer]
    ImageQuotaSet: Empty
    DisasterRecoverGroupQuotaSet: list[GroupQuotaAnswer]


class AccountQuotaOverviewAnswer(TypedDict):
    """Quotas in the region of the call; Region is "" where it names none, and the zones of all are told."""

    Region: str
    AccountQuota: AccountQuotaAnswer


class DescribeAccountQuotaAnswer(TypedDict):
    """``AppId`` is the account's number."""

    AppId: int
    AccountQuotaOverview: AccountQuotaOverviewAnswer


def describe_account_quota(call: Call, asked: DescribeAccountQuota) -> DescribeAccountQuotaAnswer:
    """Counted at this moment, as a purchase counts; zones that are not on sale are left out."""
    here = shop.snapshot()
    region = in_region(here, call.region)
    chosen = conditions(asked.filters, ("zone", "quota-type"), VALUES_MAX)
    zones = [zone for zone in zones_of(here, call) if zone.on_sale and zone.code in chosen.get("zone", [zone.code])]
    postpaid, prepaid, spot = quotas.machines(call.account_id, [zone.code for zone in zones])
    kinds = chosen.get("quota-type", [POSTPAID, PREPAID, SPOT, GROUPS])
    once = books.current_book(here.generation).sales.machines_max
    return {
        "AppId": call.account_id,
        "AccountQuotaOverview": {
            "Region": region.code if region else "",
            "AccountQuota": {
                "PostPaidQuotaSet": [_of(used) for used in postpaid if POSTPAID in kinds],
                "PrePaidQuotaSet": [{**_of(used), "OnceQuota": once} for used in prepaid if PREPAID in kinds],
                "SpotPaidQuotaSet": [_of(used) for used in spot if SPOT in kinds],
                "ImageQuotaSet": [],
                "DisasterRecoverGroupQuotaSet": [_groups(call.account_id)] if GROUPS in kinds else [],
            },
        },
    }


def _groups(account_id: int) -> GroupQuotaAnswer:
    count, most, machines = placement_groups.used(account_id)
    return {
        "GroupQuota": most,
        "CurrentNum": count,
        "CvmInHostGroupQuota": machines,
        "CvmInSwitchGroupQuota": 0,
        "CvmInRackGroupQuota": machines,
    }


def _of(used: Used) -> PostPaidQuotaAnswer:
    return {
        "UsedQuota": used.used, "RemainingQuota": used.remaining, "TotalQuota": used.most, "Zone": used.zone,
    }  # fmt: skip


ACTIONS = (
    Action(
        "DescribeAccountQuota",
        DescribeAccountQuota,
        DescribeAccountQuotaAnswer,
        describe_account_quota,
        writes=False,
    ),
)
