"""Addresses of the pages. Of allauth's only those that this shop offers."""

from allauth.account import views as allauth
from django.urls import path, re_path, register_converter

from vmart.web.second_factor import later
from vmart.web.views import (
    activity,
    addresses,
    api_keys,
    as_code,
    billing,
    bound_keys,
    changes,
    chosen,
    console,
    disks,
    forgotten,
    images,
    kept_lists,
    keys,
    machines,
    members,
    monitoring,
    move,
    networks,
    orders,
    overview,
    own_settings,
    packages,
    passwords,
    payments,
    placement_groups,
    planned_end,
    purchase,
    quotas,
    renewal,
    search,
    security,
    security_groups,
    snapshot_policies,
    snapshots,
    system,
    tags,
    templates,
)


class MachineId:
    """A public id of a machine."""

    regex = "ins-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class TemplateId:
    """A public id of a launch template."""

    regex = "lt-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class GroupId:
    """A public id of a placement group."""

    regex = "ps-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class SecurityGroupId:
    """A public id of a security group."""

    regex = "sg-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class Way:
    """The direction of rules."""

    regex = "ingress|egress"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class DiskId:
    """A public id of a disk with a life of its own."""

    regex = "disk-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class SnapshotId:
    """A public id of a snapshot."""

    regex = "snap-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class AlarmId:
    """A public id of an alarm."""

    regex = "alarm-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class PolicyId:
    """A public id of a snapshot policy."""

    regex = "asp-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class ImageId:
    """A public id of a customer's image."""

    regex = "img-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class EipId:
    """A public id of a bought public address."""

    regex = "eip-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class PackageId:
    """A public id of a bandwidth package."""

    regex = "bwp-[0-9a-z]{8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class Power:
    """What can be asked of a machine without confirmation."""

    regex = "start|reboot"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(MachineId, "machine")
register_converter(TemplateId, "template")
register_converter(GroupId, "group")
register_converter(SecurityGroupId, "security_group")
register_converter(Way, "way")
register_converter(DiskId, "disk")
register_converter(EipId, "eip")
register_converter(PackageId, "package")
register_converter(SnapshotId, "snapshot")
register_converter(PolicyId, "policy")
register_converter(AlarmId, "alarm")
register_converter(ImageId, "image")
register_converter(Power, "power")

urlpatterns = [
    path("", purchase.home, name="home"),
    path("overview/", overview.overview, name="overview"),
    path("lists/filters/keep/", kept_lists.keep, name="list_filter_keep"),
    path("lists/filters/<int:number>/remove/", kept_lists.remove, name="list_filter_remove"),
    path("lists/columns/", kept_lists.columns, name="list_columns"),
    path("search/", search.page, name="search"),
    path("buy/", purchase.buy, name="buy"),
    path("buy/price/", purchase.price, name="buy_price"),
    path("buy/code/", as_code.code, name="buy_code"),
    path("orders/", orders.listing, name="orders"),
    path("orders/<int:order_id>/", orders.detail, name="order"),
    path("orders/<int:order_id>/progress/", orders.progress, name="order_progress"),
    path("orders/<int:order_id>/pay/", payments.pay_order, name="order_pay"),
    path("orders/<int:order_id>/passwords/", passwords.of_order, name="order_passwords"),
    path("machines/", machines.listing, name="machines"),
    path("machines/chosen/", chosen.machines, name="machines_chosen"),
    path("machines/renew/", renewal.renew_page, name="machines_renew"),
    path("machines/renew/flag/", renewal.set_flag, name="machines_renew_flag"),
    path("machines/<machine:public_id>/", machines.detail, name="machine"),
    path("machines/<machine:public_id>/live/", machines.live, name="machine_live"),
    path("machines/<machine:public_id>/monitoring/", monitoring.machine, name="machine_monitoring"),
    path("alarms/", monitoring.listing, name="alarms"),
    path("alarms/<alarm:public_id>/", monitoring.alarm, name="alarm"),
    path("alarms/<alarm:public_id>/switch/", monitoring.switch, name="alarm_switch"),
    path("alarms/<alarm:public_id>/delete/", monitoring.delete, name="alarm_delete"),
    path("machines/<machine:public_id>/another/", purchase.another, name="machine_another"),
    path("machines/<machine:public_id>/stop/", machines.stop_page, name="machine_stop"),
    path("machines/<machine:public_id>/bandwidth/", changes.bandwidth_page, name="machine_bandwidth"),
    path("machines/<machine:public_id>/bandwidth/window/", changes.window_page, name="machine_window"),
    path("machines/<machine:public_id>/disk/", changes.disk_page, name="machine_disk"),
    path("machines/<machine:public_id>/type/", changes.type_page, name="machine_type"),
    path("machines/<machine:public_id>/prepay/", changes.prepay_page, name="machine_prepay"),
    path("machines/<machine:public_id>/end/", machines.end_page, name="machine_end"),
    path("machines/<machine:public_id>/planned-end/", planned_end.planned_end_page, name="machine_planned_end"),
    path("machines/<machine:public_id>/password/", passwords.of_machine, name="machine_password"),
    path("machines/<machine:public_id>/tags/", tags.machine_page, name="machine_tags"),
    path("machines/<machine:public_id>/security-groups/", security_groups.machine_page, name="machine_groups"),
    path("tags/", tags.listing, name="tags"),
    path("machines/<machine:public_id>/keys/", bound_keys.keys_page, name="machine_keys"),
    path("machines/<machine:public_id>/host-name/", system.host_name_page, name="machine_host_name"),
    path("machines/<machine:public_id>/reset-password/", passwords.reset_page, name="machine_reset_password"),
    path("machines/<machine:public_id>/network/", move.network_page, name="machine_network"),
    path("machines/<machine:public_id>/console/", console.console_page, name="machine_console"),
    path("machines/<machine:public_id>/console/ticket/", console.ticket, name="machine_console_ticket"),
    path("console/", console.by_ticket, name="console"),
    path("machines/<machine:public_id>/rescue/", system.rescue_page, name="machine_rescue"),
    path("machines/<machine:public_id>/leave-rescue/", system.leave_rescue_page, name="machine_leave_rescue"),
    path("machines/<machine:public_id>/reinstall/", system.reinstall_page, name="machine_reinstall"),
    path("machines/<machine:public_id>/<power:act>/", machines.power, name="machine_power"),
    path("disks/", disks.listing, name="disks"),
    path("disks/new/", disks.new_page, name="disk_new"),
    path("disks/chosen/", chosen.disks, name="disks_chosen"),
    path("disks/renew/", renewal.renew_disks_page, name="disks_renew"),
    path("disks/renew/flag/", renewal.set_flag_of_disks, name="disks_renew_flag"),
    path("disks/<disk:public_id>/prepay/", disks.prepay_page, name="disk_prepay"),
    path("disks/<disk:public_id>/", disks.detail, name="disk"),
    path("disks/<disk:public_id>/attach/", disks.attach_page, name="disk_attach"),
    path("disks/<disk:public_id>/detach/", disks.detach_page, name="disk_detach"),
    path("disks/<disk:public_id>/size/", disks.size_page, name="disk_size"),
    path("disks/<disk:public_id>/end/", disks.end_page, name="disk_end"),
    path("images/", images.listing, name="images"),
    path("images/new/", images.new_page, name="image_new"),
    path("images/import/", images.import_page, name="image_import"),
    path("images/<image:public_id>/", images.detail, name="image"),
    path("images/<image:public_id>/share/", images.share_with, name="image_share"),
    path("images/<image:public_id>/unshare/", images.unshare_with, name="image_unshare"),
    path("images/<image:public_id>/delete/", images.delete_page, name="image_delete"),
    path("snapshots/", snapshots.listing, name="snapshots"),
    path("snapshots/chosen/", chosen.snapshots, name="snapshots_chosen"),
    path("snapshots/new/", snapshots.new_page, name="snapshot_new"),
    path("snapshots/policies/", snapshot_policies.listing, name="snapshot_policies"),
    path("snapshots/policies/<policy:public_id>/", snapshot_policies.detail, name="snapshot_policy"),
    path("snapshots/policies/<policy:public_id>/bind/", snapshot_policies.bind, name="snapshot_policy_bind"),
    path("snapshots/policies/<policy:public_id>/unbind/", snapshot_policies.unbind, name="snapshot_policy_unbind"),
    path("snapshots/policies/<policy:public_id>/switch/", snapshot_policies.switch, name="snapshot_policy_switch"),
    path("snapshots/policies/<policy:public_id>/delete/", snapshot_policies.delete_page, name="snapshot_policy_delete"),
    path("snapshots/<snapshot:public_id>/", snapshots.detail, name="snapshot"),
    path("snapshots/<snapshot:public_id>/restore/", snapshots.restore_page, name="snapshot_restore"),
    path("snapshots/<snapshot:public_id>/delete/", snapshots.delete_page, name="snapshot_delete"),
    path("templates/", templates.listing, name="templates"),
    path("templates/<template:public_id>/", templates.detail, name="template"),
    path("templates/<template:public_id>/default/", templates.make_default, name="template_default"),
    path("templates/<template:public_id>/delete/", templates.delete_page, name="template_delete"),
    path("placement-groups/", placement_groups.listing, name="placement_groups"),
    path("placement-groups/<group:public_id>/", placement_groups.detail, name="placement_group"),
    path("placement-groups/<group:public_id>/join/", placement_groups.join, name="placement_group_join"),
    path("placement-groups/<group:public_id>/leave/", placement_groups.leave, name="placement_group_leave"),
    path("placement-groups/<group:public_id>/delete/", placement_groups.delete, name="placement_group_delete"),
    path("packages/", packages.listing, name="packages"),
    path("packages/buy/", packages.buy, name="package_buy"),
    path("packages/<package:public_id>/", packages.detail, name="package"),
    path("packages/<package:public_id>/tags/", tags.package_page, name="package_tags"),
    path("packages/<package:public_id>/bandwidth/", packages.faster, name="package_bandwidth"),
    path("packages/<package:public_id>/add/", packages.add, name="package_add"),
    path("packages/<package:public_id>/remove/", packages.remove, name="package_remove"),
    path("packages/<package:public_id>/delete/", packages.end, name="package_delete"),
    path("addresses/", addresses.listing, name="addresses"),
    path("addresses/buy/", addresses.buy, name="address_buy"),
    path("addresses/chosen/", chosen.addresses, name="addresses_chosen"),
    path("addresses/renew/", renewal.renew_addresses_page, name="addresses_renew"),
    path("addresses/renew/flag/", renewal.set_flag_of_addresses, name="addresses_renew_flag"),
    path("addresses/<eip:public_id>/", addresses.detail, name="address"),
    path("addresses/<eip:public_id>/tags/", tags.address_page, name="address_tags"),
    path("addresses/<eip:public_id>/bind/", addresses.bind, name="address_bind"),
    path("addresses/<eip:public_id>/unbind/", addresses.unbind, name="address_unbind"),
    path("addresses/<eip:public_id>/bandwidth/", addresses.faster, name="address_bandwidth"),
    path("addresses/<eip:public_id>/charged/", addresses.charged, name="address_charged"),
    path("addresses/<eip:public_id>/release/", addresses.release, name="address_release"),
    path("keys/", keys.keys, name="keys"),
    path("networks/", networks.networks, name="networks"),
    path("security-groups/", security_groups.listing, name="security_groups"),
    path("security-groups/<security_group:public_id>/", security_groups.detail, name="security_group"),
    path("security-groups/<security_group:public_id>/rules/", security_groups.rules, name="security_group_rules"),
    path(
        "security-groups/<security_group:public_id>/<way:way>/<int:index>/",
        security_groups.rule_page, name="security_group_rule",
    ),
    path("security-groups/<security_group:public_id>/delete/", security_groups.delete, name="security_group_delete"),
    path("api-keys/", api_keys.keys, name="api_keys"),
    path("api-keys/<int:number>/", api_keys.key, name="api_key"),
    path("members/", members.listing, name="members"),
    path("members/leave/", members.leave, name="members_leave"),
    path("members/<int:user_id>/", members.member, name="member"),
    path("members/invitations/<int:number>/withdraw/", members.withdraw, name="invitation"),
    re_path(r"^invitations/(?P<word>[-_A-Za-z0-9]{1,100})/$", members.invited, name="invited"),
    path("accounts/acting-for/", members.switch, name="act_for"),
    path("accounts/settings/", own_settings.page, name="settings"),
    path("balance/", billing.balance, name="balance"),
    path("balance/top-up/", payments.top_up_page, name="top_up"),
    path("payments/<int:payment_id>/", payments.payment, name="payment"),
    path("payments/<int:payment_id>/state/", payments.payment_state, name="payment_state"),
    path("quotas/", quotas.page, name="quotas"),
    path("activity/", activity.activity, name="activity"),
    path("charges/", billing.charge_list, name="charges"),
    path("charges/by-tag/", billing.charges_by_tag, name="charges_by_tag"),
    path("charges.csv", billing.charge_csv, name="charges_csv"),
    path("accounts/login/", allauth.login, name="account_login"),
    path("accounts/signup/", allauth.signup, name="account_signup"),
    path("accounts/logout/", allauth.logout, name="account_logout"),
    path("accounts/password/", allauth.password_change, name="account_change_password"),
    path("accounts/password/reset/", forgotten.forgotten, name="account_reset_password"),
    path("accounts/password/reset/done/", allauth.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth.password_reset_from_key, name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/key/done/",
        allauth.password_reset_from_key_done, name="account_reset_password_from_key_done",
    ),
    path("accounts/inactive/", allauth.account_inactive, name="account_inactive"),
    path("accounts/security/", security.page, name="security"),
    path("accounts/security/sessions/", security.session_list, name="sessions"),
    path("accounts/email/", security.address, name="account_email"),
    path("accounts/confirm-email/", security.mail_sent, name="account_email_verification_sent"),
    re_path(r"^accounts/confirm-email/(?P<key>[-:\w]+)/$", security.confirm_email, name="account_confirm_email"),
    path("accounts/reauthenticate/", allauth.reauthenticate, name="account_reauthenticate"),
    path("accounts/2fa/", security.back, name="mfa_index"),
    path("accounts/2fa/authenticate/", later("base.views.authenticate", strangers=True), name="mfa_authenticate"),
    path("accounts/2fa/reauthenticate/", later("base.views.reauthenticate"), name="mfa_reauthenticate"),
    path("accounts/2fa/app/on/", later("totp.views.activate_totp"), name="mfa_activate_totp"),
    path("accounts/2fa/app/off/", later("totp.views.deactivate_totp"), name="mfa_deactivate_totp"),
    path("accounts/2fa/codes/", later("recovery_codes.views.view_recovery_codes"), name="mfa_view_recovery_codes"),
    path(
        "accounts/2fa/codes/new/",
        later("recovery_codes.views.generate_recovery_codes"), name="mfa_generate_recovery_codes",
    ),
    path("accounts/passkeys/", security.back, name="mfa_list_webauthn"),
    path("accounts/passkeys/new/", later("webauthn.views.add_webauthn"), name="mfa_add_webauthn"),
    path("accounts/passkeys/<int:pk>/remove/", later("webauthn.views.remove_webauthn"), name="mfa_remove_webauthn"),
    path(
        "accounts/passkeys/login/",
        later("webauthn.views.login_webauthn", strangers=True), name="mfa_login_webauthn",
    ),
    path(
        "accounts/passkeys/reauthenticate/",
        later("webauthn.views.reauthenticate_webauthn"), name="mfa_reauthenticate_webauthn",
    ),
]  # fmt: skip
