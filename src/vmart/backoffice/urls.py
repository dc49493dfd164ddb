"""Addresses of the seller's pages, below /seller/."""

from django.urls import path

from vmart.backoffice import (
    book_pages,
    catalog_pages,
    customer_pages,
    host_pages,
    order_pages,
    setting_up,
    shop_pages,
    views,
)
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
    path("catalog/books/<int:version>/withdraw/", book_pages.withdraw, name="seller_book_withdraw"),
    path("catalog/file/", catalog_pages.file, name="seller_catalog_file"),
    path("catalog/file/<int:applied>/", catalog_pages.file, name="seller_catalog_file_of"),
    path("zones/<str:code>/", host_pages.zone, name="seller_zone"),
    path("zones/<str:code>/hosts/", host_pages.drain, name="seller_host"),
    path("customers/", customer_pages.listing, name="seller_customers"),
    path("customers/<int:number>/", customer_pages.detail, name="seller_customer"),
    path("customers/<int:number>/money/", customer_pages.money, name="seller_customer_money"),
    path("customers/<int:number>/freeze/", customer_pages.freeze, name="seller_customer_freeze"),
    path("customers/<int:number>/quotas/", customer_pages.quotas, name="seller_customer_quotas"),
    path("orders/", order_pages.listing, name="seller_orders"),
    path("orders/<int:number>/", order_pages.detail, name="seller_order"),
    path("orders/<int:number>/refund/", order_pages.refund, name="seller_order_refund"),
    path("orders/<int:number>/void/", order_pages.void, name="seller_order_void"),
    path("deliveries/", views.deliveries, name="seller_deliveries"),
    path("card-messages/<int:number>/dismiss/", views.dismiss, name="seller_dismiss"),
    path("machines/<str:public_id>/redeliver/", views.redeliver, name="seller_redeliver"),
    path("machines/<str:public_id>/<str:act>/", views.lost_machine, name="seller_lost"),
    path("operations/<int:operation_id>/retry/", views.retry, name="seller_retry"),
]
