from django.apps import AppConfig


class BillsConfig(AppConfig):
    name = "vmart.bills"
    label = "bills"
