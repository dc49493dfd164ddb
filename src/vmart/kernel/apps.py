from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "vmart.kernel"
    label = "kernel"
