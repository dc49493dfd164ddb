from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "vmart.subscriptions"
    label = "subscriptions"
