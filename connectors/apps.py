"""The connectors as a Django app."""

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"
    verbose_name = "Sources"

    def ready(self) -> None:
        from portal import pages

        from . import registry

        for connector in registry.all_connectors().values():
            pages.hide(connector.secrets)
