from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "vmart.api"
    label = "api"
