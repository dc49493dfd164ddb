"""cvm: renewal of prepaid machines: its price, the renewal, and whether they renew themselves."""

from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.instances import InstanceIds
from vmart.api.actions.prices import RenewalPriceAnswer, renewal_price
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.customers.roles import Permission
from vmart.orders import renew, renew_flag
from vmart.orders.disks import align
from vmart.orders.renew import Renewal

RenewFlag = Literal["NOTIFY_AND_AUTO_RENEW", "NOTIFY_AND_MANUAL_RENEW", "DISABLE_NOTIFY_AND_MANUAL_RENEW"]
_WithDisks = Annotated[bool, Domain("disks")]


class RenewalTerm(Shape):
    """InstanceChargePrepaid of a renewal: the further term in months."""

    period: Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidPeriod"), Domain("months")]
    renew_flag: Annotated[RenewFlag | None, Domain("renew_flag")] = None


class RenewInstances(Shape):
    """Prepaid machines, all or none; the term follows the old expiry, also in the recycle bin.

    With RenewPortableDataDisk the prepaid disks that they have go on as long as they do.
    """

    instance_ids: InstanceIds
    instance_charge_prepaid: RenewalTerm = RenewalTerm.model_validate({"Period": 1})
    renew_portable_data_disk: _WithDisks = True


class InquiryPriceRenewInstances(Shape):
    """What RenewInstances would charge now."""

    instance_ids: InstanceIds
    instance_charge_prepaid: RenewalTerm
    dry_run: bool | None = None
    renew_portable_data_disk: _WithDisks = True


class ModifyInstancesRenewFlag(Shape):
    """Whether prepaid machines renew themselves, and whether their owner is reminded."""

    instance_ids: InstanceIds
    renew_flag: RenewFlag


class InquiryPriceRenewInstancesAnswer(TypedDict):
    """The price of all machines together; a dry run tells none."""

    Price: NotRequired[RenewalPriceAnswer]


def _asked(asked: RenewInstances | InquiryPriceRenewInstances) -> Renewal:
    term = asked.instance_charge_prepaid
    return Renewal(asked.instance_ids, term.period, renew_flag=term.renew_flag or "")


def renew_instances(call: Call, asked: RenewInstances) -> Done:
    """Paid from the balance at once."""
    if asked.renew_portable_data_disk:
        align.renew_with_disks(call.actor, _asked(asked))
    else:
        renew.renew(call.actor, _asked(asked))
    return {}


def inquiry_price_renew_instances(call: Call, asked: InquiryPriceRenewInstances) -> InquiryPriceRenewInstancesAnswer:
    """For all of them together; a dry run only says whether they could be renewed."""
    if asked.renew_portable_data_disk:
        price = renewal_price(*align.price_with_disks(call.account_id, _asked(asked)))
    else:
        price = renewal_price(renew.price(call.account_id, _asked(asked)))
    return {} if asked.dry_run else {"Price": price}


def modify_instances_renew_flag(call: Call, asked: ModifyInstancesRenewFlag) -> Done:
    """From now on, for terms that end later."""
    renew_flag.set_flag(call.actor, asked.instance_ids, asked.renew_flag)
    return {}


ACTIONS = (
    Action(
        "RenewInstances",
        RenewInstances,
        Done,
        renew_instances,
        writes=True,
        buys=True,
        touches={Resource.MACHINE: "instance_ids"},
    ),
    Action(
        "InquiryPriceRenewInstances",
        InquiryPriceRenewInstances,
        InquiryPriceRenewInstancesAnswer,
        inquiry_price_renew_instances,
        writes=False,
        touches={Resource.MACHINE: "instance_ids"},
    ),
    Action(
        "ModifyInstancesRenewFlag",
        ModifyInstancesRenewFlag,
        Done,
        modify_instances_renew_flag,
        writes=True,
        needs=Permission.SPEND,
        touches={Resource.MACHINE: "instance_ids"},
    ),
)
