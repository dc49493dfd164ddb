from django.apps import AppConfig


class ListingsConfig(AppConfig):
    name = "vmart.listings"
    label = "listings"
