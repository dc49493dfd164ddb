from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "vmart.ledger"
    label = "ledger"
