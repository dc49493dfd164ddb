from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "vmart.customers"
    label = "customers"

    def ready(self) -> None:
        """Acts of members and of the seller's staff ask, where they write who asked, whether he still may."""
        from vmart.customers import staff
        from vmart.events import record

        record.asking("fn.customers_permits(%s, %s, %s, %s)", staff.not_any_more)
