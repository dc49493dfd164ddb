from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "vmart.pages"
    label = "pages"
