"""What a member of an account must be permitted for each page of it: to open it, and to send a form to it.

One table by the name of the address. A page that is not in it is refused to everybody, so none is forgotten; what is
not an account's at all (signing in, the seller's pages) is not asked here.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from vmart.customers import roles
from vmart.customers.roles import Permission

_P = Permission
_LOOK, _KEYS, _OPERATE, _SPEND, _PAY = _P.LOOK, _P.KEYS, _P.OPERATE, _P.SPEND, _P.PAY


@dataclass(frozen=True, slots=True)
class Needs:
    """``opened``: to look at the page; ``sent``: to send its form, None where it has none."""

    opened: Permission
    sent: Permission | None


def _all(opened: Permission, sent: Permission | None, names: str) -> dict[str, Needs]:
    return dict.fromkeys(names.split(), Needs(opened, sent))


NEEDS: dict[str, Needs] = {
    # Looked at, and nothing is sent there.
    **_all(_LOOK, None, """
        overview orders order order_progress machines machine machine_live machine_another machine_monitoring disks
        images snapshots tags templates template addresses
        search packages quotas balance charges charges_csv charges_by_tag payment payment_state
    """),
    # Looked at by everybody; what is sent changes something.
    **_all(_LOOK, _OPERATE, """
        networks keys security_groups security_group placement_groups placement_group snapshot_policies snapshot_policy
        disk snapshot image package address machine_keys machine_tags address_tags package_tags machine_groups
        security_group_rule alarms
    """),
    # A user's own: how he wants lists.
    **_all(_LOOK, _LOOK, "list_filter_keep list_filter_remove list_columns"),
    # Pages of one act.
    **_all(_OPERATE, _OPERATE, """
        machine_console machine_console_ticket alarm alarm_switch alarm_delete
        machines_chosen disks_chosen snapshots_chosen addresses_chosen
        order_passwords machine_password machine_stop machine_end machine_planned_end machine_host_name
        machine_reset_password machine_network machine_rescue machine_leave_rescue machine_reinstall machine_power
        disk_attach disk_detach disk_end image_share image_unshare image_delete snapshot_policy_bind
        snapshot_policy_unbind snapshot_policy_switch snapshot_policy_delete snapshot_restore snapshot_delete
        template_default template_delete placement_group_join placement_group_leave placement_group_delete
        package_delete address_bind address_unbind address_release security_group_rules security_group_delete
    """),
    **_all(_SPEND, _SPEND, """
        machines_renew machines_renew_flag machine_bandwidth machine_window machine_disk machine_type machine_prepay
        disk_new disks_renew disks_renew_flag disk_prepay disk_size image_new image_import snapshot_new package_buy
        package_bandwidth package_add package_remove address_buy addresses_renew addresses_renew_flag address_bandwidth
        address_charged
    """),
    **_all(_PAY, _PAY, "order_pay top_up"),
    # Everybody sees prices, and what a form has done depends on its button (web/views/purchase.py).
    **_all(_LOOK, _SPEND, "buy"),
    **_all(_LOOK, None, "buy_price buy_code"),
    # The account itself.
    **_all(_KEYS, _KEYS, "api_keys api_key"),
    **_all(_LOOK, _P.MEMBERS, "members"),
    **_all(_P.MEMBERS, _P.MEMBERS, "member invitation"),
    **_all(_LOOK, _LOOK, "members_leave"),
    **_all(_P.AUDIT, None, "activity"),
}  # fmt: skip


def role_of(request: HttpRequest) -> str:
    """The visitor's role in the account that he acts for; "" of strangers and operators."""
    return getattr(request.user, "role", "") or ""


def needed(request: HttpRequest) -> Permission | None:
    """What this request takes; None of a page that is not in the table."""
    match = request.resolver_match
    needs = NEEDS.get(match.view_name if match else "")
    if needs is None:
        return None
    return needs.opened if request.method in ("GET", "HEAD") else needs.sent or needs.opened


def may(user: Any, name: str, *, sending: bool = False) -> bool:
    """Whether a page offers this visitor the way to an address, or its form. Who has no role is led to sign in."""
    role, needs = getattr(user, "role", ""), NEEDS.get(name)
    return not role or needs is None or roles.may(role, (sending and needs.sent) or needs.opened)
