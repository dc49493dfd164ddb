from django.apps import AppConfig


class PlacementConfig(AppConfig):
    name = "vmart.placement"
    label = "placement"
