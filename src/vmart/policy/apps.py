from django.apps import AppConfig


class PolicyConfig(AppConfig):
    name = "vmart.policy"
    label = "policy"
