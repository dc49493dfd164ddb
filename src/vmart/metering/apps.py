from django.apps import AppConfig


class MeteringConfig(AppConfig):
    name = "vmart.metering"
    label = "metering"
