from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "vmart.events"
    label = "events"
