"""All addresses that people use; the API's are decided in wsgi.py."""

from importlib.util import find_spec

from django.urls import include, path

from vmart.config.payment_webhook import payment_webhook
from vmart.pages import brand, theme

handler500 = "vmart.config.out_of_order.page"

urlpatterns = [
    path("payments/webhook/<slug:provider>", payment_webhook),
    path("i18n/theme/", theme.choose, name="set_theme"),
    path("brand/<slug:kept>.css", brand.style, name="brand_style"),
    path("brand/logo/<slug:kept>.png", brand.picture, {"what": "logo"}, name="brand_logo"),
    path("brand/icon/<slug:kept>.png", brand.picture, {"what": "icon"}, name="brand_icon"),
    path("terms/", brand.legal, {"what": "terms"}, name="terms"),
    path("imprint/", brand.legal, {"what": "imprint"}, name="imprint"),
    path("i18n/", include("django.conf.urls.i18n")),
]
if find_spec("vmart.backoffice.urls"):
    urlpatterns.append(path("seller/", include("vmart.backoffice.urls")))
if find_spec("vmart.web.urls"):
    urlpatterns.append(path("", include("vmart.web.urls")))
