"""What a request may say again of a thing, and not change: programs send what they know of it (Terraform does)."""

from vmart.kernel.errors import Unsupported


def refuse_change(said: str, now: str, public_id: str, field: str) -> None:
    """Raise Unsupported where another value is said than the thing has."""
    if said != now:
        raise Unsupported(
            "{said} cannot be had by this change: {id} has {now}, and keeps it.",
            field=field,
            said=said,
            id=public_id,
            now=now,
        )
