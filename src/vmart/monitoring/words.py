"""What metrics are called: mails, pages and the API say it alike."""

from typing import Any

from django.utils.translation import gettext_lazy as _

_TITLES: dict[str, Any] = {
    "cpu_percent": _("CPU"),
    "memory_percent": _("Memory"),
    "memory_mib": _("Memory used"),
    "disk_percent": _("System disk"),
    "disk_mib": _("System disk used"),
    "disk_read_bytes": _("Disks, read"),
    "disk_written_bytes": _("Disks, written"),
    "disk_reads": _("Disks, reads"),
    "disk_writes": _("Disks, writes"),
    "received_bytes": _("Network in"),
    "sent_bytes": _("Network out"),
    "received_packets": _("Packets in"),
    "sent_packets": _("Packets out"),
    "public_sent_bytes": _("Public network out"),
}


def metric_title(column: str) -> str:
    """In the language that is set."""
    return str(_TITLES[column])
