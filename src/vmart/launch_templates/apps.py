from django.apps import AppConfig


class LaunchTemplatesConfig(AppConfig):
    name = "vmart.launch_templates"
    label = "launch_templates"
