from django.apps import AppConfig


class TagsConfig(AppConfig):
    name = "vmart.tags"
    label = "tags"
