"""Who else may make machines of an image. Machines that were made of it stay when the sharing ends."""

from collections.abc import Sequence

from vmart.customers.models import Account
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.orders import errors, things
from vmart.orders.images import own
from vmart.storage.images import ImageShare, ImageState, OwnImage

ACT = "ModifyImageSharePermission"
SHARES_MAX = 500  # accounts an image (API 3.0, ModifyImageSharePermission)
AT_ONCE_MAX = 50


def share(actor: Actor, image_id: str, accounts: Sequence[str]) -> None:
    """With these accounts too, all or none. Raises the refusals of ``_named``, SharedWithOneself, TooManyShares."""
    with db.act():
        image, named = _named(actor, image_id, accounts)
        if actor.account in named:
            raise errors.SharedWithOneself("An image is not shared with its own account.", field="accounts")
        there = set(ImageShare.objects.filter(image=image).values_list("account_id", flat=True))
        added = [account for account in named if account not in there]
        if len(there) + len(added) > SHARES_MAX:
            raise errors.TooManyShares(
                "An image is shared with at most {most} accounts, and {id} is with {there}.",
                field="accounts", most=SHARES_MAX, id=image.public_id, there=len(there),
            )  # fmt: skip
        now = clock.now()
        ImageShare.objects.bulk_create(ImageShare(image=image, account_id=one, created_at=now) for one in added)
        _told(actor, image, shared=added)


def unshare(actor: Actor, image_id: str, accounts: Sequence[str]) -> None:
    """With these accounts no more; with whom it is not shared stays so. Raises the refusals of ``_named``."""
    with db.act():
        image, named = _named(actor, image_id, accounts)
        shares = ImageShare.objects.filter(image=image, account_id__in=named)
        ended = sorted(shares.values_list("account_id", flat=True))
        shares.delete()
        _told(actor, image, unshared=ended)


def _told(actor: Actor, image: OwnImage, **accounts: list[int]) -> None:
    if any(accounts.values()):
        things.events([image], ACT, [dict(accounts)], actor)


def _named(actor: Actor, image_id: str, accounts: Sequence[str]) -> tuple[OwnImage, list[int]]:
    """The image, locked, and the accounts. Raises UnknownImage, NotImageOwner, ImageBusy, UnknownAccount."""
    if not accounts:
        raise MissingParameter("AccountIds names no account.", field="accounts")
    if len(accounts) > AT_ONCE_MAX:
        raise InvalidParameter(
            "At most {most} accounts at once.", field="accounts", code="InvalidParameterValueLimit", most=AT_ONCE_MAX
        )
    (image,) = own.lock(actor.account, [image_id])
    if image.state != ImageState.NORMAL:
        raise errors.ImageBusy(
            "The image {id} is {state}; it can be shared when it is NORMAL.",
            field="images", code="InvalidImageId.IncorrectState", id=image.public_id, state=image.state,
        )  # fmt: skip
    wanted = [int(one) if one.isascii() and one.isdigit() and len(one) < 19 else -1 for one in accounts]
    known = set(Account.objects.filter(id__in=wanted).values_list("id", flat=True))
    for text, number in zip(accounts, wanted, strict=True):
        if number not in known:
            raise errors.UnknownAccount("The account {id} does not exist.", field="accounts", id=text)
    return image, sorted(set(wanted))
