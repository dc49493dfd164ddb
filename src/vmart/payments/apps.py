from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "vmart.payments"
    label = "payments"
