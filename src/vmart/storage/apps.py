from django.apps import AppConfig


class StorageConfig(AppConfig):
    name = "vmart.storage"
    label = "storage"
