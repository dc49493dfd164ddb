from django.apps import AppConfig


class SettlementConfig(AppConfig):
    name = "vmart.settlement"
    label = "settlement"
