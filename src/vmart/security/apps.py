from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "vmart.security"
    label = "security"
