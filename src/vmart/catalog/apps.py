from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "vmart.catalog"
    label = "catalog"
