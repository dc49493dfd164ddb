"""The purchase page: price it as often as you like, buy it once."""

import json
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from vmart.customers.roles import Permission
from vmart.instances import key_pairs
from vmart.instances.models import KeyPair
from vmart.kernel.errors import Refused
from vmart.launch_templates import contents, keep
from vmart.launch_templates.keep import NewVersion
from vmart.listings import at_a_glance, machines, placement_groups
from vmart.listings.machines import Wanted
from vmart.orders import on_behalf, place, purchase, user_data
from vmart.orders.errors import TokenReused
from vmart.orders.models import Idempotency
from vmart.orders.wanted import Machine, Purchase
from vmart.pages import shown_quote
from vmart.payments import providers
from vmart.pricing.quote import Quote
from vmart.web import acting, first_boot, from_template, like_it, offer, tray, way_in
from vmart.web.choice import Typed
from vmart.web.offer import Offer
from vmart.web.visitor import account_id_of, actor, customer, field, refuse_on_behalf, require

_KEY_PAIRS_SHOWN = _GROUPS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Notice:
    text: str
    order_id: int | None = None
    tone: str = "warning"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Operators begin with their own page, who has something here with the overview, everybody else by buying."""
    user, account_id = request.user, account_id_of(request)
    if account_id is None:
        return redirect("seller" if user.is_authenticated and user.is_staff else "buy")
    return redirect("overview" if at_a_glance.has_anything(account_id) else "buy")


@never_cache
@sensitive_post_parameters("password", "form", "user_data")
@require_http_methods(["GET", "HEAD", "POST"])
def buy(request: HttpRequest) -> HttpResponse:
    """GET: the page for the form in the address. POST: buy what was shown, or show it again with why not.

    The page posts to its own address with the choices in it, so what is shown again can be shared and reloaded.
    """
    if request.method == "POST":
        return _post(request)
    if account_id_of(request) is None:
        return _page(request, first_boot.opened(request))
    token = request.GET.get("form", "")
    if not shown_quote.is_token(token):
        return _with_token(request)
    order_id = _order_of(request, token)
    if order_id is None:
        return _page(request, first_boot.opened(request))
    return _page(
        request, first_boot.opened(request), Notice(_("This form has bought order {id}.").format(id=order_id), order_id)
    )


def _with_token(request: HttpRequest) -> HttpResponse:
    """The same page under an address of its own, which buys once."""
    query = request.GET.copy()
    query["form"] = shown_quote.new_token()
    return redirect(f"{reverse('buy')}?{query.urlencode()}")


@never_cache
@require_GET
def price(request: HttpRequest) -> HttpResponse:
    """The parts of the page that follow the form; the address follows too."""
    account_id = account_id_of(request)
    shown = offer.make(Typed.of(request.GET), account_id)
    address = f"{reverse('buy')}?{shown.query}"
    here = {
        "offer": shown,
        "account_id": account_id,
        "cards": providers.offered(),
        "act": request.GET.get("act", ""),
        "page_address": address,
        "next_address": _without_token(shown),
    }
    response = render(request, "web/buy/update.html", here)
    response["HX-Replace-Url"] = address
    return response


@never_cache
@require_safe
@customer
def another(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The form with all that this machine has, to buy another one."""
    _total, there = machines.page(account_id, Wanted(public_ids=[public_id]), limit=1)
    like = acting.found(there[0] if there else None)
    return redirect(f"{reverse('buy')}?{like_it.address_of(like)}")


def _without_token(shown: Offer) -> str:
    """The choices as an address that anybody can begin with."""
    return f"{reverse('buy')}?{shown.choice.query()}"


def _page(
    request: HttpRequest,
    typed: QueryDict,
    *notices: Notice,
    refused: Refused | None = None,
    fresh: bool = False,
    status: int = 200,
    **more: object,
) -> HttpResponse:
    account_id = account_id_of(request)
    shown = offer.make(Typed.sent(typed), account_id)
    shown.refused = status != 200
    if fresh:
        shown.token = shown_quote.new_token()
    if refused is not None:
        shown.refuse(refused)
    pairs = KeyPair.objects.filter(account_id=account_id).order_by("-id")[:_KEY_PAIRS_SHOWN] if account_id else ()
    own = [pair.public_id for pair in pairs]
    here = more | {
        "offer": shown,
        "notices": notices,
        "account_id": account_id,
        "cards": providers.offered(),
        "typed": typed,
        "key_pairs": pairs,
        "groups": _groups(account_id, shown.choice.values["group"]) if account_id else {},
        "chosen_keys": [key for key in shown.choice.keys if key in own] or own[:1],
        "page_address": f"{reverse('buy')}?{shown.query}",
        "next_address": _without_token(shown),
        "user_data_max_kib": user_data.MAX_BYTES // 1024,
    }
    return render(request, "web/buy/page.html", here, status=status)


def _groups(account_id: int, chosen: str) -> dict[str, str]:
    """Placement groups by id and name; what is chosen too, whatever it is: the purchase says what is wrong with it."""
    _total, found = placement_groups.some(account_id, limit=_GROUPS_SHOWN)
    names = {group.public_id: group.name for group in found}
    return names | ({chosen: chosen} if chosen and chosen not in names else {})


class _ShowAgain(Exception):
    """The purchase was not made: the page is shown with its price, to be confirmed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.notices = [Notice(text)] if text else []


class _Done(Exception):
    """This form has already bought: the order is shown."""


def _post(request: HttpRequest) -> HttpResponse:
    account_id, form = account_id_of(request), request.POST
    act = form.get("act", "")
    if act in _ACTS and account_id is not None:
        done, permission = _ACTS[act]
        require(request, permission)
        return done(request, account_id)
    shown = offer.make(Typed.sent(form), None)
    if act in ("buy", "card") and not request.user.is_authenticated:
        return redirect(f"{reverse('account_login')}?{urlencode({'next': _without_token(shown)})}")
    if act == "keep":
        return _anew(request, tray.keep(shown.choice), "#tray")
    return _anew(request, shown.query, "#data-disks" if "disk" in act else "")


def _anew(request: HttpRequest, query: str, place: str = "") -> HttpResponse:
    """The page under the address that says all that is chosen; what no address says would be lost on the way there."""
    carried = first_boot.carried(query, request.POST)
    return redirect(f"{reverse('buy')}?{query}{place}") if carried is None else _page(request, carried)


def _to_top_up(request: HttpRequest, account_id: int) -> HttpResponse:
    """To the top-up of what this form lacks; to the form itself where it lacks nothing or has no price."""
    shown = offer.make(Typed.sent(request.POST), account_id)
    if shown.quoted is None:
        return _page(request, request.POST, status=409)
    if not shown.lacks_minor:
        return _anew(request, shown.query)
    first_boot.leave(request)
    return redirect(shown.top_up_address)


def _new_key(request: HttpRequest, account_id: int) -> HttpResponse:
    """Make or import a key pair in place: the page again with the new pair chosen. Its private key is shown once."""
    refuse_on_behalf(request, "keys")
    form, name = request.POST.copy(), field(request.POST, "key_name")
    form["login"] = "key"
    try:
        if form["act"] == "import_key":
            pair, private_key = key_pairs.import_(actor(request, account_id), name, field(form, "public_key")), ""
        else:
            pair, private_key = key_pairs.create(actor(request, account_id), name)
    except Refused as refused:
        return _page(request, form, refused=refused, status=422)
    form.setlist("key", [pair.public_id])
    form["key_name"] = form["public_key"] = ""
    if private_key:
        return _page(request, form, made=pair, private_key=private_key)
    messages.success(request, _("The key pair {name} was imported.").format(name=pair.name))
    return _anew(request, offer.make(Typed.sent(form), None).query, "#login")


def _submit(request: HttpRequest, account_id: int) -> HttpResponse:
    """Buy once what was shown. Nothing is written where the page is shown again."""
    form, token = request.POST, request.POST.get("form", "")
    try:
        shown, quoted = _confirmed(form, account_id, token)
        order_id = _buy(request, account_id, shown, quoted)
    except _Done as done:
        return redirect("order", done.args[0])
    except _ShowAgain as again:
        return _page(request, form, *again.notices, status=409)
    except TokenReused:
        text = _("This form has already bought something. To buy this as well, confirm it here; see also your orders.")
        return _page(request, form, Notice(text, _order_of(request, token)), fresh=True, status=409)
    except Refused as refused:
        return _page(request, form, refused=refused, status=422)
    answer = redirect("order", order_id)
    answer.status_code = 303
    return answer


def _confirmed(form: QueryDict, account_id: int, token: str) -> tuple[Offer, Quote]:
    """The form and the quote that was shown for just this configuration, else _ShowAgain or _Done."""
    shown = offer.make(Typed.sent(form), account_id)
    try:
        quoted = shown_quote.read(account_id, form.get("quote", ""))
    except shown_quote.NotShown as missing:
        if not missing.expired:
            raise _ShowAgain(_("Please check the price and confirm.")) from missing
        _done_before(account_id, token)  # a purchase of long ago, sent again
        text = _("The price was shown too long ago to hold. This is the price now: please confirm.")
        raise _ShowAgain(text) from missing
    if shown.choice.errors:
        raise _ShowAgain("")
    if shown.choice.configuration != quoted.configuration or not shown_quote.is_token(token):
        if shown.choice.notices:
            _done_before(account_id, token)  # sent twice, and the first has bought the last one
        text = _("The configuration was changed after its price was shown. This is its price: please confirm.")
        raise _ShowAgain(text)
    return shown, quoted


def _done_before(account_id: int, token: str) -> None:
    """Raise _Done with the order that this form has already made, if there is one."""
    known = Idempotency.objects.filter(account_id=account_id, token=shown_quote.client_token(token)).first()
    if known:
        raise _Done(known.answer["order_id"])


def _order_of(request: HttpRequest, token: str) -> int | None:
    """The order that the form with this token has made for the visitor."""
    try:
        _done_before(account_id_of(request) or 0, token)
    except _Done as done:
        return int(done.args[0])
    return None


def _buy(request: HttpRequest, account_id: int, shown: Offer, quoted: Quote) -> int:
    """Buy what was shown, or place it to be paid by card; the order. Passwords to be generated the purchase makes."""
    form, token = request.POST, request.POST.get("form", "")
    wanted = Purchase(
        actor(request, account_id), quoted.configuration, _machine(request, shown),
        client_token=shown_quote.client_token(token), expected=quoted,
    )  # fmt: skip
    if form.get("act") == "card":
        return place.place(wanted)
    return purchase.purchase(wanted).order_id


def _machine(request: HttpRequest, shown: Offer) -> Machine:
    """Raises NotPermitted where whoever acts for a customer would choose how one gets into the machine."""
    made = from_template.machine(shown.choice, way_in.of(shown.choice, request.POST))
    if getattr(request.user, "behalf", None):
        on_behalf.refuse_way_in(made)
    return made


def _wanted(request: HttpRequest, account_id: int, shown: Offer) -> Purchase:
    """The purchase of what the form says, whatever was shown of it before."""
    return Purchase(actor(request, account_id), shown.choice.configuration, _machine(request, shown))


def _dry_run(request: HttpRequest, account_id: int) -> HttpResponse:
    """Whether this would be bought now, by RunInstances' own rule for DryRun; nothing changes."""
    shown = offer.make(Typed.sent(request.POST), account_id)
    if shown.quoted is None or shown.errors:
        return _page(request, request.POST, status=422)
    try:
        purchase.dry_run(_wanted(request, account_id, shown))
    except Refused as refused:
        return _page(request, request.POST, refused=refused, status=422)
    return _page(request, request.POST, Notice(_("This would be accepted now. Nothing was bought."), tone="success"))


def _save(request: HttpRequest, account_id: int) -> HttpResponse:
    """Keep what is chosen as a new launch template, or as a new version of the one that the form began with."""
    form = request.POST
    shown = offer.make(Typed.sent(form), account_id)
    if shown.quoted is None:
        return _page(request, form, status=422)
    try:
        public_id = _kept(request, account_id, shown)
    except Refused as refused:
        return _page(request, form, refused=refused, status=422)
    answer = redirect("template", public_id)
    answer.status_code = 303
    return answer


def _kept(request: HttpRequest, account_id: int, shown: Offer) -> str:
    """The public id of the template that has it now."""
    form, user = request.POST, request.user
    if shown.choice.values["login"] == "password":
        raise keep.no_password()
    wanted = _wanted(request, account_id, shown)
    said, description = contents.of(wanted), field(form, "template_description").strip()
    name, source = field(form, "template_name").strip(), shown.choice.source
    told = json.dumps([form.get("act"), name, description, source and source.template_id, said], sort_keys=True)
    token = shown_quote.client_token(form.get("form", "") + told)  # sent twice it is kept once; changed, it is another
    new = NewVersion(replace(wanted, client_token=token), said, int(user.pk or 0), description)
    if form.get("act") == "save_version" and source:
        number = keep.add_version(source.template_id, new)
        messages.success(request, _("Version {number} was saved.").format(number=number))
        return source.template_id
    public_id = keep.create(name, new)
    messages.success(request, _("The template {name} was saved.").format(name=name))
    return public_id


# What a button of the form has done for who has an account, and what a member must be permitted for it.
_ACTS = {
    "buy": (_submit, Permission.SPEND), "card": (_submit, Permission.SPEND), "dry_run": (_dry_run, Permission.SPEND),
    "top_up": (_to_top_up, Permission.PAY),
    "save_template": (_save, Permission.OPERATE), "save_version": (_save, Permission.OPERATE),
    "create_key": (_new_key, Permission.OPERATE), "import_key": (_new_key, Permission.OPERATE),
}  # fmt: skip
