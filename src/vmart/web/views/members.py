"""The members of an account: who they are, what they may, and whom they invite; and which account one acts for."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from vmart.customers import invitations, roles
from vmart.customers.invitations import Made
from vmart.customers.models import Invitation, Member, User
from vmart.customers.roles import Permission
from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.listings.paging import Page
from vmart.orders import membership
from vmart.pages import role_words, wording
from vmart.pages.table import listed
from vmart.policy import policy
from vmart.web.acting import as_file, done, found
from vmart.web.invited_mail import INVITED, send
from vmart.web.member_forms import NewMember, OtherRole
from vmart.web.member_tables import INVITATIONS, MEMBERS
from vmart.web.visitor import act_for, actor, customer, field, to_another, whence


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """Members and open invitations; whoever may invites here."""
    if as_file(request):
        return MEMBERS.file("members.csv", lambda _key: Page(_members(account_id)))
    user: Any = request.user
    form = NewMember(roles.may_give(user.role), request.POST if request.method == "POST" else None)
    if made := form.made(lambda: _invite(request, account_id, form.cleaned_data)):
        if settings.SENDS_MAIL:
            return redirect("members")
        return _page(request, account_id, NewMember(roles.may_give(user.role)), link=_link(request, made))
    return _page(request, account_id, form)


def _invite(request: HttpRequest, account_id: int, typed: dict[str, Any]) -> Made:
    days = policy.at(clock.now()).invitation_days
    who, mailed = actor(request, account_id), bool(settings.SENDS_MAIL)
    made = invitations.invite(who, typed["email"], typed["role"], days=days, mailed=mailed)
    if mailed and send(request, made):
        messages.success(request, _("An invitation was sent to {email}.").format(email=made.invitation.email))
    elif mailed:
        messages.error(request, _("The mail could not be sent. Try again later, or tell the seller."))
    return made


def _link(request: HttpRequest, made: Made) -> str:
    return request.build_absolute_uri(reverse("invited", args=[made.word]))


def _members(account_id: int) -> list[Member]:
    return list(Member.objects.select_related("user").filter(account_id=account_id).order_by("id"))


def _page(request: HttpRequest, account_id: int, form: NewMember, link: str = "") -> HttpResponse:
    user: Any = request.user
    manages = roles.may(user.role, Permission.MEMBERS)
    waiting = list(invitations.open_of(account_id).select_related("invited_by")) if manages else []
    here = {
        "members": listed(MEMBERS, _members(account_id), request),
        "invitations": listed(INVITATIONS, waiting, request, _("Invitations")),
        "manages": manages,
        "form": form,
        "link": link,
        "roles": [(role_words.TITLES[role], role_words.EXPLAINED[role]) for role in roles.Role],
    }
    return render(request, "web/members/list.html", here, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def member(request: HttpRequest, account_id: int, user_id: int) -> HttpResponse:
    """One member: another role, or the end of the place."""
    user: Any = request.user
    one = found(Member.objects.select_related("user").filter(account_id=account_id, user_id=user_id).first())
    if request.method == "POST" and request.POST.get("act") == "remove":
        said = _("{email} is no longer a member.").format(email=one.user.email)
        return done(request, lambda: membership.remove(actor(request, account_id), user_id), said, "members")
    form = OtherRole(roles.may_give(user.role), one.role, request.POST if request.method == "POST" else None)
    if form.takes(lambda: membership.change(actor(request, account_id), user_id, form.cleaned_data["role"])):
        messages.success(request, _("The role was changed."))
        return redirect("members")
    here = {"member": one, "form": form, "may_change": one.role in roles.may_give(user.role)}
    return render(request, "web/members/member.html", here, status=422 if form.errors else 200)


@require_POST
@customer
def withdraw(request: HttpRequest, account_id: int, number: int) -> HttpResponse:
    """End an invitation."""
    who, said = actor(request, account_id), _("The invitation was withdrawn.")
    return done(request, lambda: invitations.withdraw(who, number), said, "members")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def leave(request: HttpRequest, account_id: int) -> HttpResponse:
    """End one's own place."""
    user: Any = request.user
    if request.method != "POST":
        return render(request, "web/members/leave.html")
    try:
        membership.remove(actor(request, account_id), user.pk)
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("members")
    messages.success(request, _("You are no longer a member of that account."))
    return to_another(request)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invited(request: HttpRequest, word: str) -> HttpResponse:
    """Where the link of an invitation leads: to join, or to sign in or up first. Looking uses nothing up."""
    user: Any = request.user
    try:
        asked = invitations.find(word)
        if user.is_authenticated:
            invitations.check_for(asked, user.email)
        if request.method == "POST":
            return _join(request, word) if user.is_authenticated else _to_sign_up(request, asked, word)
    except Refused as refused:
        here = {"why": wording.sentence(refused)}
        return render(request, "web/members/not_invited.html", here, status=403)
    known = User.objects.filter(email__iexact=asked.email).exists()
    role = {"title": role_words.TITLES[asked.role], "explained": role_words.EXPLAINED[asked.role]}
    return render(request, "web/members/invited.html", {"invitation": asked, "known": known, "role": role})


def _join(request: HttpRequest, word: str) -> HttpResponse:
    user: Any = request.user
    joined = invitations.take(user, word, *whence(request))
    act_for(request, joined.account_id)
    messages.success(request, _("You are a member of {account} now.").format(account=joined.account.name))
    return redirect("overview")


def _to_sign_up(request: HttpRequest, asked: Invitation, word: str) -> HttpResponse:
    request.session[INVITED] = word
    return redirect(f"{reverse('account_signup')}?{urlencode({'email': asked.email})}")


@require_POST
@login_required
def switch(request: HttpRequest) -> HttpResponse:
    """Act for another account of one's own."""
    user: Any = request.user
    wanted = field(request.POST, "account")
    place = next((one for one in user.places if str(one.account) == wanted), None)
    if place is None:
        messages.error(request, _("You are no member of this account."))
        return redirect("home")
    act_for(request, place.account)
    messages.success(request, _("You act for {account} now.").format(account=place.name))
    return redirect("home")
