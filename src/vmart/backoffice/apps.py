from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    name = "vmart.backoffice"
    label = "backoffice"
