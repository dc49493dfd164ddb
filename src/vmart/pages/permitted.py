"""What one must be permitted for each page: to open it, and to send a form to it.

``NEEDS`` is of an account's members, ``STAFF_NEEDS`` of those who sell: tables by the name of the address. A page that
is in neither is refused to everybody, so none is forgotten; what is nobody's (signing in) is not asked here.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from vmart.customers import roles, staff
from vmart.customers.roles import Permission
from vmart.customers.staff import StaffPermission

_P, _S = Permission, StaffPermission
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
    **_all(_LOOK, None, "buy_price"),
    **_all(_LOOK, _LOOK, "buy_code"),
    # The account itself.
    **_all(_KEYS, _KEYS, "api_keys api_key"),
    **_all(_LOOK, _P.MEMBERS, "members"),
    **_all(_P.MEMBERS, _P.MEMBERS, "member invitation"),
    **_all(_LOOK, _LOOK, "members_leave"),
    **_all(_P.AUDIT, None, "activity"),
}  # fmt: skip

# Never for one of the staff who acts for a customer, whatever his role: who else may, and what leads into machines.
_NEVER = """
    members member invitation members_leave api_keys api_key keys machine_keys order_passwords machine_password
    machine_reset_password machine_reinstall machine_rescue machine_console machine_console_ticket image_share
"""
NOT_ON_BEHALF = frozenset(_NEVER.split())
_MEANWHILE = """
    home account_logout set_theme set_language brand_style brand_logo brand_icon terms imprint console
"""
_ANYBODYS = frozenset(_MEANWHILE.split())


@dataclass(frozen=True, slots=True)
class StaffNeeds:
    """``opened``: to look at the page, None where there is none; ``sent``: to send its form, None where it has none."""

    opened: StaffPermission | None
    sent: StaffPermission | None


def _staff(opened: StaffPermission | None, sent: StaffPermission | None, names: str) -> dict[str, StaffNeeds]:
    return dict.fromkeys(names.split(), StaffNeeds(opened, sent))


STAFF_NEEDS: dict[str, StaffNeeds] = {
    **_staff(_S.LOOK, None, "seller seller_deliveries seller_zone seller_checklist"),
    **_staff(_S.CUSTOMERS, None, "seller_customers seller_customer seller_orders seller_order"),
    **_staff(_S.CUSTOMERS, None, "seller_payments seller_payment"),
    **_staff(None, _S.MONEY, "seller_customer_money seller_customer_discount seller_lost_refund seller_dismiss"),
    **_staff(None, _S.MONEY, "seller_card_refund_seen"),
    **_staff(_S.MONEY, _S.MONEY, "seller_order_refund seller_order_void seller_payment_refund"),
    **_staff(None, _S.STANDING, "seller_customer_freeze seller_customer_quotas"),
    **_staff(_S.MEND, _S.MEND, "seller_redeliver"),
    **_staff(None, _S.MEND, "seller_lost_end seller_retry"),
    **_staff(_S.PRICES, None, "seller_catalog seller_catalog_file seller_catalog_file_of"),
    **_staff(None, _S.STOCK, "seller_sold_out seller_host"),
    **_staff(_S.CATALOG, _S.CATALOG, "seller_prices seller_book_withdraw"),
    **_staff(_S.SHOP, _S.SHOP, "seller_shop seller_first_run seller_first_run_open"),
    **_staff(_S.SHOP, None, "seller_first_run_begin seller_first_run_file seller_trial seller_trial_progress"),
    **_staff(None, _S.SHOP, "seller_trial_act"),
    **_staff(_S.STAFF, _S.STAFF, "seller_staff seller_staff_member"),
    **_staff(None, _S.NOTES, "seller_customer_note seller_note_strike"),
    **_staff(None, _S.ACT_AS, "seller_act_as"),
    **_staff(None, _S.LOOK, "seller_act_as_end"),
}  # fmt: skip


def role_of(request: HttpRequest) -> str:
    """The visitor's role in the account that he acts for; "" of strangers and operators."""
    return getattr(request.user, "role", "") or ""


def needed(request: HttpRequest) -> Permission | None:
    """What this request takes; None of a page that is not in the table."""
    match = request.resolver_match
    name = match.view_name if match else ""
    needs = NEEDS.get(name)
    if needs is None or (name in NOT_ON_BEHALF and role_of(request) in roles.BEHALF):
        return None
    return needs.opened if request.method in ("GET", "HEAD") else needs.sent or needs.opened


def is_closed_on_behalf(name: str) -> bool:
    """Whether a page is never for who acts on behalf of a customer: his own among them, so that none is mistaken."""
    return name in NOT_ON_BEHALF or not (name in NEEDS or name in STAFF_NEEDS or name in _ANYBODYS)


def needed_of_staff(request: HttpRequest) -> StaffPermission | None:
    """What this request for a page of the seller takes; None of a page that is not in the table."""
    match = request.resolver_match
    needs = STAFF_NEEDS.get(match.view_name if match else "")
    if needs is None:
        return None
    return needs.opened or needs.sent if request.method in ("GET", "HEAD") else needs.sent or needs.opened


def staff_role_of(user: Any) -> str:
    """The visitor's role among those who sell; "" of everybody else."""
    return user.staff_role if getattr(user, "is_staff", False) else ""


def may(user: Any, name: str, *, sending: bool = False) -> bool:
    """Whether a page offers this visitor the way to an address, or its form. Who has no role is led to sign in."""
    if name in STAFF_NEEDS:
        asked = STAFF_NEEDS[name]
        permission = (asked.sent if sending else asked.opened) or asked.opened or asked.sent
        return permission is not None and staff.may(staff_role_of(user), permission)
    role, needs = getattr(user, "role", ""), NEEDS.get(name)
    if role in roles.BEHALF and is_closed_on_behalf(name):
        return False
    return not role or needs is None or roles.may(role, (sending and needs.sent) or needs.opened)
