"""cvm: InquiryPriceRunInstances and RunInstances, with the structures of a machine to buy."""

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.action_timers import ActionTimer, ends_at
from vmart.api.actions.cvm.from_template import FromTemplate, LaunchTemplate, from_template
from vmart.api.actions.cvm.instances import Project
from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.prices import PriceAnswer, quote_price, spot_price
from vmart.api.actions.tagged import TagSpecifications, specified
from vmart.api.declarations import (
    INT32_MAX,
    ClientToken,
    Code,
    Domain,
    FalseOnly,
    NotOffered,
    PublicIds,
    Shape,
    not_offered,
)
from vmart.api.registry import RUN_PER_S, Action, Call, Completion, Resource
from vmart.catalog import shop
from vmart.catalog.shop import Shop
from vmart.instances.attributes import Attributes
from vmart.orders import offered, own_network, purchase, spot, user_data
from vmart.orders.login import LoginWanted
from vmart.orders.own_network import DEFAULT_NETWORK, NetworkWanted
from vmart.orders.wanted import MANUAL_RENEWAL, Machine, Purchase
from vmart.pricing.configuration import (
    DEFAULT_DISK_TYPE,
    DEFAULT_SYSTEM_GIB,
    Configuration,
    DiskChoice,
    default_internet_charge_type,
)
from vmart.pricing.quote import POSTPAID_BY_HOUR, SPOTPAID

_Size = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.Range")]
_Positive = Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue.Range")]
_Name = Annotated[str, Field(max_length=60)]
_PrivateIps = Annotated[list[_Name], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded")]
_ONE_LINE = r"^[^\p{Cc}\p{Zl}\p{Zp}]*\z"
DiskName = Annotated[str, Field(max_length=128, pattern=_ONE_LINE), Code("InvalidParameterValue")]
RenewFlag = Literal["NOTIFY_AND_MANUAL_RENEW", "NOTIFY_AND_AUTO_RENEW", "DISABLE_NOTIFY_AND_MANUAL_RENEW"]


class Placement(Shape):
    """Where: the zone. There is one project, number 0."""

    zone: Annotated[_Name, Domain("zone")]
    project_id: Project = 0
    host_ids: NotOffered = None
    host_id: NotOffered = None
    dedicated_resource_pack_tenancy: NotOffered = None
    dedicated_resource_pack_ids: NotOffered = None
    rack_id: NotOffered = None


class InstanceChargePrepaid(Shape):
    """The term in months. RenewFlag: with NOTIFY_AND_AUTO_RENEW the machine renews by itself, a month at a time."""

    period: Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidPeriod"), Domain("period_months")]
    renew_flag: Annotated[RenewFlag, Domain("renew_flag")] = "NOTIFY_AND_MANUAL_RENEW"


class SystemDisk(Shape):
    """Type and size in GiB."""

    disk_type: _Name = DEFAULT_DISK_TYPE
    disk_size: Annotated[_Size, Domain("system_disk.size_gib")] = DEFAULT_SYSTEM_GIB
    disk_id: NotOffered = None
    cdc_id: NotOffered = None
    disk_name: Annotated[DiskName, Domain("system_disk.name")] = ""
    encrypt: FalseOnly = None
    kms_key_id: NotOffered = None


class DataDisk(Shape):
    """Type and size in GiB; of a postpaid machine it stays where DeleteWithInstance is false. With SnapshotId it holds
    what that holds, and is at least as large."""

    disk_size: Annotated[_Size, Domain("data_disks.*.size_gib")]
    disk_type: _Name = DEFAULT_DISK_TYPE
    disk_id: NotOffered = None
    delete_with_instance: bool = True
    snapshot_id: Annotated[_Name, Domain("data_disks.*.snapshot_id")] = ""
    encrypt: FalseOnly = None
    kms_key_id: NotOffered = None
    throughput_performance: Annotated[None, not_offered("0")] = None
    cdc_id: NotOffered = None
    burst_performance: FalseOnly = None
    disk_name: Annotated[DiskName, Domain("data_disks.*.name")] = ""


class PrivateNetwork(Shape):
    """DEFAULT, or the ids of the account's own; addresses in a subnet that is named, one for each machine."""

    vpc_id: _Name = own_network.DEFAULT
    subnet_id: _Name = own_network.DEFAULT
    as_vpc_gateway: FalseOnly = None
    private_ip_addresses: Annotated[_PrivateIps, Domain("network.private_ips")] = []


class VirtualPrivateCloud(PrivateNetwork):
    """As of a move; and Ipv6AddressCount 1 for an IPv6 address of each machine, beside its public one."""

    ipv6_address_count: Annotated[_Size, Domain("network.ipv6_addresses")] = 0


class InternetAccessible(Shape):
    """Bandwidth in Mbps and how it is charged; an address unless the bandwidth is 0."""

    internet_charge_type: Annotated[_Name | None, Domain("internet_charge_type")] = None
    internet_max_bandwidth_out: Annotated[_Size, Domain("bandwidth_mbps")] = 0
    public_ip_assigned: Annotated[bool | None, Domain("public_ip")] = None
    bandwidth_package_id: NotOffered = None
    internet_service_provider: Annotated[None, not_offered("bgp")] = None
    ipv4_address_type: Annotated[None, not_offered("wanip"), Field(alias="IPv4AddressType")] = None
    ipv6_address_type: Annotated[None, not_offered(), Field(alias="IPv6AddressType")] = None
    anti_ddos_package_id: Annotated[None, not_offered(), Field(alias="AntiDDoSPackageId")] = None


class LoginSettings(Shape):
    """A password or key pairs."""

    password: Annotated[str, Field(max_length=200), Code("InvalidParameterValue.InvalidPassword")] = ""
    key_ids: Annotated[list[_Name], Field(max_length=20), Code("InvalidKeyPair.LimitExceeded")] = []
    keep_image_login: Annotated[None, not_offered("false")] = None


class Service(Shape):
    """An agent in the guest."""

    enabled: bool = True


class EnhancedService(Shape):
    """Agents of the provider: clients send them with every purchase; there are none here, so nothing happens."""

    security_service: Service | None = None
    monitor_service: Service | None = None
    automation_service: Service | None = None


class SpotOptions(Shape):
    """What an hour of CPU and memory may cost before the machine is taken back, as decimal text."""

    max_price: Annotated[
        str | None, Field(max_length=20, pattern=r"^[0-9]{1,10}(\.[0-9]{1,8})?\z"), Code("InvalidParameterValue"),
        Domain("attributes.max_price"),
    ] = None  # fmt: skip
    spot_instance_type: Literal["one-time"] = "one-time"


class InstanceMarketOptions(Shape):
    """Of a spot machine (SPOTPAID). Without a MaxPrice it is the price of now."""

    spot_options: SpotOptions = SpotOptions()
    market_type: Literal["spot"] = "spot"


class Configured(Shape):
    """What is priced, and what goes with it wherever machines are asked for."""

    instance_charge_type: Annotated[_Name, Domain("charge_type")] = POSTPAID_BY_HOUR
    instance_charge_prepaid: Annotated[InstanceChargePrepaid | None, Domain("term")] = None
    placement: Placement
    instance_type: _Name = ""
    image_id: _Name
    system_disk: SystemDisk = SystemDisk()
    data_disks: Annotated[list[DataDisk], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded")] = []
    virtual_private_cloud: Annotated[VirtualPrivateCloud | None, Domain("network")] = None
    internet_accessible: InternetAccessible = InternetAccessible()
    instance_count: Annotated[_Positive, Domain("count")] = 1
    instance_name: Annotated[str, Field(max_length=1000), Code("InvalidInstanceName.TooLong"), Domain("name")] = ""
    login_settings: Annotated[LoginSettings, Domain("login")] = LoginSettings()
    security_group_ids: Annotated[PublicIds, Domain("attributes.security_groups")] = []
    enhanced_service: EnhancedService | None = None
    client_token: ClientToken | None = None
    host_name: Annotated[
        str, Field(max_length=200), Code("InvalidParameterValue.IllegalHostName"), Domain("hostname")
    ] = ""
    tag_specification: TagSpecifications = []
    instance_market_options: InstanceMarketOptions | None = None
    metadata: NotOffered = None
    hpc_cluster_id: NotOffered = None
    network_interfaces: NotOffered = None


class MachineToBuy(Configured):
    """All that is said of the machines of a purchase, at once or kept in a launch template."""

    user_data: Annotated[str, Field(max_length=32 * 1024), Code("InvalidParameterValue.InvalidUserDataFormat")] = ""
    dry_run: bool = False
    action_timer: ActionTimer | None = None
    disaster_recover_group_ids: Annotated[
        list[_Name], Field(max_length=1), Code("InvalidParameterValue.LimitExceeded"), Domain("placement_groups")
    ] = []
    cam_role_name: NotOffered = None
    disable_api_termination: Annotated[bool, Domain("attributes.termination_protected")] = False
    enable_jumbo_frame: FalseOnly = None


class InquiryPriceRunInstances(Configured):
    """A configuration to be priced; checked as RunInstances checks it, as far as price is concerned."""

    cpu_topology: NotOffered = None
    launch_template: LaunchTemplate | None = None


class RunInstances(MachineToBuy):
    """A purchase: all of InstanceCount, or at least MinCount where it is given."""

    cpu_topology: NotOffered = None
    launch_template: LaunchTemplate | None = None
    min_count: Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue.InvalidParameterMinCount")] = 0
    dedicated_cluster_id: NotOffered = None
    chc_ids: NotOffered = None
    partition_number: NotOffered = None


class InquiryPriceRunInstancesAnswer(TypedDict):
    """The price of all machines together."""

    Price: PriceAnswer


class RunInstancesAnswer(TypedDict):
    """The machines bought; a dry run tells none."""

    InstanceIdSet: NotRequired[list[str]]


def internet_charge_type(asked: Configured) -> str:
    """As it is said, else as it goes with the machine's own."""
    said = asked.internet_accessible.internet_charge_type
    return said or default_internet_charge_type(asked.instance_charge_type)


def configuration(here: Shop, call: Call, asked: Configured) -> Configuration:
    """What is asked for, in the words of pricing. The zone decides the region where the call names none."""
    region = in_region(here, call.region)
    zone = here.zones.get(asked.placement.zone)
    region_code = region.code if region else zone.region if zone else ""
    network, term = asked.internet_accessible, asked.instance_charge_prepaid
    public_ip = network.public_ip_assigned
    return Configuration(
        region=region_code,
        zone=asked.placement.zone,
        instance_type=asked.instance_type,
        charge_type=asked.instance_charge_type,
        system_disk=DiskChoice(
            asked.system_disk.disk_type, asked.system_disk.disk_size, name=asked.system_disk.disk_name
        ),
        data_disks=tuple(
            DiskChoice(disk.disk_type, disk.disk_size, disk.delete_with_instance, disk.disk_name, disk.snapshot_id)
            for disk in asked.data_disks
            if disk.disk_size or disk.snapshot_id  # 0 is no disk; of a snapshot it is one of a wrong size
        ),
        period_months=term.period if term else None,
        internet_charge_type=internet_charge_type(asked),
        bandwidth_mbps=network.internet_max_bandwidth_out,
        public_ip=network.internet_max_bandwidth_out > 0 if public_ip is None else public_ip,
        count=asked.instance_count,
    )


def inquiry_price_run_instances(call: Call, asked: InquiryPriceRunInstances) -> InquiryPriceRunInstancesAnswer:
    """The price that RunInstances would charge."""
    here, wanted_one = shop.snapshot(), configuration(shop.snapshot(), call, asked)
    quoted = offered.price(wanted_one, here, call.account_id)
    spot.check(here, quoted.configuration, Attributes(max_price=_bid(asked.instance_market_options)))
    if wanted_one.charge_type != SPOTPAID:
        return {"Price": quote_price(quoted)}
    as_postpaid = replace(quoted.configuration, charge_type=POSTPAID_BY_HOUR)
    return {"Price": spot_price(quoted, offered.price(as_postpaid, here, call.account_id))}


def wanted(call: Call, asked: MachineToBuy) -> Purchase:
    """The purchase that a request asks for."""
    term, network = asked.instance_charge_prepaid, asked.virtual_private_cloud
    return Purchase(
        actor=call.actor,
        configuration=configuration(shop.snapshot(), call, asked),
        machine=Machine(
            image_id=asked.image_id,
            login=LoginWanted(asked.login_settings.password, tuple(asked.login_settings.key_ids)),
            name=asked.instance_name,
            hostname=asked.host_name,
            user_data=user_data.decode(asked.user_data),
            renew_flag=term.renew_flag if term else MANUAL_RENEWAL,
            attributes=Attributes(
                asked.disable_api_termination, tuple(asked.security_group_ids), _bid(asked.instance_market_options)
            ),
            network=wanted_network(network) if network else DEFAULT_NETWORK,
            placement_groups=tuple(asked.disaster_recover_group_ids),
            tag_specification=specified(asked.tag_specification),
            ends_at=ends_at(asked.action_timer) if asked.action_timer else None,
        ),
        client_token=asked.client_token or "",
    )


def _bid(asked: InstanceMarketOptions | None) -> Decimal | None:
    """The bid; None where the request says none."""
    said = asked.spot_options.max_price if asked else None
    return None if said is None else Decimal(said)


def wanted_network(asked: PrivateNetwork) -> NetworkWanted:
    """Of a purchase, or of a move."""
    ipv6_addresses = asked.ipv6_address_count if isinstance(asked, VirtualPrivateCloud) else 0
    return NetworkWanted(asked.vpc_id, asked.subnet_id, tuple(asked.private_ip_addresses), ipv6_addresses)


def run_instances(call: Call, asked: RunInstances) -> RunInstancesAnswer:
    """Buy machines, or with DryRun only check; an unfit request is refused either way and writes nothing."""
    request = replace(wanted(call, asked), min_count=asked.min_count)
    if asked.dry_run:
        purchase.dry_run(request)
        return {}
    return {"InstanceIdSet": list(purchase.purchase(request).instance_ids)}


_TOUCHES_PRICED = {
    Resource.IMAGE: "image_id",
    Resource.KEY_PAIR: "login_settings.key_ids",
    Resource.VPC: "virtual_private_cloud.vpc_id",
    Resource.SUBNET: "virtual_private_cloud.subnet_id",
    Resource.SECURITY_GROUP: "security_group_ids",
    Resource.SNAPSHOT: "data_disks.snapshot_id",
}
TOUCHES = _TOUCHES_PRICED | {Resource.PLACEMENT_GROUP: "disaster_recover_group_ids"}
_FROM_TEMPLATE = {Resource.LAUNCH_TEMPLATE: "launch_template.launch_template_id"}
ACTIONS = (
    Action(
        "InquiryPriceRunInstances",
        InquiryPriceRunInstances,
        InquiryPriceRunInstancesAnswer,
        inquiry_price_run_instances,
        writes=False,
        touches=_TOUCHES_PRICED | _FROM_TEMPLATE,
        completes=Completion(FromTemplate, from_template(InquiryPriceRunInstances)),
    ),
    Action(
        "RunInstances",
        RunInstances,
        RunInstancesAnswer,
        run_instances,
        writes=True,
        buys=True,
        touches=TOUCHES | _FROM_TEMPLATE,
        rate=RUN_PER_S,
        completes=Completion(FromTemplate, from_template(RunInstances)),
    ),
)
