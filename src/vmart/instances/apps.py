from django.apps import AppConfig


class InstancesConfig(AppConfig):
    name = "vmart.instances"
    label = "instances"
