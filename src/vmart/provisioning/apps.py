from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    name = "vmart.provisioning"
    label = "provisioning"
