"""Images of customers: the list, a new one of a machine, one of them, and with whom it is shared."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.listings import activity, charges, images, overview
from vmart.listings.images import PRIVATE, ImageView
from vmart.orders import holds, live_cost
from vmart.orders.by_the_gib import Cost
from vmart.orders.images import attributes, charge, create, delete, import_image, share
from vmart.orders.images.create import NewImage
from vmart.orders.snapshots import create as snapshots
from vmart.pages.table import Shown
from vmart.policy import policy
from vmart.storage.models import Disk, OwnImage
from vmart.subscriptions.models import Source, Standing, Subscription
from vmart.web import typed_tags
from vmart.web.acting import as_file, done, found, machine_of, was_shown
from vmart.web.image_forms import ImageName, ImageShares, NewImport, NewOwnImage
from vmart.web.storage_tables import IMAGES
from vmart.web.visitor import actor, customer, field

_BUSY = ("CREATING", "IMPORTING")


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The account's own images and those shared with it, newest first."""
    if as_file(request):
        return IMAGES.file("images.csv", lambda key: images.by_key(account_id, before=key))
    page = images.by_key(account_id, before=request.GET.get("before", ""))
    busy = any(row.state in _BUSY for row in page.rows)
    return render(request, "web/images/list.html", {"images": Shown(IMAGES, page, request), "busy": busy})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def new_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Make one of the machine that the address names, told first what an hour of its snapshot costs."""
    typed = request.POST if request.method == "POST" else request.GET
    machine = machine_of(account_id, field(typed, "machine"))
    form = NewOwnImage(request.POST if request.method == "POST" else None, initial={"name": machine.name[:60]})
    due = _cost(machine)
    if request.method == "POST" and due and form.is_valid() and was_shown(request, "hourly", due.hourly):
        made = form.made(lambda: create.of_machine(actor(request, account_id), machine.public_id, _asked(form)))
        if made:
            messages.success(request, _("The image is being made."))
            return redirect("image", made)
    here = {"machine": machine, "form": form, "cost": due}
    return render(request, "web/images/new.html", here, status=422 if form.errors else 200)


def _cost(machine: Instance) -> Cost | None:
    """Of an hour of its snapshot; None where none are sold."""
    system = next(disk for disk in overview.disks(machine.id) if disk.usage == Disk.Usage.SYSTEM)
    try:
        return snapshots.cost(machine.account_id, machine.zone_id, system.size_gib)
    except Refused:
        return None


def _asked(form: NewOwnImage) -> NewImage:
    typed = form.cleaned_data
    tags = typed_tags.read(typed["tags"])
    return NewImage(typed["name"], typed["description"], turned_off=typed["turned_off"], tags=tags)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def import_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Make one of a system that is fetched from an address."""
    zones = import_image.takes()
    form = NewImport(list(zones), request.POST if request.method == "POST" else None)
    costs = {zone: _import_cost(account_id, zone) for zone in zones}
    shown = " ".join(f"{zone}={each.hourly}" for zone, (each, _largest) in costs.items())
    if request.method == "POST" and was_shown(request, "shown", shown):
        who = actor(request, account_id)
        made = form.made(lambda: import_image.accept(who, import_image.NewImport(**form.cleaned_data)))
        if made:
            messages.success(request, _("The image is being imported."))
            return redirect("image", made)
    most_gib = policy.at(clock.now()).image_import_gib
    here = {"form": form, "costs": costs, "shown": shown, "most_gib": most_gib}
    return render(request, "web/images/import.html", here, status=422 if form.errors else 200)


def _import_cost(account_id: int, zone: str) -> tuple[Cost, Cost]:
    """Of a GiB, and of the largest, whose hour is set aside until its size is known."""
    return charge.cost(account_id, zone, 1), charge.cost(account_id, zone, charge.largest_gib())


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One image; its name and description are changed here."""
    image = _image(account_id, public_id)
    now = {"name": image.name, "description": image.description}
    form = ImageName(request.POST if request.method == "POST" else None, initial=now)
    if form.takes(lambda: attributes.modify(actor(request, account_id), public_id, **form.cleaned_data)):
        messages.success(request, _("The image was changed."))
        return redirect("image", public_id)
    is_own = image.kind == PRIVATE
    here = {
        "image": image, "form": form, "is_own": is_own, "base": shop.snapshot().images[image.base],
        "busy": image.state in _BUSY, "can_end": is_own and image.state != "CREATING", "share": ImageShares(),
        "shares": images.shares(account_id, public_id) if image.shares else (),
        "events": activity.of_thing(OwnImage.KIND, image.id) if is_own else (),
        **(_charged(account_id, image) if is_own and image.imported else {}),
    }  # fmt: skip
    return render(request, "web/images/image.html", here, status=422 if form.errors else 200)


def _charged(account_id: int, image: ImageView) -> dict[str, Any]:
    """What one that was imported costs."""
    agreed = Subscription.objects.get(pk=image.id)
    stands = agreed.standing in (Standing.PENDING, Standing.ACTIVE)
    return {
        "agreed": agreed, "put_away": agreed.isolated_source == Source.ARREAR,
        "hourly": holds.hourly([image.id])[image.id] if stands else None,
        "closed_exact": charges.of_parts(account_id, [image.id], agreed.started_at),
        "open_exact": live_cost.open_exact(account_id, image.id),
    }  # fmt: skip


@require_POST
@customer
def share_with(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One account more may have machines made of it."""
    who, other = actor(request, account_id), field(request.POST, "account").strip()
    said = _("The image is shared with account {id} now.").format(id=other)
    return done(request, lambda: share.share(who, public_id, [other]), said, "image", public_id)


@require_POST
@customer
def unshare_with(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One account less."""
    who, other = actor(request, account_id), field(request.POST, "account")
    said = _("The image is shared with account {id} no more.").format(id=other)
    return done(request, lambda: share.unshare(who, public_id, [other]), said, "image", public_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def delete_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Deleted, alone or with its snapshot, told first what stays."""
    image = _image(account_id, public_id)
    if request.method != "POST":
        return render(request, "web/images/delete.html", {"image": image})
    who, with_snapshots = actor(request, account_id), field(request.POST, "snapshot") == "delete"
    return done(
        request, lambda: delete.delete(who, [public_id], with_snapshots=with_snapshots),
        _("The image is being deleted."), "image", public_id, onward="images",
    )  # fmt: skip


def _image(account_id: int, public_id: str) -> ImageView:
    return found(images.one(account_id, public_id))
