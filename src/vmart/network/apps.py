from django.apps import AppConfig


class NetworkConfig(AppConfig):
    name = "vmart.network"
    label = "network"
