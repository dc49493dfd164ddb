from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "vmart.orders"
    label = "orders"
