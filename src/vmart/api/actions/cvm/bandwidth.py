"""cvm: the bandwidth of machines: what another one costs, and the change."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.instances import InstanceIds
from vmart.api.actions.prices import BandwidthPriceAnswer, amounts, bandwidth_price
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, NotOffered, Shape, not_offered
from vmart.api.registry import Action, Call, Resource
from vmart.api.stays import refuse_change
from vmart.catalog import shop
from vmart.kernel.errors import MissingParameter
from vmart.listings import machines
from vmart.listings.machines import Wanted
from vmart.orders import bandwidth, bandwidth_window, to_traffic
from vmart.orders.bandwidth_window import Window
from vmart.orders.to_traffic import Switch
from vmart.pricing.configuration import BANDWIDTH_PREPAID, TRAFFIC_POSTPAID_BY_HOUR


class Bandwidth(Shape):
    """InternetAccessible of a change: the bandwidth in Mbps; how it is charged is said again, or becomes traffic."""

    internet_max_bandwidth_out: Annotated[
        int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.Range"), Domain("bandwidth_mbps")
    ]
    internet_charge_type: Annotated[str, Field(max_length=60), Domain("internet_charge_type")] | None = None
    public_ip_assigned: NotOffered = None
    bandwidth_package_id: NotOffered = None
    internet_service_provider: Annotated[None, not_offered()] = None
    ipv4_address_type: Annotated[None, not_offered(), Field(alias="IPv4AddressType")] = None
    ipv6_address_type: Annotated[None, not_offered(), Field(alias="IPv6AddressType")] = None
    anti_ddos_package_id: Annotated[None, not_offered(), Field(alias="AntiDDoSPackageId")] = None


class ResetInstancesInternetMaxBandwidth(Shape):
    """Machines that pay by traffic, all or none; or one that pays by the hour or by the month."""

    instance_ids: InstanceIds
    internet_accessible: Bandwidth
    start_time: Annotated[str | None, Field(max_length=20), Domain("starts_on")] = None
    end_time: Annotated[str | None, Field(max_length=20), Domain("ends_on")] = None


class InquiryPriceResetInstancesInternetMaxBandwidth(ResetInstancesInternetMaxBandwidth):
    """What the network costs then."""


class InquiryPriceResetInstancesInternetMaxBandwidthAnswer(TypedDict):
    """The price of the new bandwidth, of all machines together."""

    Price: BandwidthPriceAnswer


def _window(asked: ResetInstancesInternetMaxBandwidth) -> Window | None:
    """The days that are asked for; None where it is for good."""
    if asked.start_time is None and asked.end_time is None:
        return None
    if asked.start_time is None or asked.end_time is None:
        raise MissingParameter(
            "StartTime and EndTime are said together, or neither.",
            field="starts_on" if asked.start_time is None else "ends_on",
        )
    mbps = asked.internet_accessible.internet_max_bandwidth_out
    return Window(asked.instance_ids, mbps, asked.start_time, asked.end_time)


def _refuse_otherwise(call: Call, asked: ResetInstancesInternetMaxBandwidth) -> None:
    """Raise Unsupported where how it is charged is said and is not as it is."""
    if said := asked.internet_accessible.internet_charge_type:
        _, found = machines.page(call.account_id, Wanted(public_ids=asked.instance_ids), limit=len(asked.instance_ids))
        for machine in found:
            refuse_change(said, machine.internet_charge_type, machine.public_id, "internet_charge_type")


def _becomes_traffic(call: Call, asked: ResetInstancesInternetMaxBandwidth) -> bool:
    """Whether what is paid by the month is to be traffic; Unsupported where another change of that is said."""
    said = asked.internet_accessible.internet_charge_type
    if said is None:
        return False
    _, found = machines.page(call.account_id, Wanted(public_ids=asked.instance_ids), limit=len(asked.instance_ids))
    if said == TRAFFIC_POSTPAID_BY_HOUR and any(one.internet_charge_type == BANDWIDTH_PREPAID for one in found):
        return True
    _refuse_otherwise(call, asked)
    return False


def reset_instances_internet_max_bandwidth(call: Call, asked: ResetInstancesInternetMaxBandwidth) -> Done:
    """Accepted; in force within seconds, which LatestOperationState tells. A window is paid at once."""
    if window := _window(asked):
        _refuse_otherwise(call, asked)
        bandwidth_window.ACT_OF_WINDOW.order(call.actor, window)
        return {}
    change = to_traffic.change if _becomes_traffic(call, asked) else bandwidth.change
    change(call.actor, asked.instance_ids, asked.internet_accessible.internet_max_bandwidth_out)
    return {}


def inquiry_price_reset_instances_internet_max_bandwidth(
    call: Call, asked: InquiryPriceResetInstancesInternetMaxBandwidth
) -> InquiryPriceResetInstancesInternetMaxBandwidthAnswer:
    """By the hour an hour of it, by traffic a GB, by the month the rest of the term; below 0 it comes back."""
    if window := _window(asked):
        _refuse_otherwise(call, asked)
        return {"Price": bandwidth_price(bandwidth_window.ACT_OF_WINDOW.price(call.account_id, window))}
    reckon = to_traffic.reckon if _becomes_traffic(call, asked) else bandwidth.reckon
    cost = reckon(call.account_id, asked.instance_ids, asked.internet_accessible.internet_max_bandwidth_out)
    if isinstance(cost, Switch):
        return {"Price": {"BandwidthPrice": amounts(-cost.refund_minor, -cost.refund_minor, shop.snapshot().currency)}}
    return {"Price": bandwidth_price(cost)}


ACTIONS = (
    Action(
        "ResetInstancesInternetMaxBandwidth",
        ResetInstancesInternetMaxBandwidth,
        Done,
        reset_instances_internet_max_bandwidth,
        writes=True,
        buys=True,
        touches={Resource.MACHINE: "instance_ids"},
    ),
    Action(
        "InquiryPriceResetInstancesInternetMaxBandwidth",
        InquiryPriceResetInstancesInternetMaxBandwidth,
        InquiryPriceResetInstancesInternetMaxBandwidthAnswer,
        inquiry_price_reset_instances_internet_max_bandwidth,
        writes=False,
        touches={Resource.MACHINE: "instance_ids"},
    ),
)
