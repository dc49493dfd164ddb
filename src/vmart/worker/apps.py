from django.apps import AppConfig


class WorkerConfig(AppConfig):
    name = "vmart.worker"
    label = "worker"
