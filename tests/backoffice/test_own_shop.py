"""The seller gives the shop his name, logo, colour and texts: by a page, into the catalog file, onto every page."""

import html
import io
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest
from allauth.core.context import request_context
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from tests.catalog.test_brand import SVG, picture
from tests.support.database import DEMO_CATALOG
from tests.support.statements import statements
from tests.web.visiting import Form, Visitor, customer, operator, text_of
from vmart.backoffice import apply_catalog, catalog_text
from vmart.backoffice.apply_catalog import ChangedMeanwhile, apply_file, apply_text
from vmart.catalog import shop as catalog
from vmart.catalog.models import Applied, Brand
from vmart.kernel.documents import DocumentError, read_yaml
from vmart.kernel.models import Deployment
from vmart.pages.uploads import BYTES_MAX
from vmart.web.signing_in import Adapter

pytestmark = pytest.mark.usefixtures("shop")
PAGE = "/seller/shop/"
ALERT = "<script>alert(1)</script>"


def save(seller: Visitor, **said: Any) -> HttpResponse:
    """The page's form as it is shown, with these fields said otherwise."""
    return seller.post(PAGE, Form(seller.get(PAGE).content.decode(), "").data | said)


def file(content: bytes, name: str = "logo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "image/png")


def test_what_is_saved_is_on_every_page_and_in_the_file() -> None:
    seller = operator()
    said = {
        "name_en": "Northwind Cloud", "name_zh": "北风云", "support": "help@northwind.example",
        "colour_light": "#0b5cad", "colour_dark": "#7db8ff", "terms_en": "First.\r\n\r\nSecond.",
        "logo": file(picture()), "imprint_en": "Northwind Ltd", "imprint_zh": "北风有限公司",
    }  # fmt: skip
    answer = save(seller, **said)
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    here = catalog.current().brand
    for page in ("/buy/", "/accounts/login/"):
        shown = Visitor().get(page, follow=True).content.decode()
        assert " · Northwind Cloud</title>" in shown
        assert f'<img src="/brand/logo/{here.logo_id}.png" alt="" width="300" height="100">' in shown
        assert f'<link rel="icon" href="/brand/icon/{here.logo_id}.png" type="image/png">' in shown
        assert f'<link rel="stylesheet" href="/brand/{here.style_id}.css">' in shown
        assert '<a href="mailto:help@northwind.example">' in shown
        assert "vmart" not in shown.replace("vmart-", "")
    chinese = Visitor(headers={"accept-language": "zh-CN"})
    assert " · 北风云</title>" in chinese.get("/buy/", follow=True).content.decode()
    assert "北风有限公司" in chinese.get("/imprint/").content.decode()
    assert "<p>First.</p>\n\n<p>Second.</p>" in chinese.get("/terms/").content.decode()
    written = read_yaml(apply_catalog.applied())
    assert written["shop"] == {
        "name": {"en": "Northwind Cloud", "zh": "北风云"}, "logo": written["shop"]["logo"],
        "colour": {"light": "#0b5cad", "dark": "#7db8ff"}, "support": "help@northwind.example",
        "terms": {"en": "First.\n\nSecond.", "zh": "First.\n\nSecond."},
        "imprint": {"en": "Northwind Ltd", "zh": "北风有限公司"},
    }  # fmt: skip
    assert Applied.objects.latest("id").by == seller.user.email
    assert apply_text(apply_catalog.applied()) == []


def comments_of(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def test_the_comments_of_the_file_stay() -> None:
    save(operator(), name_en="Northwind")
    comments = comments_of(DEMO_CATALOG.read_text())
    assert len(comments) > 5
    assert comments_of(apply_catalog.applied()) == comments


def test_pictures_and_style_are_served_for_good_as_what_they_are() -> None:
    save(operator(), name_en="N", colour_light="#0b5cad", colour_dark="#7db8ff", logo=file(picture()))
    brand = catalog.current().brand
    stranger = Visitor()
    for address, kind, body in (
        (f"/brand/logo/{brand.logo_id}.png", "image/png", brand.logo),
        (f"/brand/icon/{brand.logo_id}.png", "image/png", brand.icon),
        (f"/brand/{brand.style_id}.css", "text/css; charset=utf-8", brand.style.encode()),
    ):
        with statements() as taken:
            answer = stranger.get(address)
        assert (answer.status_code, answer["Content-Type"], answer.content) == (200, kind, body)
        assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert len(taken) == 0
    for gone in ("/brand/logo/0000000000000000.png", "/brand/icon/x.png", "/brand/x.css", "/brand/logo/.png"):
        assert stranger.get(gone).status_code == 404


def test_a_shop_without_texts_has_no_pages_of_them() -> None:
    assert [Visitor().get(page).status_code for page in ("/terms/", "/imprint/")] == [404, 404]
    assert "vmart</title>" in Visitor().get("/accounts/login/").content.decode()


def test_the_look_takes_no_statement_of_any_page() -> None:
    stranger = Visitor()
    stranger.get("/accounts/login/")
    with statements() as before:
        stranger.get("/accounts/login/")
    save(operator(), name_en="Northwind", colour_light="#0b5cad", colour_dark="#7db8ff", terms_en="x")
    catalog.current()
    with statements() as after:
        assert "Northwind" in stranger.get("/accounts/login/").content.decode()
    assert len(after) == len(before)


def test_script_in_a_name_or_a_text_is_text() -> None:
    save(operator(), name_en=ALERT, terms_en=ALERT, imprint_en=f'"{ALERT}')
    catalog.current()
    for page in ("/accounts/login/", "/terms/", "/imprint/"):
        shown = Visitor().get(page).content.decode()
        assert "<script>alert" not in shown
        assert html.escape(ALERT) in shown


@pytest.mark.parametrize(
    ("said", "field", "says"),
    [
        ({"logo": file(SVG, "logo.svg")}, "logo", "SVG pictures are not taken"),
        ({"logo": file(b"MZ\0\0 no picture")}, "logo", "This is no picture in PNG or WebP."),
        ({"logo": file(b"\0" * (BYTES_MAX + 1))}, "logo", "The picture is larger than 2 MiB: save a smaller one."),
        ({"logo": file(b"\0" * 50_000_000)}, "logo", "The picture is larger than 2 MiB: save a smaller one."),
        ({"colour_light": "#ffcc00"}, "colour_light", "#ffcc00 has a contrast of 1.34 : 1 on #eef2f0; 4.5 : 1"),
        ({"colour_dark": "#0b5cad"}, "colour_dark", "#0b5cad has a contrast of 2.35 : 1 on #1d2522; 4.5 : 1"),
        ({"colour_light": "red;}body{display:none}"}, "colour_light", "is no colour: #08695a is one."),
        ({"support": "javascript:alert(1)"}, "support", "javascript:alert(1) is no e-mail address."),
        ({"name_en": "a" * 41}, "name_en", "String should have at most 40 characters"),
        ({"name_en": "a\0b"}, "name_en", "Null characters are not allowed."),
        ({"name_en": "", "name_zh": "北"}, "name_en", "The shop has a Chinese name and no English one."),
        ({"terms_en": "a" * 20_001}, "terms_en", "at most 20000 characters"),
    ],
    ids=["svg", "no picture", "2 MiB", "50 MB", "pale", "dark", "style", "support", "long", "nul", "chinese", "terms"],
)  # fmt: skip
def test_what_is_wrong_is_refused_at_its_field(said: dict[str, Any], field: str, says: str) -> None:
    seller = operator()
    before = (Applied.objects.count(), Deployment.objects.get().generation, Brand.objects.count())
    answer = save(seller, **{"name_en": "Northwind"} | said)
    page = answer.content.decode()
    assert answer.status_code == 422
    place = page[page.index(f'id="id_{field}_error"' if f'id="id_{field}_error"' in page else f'id="{field}_error"') :]
    assert says in html.unescape(place[:400])
    assert (Applied.objects.count(), Deployment.objects.get().generation, Brand.objects.count()) == before


def test_two_sellers_at_once_do_not_undo_each_other() -> None:
    one, other = operator(), operator()
    form = Form(one.get(PAGE).content.decode(), "").data
    assert save(other, name_en="Second").status_code == 302
    answer = one.post(PAGE, form | {"name_en": "First"})
    assert answer.status_code == 422
    assert "The catalog was changed meanwhile" in text_of(answer)
    assert catalog.current().brand.name_en == "Second"


def test_the_section_of_a_file_is_the_whole_truth() -> None:
    save(operator(), name_en="Northwind", logo=file(picture()))
    kept = catalog.current().brand
    save(operator(), name_en="Southwind")
    assert catalog.current().brand.logo == kept.logo
    save(operator(), without_logo="on")
    assert (catalog.current().brand.name_en, catalog.current().brand.logo) == ("Southwind", b"")
    assert [str(change) for change in apply_file(DEMO_CATALOG)] == ["- shop Southwind"]
    assert catalog.current().brand.name_en == "vmart"


def test_only_the_seller_by_a_form_of_his_own() -> None:
    before = Applied.objects.count()
    assert customer().get(PAGE).status_code == 403
    assert customer().post(PAGE, {"name_en": "Mine"}).status_code == 403
    assert Visitor().post(PAGE, {"name_en": "Mine"})["Location"].startswith("/accounts/login/")
    forged = operator()
    forged.handler.enforce_csrf_checks = True
    assert forged.post(PAGE, {"name_en": "Mine", "logo": file(picture())}).status_code == 403
    assert Applied.objects.count() == before


@override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend", DEFAULT_FROM_EMAIL="shop@example.org")
def test_mails_come_from_the_shop_by_its_name() -> None:
    mail.outbox = []
    request = RequestFactory().get("/")
    assert Adapter(request).get_from_email() == "shop@example.org"
    save(operator(), name_en='North "wind", Ltd', support="help@northwind.example")
    catalog.current()
    assert parseaddr(Adapter(request).get_from_email()) == ('North "wind", Ltd', "shop@example.org")
    with request_context(request):
        Adapter(request).send_account_already_exists_mail("somebody@example.org")
    (sent,) = mail.outbox
    assert sent.body.rstrip().endswith('North "wind", Ltd\nhelp@northwind.example')
    with override_settings(DEFAULT_FROM_EMAIL="Sales <shop@example.org>"):
        assert Adapter(request).get_from_email() == "Sales <shop@example.org>"


def test_a_value_that_an_alias_shares_is_not_changed_behind_the_sellers_back(tmp_path: Path) -> None:
    text = "a: &x {n: 1.50} # why\nb: *x\nc: [1, 2]\n"
    assert catalog_text.changed(text, {("c", 0): 3}) == "a: &x {n: 1.50} # why\nb: *x\nc: [3, 2]\n"
    with pytest.raises(DocumentError, match="an alias"):
        catalog_text.changed(text, {("a", "n"): 2})


def test_a_changed_catalog_is_refused_before_anything_is_written() -> None:
    with pytest.raises(ChangedMeanwhile):
        apply_text(DEMO_CATALOG.read_text().replace("East China", "The East"), based_on=0)
    assert catalog.current().regions["ap-shanghai"].name_en.startswith("East China")


def test_a_large_upload_is_kept_nowhere() -> None:
    request = RequestFactory().post("/", {"logo": io.BytesIO(b"\0" * (BYTES_MAX + 1))})
    sent: Any = request.FILES["logo"]
    assert (sent.size, sent.read()) == (BYTES_MAX + 1, b"")
