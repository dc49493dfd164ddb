"""Where each form has what a refusal names: paths of the domain value, and the form's fields."""

from collections.abc import Mapping

from vmart.kernel.errors import Refused
from vmart.kernel.paths import called
from vmart.web.choice import size_field, snapshot_field

PURCHASE = {
    "region": "region",
    "zone": "zone",
    "charge_type": "charge",
    "period_months": "months",
    "instance_type": "type",
    "image_id": "image",
    "system_disk.disk_type": "disk",
    "system_disk.size_gib": "disk_gib",
    "data_disks": "data_disks",
    "data_disks.*.size_gib": size_field("*"),
    "data_disks.*.snapshot_id": snapshot_field("*"),
    "bandwidth_mbps": "mbps",
    "internet_charge_type": "internet",
    "public_ip": "address",
    "network": "subnet",
    "network.private_ips": "private_ip",
    "network.ipv6_addresses": "ipv6",
    "count": "count",
    "name": "name",
    "placement_groups": "group",
    "attributes.security_groups": "security_group",
    "attributes.max_price": "max_price",
    "ends_at": "ends_at",
    "user_data": "user_data",
    "tag_specification": "tags",
    "login": "login",
    "login.password": "password",
    "key_name": "key_name",
    "public_key": "public_key",
    "template.name": "template_name",
    "template.description": "template_description",
}
PAYMENT = {"amount_minor": "amount", "provider": "provider", "method": "card"}


def at_fault(form: Mapping[str, str], refused: Refused) -> str:
    """The form's field at fault; "" where it has none for what is refused, so the sentence stands above the form."""
    return called(form, refused.field or "", first=1) or ""
