from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "vmart.web"
    label = "web"
