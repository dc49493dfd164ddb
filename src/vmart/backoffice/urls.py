"""Addresses of the seller's pages, below /seller/."""

from django.urls import path

from vmart.backoffice import views

urlpatterns = [
    path("", views.today, name="seller"),
    path("card-messages/<int:number>/dismiss/", views.dismiss, name="seller_dismiss"),
    path("operations/<int:operation_id>/retry/", views.retry, name="seller_retry"),
]
