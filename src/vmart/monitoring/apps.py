from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "vmart.monitoring"
    label = "monitoring"
