from django.apps import AppConfig


class ConsolesConfig(AppConfig):
    name = "vmart.consoles"
    label = "consoles"
