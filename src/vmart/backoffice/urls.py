"""Addresses of the seller's pages, below /seller/."""

from django.urls import path

from vmart.backoffice import catalog_pages, customer_pages, setting_up, shop_pages, staff_pages, views, zone_pages
from vmart.backoffice.first_run import pages as first_run

urlpatterns = [
    path("", views.today, name="seller"),
    path("first/<str:token>/", setting_up.first, name="first_operator"),
    path("first-run/", first_run.begin, name="seller_first_run_begin"),
    path("first-run/open/", first_run.open_shop, name="seller_first_run_open"),
    path("first-run/catalog.yaml", first_run.file, name="seller_first_run_file"),
    path("first-run/test/", first_run.test_order, name="seller_trial"),
    path("first-run/test/progress/", first_run.test_progress, name="seller_trial_progress"),
    path("first-run/test/<slug:act>/", first_run.test_act, name="seller_trial_act"),
    path("first-run/<slug:step>/", first_run.question, name="seller_first_run"),
    path("checklist/", setting_up.checklist_page, name="seller_checklist"),
    path("shop/", shop_pages.look, name="seller_shop"),
    path("catalog/", catalog_pages.catalog, name="seller_catalog"),
    path("catalog/prices/", catalog_pages.change_prices, name="seller_prices"),
    path("catalog/sold-out/", catalog_pages.sold_out, name="seller_sold_out"),
    path("catalog/file/", catalog_pages.file, name="seller_catalog_file"),
    path("catalog/file/<int:applied>/", catalog_pages.file, name="seller_catalog_file_of"),
    path("staff/", staff_pages.listing, name="seller_staff"),
    path("staff/<int:number>/", staff_pages.one, name="seller_staff_member"),
    path("zones/<str:code>/", zone_pages.zone, name="seller_zone"),
    path("customers/", customer_pages.listing, name="seller_customers"),
    path("customers/<int:number>/", customer_pages.detail, name="seller_customer"),
    path("customers/<int:number>/money/", customer_pages.money, name="seller_customer_money"),
    path("customers/<int:number>/freeze/", customer_pages.freeze, name="seller_customer_freeze"),
    path("customers/<int:number>/quotas/", customer_pages.quotas, name="seller_customer_quotas"),
    path("customers/<int:number>/notes/", customer_pages.note, name="seller_customer_note"),
    path("customers/<int:number>/notes/<int:note>/strike/", customer_pages.strike, name="seller_note_strike"),
    path("customers/<int:number>/act-as/", customer_pages.act_as, name="seller_act_as"),
    path("act-as/end/", customer_pages.end_act_as, name="seller_act_as_end"),
    path("deliveries/", views.deliveries, name="seller_deliveries"),
    path("card-messages/<int:number>/dismiss/", views.dismiss, name="seller_dismiss"),
    path("machines/<str:public_id>/redeliver/", views.redeliver, name="seller_redeliver"),
    path("machines/<str:public_id>/refund/", views.lost_machine, {"act": "refund"}, name="seller_lost_refund"),
    path("machines/<str:public_id>/end/", views.lost_machine, {"act": "end"}, name="seller_lost_end"),
    path("operations/<int:operation_id>/retry/", views.retry, name="seller_retry"),
]
