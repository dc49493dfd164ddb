"""vpc: terms of addresses whose bandwidth is paid by the month: what one costs, a further one, renewal by itself."""

from decimal import Decimal
from typing import Annotated, Any, NotRequired, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.renewal import RenewFlag
from vmart.api.actions.vpc.declared import declared
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, Shape
from vmart.api.registry import Call, Resource
from vmart.catalog import shop
from vmart.customers.roles import Permission
from vmart.kernel.errors import InvalidValue
from vmart.kernel.money import exponent, from_minor
from vmart.orders.addresses import bandwidth, mode, own, renew
from vmart.orders.addresses.allocate import Cost
from vmart.orders.downgrade import Downgrade
from vmart.orders.renew import Renewal
from vmart.orders.renew_flag import AUTO, MANUAL, SILENT
from vmart.pricing.address import AddressPart
from vmart.pricing.priced import Priced

AddressIds = Annotated[
    list[Annotated[str, Field(max_length=60)]],
    Field(max_length=100),
    Code("InvalidParameterValue.LimitExceeded"),
    Domain("addresses"),
]

Mbps = Annotated[
    int,
    Field(ge=0, le=INT32_MAX),
    Code("InvalidParameterValue.BandwidthOutOfRange"),
    Domain("bandwidth_mbps"),
]


class AddressChargePrepaid(Shape):
    """A term in months. AutoRenewFlag 0: its owner renews it, 1: a month at a time by itself, 2: nobody is reminded.

    A first term without it renews itself, as published; a renewal leaves it as it is.
    """

    period: Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue"), Domain("months")]
    auto_renew_flag: Annotated[int | None, Field(ge=0, le=2), Code("InvalidParameterValue"), Domain("renew_flag")] = (
        None
    )


class RenewAddresses(Shape):
    """Addresses whose bandwidth is paid by the month, all or none; the term follows the old expiry.

    Also in the recycle bin: a machine that has kept one is reached by it again.
    """

    address_ids: AddressIds
    address_charge_prepaid: AddressChargePrepaid


class InquiryPriceRenewAddresses(Shape):
    """What RenewAddresses would charge now."""

    address_ids: AddressIds
    address_charge_prepaid: AddressChargePrepaid


class ModifyAddressesRenewFlag(Shape):
    """Whether they renew themselves, a month at a time, and whether their owner is reminded. All or none."""

    address_ids: AddressIds
    renew_flag: Annotated[RenewFlag, Domain("renew_flag")]


class InquiryPriceModifyAddressesBandwidth(Shape):
    """What ModifyAddressesBandwidth would charge now, of addresses that are charged alike."""

    address_ids: AddressIds
    internet_max_bandwidth_out: Mbps


class ModifyAddressInternetChargeType(Shape):
    """Charged otherwise from now on, twice an address; to the month with a first term, from it with what comes back."""

    address_id: Annotated[str, Field(max_length=60), Domain("addresses")]
    internet_charge_type: Annotated[str, Field(max_length=60), Domain("internet_charge_type")]
    internet_max_bandwidth_out: Mbps
    address_charge_prepaid: AddressChargePrepaid | None = None


class TermPriceDetailAnswer(TypedDict, total=False):
    """Of a term."""

    DiscountPrice: float
    ChargeUnit: str
    OriginalPrice: float


class InternetPriceDetailAnswer(TermPriceDetailAnswer, total=False):
    """By the hour; by traffic, of a GiB; by the month, of a term, which has no unit."""

    UnitPrice: float


class InternetPriceAnswer(TypedDict):
    """What is postpaid has no price of a term."""

    AddressPrice: InternetPriceDetailAnswer
    OriginalPrice: NotRequired[float]
    DiscountPrice: NotRequired[float]


class TermPriceAnswer(TypedDict):
    """What is paid ahead."""

    AddressPrice: TermPriceDetailAnswer
    OriginalPrice: NotRequired[float]
    DiscountPrice: NotRequired[float]


class InquiryPriceRenewAddressesAnswer(TypedDict):
    """The price of all addresses together."""

    Price: TermPriceAnswer


class InquiryPriceModifyAddressesBandwidthAnswer(TypedDict):
    """By the month of all addresses together."""

    Price: InternetPriceAnswer


_FLAGS = (MANUAL, AUTO, SILENT)  # of AutoRenewFlag 0, 1, 2


def first_term(term: AddressChargePrepaid | None) -> dict[str, Any]:
    """What a purchase takes of it; nothing where none is given."""
    if term is None:
        return {}
    return {"months": term.period, "renew_flag": _FLAGS[1 if term.auto_renew_flag is None else term.auto_renew_flag]}


def flag_of(term: AddressChargePrepaid) -> str:
    """The flag that a renewal sets; "" where it leaves it as it is."""
    return "" if term.auto_renew_flag is None else _FLAGS[term.auto_renew_flag]


def of_term(list_minor: int, due_minor: int) -> InternetPriceAnswer:
    """What a term, or the rest of one, costs."""
    places = exponent(shop.snapshot().currency)
    original, due = float(from_minor(list_minor, places)), float(from_minor(due_minor, places))
    detail: InternetPriceDetailAnswer = {
        "DiscountPrice": due,
        "ChargeUnit": "MONTH",
        "OriginalPrice": original,
    }
    return {"AddressPrice": detail, "OriginalPrice": original, "DiscountPrice": due}


def _renewal(asked: RenewAddresses | InquiryPriceRenewAddresses) -> Renewal:
    term = asked.address_charge_prepaid
    return Renewal(asked.address_ids, term.period, renew_flag=flag_of(term))


def renew_addresses(call: Call, asked: RenewAddresses) -> Done:
    """Paid from the balance at once."""
    with own.paying():
        renew.ACT.order(call.actor, _renewal(asked))
    return {}


def inquiry_price_renew_addresses(call: Call, asked: InquiryPriceRenewAddresses) -> InquiryPriceRenewAddressesAnswer:
    """For all of them together."""
    found: Priced = renew.ACT.price(call.account_id, _renewal(asked))
    return {"Price": {**of_term(found.list_minor, found.due_minor)}}


def modify_addresses_renew_flag(call: Call, asked: ModifyAddressesRenewFlag) -> Done:
    """From now on, for terms that end later."""
    renew.set_flag(call.actor, asked.address_ids, asked.renew_flag)
    return {}


def of_unit(price: Decimal) -> InternetPriceAnswer:
    """What is postpaid: an hour of bandwidth, or 2^30 bytes."""
    unit = float(price)
    detail: InternetPriceDetailAnswer = {
        "UnitPrice": unit,
        "DiscountPrice": unit,
        "ChargeUnit": "HOUR",
        "OriginalPrice": unit,
    }
    return {"AddressPrice": detail}


def unit_of(cost: Cost) -> Decimal:
    """Of one address at a machine."""
    return cost.bound_hourly if cost.traffic_per_gib is None else cost.traffic_per_gib


def inquiry_price_modify_addresses_bandwidth(
    call: Call, asked: InquiryPriceModifyAddressesBandwidth
) -> InquiryPriceModifyAddressesBandwidthAnswer:
    """By the month of all together, below 0 where it comes back; postpaid as a purchase of one at that speed."""
    found = bandwidth.reckon(call.account_id, asked.address_ids, asked.internet_max_bandwidth_out)
    costs = [one for one in found if isinstance(one, Cost)]
    if costs and (len(costs) < len(found) or len(set(costs)) > 1):
        raise InvalidValue(
            "These addresses are charged differently; ask for each kind by itself.",
            field="addresses", code="InvalidParameterValue.AddressInternetChargeTypeConflict",
        )  # fmt: skip
    if costs:
        return {"Price": of_unit(unit_of(costs[0]))}
    amounts = [_amounts(one) for one in found]
    return {"Price": of_term(sum(listed for listed, _ in amounts), sum(due for _, due in amounts))}


def _amounts(found: Priced | Downgrade | Cost) -> tuple[int, int]:
    """(list price, price) of what is paid by the month, in minor units."""
    if isinstance(found, Priced):
        return found.list_minor, found.due_minor
    assert isinstance(found, Downgrade)
    return -found.back_minor, -found.back_minor


def modify_address_internet_charge_type(call: Call, asked: ModifyAddressInternetChargeType) -> Done:
    """Accepted; at a machine it is so within seconds."""
    part = AddressPart(asked.internet_charge_type, asked.internet_max_bandwidth_out)
    # Terraform's provider names a term whatever the address is charged by.
    first = first_term(asked.address_charge_prepaid) if part.paid_ahead else {}
    mode.change(call.actor, asked.address_id, part, **first)
    return {}


_SEVERAL = {Resource.ADDRESS: "address_ids"}
ACTIONS = (
    declared(RenewAddresses, Done, renew_addresses, writes=True, buys=True, touches=_SEVERAL),
    declared(
        InquiryPriceRenewAddresses,
        InquiryPriceRenewAddressesAnswer,
        inquiry_price_renew_addresses,
        writes=False,
        touches=_SEVERAL,
    ),
    declared(
        InquiryPriceModifyAddressesBandwidth,
        InquiryPriceModifyAddressesBandwidthAnswer,
        inquiry_price_modify_addresses_bandwidth,
        writes=False,
        touches=_SEVERAL,
    ),
    declared(
        ModifyAddressInternetChargeType,
        Done,
        modify_address_internet_charge_type,
        writes=True,
        buys=True,
        touches={Resource.ADDRESS: "address_id"},
    ),
    declared(
        ModifyAddressesRenewFlag,
        Done,
        modify_addresses_renew_flag,
        writes=True,
        touches=_SEVERAL,
        needs=Permission.SPEND,
    ),
)
