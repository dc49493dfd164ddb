"""cvm: launch templates and their versions. Create-, Describe-, ModifyDefaultVersion, Delete-."""

from typing import Annotated, NotRequired, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.action_timers import ActionTimerAnswer, ends_at
from vmart.api.actions.cvm.action_timers import told as told_timer
from vmart.api.actions.cvm.from_template import LaunchTemplate, TemplateId, Version, with_version
from vmart.api.actions.cvm.instances import PlacementAnswer
from vmart.api.actions.cvm.purchase import (
    TOUCHES,
    DataDisk,
    EnhancedService,
    MachineToBuy,
    Service,
    SpotOptions,
    SystemDisk,
    VirtualPrivateCloud,
    internet_charge_type,
    wanted,
)
from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, is_tag_filter, not_both
from vmart.api.actions.tagged import TagAnswer, TagSpecification
from vmart.api.declarations import (
    Code,
    Count,
    Domain,
    Done,
    Filters,
    Limit,
    NotOffered,
    Offset,
    PublicIds,
    Shape,
    decode,
)
from vmart.api.fields import members, said
from vmart.api.registry import Action, Call, Completion, Members, Resource
from vmart.api.words import utc_text
from vmart.kernel.errors import InvalidParameter
from vmart.launch_templates import change, keep
from vmart.launch_templates.keep import NewVersion
from vmart.listings import launch_templates
from vmart.listings.launch_templates import TemplateView, VersionView

# Length and characters are checked by the act, each with its own documented code.
_Name = Annotated[
    str, Field(max_length=1000), Code("InvalidParameterValue.InvalidLaunchTemplateName"), Domain("template.name")
]
_Description = Annotated[
    str,
    Field(max_length=1000),
    Code("InvalidParameterValue.InvalidLaunchTemplateVersionDescription"),
    Domain("template.description"),
]
_Versions = Annotated[
    list[Version],
    Field(max_length=100),
    Code("InvalidParameterValue.LaunchTemplateVersion"),
    Domain("template.versions"),
]
# Of the request that brings it, and of no purchase that is made from it.
_NOT_KEPT = {"client_token", "dry_run"}


class Kept(MachineToBuy):
    """A purchase to be kept."""

    launch_template_version_description: _Description = ""
    template_data_modify_action: NotOffered = None


class CreateLaunchTemplate(Kept):
    """A purchase to be kept as version 1, the default, of a new template."""

    launch_template_name: _Name
    launch_template_tag_specification: NotOffered = None


class CreateLaunchTemplateVersion(Kept):
    """A purchase to be kept as a further version."""

    launch_template_id: TemplateId
    launch_template_version: Version | None = None


class DescribeLaunchTemplates(Shape):
    """By ids or filters, a page at a time."""

    launch_template_ids: PublicIds = []
    filters: Filters = []
    offset: Offset = 0
    limit: Limit = 20


class DescribeLaunchTemplateVersions(Shape):
    """By numbers, or by bounds, a page at a time."""

    launch_template_id: TemplateId
    launch_template_versions: Annotated[list[Count], Field(max_length=100), Domain("template.versions")] = []
    min_version: Count | None = None
    max_version: Count | None = None
    offset: Offset = 0
    limit: Limit = 20
    default_version: bool = False


class ModifyLaunchTemplateDefaultVersion(Shape):
    """The version that holds where none is named."""

    launch_template_id: TemplateId
    default_version: Version


class DeleteLaunchTemplate(Shape):
    """A template with all its versions."""

    launch_template_id: TemplateId


class DeleteLaunchTemplateVersions(Shape):
    """Versions by number, all or none."""

    launch_template_id: TemplateId
    launch_template_versions: _Versions


class CreateLaunchTemplateAnswer(TypedDict):
    """The new template; a dry run tells none."""

    LaunchTemplateId: NotRequired[str]


class CreateLaunchTemplateVersionAnswer(TypedDict):
    """The new version; a dry run tells none."""

    LaunchTemplateVersionNumber: NotRequired[int]


class LaunchTemplateAnswer(TypedDict):
    """A template without what it holds."""

    LatestVersionNumber: int
    LaunchTemplateId: str
    LaunchTemplateName: str
    DefaultVersionNumber: int
    LaunchTemplateVersionCount: int
    CreatedBy: str
    CreationTime: str


class DescribeLaunchTemplatesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    LaunchTemplateSet: list[LaunchTemplateAnswer]


class KeptSystemDiskAnswer(TypedDict):
    """A system disk to buy."""

    DiskType: str
    DiskSize: int
    Encrypt: bool
    KmsKeyId: str
    DiskName: str


class KeptDataDiskAnswer(TypedDict):
    """A data disk to buy."""

    DiskType: str
    DiskSize: int
    DeleteWithInstance: bool
    SnapshotId: str
    Encrypt: bool
    KmsKeyId: str
    DiskName: str


class KeptInternetAnswer(TypedDict):
    """Public network to buy; without PublicIpAssigned an address unless the bandwidth is 0."""

    InternetChargeType: str
    InternetMaxBandwidthOut: int
    PublicIpAssigned: NotRequired[bool]


class KeptNetworkAnswer(TypedDict):
    """The private network."""

    VpcId: str
    SubnetId: str
    AsVpcGateway: bool
    PrivateIpAddresses: list[str]
    Ipv6AddressCount: int


class KeptLoginAnswer(TypedDict):
    """Key pairs."""

    KeyIds: list[str]


class ServiceAnswer(TypedDict):
    """An agent in the guest: whether it was asked for."""

    Enabled: bool


class EnhancedServiceAnswer(TypedDict):
    """Agents of the provider."""

    SecurityService: ServiceAnswer
    MonitorService: ServiceAnswer
    AutomationService: ServiceAnswer


class TermAnswer(TypedDict):
    """The term of a prepaid purchase."""

    Period: int
    RenewFlag: str


class TagSpecificationAnswer(TypedDict):
    """Tags of the machines, or of their disks."""

    ResourceType: str
    Tags: list[TagAnswer]


class SpotOptionsAnswer(TypedDict):
    """The bid, where one is said."""

    MaxPrice: NotRequired[str]
    SpotInstanceType: str


class MarketOptionsAnswer(TypedDict):
    """Of a spot machine."""

    MarketType: str
    SpotOptions: SpotOptionsAnswer


class VersionDataAnswer(TypedDict):
    """What a purchase by this version asks for; InstanceType is "" where it is chosen at each purchase."""

    Placement: PlacementAnswer
    InstanceType: str
    InstanceName: str
    InstanceChargeType: str
    InstanceChargePrepaid: NotRequired[TermAnswer]
    SystemDisk: KeptSystemDiskAnswer
    DataDisks: list[KeptDataDiskAnswer]
    InternetAccessible: KeptInternetAnswer
    VirtualPrivateCloud: KeptNetworkAnswer
    ImageId: str
    SecurityGroupIds: list[str]
    LoginSettings: NotRequired[KeptLoginAnswer]
    InstanceCount: int
    EnhancedService: EnhancedServiceAnswer
    UserData: NotRequired[str]
    HostName: NotRequired[str]
    DisableApiTermination: bool
    DisasterRecoverGroupIds: NotRequired[list[str]]
    TagSpecification: NotRequired[list[TagSpecificationAnswer]]
    ActionTimer: NotRequired[ActionTimerAnswer]
    InstanceMarketOptions: NotRequired[MarketOptionsAnswer]


class VersionAnswer(TypedDict):
    """A version and what it holds."""

    LaunchTemplateVersion: int
    LaunchTemplateVersionData: VersionDataAnswer
    CreationTime: str
    LaunchTemplateId: str
    IsDefaultVersion: bool
    LaunchTemplateVersionDescription: str
    CreatedBy: str


class DescribeLaunchTemplateVersionsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    LaunchTemplateVersionSet: list[VersionAnswer]


def _new(call: Call, asked: Kept) -> NewVersion:
    contents = said(asked, MachineToBuy)
    kept = {path: value for path, value in contents.items() if path not in _NOT_KEPT}
    return NewVersion(wanted(call, asked), kept, call.user_id, asked.launch_template_version_description)


def create_launch_template(call: Call, asked: CreateLaunchTemplate) -> CreateLaunchTemplateAnswer:
    """Keep a purchase under a name, or with DryRun only check it."""
    new = _new(call, asked)
    if asked.dry_run:
        keep.check(new, asked.launch_template_name)
        return {}
    return {"LaunchTemplateId": keep.create(asked.launch_template_name, new)}


def create_launch_template_version(call: Call, asked: CreateLaunchTemplateVersion) -> CreateLaunchTemplateVersionAnswer:
    """Keep a further version, or with DryRun only check it."""
    new = _new(call, asked)
    if asked.dry_run:
        keep.check(new)
        return {}
    return {"LaunchTemplateVersionNumber": keep.add_version(asked.launch_template_id, new)}


def _on_base(call: Call, named: LaunchTemplate, request: Members) -> Members:
    """What a new version does not say, it takes from the version that it names, by default the default one."""
    return with_version(call, named, request, MachineToBuy)


def _template(view: TemplateView) -> LaunchTemplateAnswer:
    return {
        "LatestVersionNumber": view.latest_version,
        "LaunchTemplateId": view.public_id,
        "LaunchTemplateName": view.name,
        "DefaultVersionNumber": view.default_version,
        "LaunchTemplateVersionCount": view.versions,
        "CreatedBy": str(view.created_by),
        "CreationTime": utc_text(view.created_at),
    }


def describe_launch_templates(call: Call, asked: DescribeLaunchTemplates) -> DescribeLaunchTemplatesAnswer:
    """Templates of the account, newest first. None has tags."""
    not_both(asked.launch_template_ids, asked.filters, "LaunchTemplateIds")
    chosen = conditions(asked.filters, ("LaunchTemplateName", *TAG_FILTERS), VALUES_MAX)
    if any(map(is_tag_filter, chosen)):
        return {"TotalCount": 0, "LaunchTemplateSet": []}
    total, views = launch_templates.some(
        call.account_id,
        public_ids=asked.launch_template_ids or None,
        names=chosen.get("LaunchTemplateName"),
        offset=asked.offset,
        limit=asked.limit,
    )
    return {"TotalCount": total, "LaunchTemplateSet": [_template(view) for view in views]}


def _network(asked: VirtualPrivateCloud) -> KeptNetworkAnswer:
    return {
        "VpcId": asked.vpc_id,
        "SubnetId": asked.subnet_id,
        "AsVpcGateway": False,
        "PrivateIpAddresses": asked.private_ip_addresses,
        "Ipv6AddressCount": asked.ipv6_address_count,
    }


def _data(asked: MachineToBuy) -> VersionDataAnswer:
    network = asked.virtual_private_cloud or VirtualPrivateCloud()
    told: VersionDataAnswer = {
        "Placement": {"Zone": asked.placement.zone, "ProjectId": asked.placement.project_id},
        "InstanceType": asked.instance_type,
        "InstanceName": asked.instance_name,
        "InstanceChargeType": asked.instance_charge_type,
        "SystemDisk": _system_disk(asked.system_disk),
        "DataDisks": [_data_disk(disk) for disk in asked.data_disks],
        "InternetAccessible": _internet(asked),
        "VirtualPrivateCloud": _network(network),
        "ImageId": asked.image_id,
        "SecurityGroupIds": asked.security_group_ids,
        "InstanceCount": asked.instance_count,
        "EnhancedService": _services(asked.enhanced_service or EnhancedService()),
        "DisableApiTermination": asked.disable_api_termination,
    }
    if asked.tag_specification:
        told["TagSpecification"] = [_tags(one) for one in asked.tag_specification]
    if timer := asked.action_timer:
        told["ActionTimer"] = told_timer(ends_at(timer))
    if market := asked.instance_market_options:
        told["InstanceMarketOptions"] = {"MarketType": market.market_type, "SpotOptions": _spot(market.spot_options)}
    if term := asked.instance_charge_prepaid:
        told["InstanceChargePrepaid"] = {"Period": term.period, "RenewFlag": term.renew_flag}
    if asked.login_settings.key_ids:
        told["LoginSettings"] = {"KeyIds": asked.login_settings.key_ids}
    if asked.user_data:
        told["UserData"] = asked.user_data
    if asked.disaster_recover_group_ids:
        told["DisasterRecoverGroupIds"] = asked.disaster_recover_group_ids
    if asked.host_name:
        told["HostName"] = asked.host_name
    return told


def _spot(asked: SpotOptions) -> SpotOptionsAnswer:
    told: SpotOptionsAnswer = {"SpotInstanceType": asked.spot_instance_type}
    if asked.max_price is not None:
        told["MaxPrice"] = asked.max_price
    return told


def _system_disk(disk: SystemDisk) -> KeptSystemDiskAnswer:
    return {
        "DiskType": disk.disk_type,
        "DiskSize": disk.disk_size,
        "DiskName": disk.disk_name,
        "Encrypt": False,
        "KmsKeyId": "",
    }


def _data_disk(disk: DataDisk) -> KeptDataDiskAnswer:
    return {
        "DiskType": disk.disk_type,
        "DiskSize": disk.disk_size,
        "DiskName": disk.disk_name,
        "DeleteWithInstance": disk.delete_with_instance,
        "SnapshotId": disk.snapshot_id,
        "Encrypt": False,
        "KmsKeyId": "",
    }


def _tags(one: TagSpecification) -> TagSpecificationAnswer:
    return {"ResourceType": one.resource_type, "Tags": [{"Key": tag.key, "Value": tag.value} for tag in one.tags]}


def _internet(asked: MachineToBuy) -> KeptInternetAnswer:
    network = asked.internet_accessible
    told: KeptInternetAnswer = {
        "InternetChargeType": internet_charge_type(asked),
        "InternetMaxBandwidthOut": network.internet_max_bandwidth_out,
    }
    if network.public_ip_assigned is not None:
        told["PublicIpAssigned"] = network.public_ip_assigned
    return told


def _services(services: EnhancedService) -> EnhancedServiceAnswer:
    return {
        "SecurityService": _service(services.security_service),
        "MonitorService": _service(services.monitor_service),
        "AutomationService": _service(services.automation_service),
    }


def _service(service: Service | None) -> ServiceAnswer:
    return {"Enabled": service is not None and service.enabled}


def _version(template_id: str, view: VersionView) -> VersionAnswer:
    asked = decode(MachineToBuy, members(MachineToBuy, view.contents), as_text=False)
    return {
        "LaunchTemplateVersion": view.number,
        "LaunchTemplateVersionData": _data(asked),
        "CreationTime": utc_text(view.created_at),
        "LaunchTemplateId": template_id,
        "IsDefaultVersion": view.is_default,
        "LaunchTemplateVersionDescription": view.description,
        "CreatedBy": str(view.created_by),
    }


def describe_launch_template_versions(
    call: Call, asked: DescribeLaunchTemplateVersions
) -> DescribeLaunchTemplateVersionsAnswer:
    """Versions of a template, newest first."""
    bounds = asked.model_fields_set & {"min_version", "max_version", "offset", "limit", "default_version"}
    if asked.launch_template_versions and bounds:
        raise InvalidParameter(
            "LaunchTemplateVersions excludes MinVersion, MaxVersion, Offset, Limit and DefaultVersion.",
            field="template.versions",
        )
    total, views = launch_templates.versions(
        call.account_id,
        asked.launch_template_id,
        numbers=asked.launch_template_versions or None,
        least=asked.min_version,
        most=asked.max_version,
        default_alone=asked.default_version,
        offset=asked.offset,
        limit=100 if asked.launch_template_versions else asked.limit,
    )
    told = [_version(asked.launch_template_id, view) for view in views]
    return {"TotalCount": total, "LaunchTemplateVersionSet": told}


def modify_launch_template_default_version(call: Call, asked: ModifyLaunchTemplateDefaultVersion) -> Done:
    """From now on; a purchase that is under way has what it was told."""
    change.make_default(call.actor, asked.launch_template_id, asked.default_version)
    return {}


def delete_launch_template(call: Call, asked: DeleteLaunchTemplate) -> Done:
    """With its versions; machines that were bought from it stay."""
    change.delete(call.actor, asked.launch_template_id)
    return {}


def delete_launch_template_versions(call: Call, asked: DeleteLaunchTemplateVersions) -> Done:
    """All or none, and never the default one."""
    change.delete_versions(call.actor, asked.launch_template_id, asked.launch_template_versions)
    return {}


_OF_A_TEMPLATE = {Resource.LAUNCH_TEMPLATE: "launch_template_id"}
ACTIONS = (
    Action(
        "CreateLaunchTemplate",
        CreateLaunchTemplate,
        CreateLaunchTemplateAnswer,
        create_launch_template,
        writes=True,
        touches=TOUCHES,
    ),
    Action(
        "CreateLaunchTemplateVersion",
        CreateLaunchTemplateVersion,
        CreateLaunchTemplateVersionAnswer,
        create_launch_template_version,
        writes=True,
        touches=TOUCHES | _OF_A_TEMPLATE,
        completes=Completion(LaunchTemplate, _on_base),
    ),
    Action(
        "DescribeLaunchTemplates",
        DescribeLaunchTemplates,
        DescribeLaunchTemplatesAnswer,
        describe_launch_templates,
        writes=False,
        touches={Resource.LAUNCH_TEMPLATE: "launch_template_ids"},
    ),
    Action(
        "DescribeLaunchTemplateVersions",
        DescribeLaunchTemplateVersions,
        DescribeLaunchTemplateVersionsAnswer,
        describe_launch_template_versions,
        writes=False,
        touches=_OF_A_TEMPLATE,
    ),
    Action(
        "ModifyLaunchTemplateDefaultVersion",
        ModifyLaunchTemplateDefaultVersion,
        Done,
        modify_launch_template_default_version,
        writes=True,
        touches=_OF_A_TEMPLATE,
    ),
    Action(
        "DeleteLaunchTemplate",
        DeleteLaunchTemplate,
        Done,
        delete_launch_template,
        writes=True,
        touches=_OF_A_TEMPLATE,
    ),
    Action(
        "DeleteLaunchTemplateVersions",
        DeleteLaunchTemplateVersions,
        Done,
        delete_launch_template_versions,
        writes=True,
        touches=_OF_A_TEMPLATE,
    ),
)
