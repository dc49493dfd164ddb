"""Addresses of the seller's pages, below /seller/."""

from django.urls import path

from vmart.backoffice import customer_pages, setting_up, shop_pages, views, zone_pages

urlpatterns = [
    path("", views.today, name="seller"),
    path("first/<str:token>/", setting_up.first, name="first_operator"),
    path("checklist/", setting_up.checklist_page, name="seller_checklist"),
    path("shop/", shop_pages.look, name="seller_shop"),
    path("zones/<str:code>/", zone_pages.zone, name="seller_zone"),
    path("customers/", customer_pages.listing, name="seller_customers"),
    path("customers/<int:number>/", customer_pages.detail, name="seller_customer"),
    path("customers/<int:number>/money/", customer_pages.money, name="seller_customer_money"),
    path("customers/<int:number>/freeze/", customer_pages.freeze, name="seller_customer_freeze"),
    path("customers/<int:number>/quotas/", customer_pages.quotas, name="seller_customer_quotas"),
    path("deliveries/", views.deliveries, name="seller_deliveries"),
    path("card-messages/<int:number>/dismiss/", views.dismiss, name="seller_dismiss"),
    path("machines/<str:public_id>/redeliver/", views.redeliver, name="seller_redeliver"),
    path("machines/<str:public_id>/<str:act>/", views.lost_machine, name="seller_lost"),
    path("operations/<int:operation_id>/retry/", views.retry, name="seller_retry"),
]
