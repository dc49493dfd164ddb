from django.apps import AppConfig


class PricingConfig(AppConfig):
    name = "vmart.pricing"
    label = "pricing"
