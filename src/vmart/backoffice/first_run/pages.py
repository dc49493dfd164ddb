"""The pages of the first run: a question a page, each saved; then the file is applied and a test order is placed."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.backoffice import apply_catalog, catalog_text, own_shop
from vmart.backoffice.first_run import answers, document, trial
from vmart.backoffice.first_run.forms import QUESTIONS, TITLES, Question
from vmart.backoffice.shop_forms import logo_sent
from vmart.backoffice.views import operator, seller
from vmart.catalog import shop
from vmart.kernel.documents import DocumentError
from vmart.kernel.errors import InvalidValue, Refused
from vmart.listings.paging import number
from vmart.pages import wording
from vmart.payments import providers
from vmart.pricing import calculator, host_typed

_PICTURE = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=]+")  # of a logo: nobody reads it on a page


@never_cache
@require_safe
@operator
def begin(request: HttpRequest) -> HttpResponse:
    """Where the seller left off."""
    if answers.is_open():
        return redirect("seller_trial")
    waiting = answers.next_step(answers.kept())
    return redirect("seller_first_run_open") if waiting == "open" else redirect("seller_first_run", waiting)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def question(request: HttpRequest, step: str) -> HttpResponse:
    """One step. What is sent is kept and leads on; ``act=anew`` has the step's defaults again."""
    if step not in QUESTIONS:
        raise Http404
    if answers.is_open():
        return redirect("seller_trial")
    if request.POST.get("act") == "anew":
        answers.forget(step, seller(request))
        return redirect("seller_first_run", step)
    kept = answers.filled(answers.kept())
    if request.method == "POST":
        form = QUESTIONS[step](request.POST)
        if form.takes(lambda: _keep(request, form, kept)):
            return redirect(*_after(step))
        return _asked(request, form, kept, status=422)
    return _asked(request, QUESTIONS[step](initial=_initial(step, kept)), kept)


def _after(step: str) -> tuple[str, ...]:
    following = answers.STEPS[answers.STEPS.index(step) + 1]
    return ("seller_first_run_open",) if following == "open" else ("seller_first_run", following)


def _initial(step: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    said = dict(kept[step])
    if step == "prices":
        return _calculated(kept) | said
    return {"images": said["images"].split()} if step == "images" else said


def _calculated(kept: Mapping[str, Any]) -> dict[str, str]:
    try:
        return document.prices(host_typed.host(kept["host"]), kept["name"]["currency"])
    except Refused:  # kept by an older version with other bounds
        return {}


def _keep(request: HttpRequest, form: Question, kept: Mapping[str, Any]) -> None:
    """Keep what was said if a catalog file can say it. Raises Refused at the field."""
    step, said = form.step, form.said()
    document.check(step, said)
    others = dict(kept)
    if step == "name":
        _refuse_other_zone(said)
        without, sent = form.cleaned_data["without_logo"], logo_sent(request.FILES)
        said["logo"] = own_shop.logo_text(kept["name"]["logo"], sent, without=without) or ""
    else:
        others["name"] = {**kept["name"], "name_en": kept["name"]["name_en"] or "-"}  # the step may come first
    if step == "host":
        others["prices"] = {}
    _parsed(others | {step: said})
    answers.keep(step, said, seller(request))


def _refuse_other_zone(said: Mapping[str, Any]) -> None:
    told = answers.zone_told()
    if told and said["billing_zone"] != told:
        raise InvalidValue(
            "The billing zone is {zone}: the environment of “vmart up” says so.", field="shop.billing_zone", zone=told
        )


def _parsed(whole: Mapping[str, Any]) -> str:
    """The catalog file of all answers, checked. Raises Refused."""
    text = catalog_text.new(document.catalog(whole))
    try:
        apply_catalog.read(text)
    except DocumentError as error:
        raise own_shop.refused(error) from error
    return text


def _asked(request: HttpRequest, form: Question, kept: Mapping[str, Any], status: int = 200) -> HttpResponse:
    here: dict[str, Any] = {"form": form, "step": form.step, "progress": _progress(form.step)}
    if form.step in ("host", "prices"):
        here |= _worked(kept)
    if form.step == "payment":
        here["offered"] = providers.offered()
    here["has_logo"] = bool(kept["name"]["logo"])
    return render(request, "backoffice/first_run/question.html", here, status=status)


def _worked(kept: Mapping[str, Any]) -> dict[str, Any]:
    try:
        host = host_typed.host(kept["host"])
    except Refused:
        return {}
    return {"host": host, "units": calculator.units(host), "currency": kept["name"]["currency"]}


def _progress(current: str) -> list[dict[str, Any]]:
    """All steps with their state, for the list beside each page."""
    done, is_open = answers.kept(), answers.is_open()
    return [
        {"step": step, "title": TITLES[step], "done": (is_open and step != "test") or step in done,
         "now": step == current, "asked": step in QUESTIONS and not is_open}
        for step in answers.STEPS
    ]  # fmt: skip


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def open_shop(request: HttpRequest) -> HttpResponse:
    """What will be on sale, as a file too; applied, it lets buyers in."""
    if answers.is_open():
        return redirect("seller_trial")
    kept = answers.filled(answers.kept())
    here: dict[str, Any] = {"progress": _progress("open")}
    try:
        text = _parsed(kept)
        if request.method == "POST":
            apply_catalog.apply_text(text, by=seller(request), based_on=0)
            shop.refresh()
            return redirect("seller_trial")
    except DocumentError as error:
        here["problems"] = error.problems
    except Refused as refused:
        here["problems"] = [wording.sentence(refused)]
    else:
        here |= {"text": _PICTURE.sub("…", text), "catalog": document.catalog(kept)}
    return render(request, "backoffice/first_run/open.html", here, status=422 if request.method == "POST" else 200)


@never_cache
@require_safe
@operator
def file(request: HttpRequest) -> HttpResponse:
    """The catalog file as the answers make it, to be kept or applied by ``vmart catalog apply``."""
    if answers.is_open():
        return redirect("seller_catalog_file")
    try:
        text = _parsed(answers.filled(answers.kept()))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("seller_first_run_open")
    return as_file(text, "shop.yaml")


def as_file(text: str, name: str) -> HttpResponse:
    answer = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@never_cache
@require_safe
@operator
def test_order(request: HttpRequest) -> HttpResponse:
    """The seller's own test order, and how far it is."""
    if not answers.is_open():
        return redirect("seller_first_run_begin")
    return render(request, "backoffice/first_run/test.html", _trial())


@never_cache
@require_safe
@operator
def test_progress(request: HttpRequest) -> HttpResponse:
    """The part of the page that changes while the order is delivered."""
    return render(request, "backoffice/first_run/trial.html", _trial())


def _trial() -> dict[str, Any]:
    return {"trial": trial.latest(), "progress": _progress("test"), "zones_ready": trial.is_ready()}


@require_POST
@operator
def test_act(request: HttpRequest, act: str) -> HttpResponse:
    """Buy the test machine, or end it."""
    bought = number(request.POST.get("number", ""))
    acts: dict[str, Callable[[Any], object]] = {"buy": lambda asker: trial.buy(asker, bought or 0), "end": trial.end}
    if act not in acts:
        raise Http404
    try:
        acts[act](seller(request))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    else:
        messages.success(request, _("It is under way."))
    return redirect("seller_trial")
