from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "vmart.customers"
    label = "customers"
